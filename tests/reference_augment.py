"""Augmentation one image and one pixel at a time: slow and obvious."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mun.data.augment import FILL, Augmentation


def augmented(image: NDArray[np.float32], settings: Augmentation, uniform: list[float]) -> NDArray[np.float64]:
    """Augment one image, `(3, H, W)`, from its nine draws."""
    flip, down, right, bright, contrast, erase, area, ratio, place = uniform
    _, height, width = image.shape
    steps = 2 * settings.pad + 1
    moved = np.empty(image.shape, np.float64)
    for row in range(height):
        for column in range(width):
            across = width - 1 - column if flip < settings.flip else column
            source_row = min(max(row + math.floor(down * steps) - settings.pad, 0), height - 1)
            source_column = min(max(across + math.floor(right * steps) - settings.pad, 0), width - 1)
            moved[:, row, column] = image[:, source_row, source_column]
    if settings.jitter:
        mean = moved.mean()
        gain = 1 + settings.jitter * (2 * contrast - 1)
        moved = np.clip((moved - mean) * gain + mean + settings.jitter * (bright - 0.5), 0, 1)
    if erase < settings.erase:
        pixels = (0.02 + area * (settings.erase_area - 0.02)) * height * width
        aspect = 0.3 * (3.3 / 0.3) ** ratio
        tall = max(1, min(height, round(math.sqrt(pixels * aspect))))
        wide = max(1, min(width, round(math.sqrt(pixels / aspect))))
        places = (height - tall + 1) * (width - wide + 1)
        top, left = divmod(min(math.floor(place * places), places - 1), width - wide + 1)
        moved[:, top : top + tall, left : left + wide] = np.array(FILL)[:, None, None]
    return moved
