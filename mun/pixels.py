"""Formulas that make one image from a visible and an infrared image, pixel by pixel.

All of them act on RGB, float, [0, 1], before any normalisation, `(N, 3, H, W)`, and return new tensors of that shape.
"""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["LUMA", "channel_exchange", "cut_mix", "grayscale", "mix", "random_pixels"]

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
