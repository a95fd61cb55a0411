"""Panels of auxiliary images: the branches of MUN, a chosen ratio of them, one mapping from values to pixels."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mun.auxiliary.generator import AuxiliaryGenerator

__all__ = ["UNIT", "Display", "at_share", "branch_images", "fit_display", "iml_share", "with_state"]

TAIL = 0.5  # percent of the values that a mapping leaves beyond either end


@dataclass(frozen=True)
class Display:
    """A linear mapping from a generator's values to pixels: `low` becomes black, `high` white.

    Attributes:
        low: In the space of the images, nominally [0, 1].
        high: Likewise, above `low`.
    """

    low: float
    high: float

    def pixels(self, image: Tensor) -> NDArray[np.uint8]:
        """Turn `(3, H, W)` into RGB, uint8, `(H, W, 3)`; what lies beyond either end is clipped."""
        scaled = (image.detach().float().cpu() - self.low) / (self.high - self.low)
        return scaled.clamp(0, 1).mul(255).round().byte().permute(1, 2, 0).contiguous().numpy()

    def clipped(self, image: Tensor) -> float:
        """Return the share of an image's values outside [low, high], in [0, 1]."""
        slack = 1e-6 * (self.high - self.low)  # rounding of float32 is no clipping
        return float(((image < self.low - slack) | (image > self.high + slack)).float().mean())


UNIT = Display(0.0, 1.0)  # for images of cameras, and for formulas that stay in their range


def fit_display(images: NDArray[np.float32]) -> Display:
    """Fit one mapping to many auxiliary images, so that their brightness can be compared.

    Args:
        images: Float, of any shape, finite.

    Returns:
        From the 0.5th to the 99.5th percentile of all values.

    Raises:
        ValueError: There are no values, or they are not finite.
    """
    if not images.size or not np.isfinite(images).all():
        raise ValueError("expected finite auxiliary images to fit a mapping to, got none or NaN or infinity")
    low, high = (float(value) for value in np.percentile(images.astype(np.float64), (TAIL, 100 - TAIL)))
    return Display(low, high) if high - low > 1e-6 else Display(low - 0.5, low + 0.5)


def iml_share(generator: AuxiliaryGenerator) -> float | None:
    """Return the share of the intra-modality learners in the layer scale, ‖g_iml‖₁ / (‖g_iml‖₁ + ‖g_cml‖₁).

    `None` where a branch is switched off, has the scale zero or is a gate: then there is no ratio to change.
    """
    if generator.scale_iml is None or generator.scale_cml is None or generator.form == "gate":
        return None
    intra, cross = (float(scale.detach().abs().sum()) for scale in (generator.scale_iml, generator.scale_cml))
    return intra / (intra + cross) if min(intra, cross) > 0 else None


@torch.no_grad()
def branch_images(
    generator: AuxiliaryGenerator, visible: Tensor, infrared: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Render each branch alone through the output convolution, with its bias but without the base image.

    Args:
        generator: In evaluation mode; it is not changed.
        visible: RGB, float, [0, 1], `(N, 3, H, W)`.
        infrared: Like `visible`.

    Returns:
        The images of the intra-modality learners and of the cross-modality learner, each like the inputs, not clipped;
        `None` for a branch that is off.
    """
    parts, size = generator.parts(visible, infrared), visible.shape[-2:]
    intra, cross = (None if part is None else generator.render(part, size) for part in (parts.intra, parts.cross))
    return intra, cross


@torch.no_grad()
def at_share(generator: AuxiliaryGenerator, visible: Tensor, infrared: Tensor, share: float) -> Tensor:
    """Generate with another ratio of the branches; the sum of their layer scales ‖g_iml‖₁ + ‖g_cml‖₁ stays.

    Each branch is multiplied by its new share over its learned one. The learned share gives the generator's own
    image; at 1 the intra-modality learners have the whole scale, at 0 the cross-modality learner.

    Args:
        generator: In evaluation mode; it is not changed.
        visible: RGB, float, [0, 1], `(N, 3, H, W)`.
        infrared: Like `visible`.
        share: Of the intra-modality learners, in [0, 1].

    Returns:
        Like the inputs, not clipped.

    Raises:
        ValueError: The share is outside [0, 1], or the generator has no ratio.
    """
    learned = iml_share(generator)
    if learned is None:
        raise ValueError("expected a generator with a ratio of both branches, got one without a ratio")
    if not 0 <= share <= 1:
        raise ValueError(f"expected the share of the intra-modality learners in [0, 1], got {share}")
    parts = generator.parts(visible, infrared)
    assert parts.intra is not None  # there is a ratio
    assert parts.cross is not None
    maps = parts.intra * (share / learned) + parts.cross * ((1 - share) / (1 - learned))
    return generator.render(maps, visible.shape[-2:], parts.base)


def with_state(generator: AuxiliaryGenerator, state: Mapping[str, Tensor]) -> AuxiliaryGenerator:
    """Return a copy of a generator with another of its states; the generator itself does not change.

    Args:
        generator: Its batch statistics are used where the state has none.
        state: Its parameters by name, of any floating-point precision, and possibly its buffers.

    Raises:
        ValueError: The state lacks a parameter, has an unknown tensor, or one of another shape or not finite.
    """
    own = generator.state_dict()
    needed = {name for name, _ in generator.named_parameters()}
    if missing := sorted(needed - set(state)):
        raise ValueError(f"expected a complete state of the generator, got one without {missing[0]}")
    for name, tensor in state.items():
        if name not in own or tensor.shape != own[name].shape:
            raise ValueError(f"expected tensors of this generator, got {name[:60]!r} of shape {tuple(tensor.shape)}")
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise ValueError(f"expected finite tensors, got NaN or infinity in {name}")
    twin = copy.deepcopy(generator)
    twin.load_state_dict({**own, **{name: tensor.to(own[name]) for name, tensor in state.items()}})
    return twin.eval().requires_grad_(False)
