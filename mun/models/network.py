"""The Modality Unifying Network: auxiliary modality, stems, shared trunk, generalised-mean pooling, BN neck."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.auxiliary.interface import Auxiliary
from mun.auxiliary.registry import build_auxiliary
from mun.config import ModelConfig
from mun.models.backbone import Stem, Trunk, initialise
from mun.structures import Modality

__all__ = ["CLASSIFIER_STD", "GENERATOR_LAYERS", "MEAN", "STAGES", "STD", "BnNeck", "Network", "Outputs"]
__all__ += ["generalised_mean"]

STAGES = ("layer1", "layer2", "layer3", "layer4")  # of the trunk
GENERATOR_LAYERS = ("iml_visible", "iml_infrared", "cml", "fused")

# Mean and standard deviation of ImageNet's RGB images in [0, 1], which pretrained weights expect.
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLASSIFIER_STD = 0.001  # of the classifier's initial weights: all identities get similar logits


def generalised_mean(feature_map: Tensor, power: float) -> Tensor:
    """Pool `(N, D, h, w)` to `(N, D)` by `(mean xᵖ)^(1/p)`, in float32 whatever came in.

    Source: Radenović et al., TPAMI 2019, arXiv:1711.02512. Departs from it in: the power is fixed.
    """
    return feature_map.float().clamp(min=1e-6).pow(power).mean(dim=(2, 3)).pow(1.0 / power)


class BnNeck(nn.Module):
    """Batch normalisation between the metric losses and the classifier, and a bias-free classifier.

    Without training identities (`num_classes` 0, as in a checkpoint for retrieval) there is no classifier.

    Source: Luo et al., CVPRW 2019, arXiv:1903.07071.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(num_features)
        self.bn.bias.requires_grad_(False)
        self.classifier = nn.Linear(num_features, num_classes, bias=False) if num_classes else None
        if self.classifier is not None:
            nn.init.normal_(self.classifier.weight, std=CLASSIFIER_STD)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features `(N, D)` to unit-length embeddings `(N, D)` and logits `(N, C)`."""
        normalised = self.bn(features)
        logits = normalised[:, :0] if self.classifier is None else self.classifier(normalised)
        return torch.nn.functional.normalize(normalised, dim=1), logits


@dataclass(frozen=True)
class Outputs:
    """Outputs of the network for a batch, by modality.

    Attributes:
        features: Pooled, before the BN neck, float32, `(N_m, D)`.
        embeddings: After the BN neck, unit length, float32, `(N_m, D)`.
        logits: Over the C training identities, `(N_m, C)`.
    """

    features: dict[Modality, Tensor]
    embeddings: dict[Modality, Tensor]
    logits: dict[Modality, Tensor]


class Network(nn.Module):
    """Embed visible, infrared and auxiliary images into one space.

    Args:
        config: The model's choices.
        num_classes: Training identities C; 0 builds no classifier.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: ModelConfig, num_classes: int) -> None:
        super().__init__()
        self.config = config
        self.num_classes = num_classes
        self.auxiliary: Auxiliary = build_auxiliary(config.auxiliary, config.generator)
        modalities = [Modality.VISIBLE, Modality.INFRARED]
        if self.auxiliary.num_images and config.auxiliary_stem == "own":
            modalities.append(Modality.AUXILIARY)
        self.stems = nn.ModuleDict({modality.value: Stem(config.width) for modality in modalities})
        self.trunk = Trunk(config.backbone, config.width)
        self.neck = BnNeck(self.trunk.num_features, num_classes)
        initialise(self.stems)
        initialise(self.trunk)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1), persistent=False)

    @property
    def num_features(self) -> int:
        """Size D of features and embeddings."""
        return self.trunk.num_features

    def stem(self, images: Tensor, modality: Modality) -> Tensor:
        """Normalise images in [0, 1], `(N, 3, H, W)`, and run the modality's own stem."""
        name = modality.value if modality.value in self.stems else Modality.VISIBLE.value
        normalised: Tensor = (images - self.mean) / self.std
        maps: Tensor = self.stems[name](normalised.contiguous(memory_format=torch.channels_last))
        return maps

    def features(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], `(N, 3, H, W)`, to pooled features before the BN neck, float32, `(N, D)`."""
        return generalised_mean(self.trunk(self.stem(images, modality)), self.config.gem_power)

    def embed(self, images: Tensor, modality: Modality) -> Tensor:
        """Map images in [0, 1], `(N, 3, H, W)`, to unit-length embeddings, float32, `(N, D)`."""
        embeddings: Tensor = self.neck(self.features(images, modality))[0]
        return embeddings

    @property
    def stages(self) -> tuple[str, ...]:
        """Names of the layers that maps of a single image can be made of, the most abstract layer last."""
        return STAGES

    def explainable_layers(self) -> dict[str, nn.Module]:
        """Return the modules whose output is a map, `(N, C, h, w)`: of MUN's generator, then of the trunk.

        A part that is switched off, and the whole generator of another auxiliary modality, are left out.
        """
        layers: dict[str, nn.Module] = {}
        if isinstance(self.auxiliary, AuxiliaryGenerator):
            named = {name: getattr(self.auxiliary, name) for name in GENERATOR_LAYERS}
            layers = {name: module for name, module in named.items() if module is not None}
        return layers | {name: getattr(self.trunk, name) for name in STAGES}

    def generate(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Make the auxiliary images of pairs, each like its inputs, in float32; see `Auxiliary`.

        On a CPU they are also computed in float32, which is faster there than bfloat16.
        """
        kind = visible.device.type
        with torch.autocast(kind, dtype=torch.bfloat16, enabled=kind == "cuda" and torch.is_autocast_enabled(kind)):
            images: tuple[Tensor, ...] = self.auxiliary(visible, infrared, draws)
        return tuple(image.float() for image in images)

    def forward(self, images: Mapping[Modality, Tensor]) -> Outputs:
        """Run every modality's stem, then the shared layers on all images together.

        Args:
            images: RGB, float, [0, 1], `(N_m, 3, H, W)` per modality; batch statistics are taken over all of them. A
                third modality of features, in training alone, is the mean of the stems' maps in row n of both.
        """
        maps = {modality: self.stem(batch, modality) for modality, batch in images.items()}
        if self.auxiliary.of_features and self.training:
            maps[Modality.AUXILIARY] = 0.5 * (maps[Modality.VISIBLE] + maps[Modality.INFRARED])
        modalities = list(maps)
        features = generalised_mean(self.trunk(torch.cat(list(maps.values()))), self.config.gem_power)
        with torch.autocast(features.device.type, enabled=False):
            embeddings, logits = self.neck(features)
        sizes = [len(batch) for batch in maps.values()]

        def split(values: Tensor) -> dict[Modality, Tensor]:
            return dict(zip(modalities, torch.split(values, sizes), strict=True))

        return Outputs(split(features), split(embeddings), split(logits))
