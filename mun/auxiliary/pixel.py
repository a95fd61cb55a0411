"""Auxiliary modalities that are formulas on pixels: nothing is learned, randomness comes from the step's draws.

The formulas act on RGB, float, [0, 1], before any normalisation, `(N, 3, H, W)`, and return new tensors of that shape.
"""

import math

import torch
from torch import Tensor

from mun.auxiliary.interface import Auxiliary

__all__ = ["LUMA", "ChannelExchange", "Copy", "CutMix", "FeatureMean", "Grayscale", "Mixup", "NoAuxiliary", "PixelMean"]
__all__ += ["RandomPixel", "channel_exchange", "cut_mix", "grayscale", "mix", "random_pixels"]

LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601, weights of red, green, blue


def grayscale(visible: Tensor) -> Tensor:
    """Give all three channels the luma `0.299 R + 0.587 G + 0.114 B`.

    Source: the homogeneous grayscale images of HAT, Ye et al., TIFS 2020. Departs from it in: nothing.
    """
    weights = visible.new_tensor(LUMA).view(1, 3, 1, 1)
    return (visible * weights).sum(dim=1, keepdim=True).expand_as(visible).contiguous()


def channel_exchange(visible: Tensor, channels: Tensor) -> Tensor:
    """Copy one channel of each image to all three.

    Args:
        visible: `(N, 3, H, W)`.
        channels: int64, `(N,)`, each 0, 1 or 2.

    Raises:
        ValueError: A channel is not 0, 1 or 2, or there is not one per image.

    Source: CAJ, Ye et al., ICCV 2021. Departs from it in: there one draw in four leaves the image as it is.
    """
    if channels.shape != visible.shape[:1] or not bool(((channels >= 0) & (channels <= 2)).all()):
        raise ValueError(f"expected a channel 0, 1 or 2 for each of {len(visible)} images, got {channels.tolist()}")
    rows = torch.arange(len(visible), device=visible.device)
    return visible[rows, channels.to(visible.device)][:, None].expand_as(visible).contiguous()


def mix(visible: Tensor, infrared: Tensor, share: Tensor) -> Tensor:
    """Blend `λ·V + (1 − λ)·I`, λ = `share`, `(N,)` in [0, 1].

    Source: Mixup, Zhang et al., ICLR 2018, arXiv:1710.09412, here within an identity, so that labels need no mixing.

    Raises:
        ValueError: There is not one share per pair, or one is outside [0, 1].
    """
    if share.shape != visible.shape[:1] or not bool(((share >= 0) & (share <= 1)).all()):
        raise ValueError(f"expected a share in [0, 1] for each of {len(visible)} pairs, got {share.tolist()}")
    weight = share.to(visible).view(-1, 1, 1, 1)
    return weight * visible + (1 - weight) * infrared


