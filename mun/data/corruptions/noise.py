"""Noise: every pixel is changed on its own, so that strengths do not depend on the size of the image."""

import numpy as np

from mun.data.corruptions.fields import Floats

__all__ = ["gaussian_noise", "impulse_noise", "shot_noise", "speckle_noise"]

GAUSSIAN = (0.08, 0.12, 0.18, 0.26, 0.38)  # standard deviation
SHOT = (60.0, 25.0, 12.0, 5.0, 3.0)  # photons of a white pixel
IMPULSE = (0.03, 0.06, 0.09, 0.17, 0.27)  # share of values
SPECKLE = (0.15, 0.2, 0.35, 0.45, 0.6)  # standard deviation over value


def gaussian_noise(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Add normal noise, as an amplifier does in the dark."""
    return image + np.float32(GAUSSIAN[level]) * draws.standard_normal(image.shape, np.float32)


def shot_noise(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Add Poisson noise, as if few photons were counted."""
    return (draws.poisson(image * SHOT[level]) / SHOT[level]).astype(np.float32)


def impulse_noise(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Set some values to 0 or to 1: salt and pepper, channel by channel."""
    where, salt = draws.random(image.shape, np.float32), draws.random(image.shape, np.float32) < 0.5
    return np.where(where < IMPULSE[level], salt, image).astype(np.float32)


def speckle_noise(image: Floats, level: int, draws: np.random.Generator) -> Floats:
    """Multiply by normal noise: brighter places are noisier."""
    return image + image * np.float32(SPECKLE[level]) * draws.standard_normal(image.shape, np.float32)
