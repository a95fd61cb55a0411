"""Building blocks of the corruptions: lengths relative to the image's height, convolution, random fields, drops."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

__all__ = ["REFERENCE", "Floats", "convolve", "disk", "fractal", "line", "relative", "scattered", "stretched"]

Floats = NDArray[np.floating[Any]]
REFERENCE = 224  # pixels: the height that the published strengths are for


def relative(image: Floats, pixels: float) -> float:
    """Scale a length given for images 224 pixels tall to the height of this one; pixels."""
    return pixels * float(image.shape[0]) / REFERENCE


def stretched(field: Floats) -> Floats:
    """Stretch a field's values to [0, 1]; a constant field becomes 0."""
    low, high = float(field.min()), float(field.max())
    return (field - low) / np.float32(max(high - low, 1e-6))


def convolve(image: Floats, kernel: Floats) -> Floats:
    """Convolve every channel of an image, mirrored at its borders.

    Args:
        image: `(H, W)` or `(H, W, C)`.
        kernel: With odd sides.
    """
    (rows, columns), (height, width) = (side // 2 for side in kernel.shape), image.shape[:2]
    planes = image[..., None] if image.ndim == 2 else image
    padded = np.pad(planes, ((rows, rows), (columns, columns), (0, 0)), mode="symmetric")
    shape = [fft.next_fast_len(side, real=True) for side in padded.shape[:2]]
    spectrum = fft.rfft2(padded, shape, axes=(0, 1)) * fft.rfft2(kernel, shape)[..., None]
    whole = fft.irfft2(spectrum, shape, axes=(0, 1))
    inner: Floats = whole[2 * rows : 2 * rows + height, 2 * columns : 2 * columns + width].astype(np.float32)
    return inner[..., 0] if image.ndim == 2 else inner


def disk(radius: float) -> Floats:
    """Return a round kernel of sum 1 whose edge is soft over one pixel; a single 1 for radius 0."""
    reach = math.ceil(radius)
    steps = np.arange(-reach, reach + 1)
    inside = np.clip(radius + 0.5 - np.hypot(steps[:, None], steps), 0, 1)
    kernel: Floats = inside / inside.sum()
    return kernel


def line(length: float, degrees: float, sigma: float = math.inf) -> Floats:
    """Return the kernel of a straight stroke of sum 1 that begins in the middle.

    Args:
        length: Pixels.
        degrees: Direction, from right towards up.
        sigma: Its weight fades along it as a normal distribution of this standard deviation, pixels.
    """
    reach = math.ceil(length) + 1
    along = np.linspace(0, length, 4 * reach)
    weight = np.exp(-0.5 * (along / sigma) ** 2)
    angle = math.radians(degrees)
    y, x = reach - along * math.sin(angle), reach + along * math.cos(angle)
    return splat(2 * reach + 1, 2 * reach + 1, y, x, weight / weight.sum())


def splat(height: int, width: int, y: NDArray[np.floating], x: NDArray[np.floating], weight: object) -> Floats:
    """Distribute points over the four pixels around each, `(height, width)`; points outside are dropped."""
    canvas = np.zeros((height + 1, width + 1))
    top, left = np.floor(y).astype(np.intp), np.floor(x).astype(np.intp)
    down, right = y - top, x - left
    inside = (top >= 0) & (top < height) & (left >= 0) & (left < width)
    for row, share in ((0, 1 - down), (1, down)):
        for column, part in ((0, 1 - right), (1, right)):
            np.add.at(canvas, (top[inside] + row, left[inside] + column), (share * part * weight)[inside])
    return canvas[:height, :width].astype(np.float32)


def fractal(shape: tuple[int, ...], draws: np.random.Generator, decay: float) -> Floats:
    """Draw a self-similar field in [0, 1], `shape[:2]`: amplitudes fall with frequency to the power of `decay`."""
    height, width = shape[:2]
    side = max(height, width, 2)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    noise = draws.standard_normal((side, side), np.float32)
    field = fft.irfft2(fft.rfft2(noise) / frequency.astype(np.float32) ** decay, (side, side))
    return stretched(field[:height, :width].astype(np.float32))


def scattered(shape: tuple[int, ...], draws: np.random.Generator, count: int, most: int) -> Floats:
    """Scatter the first `count` of `most` random points of random weight in [0.4, 1], `shape[:2]`.

    A smaller count gives a subset of a larger one, so that stronger weather contains the weaker one.
    """
    height, width = shape[:2]
    drawn = draws.random((most, 3))[:count]
    return splat(height, width, drawn[:, 0] * height, drawn[:, 1] * width, 0.4 + 0.6 * drawn[:, 2])
