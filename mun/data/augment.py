"""Augmentations of a batch, on images in [0, 1], before the model normalises them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Augmentation", "augment", "draw_uniform", "share_geometry", "to_images"]

# The erased rectangle takes ImageNet's mean colour, which the model's normalisation maps to 0.
FILL = (0.485, 0.456, 0.406)


@dataclass(frozen=True)
class Augmentation:
    """How strongly to augment; see `TrainConfig` for units and ranges."""

    flip: float = 0.5
    pad: int = 6
    erase: float = 0.5
    erase_area: float = 0.25
    jitter: float = 0.2


def to_images(pixels: Tensor) -> Tensor:
    """Turn RGB, uint8, [0, 255], `(N, H, W, 3)` into RGB, float32, [0, 1], `(N, 3, H, W)`."""
    return pixels.permute(0, 3, 1, 2).float().div(255.0)


def draw_uniform(count: int, draws: torch.Generator) -> Tensor:
    """Draw what decides the augmentation of some images: uniform in [0, 1), float32, `(count, 9)`.

    Args:
        count: Number of images.
        draws: The only source of randomness, a CPU generator.
    """
    return torch.rand(count, 9, generator=draws)


def share_geometry(source: Tensor, target: Tensor) -> None:
    """Give the images of `target` the mirror and the shift of those of `source`, row by row, in place.

    Two images that were aligned stay so; brightness, contrast and the erased rectangle remain each image's own.
    """
    target[:, :3] = source[:, :3]


def augment(images: Tensor, settings: Augmentation, uniform: Tensor) -> Tensor:
    """Mirror, shift, change brightness and contrast, and erase a rectangle, each image on its own.

    Args:
        images: RGB, float, [0, 1], `(N, 3, H, W)`.
        settings: Probabilities and sizes.
        uniform: From `draw_uniform`, `(N, 9)`.

    Returns:
        A new tensor of the same shape, in [0, 1].
    """
    chances = uniform.tolist()
    padded = F.pad(images, [settings.pad] * 4, mode="replicate") if settings.pad else images
    return torch.stack(
        [augment_one(padded[index], images.shape[-2:], settings, chances[index]) for index in range(len(images))]
    )


def augment_one(padded: Tensor, size: torch.Size, settings: Augmentation, uniform: list[float]) -> Tensor:
    """Augment one padded image, `(3, H + 2·pad, W + 2·pad)`, from nine uniform draws."""
    flip, down, right, bright, contrast, erase, area, ratio, place = uniform
    height, width = size
    top, left = int(down * (2 * settings.pad + 1)), int(right * (2 * settings.pad + 1))
    image = padded[:, top : top + height, left : left + width]
    if flip < settings.flip:
        image = image.flip(-1)
    if settings.jitter:
        gain = 1 + settings.jitter * (2 * contrast - 1)
        offset = settings.jitter * (2 * bright - 1) * 0.5
        mean = image.mean()
        image = ((image - mean) * gain + mean + offset).clamp(0, 1)
    if erase < settings.erase:
        image = erase_rectangle(image.clone(), 0.02 + area * (settings.erase_area - 0.02), ratio, place)
    return image


def erase_rectangle(image: Tensor, area: float, ratio: float, place: float) -> Tensor:
    """Fill a rectangle of an image, `(3, H, W)`, in place.

    Source: Zhong et al., AAAI 2020, arXiv:1708.04896: aspect ratio log-uniform in [0.3, 3.3]. Departs from it in: a
    rectangle that would not fit is cut to the image instead of drawn again.
    """
    height, width = image.shape[-2:]
    aspect = math.exp(math.log(0.3) + ratio * (math.log(3.3) - math.log(0.3)))
    pixels = area * height * width
    rows = max(1, min(height, round(math.sqrt(pixels * aspect))))
    columns = max(1, min(width, round(math.sqrt(pixels / aspect))))
    places = (height - rows + 1) * (width - columns + 1)
    top, left = divmod(min(int(place * places), places - 1), width - columns + 1)
    image[:, top : top + rows, left : left + columns] = image.new_tensor(FILL).view(3, 1, 1)
    return image
