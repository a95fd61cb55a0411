"""Light, colour, warping, coding and dirt.

Departs from the published code in: warping and dirt scale with the image's height; the warp is one smooth field
without an affine part; grey stays grey where saturation is added, instead of turning red. The strengths of these
three are our own choice, the others are as published.
"""

import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates

from mun.data.corruptions.fields import Floats, stretched

__all__ = ["brightness", "contrast", "elastic_transform", "jpeg_compression", "pixelate", "saturate", "spatter"]

BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)  # added to the value of hue, saturation, value
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)  # share that remains
SATURATE = ((0.6, 0.0), (0.2, 0.0), (3.0, 0.0), (6.0, 0.1), (20.0, 0.2))  # factor and addend
ELASTIC = ((0.007, 0.055), (0.010, 0.048), (0.013, 0.041), (0.016, 0.034), (0.019, 0.028))  # shift and smoothness, of H
PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)  # of the height
JPEG = (25, 18, 15, 10, 7)  # quality; blocks have 8 pixels whatever the size of the image
SPATTER = ((0.12, 0.6), (0.2, 0.65), (0.28, 0.7), (0.3, 0.9), (0.4, 0.95))  # share of area, opacity
WATER, MUD = (0.69, 0.86, 0.88), (0.25, 0.17, 0.09)  # colours
MUDDY = 3  # the first level of mud


def brightness(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Raise the value of hue, saturation, value; hue and saturation stay."""
    value = image.max(axis=2, keepdims=True)
    raised = np.clip(value + np.float32(BRIGHTNESS[level]), 0, 1)
    black = value == 0
    result: Floats = np.where(black, raised, image * raised / np.where(black, 1, value))
    return result


def contrast(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Draw every channel towards its mean."""
    mean = image.mean(axis=(0, 1), keepdims=True)
    result: Floats = mean + np.float32(CONTRAST[level]) * (image - mean)
    return result


def saturate(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Fade the colours (severities 1, 2) or make them gaudy (3 to 5); hue and value stay."""
    factor, more = SATURATE[level]
    value = image.max(axis=2, keepdims=True)
    saturation = 1 - image.min(axis=2, keepdims=True) / np.maximum(value, 1e-6)
    wanted = np.clip(saturation * np.float32(factor) + np.float32(more), 0, 1)
    ratio = np.where(saturation > 1e-6, wanted / np.maximum(saturation, 1e-6), 1)
    result: Floats = value - (value - image) * ratio
    return result


def elastic_transform(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Warp the image by a smooth random field."""
    shift, smoothness = ELASTIC[level]
    height, width = image.shape[:2]
    noise = draws.standard_normal((2, height, width), np.float32)
    field = gaussian_filter(noise, (0, smoothness * height, smoothness * height), mode="reflect", truncate=3.0)
    field *= np.float32(shift * height) / max(float(field.std()), 1e-6)
    place = np.mgrid[:height, :width].astype(np.float32) + field
    planes = [map_coordinates(image[..., channel], place, order=1, mode="reflect") for channel in range(3)]
    return np.stack(planes, axis=2)


def pixelate(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Average over large pixels."""
    height, width = image.shape[:2]
    small = (max(1, round(width * PIXELATE[level])), max(1, round(height * PIXELATE[level])))
    picture = Image.fromarray(np.rint(image * 255).astype(np.uint8)).resize(small, Image.Resampling.BOX)
    return np.asarray(picture.resize((width, height), Image.Resampling.NEAREST), np.float32) / 255


def jpeg_compression(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Store the image as a very small JPEG file and open it again."""
    file = io.BytesIO()
    Image.fromarray(np.rint(image * 255).astype(np.uint8)).save(file, "JPEG", quality=JPEG[level])
    with Image.open(file) as picture:
        return np.asarray(picture.convert("RGB"), np.float32) / 255


def spatter(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Put drops of water on the lens (severities 1 to 3), or mud (4, 5), where noise is above a threshold."""
    share, opacity = SPATTER[level]
    height = image.shape[0]
    noise = draws.standard_normal((2, *image.shape[:2]), np.float32)
    coarse = gaussian_filter(noise[0], 0.026 * height, mode="reflect", truncate=3.0)
    fine = gaussian_filter(noise[1], 0.012 * height, mode="reflect", truncate=3.0)
    blobs = stretched(coarse / max(float(coarse.std()), 1e-6) + 0.7 * fine / max(float(fine.std()), 1e-6))
    above = blobs - np.quantile(blobs, 1 - share)
    mask = np.clip(above / 0.05, 0, 1)
    if level >= MUDDY:
        colour = np.array(MUD, np.float32) * (0.7 + 1.6 * np.clip(above, 0, 1)[..., None])
    else:
        down, right = np.gradient(np.clip(above, 0, 0.12))
        glint = np.clip(0.5 + 0.16 * height * (down + right), 0, 1)[..., None]  # a drop is bright where it ends
        colour = np.array(WATER, np.float32) * (0.45 + 0.6 * glint)
    veil = np.float32(opacity) * mask[..., None].astype(np.float32)
    return image * (1 - veil) + veil * colour
