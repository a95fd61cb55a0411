"""Weather: procedural snow, frost, fog and rain; no photograph of ice or rain is laid over the image.

The published code blends photographs of frost; here the crystals are drawn. Lengths scale with the image's height.
"""

import numpy as np

from mun.data.corruptions.fields import Floats, convolve, disk, fractal, line, relative, scattered, stretched

__all__ = ["fog", "frost", "rain", "snow"]

FOG = ((1.0, 2.0), (1.5, 2.0), (2.1, 1.7), (2.8, 1.5), (3.8, 1.4))  # thickness, fall of its detail per octave
FROST = ((0.0, 0.65), (0.16, 0.72), (0.3, 0.78), (0.42, 0.84), (0.55, 0.9))  # how far it has grown, how dense it is
SNOW = ((0.12, 45), (0.2, 80), (0.3, 120), (0.4, 170), (0.5, 230))  # whitening, flakes per layer and 128 rows of 64
RAIN = ((0.05, 0.4, 40), (0.08, 0.48, 65), (0.11, 0.55, 95), (0.14, 0.62, 130), (0.18, 0.7, 170))  # dim, light, drops
ICE, STREAK = (0.86, 0.94, 1.0), (0.82, 0.85, 0.9)  # colours


def area(image: Floats) -> float:
    """Return the image's area in units of half the squared height: 1 for the usual 2:1."""
    return 2 * float(image.shape[1]) / float(image.shape[0])


def fog(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Lay a bright fractal haze over the image.

    As published, image and haze are added and dimmed to the original brightness. Departs from the source in: the haze
    is never darker than half, and it thickens with every severity.
    """
    thickness, fall = FOG[level]
    haze = 0.5 + 0.5 * fractal(image.shape, draws, 1 + np.log2(fall))
    bright = np.float32(thickness * max(0.6, float(image.max())))
    return (image + bright * haze[..., None]) / np.float32(1 + thickness)


def frost(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Let ice crystals grow over the image from its borders.

    Needles are noise stretched along one of four directions; more noise selects the direction at each place.
    """
    grown, dense = FROST[level]
    height, width = image.shape[:2]
    needles = []
    for degrees in draws.uniform(0, 45) + np.array([0, 45, 90, 135]):
        grains = draws.standard_normal((height, width), np.float32)
        stroke = line(relative(image, 20), float(degrees), relative(image, 12))
        needles.append(stretched(np.abs(convolve(grains, stroke + stroke[::-1, ::-1]))))
    ruling = np.argmax([fractal(image.shape, draws, 1.6) for _ in needles], axis=0)
    crystal = np.take_along_axis(np.stack(needles), ruling[None], axis=0)[0]
    y, x = np.mgrid[:height, :width]
    border = np.minimum(np.minimum(y + 1, height - y) / height, np.minimum(x + 1, width - x) / width)
    cover = np.clip(1.1 * fractal(image.shape, draws, 1.3) + grown - 1.3 * border, 0, 1).astype(np.float32)
    ice = np.clip(cover * (0.4 + 1.6 * crystal), 0, 1)
    veil = np.float32(dense) * np.clip(0.25 * cover + ice, 0, 1)[..., None]
    result: Floats = image + veil * ((0.75 + 0.35 * ice)[..., None] * np.array(ICE, np.float32) - image)
    return result


def snow(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Whiten the image and let flakes of three sizes fall across it in one direction."""
    whitening, count = SNOW[level]
    light = image.max(axis=2, keepdims=True)
    result: Floats = image + np.float32(whitening) * (np.maximum(image, light * 0.6 + 0.4) - image)
    slope = draws.uniform(-120, -60)
    for size, share in ((1.3, 1.0), (2.2, 0.5), (3.6, 0.2)):
        most = round(SNOW[-1][1] * share * area(image)) + 1
        points = scattered(image.shape, draws, round(count * share * area(image)) + 1, most)
        flake = disk(relative(image, size))
        flakes = convolve(convolve(points, flake / flake.max()), line(relative(image, 3 * size), slope))
        result = result + np.clip(1.4 * flakes, 0, 1)[..., None] * (1 - result)
    return result


def rain(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Dim and grey the image and draw streaks of two lengths, all in one steep direction.

    Not among the corruptions of ImageNet-C; it is one of those added for person re-identification.
    """
    dim, light, count = RAIN[level]
    grey = image.mean(axis=2, keepdims=True)
    result: Floats = (image + np.float32(2 * dim) * (grey - image)) * np.float32(1 - dim)
    slope = -90 + draws.uniform(-25, 25)
    for length, share in ((14, 1.0), (26, 0.5)):
        most = round(RAIN[-1][2] * share * area(image)) + 1
        drops = scattered(image.shape, draws, round(count * share * area(image)) + 1, most)
        stroke = line(relative(image, length), slope, relative(image, length / 1.6))
        streaks = convolve(drops, stroke / stroke.max())
        veil = np.clip(np.float32(light) * streaks, 0, 0.8)[..., None]
        result = result + veil * (np.array(STREAK, np.float32) - result)
    return result
