"""Class-activation maps by the package `grad-cam`: raw values, on a copy of the network, one at a time.

The package scales every map to [0, 1] and shares its state between threads. So the sums are taken before that scaling,
every call works on its own deep copy of the network, and a lock guards the package.
"""

import copy
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mun.explain.targets import Logit, Target
from mun.models.network import GENERATOR_LAYERS, STAGES, Network
from mun.structures import Modality
from mun.torchvision_compat import import_parts

__all__ = ["GENERATOR_LAYERS", "STAGES", "Look", "LookingNetwork", "Method", "Report", "activation_maps"]
__all__ += ["default_method", "part", "upsampled"]

MAX_SCORED = 2**23  # channels × pixels of an image that Score-CAM may put through the network
LOCK = threading.Lock()

Floats = NDArray[np.float32]
Report = Callable[[float], None]  # called with the share of the work that is done; an exception ends the work


class Method(StrEnum):
    """A way from activations and gradients to a map."""

    GRAD_CAM = "grad-cam"
    GRAD_CAM_PLUS_PLUS = "grad-cam++"
    LAYER_CAM = "layer-cam"
    EIGEN_CAM = "eigen-cam"
    SCORE_CAM = "score-cam"

    @property
    def slow(self) -> bool:
        """Whether it runs the network once per channel."""
        return self is Method.SCORE_CAM

    @property
    def label(self) -> str:
        """The name as its authors write it."""
        return NAMES[self][0]


NAMES = {  # as its authors write it, module and class of the package
    Method.GRAD_CAM: ("Grad-CAM", "grad_cam", "GradCAM"),
    Method.GRAD_CAM_PLUS_PLUS: ("Grad-CAM++", "grad_cam_plusplus", "GradCAMPlusPlus"),
    Method.LAYER_CAM: ("LayerCAM", "layer_cam", "LayerCAM"),
    Method.EIGEN_CAM: ("Eigen-CAM", "eigen_cam", "EigenCAM"),
    Method.SCORE_CAM: ("Score-CAM", "score_cam", "ScoreCAM"),
}


def default_method(layer: str) -> Method:
    """Return LayerCAM for the fine layers of the generator, Grad-CAM for the coarse stages of the backbone."""
    return Method.LAYER_CAM if layer in GENERATOR_LAYERS else Method.GRAD_CAM


@dataclass(frozen=True, eq=False)
class Look:
    """The images that a map explains.

    Attributes:
        images: RGB, float, [0, 1], `(N, 3, H, W)`; `(N, 6, H, W)`, visible before infrared, for the auxiliary images
            that the network makes from pairs.
        modality: The modality of the images, which selects the stem; `AUXILIARY` for pairs.
        number: Number of the auxiliary image of a pair, from 0.

    Raises:
        ValueError: The images have another shape, or the modality of pairs is not `AUXILIARY`.
    """

    images: Tensor
    modality: Modality
    number: int = 0

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.shape[1] not in (3, 6):
            raise ValueError(f"expected images of shape (N, 3, H, W) or (N, 6, H, W), got {tuple(self.images.shape)}")
        if self.paired and self.modality is not Modality.AUXILIARY:
            raise ValueError(f"expected pairs with the modality auxiliary, got {self.modality}")

    @property
    def paired(self) -> bool:
        """Whether the images are pairs, from which the network makes auxiliary images."""
        return self.images.shape[1] == 6


class LookingNetwork(nn.Module):
    """A network in the form that the package needs: one tensor in, one row per image out.

    Args:
        network: The network.
        look: Its modality and number are used.
        logits: Return logits, `(N, C)`, instead of embeddings, `(N, D)`.
    """

    def __init__(self, network: Network, look: Look, *, logits: bool = False) -> None:
        super().__init__()
        self.network, self.modality, self.number, self.logits = network, look.modality, look.number, logits

    def forward(self, images: Tensor) -> Tensor:
        """Run images as in `Look.images`."""
        if images.shape[1] == 6:
            images = self.network.generate(images[:, :3], images[:, 3:])[self.number]
        if not self.logits:
            return self.network.embed(images, self.modality)
        rows: Tensor = self.network.neck(self.network.features(images, self.modality))[1]
        return rows


def activation_maps(
    network: Network,
    look: Look,
    targets: Sequence[Target],
    wanted: Iterable[tuple[str, Method]],
    report: Report | None = None,
) -> dict[tuple[str, Method], Floats]:
    """Compute maps of some layers.

    The network's gradients, mode and hooks do not change, even if this function fails.

    Args:
        network: On any device.
        look: N images, or pairs of images.
        targets: One per image, all of one kind.
        wanted: Pairs of a layer, a name of `Network.explainable_layers`, and a method.
        report: Called after each map, and during a Score-CAM.

    Returns:
        By layer and method the positive part of the map at the layer's resolution, float32, `(N, h, w)`. Not scaled: a
        value can be compared between images of one layer, hardly between layers.

    Raises:
        ValueError: A layer does not exist, has no spatial map or is not used for these images; there is no auxiliary
            image of this number or no classifier; Score-CAM would take too long; the values are not finite.
    """
    logits = check_targets(network, look, targets)
    maps, listed = {}, list(wanted)
    with torch.inference_mode(False), torch.enable_grad():
        own = copy.deepcopy(network).eval().requires_grad_(False)
        model = LookingNetwork(own, look, logits=logits)
        for number, (name, method) in enumerate(listed):
            check_layer(name, list(own.explainable_layers()), look)
            within = part(report, number / len(listed), (number + 1) / len(listed))
            values = one_map(model, name, look.images, targets, method, within)
            if not np.isfinite(values).all():
                raise ValueError(f"expected finite values at {name}, got NaN or infinity; the weights are damaged")
            maps[name, method] = np.maximum(values, 0)
            within(1.0)
    return maps