def cut_mix(visible: Tensor, infrared: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """Paste a rectangle of the infrared image into the visible one.

    Args:
        visible: `(N, 3, H, W)`.
        infrared: Like `visible`.
        box: Top, left, bottom, right in pixels, the last two exclusive.

    Source: CutMix, Yun et al., ICCV 2019, arXiv:1905.04899, here within an identity.

    Raises:
        ValueError: The box does not lie inside the image.
    """
    top, left, bottom, right = box
    height, width = visible.shape[-2:]
    if not (0 <= top <= bottom <= height and 0 <= left <= right <= width):
        raise ValueError(f"expected a box inside {height}x{width} pixels, got {box}")
    image = visible.clone()
    image[:, :, top:bottom, left:right] = infrared[:, :, top:bottom, left:right]
    return image


def random_pixels(visible: Tensor, infrared: Tensor, mask: Tensor) -> Tensor:
    """Take each pixel from the visible image where `mask`, bool, `(N, H, W)`, is true, else from the infrared one.

    Raises:
        ValueError: The mask is of another shape.
    """
    if mask.shape != (len(visible), *visible.shape[-2:]):
        raise ValueError(f"expected a mask of shape {(len(visible), *visible.shape[-2:])}, got {tuple(mask.shape)}")
    return torch.where(mask.to(visible.device)[:, None], visible, infrared)


def generator_of(draws: torch.Generator | None) -> torch.Generator:
    """Return `draws`, or a generator with seed 0 if it is `None`."""
    return torch.Generator().manual_seed(0) if draws is None else draws


class NoAuxiliary(Auxiliary):
    """The two-stream baseline: no third modality.

    Source: the baseline that the field compares with, of no single paper. Departs from it in: backbone and losses are
    this project's, as in every row.
    """

    num_images = 0

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Make no image."""
        return ()


class FeatureMean(NoAuxiliary):
    """The mean of both images' maps where the stems end, instead of an image: `½(stem(V) + stem(I))`, in training.

    Source: of no single paper; the pixel mean, one layer further on. Departs from it in: each modality has passed its
    own stem before the mean is taken, and there is no image to show.
    """

    of_features = True


class Copy(Auxiliary):
    """A second augmentation of the visible image: the placebo.

    The gain of a method over it is not explained by a third stream of images alone.

    Source: a control of this project; there is nothing to depart from.
    """

    second_view = True

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Return the visible images, which training augments a second time."""
        return (visible,)


class Grayscale(Auxiliary):
    """The visible image without colour; see `grayscale`."""

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Make gray images."""
        return (grayscale(visible),)


class ChannelExchange(Auxiliary):
    """One random channel of the visible image; see `channel_exchange`."""

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Draw a channel for each image; without draws they are those of seed 0."""
        channels = torch.randint(0, 3, (len(visible),), generator=generator_of(draws))
        return (channel_exchange(visible, channels),)


class PixelMean(Auxiliary):
    """The mean of both images: the simplest pixel fusion.

    Source: pixel fusion, of no single paper; it is `Mixup` with every λ = ½. Departs from it in: nothing.
    """

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Average the pairs."""
        return (mix(visible, infrared, visible.new_full((len(visible),), 0.5)),)


class Mixup(Auxiliary):
    """`λ·V + (1 − λ)·I` with λ ~ Beta(1, 1), that is uniform, per pair; see `mix`."""

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Draw a share for each pair; without draws every share is ½, the mean of the distribution."""
        share = torch.full((len(visible),), 0.5) if draws is None else torch.rand(len(visible), generator=draws)
        return (mix(visible, infrared, share),)


class CutMix(Auxiliary):
    """A rectangle of the infrared image in the visible one; see `cut_mix`.

    Its area is drawn uniformly from [0, 1], its centre from the image; then it is cut to the image, see `draw_box`.
    """

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Draw a rectangle for each pair; without draws it is the lower half of the image."""
        height, width = visible.shape[-2:]
        if draws is None:
            return (cut_mix(visible, infrared, (height // 2, 0, height, width)),)
        boxes = [draw_box(uniform, height, width) for uniform in torch.rand(len(visible), 3, generator=draws).tolist()]
        pasted = [cut_mix(visible[row : row + 1], infrared[row : row + 1], boxes[row]) for row in range(len(visible))]
        return (torch.cat(pasted),)


def draw_box(uniform: list[float], height: int, width: int) -> tuple[int, int, int, int]:
    """Turn three uniform draws into a box of the image's shape: its area, and the place of its centre.

    As in the source, the box is cut to the image, so that the pasted share is at most the drawn one.
    """
    area, down, right = uniform
    rows, columns = round(height * math.sqrt(area)), round(width * math.sqrt(area))
    top, left = round(down * height - rows / 2), round(right * width - columns / 2)
    return max(0, top), max(0, left), min(height, top + rows), min(width, left + columns)


class RandomPixel(Auxiliary):
    """Each pixel from one of both images, by a fair coin; see `random_pixels`.

    Source: pixel fusion, of no single paper. Departs from it in: nothing; one coin decides all three channels.
    """

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Draw a mask for each pair; without draws it is that of seed 0."""
        mask = torch.rand((len(visible), *visible.shape[-2:]), generator=generator_of(draws)) < 0.5
        return (random_pixels(visible, infrared, mask),)
