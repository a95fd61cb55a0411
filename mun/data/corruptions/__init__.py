"""The field's 20 corruptions at 5 severities for tests of robustness, reimplemented.

Snow, frost, rain and spatter are procedural: no images of others are used, which departs from the published code.

Strengths that act on single values (noise, light, contrast) and the JPEG quality are as published. Lengths are
published for images 224 pixels tall and scale with the height of this one, so that crops of 128x64 and 288x144 suffer
alike; JPEG blocks have 8 pixels at any size. The strengths of snow, frost, fog, rain, spatter, saturation and warping
are our own choice for crops of people: every severity changes the image more than the one before, which tests on SynVI
check.

Sources: Hendrycks and Dietterich, ICLR 2019, arXiv:1903.12261 (the corruptions and their strengths); Chen, Wang, Zheng,
NeurIPS Datasets and Benchmarks 2021, arXiv:2111.00880 (these 20, rain among them, for person re-identification).
"""

import zlib
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mun.data.corruptions import blur, digital, noise, weather
from mun.data.corruptions.fields import Floats

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt"]

SEVERITIES = (1, 2, 3, 4, 5)

# Each takes an image, float32, [0, 1], (H, W, 3), the severity minus one, and its only source of randomness; its result
# may leave [0, 1].
CORRUPTIONS: dict[str, Callable[[Floats, int, np.random.Generator], Floats]] = {
    one.__name__: one
    for one in (
        *(noise.gaussian_noise, noise.shot_noise, noise.impulse_noise, noise.speckle_noise),
        *(blur.defocus_blur, blur.glass_blur, blur.motion_blur, blur.zoom_blur, blur.gaussian_blur),
        *(weather.snow, weather.frost, weather.fog, weather.rain),
        *(digital.brightness, digital.contrast, digital.saturate, digital.elastic_transform, digital.pixelate),
        *(digital.jpeg_compression, digital.spatter),
    )
}


def corrupt(image: NDArray[np.uint8], name: str, severity: int, seed: int) -> NDArray[np.uint8]:
    """Corrupt one image; the result depends only on the arguments.

    The severity does not change the seed: a stronger corruption has the same noise, flakes or field, only stronger.

    Args:
        image: RGB, uint8, [0, 255], `(H, W, 3)`; it is not changed.
        name: One of `CORRUPTIONS`.
        severity: 1 to 5.
        seed: Seed of its randomness, from 0.

    Returns:
        A new image of the same shape and type.

    Raises:
        ValueError: Another shape or type, or one of the other arguments is out of bounds.
    """
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        raise ValueError(f"expected an image of shape (H, W, 3), uint8, got {image.shape}, {image.dtype}")
    if name not in CORRUPTIONS:
        raise ValueError(f"expected one of the corruptions {', '.join(CORRUPTIONS)}; got {name!r}")
    if severity not in SEVERITIES or seed < 0:
        raise ValueError(f"expected a severity from 1 to 5 and a seed from 0, got {severity} and {seed}")
    draws = np.random.default_rng([seed, zlib.crc32(name.encode())])
    result = CORRUPTIONS[name](image.astype(np.float32) / np.float32(255), severity - 1, draws)
    return np.rint(np.clip(result, 0, 1) * 255).astype(np.uint8)
