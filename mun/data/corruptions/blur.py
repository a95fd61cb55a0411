"""Blur: lengths are published for 224 pixels of height and scale with the image's."""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from mun.data.corruptions.fields import Floats, convolve, disk, line, relative

__all__ = ["defocus_blur", "gaussian_blur", "glass_blur", "motion_blur", "zoom_blur"]

GAUSSIAN = (1.0, 2.0, 3.0, 4.0, 6.0)  # standard deviation, pixels
DEFOCUS = (3.0, 4.0, 6.0, 8.0, 10.0)  # radius of the disk, pixels
GLASS = ((0.7, 1.0, 2), (0.9, 2.0, 1), (1.0, 2.0, 3), (1.1, 3.0, 2), (1.5, 4.0, 2))  # blur, farthest, rounds
MOTION = ((10.0, 3.0), (15.0, 5.0), (15.0, 8.0), (15.0, 12.0), (20.0, 15.0))  # radius and fading of the stroke
ZOOM = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))  # largest factor (excluded), step


def smooth(image: Floats, sigma: float) -> Floats:
    """Blur every channel by a normal distribution, pixels."""
    blurred: Floats = gaussian_filter(image, (sigma, sigma, 0), mode="reflect", truncate=3.0)
    return blurred


def gaussian_blur(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Blur by a normal distribution."""
    return smooth(image, relative(image, GAUSSIAN[level]))


def defocus_blur(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Blur by a disk, as a lens that is out of focus does. Departs from the source in: the disk's edge is softer."""
    return convolve(image, disk(relative(image, DEFOCUS[level])))


def glass_blur(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Simulate frosted glass: each pixel shows a near one, between two slight blurs.

    Departs from the source in: neighbours are copied all at once instead of swapped one after another.
    """
    sigma, farthest, rounds = GLASS[level]
    height, width = image.shape[:2]
    place = np.mgrid[:height, :width]
    rows, columns = place
    reach = relative(image, farthest)
    for _ in range(rounds):
        near = place + np.rint(draws.uniform(-reach, reach, (2, height, width))).astype(np.intp)
        y, x = np.clip(near[0], 0, height - 1), np.clip(near[1], 0, width - 1)
        rows, columns = rows[y, x], columns[y, x]
    blur = relative(image, sigma)
    return smooth(smooth(image, blur)[rows, columns], blur)


def motion_blur(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Blur along a stroke within 45 degrees of the horizontal."""
    radius, sigma = MOTION[level]
    stroke = line(relative(image, 2 * radius), draws.uniform(-45, 45), relative(image, sigma))
    return convolve(image, stroke)


def zoom_blur(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Average the image with itself enlarged more and more, as a camera that comes nearer does."""
    height, width = image.shape[:2]
    picture = Image.fromarray(np.rint(image * 255).astype(np.uint8))
    factors = np.arange(1.0, *ZOOM[level])
    total = image.copy()
    for factor in factors:
        left, top = (1 - 1 / factor) * width / 2, (1 - 1 / factor) * height / 2
        box = (left, top, width - left, height - top)
        total += np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR, box), np.float32) / 255
    return total / np.float32(len(factors) + 1)
