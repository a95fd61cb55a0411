"""Learned rivals of MUN's generator, each a few 1×1 convolutions, and two controls of MUN itself."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.auxiliary.interface import Auxiliary
from mun.config import GeneratorConfig

__all__ = ["FrozenGenerator", "MiddleGenerator", "ShuffledPartners", "SyncreticGenerator", "XGenerator"]


def weighing(inputs: int, outputs: int, weight: float) -> nn.Conv2d:
    """Build a 1×1 convolution that starts with this weight everywhere and without a bias."""
    layer = nn.Conv2d(inputs, outputs, 1)
    nn.init.constant_(layer.weight, weight)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class XGenerator(Auxiliary):
    """The X modality: the visible image through 1×1 convolutions, 3 → 1, ReLU, 1 → 3.

    Source: Li et al., AAAI 2020, "Infrared-Visible Cross-Modal Person Re-Identification with an X Modality". Departs
    from it in: it works on images in [0, 1], and it starts at the channel mean (weights 1/3 and 1, biases 0).
    """

    def __init__(self) -> None:
        super().__init__()
        self.encode = weighing(3, 1, 1 / 3)
        self.decode = weighing(1, 3, 1.0)

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Make X images."""
        return (self.decode(F.relu(self.encode(visible))),)


class MiddleGenerator(Auxiliary):
    """The middle modality: an encoder per modality and one decoder give **two** auxiliary images.

    Encoder: 1×1 3 → 1, ReLU, 1×1 1 → 1, ReLU, batch normalisation; decoder: 1×1 1 → 3, ReLU.

    Source: MMN, Zhang et al., ACM MM 2021, "Towards a Unified Middle Modality Learning for Visible-Infrared Person
    Re-Identification". Departs from it in: the row is the generator alone, without the paper's losses, the middle
    images are not scored at test time, and both encoders start at the channel mean.
    """

    num_images = 2

    def __init__(self) -> None:
        super().__init__()
        self.encode_visible = middle_encoder()
        self.encode_infrared = middle_encoder()
        self.decode = nn.Conv2d(1, 3, 1)

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Make a middle image of the visible, and one of the infrared image."""
        return F.relu(self.decode(self.encode_visible(visible))), F.relu(self.decode(self.encode_infrared(infrared)))


def middle_encoder() -> nn.Sequential:
    """Build the encoder of one modality: it starts as the channel mean, so that no image starts at zero.

    With the usual random weights and biases, the only channel of a modality can stay at zero for the whole training.
    """
    return nn.Sequential(weighing(3, 1, 1 / 3), nn.ReLU(), weighing(1, 1, 1.0), nn.ReLU(), nn.BatchNorm2d(1))


class SyncreticGenerator(Auxiliary):
    """The syncretic modality: a learned fusion of the pair, `1×1(ReLU(1×1(V) + 1×1(I)))` through one channel.

    Source: SMCL, Wei et al., ICCV 2021, "Syncretic Modality Collaborative Learning for Visible Infrared Person
    Re-Identification", from memory: the paper was not at hand. Departs from it in: whatever that memory lacks, and it
    starts at the mean of the pair (weights 1/6 and 1, biases 0).
    """

    def __init__(self) -> None:
        super().__init__()
        self.encode_visible, self.encode_infrared = weighing(3, 1, 1 / 6), weighing(3, 1, 1 / 6)
        self.decode = weighing(1, 3, 1.0)

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Fuse the pairs."""
        return (self.decode(F.relu(self.encode_visible(visible) + self.encode_infrared(infrared))),)


class ShuffledPartners(AuxiliaryGenerator):
    """MUN's generator with the infrared partners shuffled over the batch: a control.

    The image inherits the label of its visible input. If it works as well as MUN, the pair is not what matters.

    Source: a control of this project. Departs from `AuxiliaryGenerator` in: the partners alone, in training.
    """

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Generate from each visible image and a random infrared one; without draws partners stay as they are."""
        if draws is not None:
            infrared = infrared[torch.randperm(len(infrared), generator=draws).to(infrared.device)]
        return super().make(visible, infrared, draws)


class FrozenGenerator(AuxiliaryGenerator):
    """MUN's generator with its random initial weights, never trained: a control, for every form of the generator.

    Source: a control of this project. Departs from `AuxiliaryGenerator` in: no weight learns; batch normalisation
    still follows the batches.
    """

    def __init__(self, config: GeneratorConfig) -> None:
        super().__init__(config)
        self.requires_grad_(False)
