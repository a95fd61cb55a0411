"""The one guarded decoder: every image file of the project is read here.

The header is read first; a file is decoded only if its format is on the allow-list and its size is within the limits.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["FORMATS", "MAX_PIXELS", "decode", "read_image", "resize"]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
MAX_PIXELS = 25_000_000
MAX_BYTES = 16_000_000
MAX_WORDS = 80  # of a decoder's own complaint


def decode(data: bytes, name: str = "the image") -> NDArray[np.uint8]:
    """Decode an image file's bytes to RGB, uint8, [0, 255], `(H, W, 3)`.

    EXIF rotation is applied; 16-bit (infrared) images are scaled from their own minimum and maximum; transparency is
    laid on black.

    Args:
        data: The file, at most 16 MB.
        name: What to call it in an error.

    Raises:
        ValueError: Too large a file or image, a format outside the allow-list, or broken data.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected {name} to have at most {MAX_BYTES // 1_000_000} MB, got {len(data) / 1e6:.1f} MB")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if 0 < width * height <= MAX_PIXELS:
                return to_rgb(ImageOps.exif_transpose(image))
    except UnidentifiedImageError:
        raise ValueError(f"expected {name} to be one of {', '.join(FORMATS)}, got something else") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"expected {name} to have at most {MAX_PIXELS // 1_000_000} million pixels") from None
    except Exception as error:  # the decoders behind Pillow raise almost any kind for broken data
        words = " ".join(str(error).split())[:MAX_WORDS]
        raise ValueError(f"expected {name} to be a whole image file, got broken data ({words})") from None
    raise ValueError(
        f"expected {name} to have at most {MAX_PIXELS // 1_000_000} million pixels, got {width} x {height}"
    )


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a decoded image of any mode to RGB, uint8, `(H, W, 3)`."""
    if image.mode.startswith("I") or image.mode == "F":
        return np.repeat(scaled(np.array(image, dtype=np.float64))[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    return np.asarray(image.convert("RGB"), dtype=np.uint8)


def scaled(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Scale values, `(H, W)`, from their own minimum and maximum to [0, 255].

    What is not finite counts as the nearest of the two, NaN as the minimum. Works in place: 25 million pixels are
    200 MB.
    """
    finite = np.isfinite(values)
    low = float(values.min(where=finite, initial=np.inf))
    high = float(values.max(where=finite, initial=-np.inf))
    if not low < high:
        return np.zeros(values.shape, dtype=np.uint8)
    np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
    values -= low
    values *= 255.0 / (high - low)
    return np.rint(values, out=values).astype(np.uint8)


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image file to RGB, uint8, [0, 255], `(H, W, 3)`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As `decode`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected an image file at {path}, found none")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"expected {path.name} to have at most {MAX_BYTES // 1_000_000} MB")
    return decode(path.read_bytes(), path.name)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize `(H, W, 3)` uint8 to `(height, width, 3)`, bilinear, averaging when it shrinks."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)