def part(report: Report | None, low: float, high: float) -> Report:
    """Return a report that maps the share of one part of the work to the shares `low` to `high` of the whole."""

    def within(share: float) -> None:
        if report is not None:
            report(low + (high - low) * share)

    return within


def check_targets(network: Network, look: Look, targets: Sequence[Target]) -> bool:
    """Check the targets, and return whether they are logits."""
    if len(targets) != len(look.images):
        raise ValueError(f"expected one target per image, got {len(targets)} for {len(look.images)} images")
    logits = [isinstance(target, Logit) for target in targets]
    if any(logits) and not all(logits):
        raise ValueError("expected targets of one kind, got logits and similarities")
    count = network.num_classes
    for target in targets:
        if isinstance(target, Logit) and not 0 <= target.label < count:
            has = f"has the identities 0 to {count - 1}" if count else "has no classifier, as checkpoints for retrieval"
            raise ValueError(f"expected a logit that the network has, got that of identity {target.label}; it {has}")
    number = network.auxiliary.num_images
    if look.paired and look.number >= number:
        raise ValueError(
            f"expected a network that makes {look.number + 1} auxiliary images of a pair, got one that makes {number}"
        )
    return any(logits)


def check_layer(name: str, names: Sequence[str], look: Look) -> None:
    """Refuse a layer that does not exist or that the images do not pass."""
    if name not in names:
        raise ValueError(f"expected a layer with a spatial map, one of {', '.join(names)}; got {name[:40]!r}")
    if name in GENERATOR_LAYERS and not look.paired:
        raise ValueError(f"expected a pair of images for {name}, a layer of the generator; got single images")


def class_of(method: Method) -> tuple[Any, ModuleType]:
    """Return the package's class for a method, and its module."""
    names = [f"pytorch_grad_cam.{module}" for _, module, _ in NAMES.values()]
    module = dict(zip(NAMES, import_parts(*names), strict=True))[method]
    return getattr(module, NAMES[method][2]), module


def one_map(
    model: LookingNetwork, name: str, images: Tensor, targets: Sequence[Target], method: Method, report: Report
) -> Floats:
    """Compute the map of one layer, signed, `(N, h, w)`."""
    kind, layer = class_of(method)[0], model.network.explainable_layers()[name]
    images = images.detach().clone().to(model.network.mean.device).requires_grad_()
    kept: list[Any] = []
    with LOCK:
        cam = kind(model=model, target_layers=[layer])
        try:
            make = thin_projection if method is Method.EIGEN_CAM else cam.get_cam_image

            def keep(*args: Any) -> Any:
                check_spatial(name, args[3])
                if method is Method.SCORE_CAM:
                    prepare_score_cam(name, args[3].shape[1], images, report)
                kept.append(make(*args))
                return kept[-1]

            cam.get_cam_image = keep
            cam(input_tensor=images, targets=list(targets))
        finally:
            cam.activations_and_grads.release()
    return np.asarray(kept[0], dtype=np.float32)


def check_spatial(name: str, activations: NDArray[np.float32] | None) -> None:
    """Refuse activations that are not a map of several places."""
    shape = () if activations is None else activations.shape
    if len(shape) != 4 or shape[2] * shape[3] < 2:
        places = f"one of {shape[2]} x {shape[3]}" if len(shape) == 4 else "none"
        raise ValueError(f"expected a spatial map of several places at {name}, got {places}; the images are too small")


def prepare_score_cam(name: str, channels: int, images: Tensor, report: Report) -> None:
    """Bound the work of Score-CAM, and let its progress bar report instead of writing to the log."""
    if (work := channels * images.shape[-2] * images.shape[-1] * len(images)) > MAX_SCORED:
        most = MAX_SCORED * channels // work
        raise ValueError(
            f"expected at most {most} channels for Score-CAM at this image size, got {channels} at {name}; it runs the"
            " network once per channel"
        )

    def bar(batches: Sequence[int]) -> Iterator[int]:
        for number, batch in enumerate(batches):
            report(number / len(batches))
            yield batch

    class_of(Method.SCORE_CAM)[1].tqdm = SimpleNamespace(tqdm=bar)  # type: ignore[attr-defined]


def thin_projection(*args: Any) -> Floats:
    """Project activations on their first principal component, with the sign that makes the larger side positive.

    Differs from the package's Eigen-CAM, whose full decomposition takes (h·w)² numbers, 400 MB at a generator's
    resolution, and whose sign is arbitrary. The sign here is that of Seg-Eigen-CAM (Chung and Ying, Appl. Sci. 2025).
    """
    activations = np.nan_to_num(np.asarray(args[3], dtype=np.float32))
    maps = np.zeros((len(activations), *activations.shape[2:]), np.float32)
    for row, one in enumerate(activations):
        places = one.reshape(len(one), -1).T
        places = places - places.mean(axis=0)
        first = np.linalg.svd(places, full_matrices=False)[2][0]
        projected = (places @ first).reshape(one.shape[1:])
        maps[row] = -projected if abs(projected.min()) > abs(projected.max()) else projected
    return maps


def upsampled(maps: Floats, size: tuple[int, int]) -> Floats:
    """Enlarge maps, `(N, h, w)`, to the image's (height, width), bilinear."""
    larger = torch.nn.functional.interpolate(torch.from_numpy(maps)[:, None], size=size, mode="bilinear")
    return larger[:, 0].numpy()
