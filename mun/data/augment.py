"""Augmentations of a batch, on images in [0, 1], before the model normalises them."""

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from mun.config import TrainConfig

__all__ = ["augment", "draw_uniform", "share_geometry", "to_images"]

# The erased rectangle takes ImageNet's mean colour, which the model's normalisation maps to 0.
FILL = (0.485, 0.456, 0.406)


def to_images(pixels: Tensor) -> Tensor:
    """Turn RGB, uint8, [0, 255], `(N, H, W, 3)` into RGB, float32, [0, 1], `(N, 3, H, W)`."""
    return pixels.permute(0, 3, 1, 2).float().div(255.0)


def draw_uniform(count: int, draws: torch.Generator) -> Tensor:
    """Draw the random numbers that augment some images: uniform in [0, 1), float32, `(count, 9)`.

    Args:
        count: Number of images.
        draws: The only source of randomness, a CPU generator.
    """
    return torch.rand(count, 9, generator=draws)


def share_geometry(source: Tensor, target: Tensor) -> None:
    """Give the images of `target` the mirror and the shift of those of `source`, row by row, in place.

    Aligned images stay aligned; brightness, contrast and the erased rectangle remain different for each image.
    """
    target[:, :3] = source[:, :3]


def augment(images: Tensor, settings: TrainConfig, uniform: Tensor) -> Tensor:
    """Mirror, shift, change brightness and contrast, and erase a rectangle, each image on its own.

    Args:
        images: RGB, float, [0, 1], `(N, 3, H, W)`.
        settings: Probabilities and sizes: `flip`, `pad`, `jitter`, `erase`, `erase_area`.
        uniform: From `draw_uniform`, `(N, 9)`.

    Returns:
        A new tensor of the same shape, in [0, 1].
    """
    height, width = images.shape[-2:]
    padded = F.pad(images, [settings.pad] * 4, mode="replicate") if settings.pad else images
    corners = (uniform[:, 1:3].double() * (2 * settings.pad + 1)).long().tolist()
    shifted = torch.stack(
        [image[:, top : top + height, left : left + width] for image, (top, left) in zip(padded, corners, strict=True)]
    )
    result = torch.where(each(uniform[:, 0] < settings.flip, images), shifted.flip(-1), shifted)
    if settings.jitter:
        offset, gain = (each(settings.jitter * (2 * uniform[:, column] - 1), images) for column in (3, 4))
        mean = result.mean(dim=(1, 2, 3), keepdim=True)
        result = (result - mean).mul_(1 + gain).add_(mean + 0.5 * offset).clamp_(0, 1)
    if settings.erase:
        hidden = inside(rectangles(uniform[:, 5:], settings, height, width).to(images.device), height, width)
        result = torch.where(hidden[:, None], result.new_tensor(FILL).view(3, 1, 1), result)
    return result


def each(values: Tensor, images: Tensor) -> Tensor:
    """Reshape one value per image, `(N,)`, to broadcast with `(N, C, H, W)`, on the device of the images."""
    return values.to(images.device)[:, None, None, None]


def rectangles(uniform: Tensor, settings: TrainConfig, height: int, width: int) -> Tensor:
    """Choose the rectangle to erase in each image: top, bottom, left, right, int64, `(N, 4)`; 0 for none.

    Source: Zhong et al., AAAI 2020, arXiv:1708.04896: aspect ratio log-uniform in [0.3, 3.3]. Departs from it in: a
    rectangle that would not fit is cut to the image instead of drawn again.

    Args:
        uniform: Random numbers for the chance, the area, the aspect ratio and the place, `(N, 4)`.
        settings: Probability and largest share of the image; the smallest is 2 %.
        height: H.
        width: W.
    """
    chance, area, ratio, place = uniform.double().t()
    pixels = (0.02 + area * (settings.erase_area - 0.02)) * height * width
    aspect = (math.log(0.3) + ratio * (math.log(3.3) - math.log(0.3))).exp()
    tall = (pixels * aspect).sqrt().round().clamp(1, height).long()
    wide = (pixels / aspect).sqrt().round().clamp(1, width).long()
    places = (height - tall + 1) * (width - wide + 1)
    chosen = torch.minimum((place * places).long(), places - 1)
    top, left = chosen // (width - wide + 1), chosen % (width - wide + 1)
    boxes = torch.stack([top, top + tall, left, left + wide], dim=1)
    return boxes.where((chance < settings.erase)[:, None], 0)


def inside(boxes: Tensor, height: int, width: int) -> Tensor:
    """Mark the pixels inside the rectangle of their image, `(N, 4)`: bool, `(N, H, W)`."""
    top, bottom, left, right = boxes.t()[..., None]
    down, across = torch.arange(height, device=boxes.device), torch.arange(width, device=boxes.device)
    rows, columns = (down >= top) & (down < bottom), (across >= left) & (across < right)
    within: Tensor = rows[:, :, None] & columns[:, None, :]
    return within
