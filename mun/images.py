"""The one guarded decoder: every image file of the project is read here.

The header is read first; a file is decoded only if its format is on the allow-list and its size within the limits.
That does not bound the decoder's work: what strangers bring goes through `mun.decoding`.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["FORMATS", "MAX_PIXELS", "decode", "read_image", "resize"]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
MAX_PIXELS = 25_000_000
MAX_BYTES = 16_000_000
MAX_WORDS = 80  # of a decoder's own complaint
BAND_PIXELS = 1_000_000  # converted at a time
NO_MEMORY = ("error -9", "out of memory")  # how Pillow says that a decoder got none


def decode(data: bytes, name: str = "the image") -> NDArray[np.uint8]:
    """Decode an image file's bytes to RGB, uint8, [0, 255], `(H, W, 3)`.

    EXIF rotation is applied; 16-bit (infrared) images are scaled from their own minimum and maximum; transparency is
    laid on black.

    Args:
        data: The file, at most 16 MB.
        name: What to call it in an error.

    Raises:
        ValueError: Too large a file or image, a format outside the allow-list, or broken data.
        MemoryError: The decoder asks for more than there is.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected {name} to have at most {MAX_BYTES // 1_000_000} MB, got {len(data) / 1e6:.1f} MB")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if 0 < width * height <= MAX_PIXELS:
                ImageOps.exif_transpose(image, in_place=True)
                return to_rgb(image)
    except UnidentifiedImageError:
        raise ValueError(f"expected {name} to be one of {', '.join(FORMATS)}, got something else") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"expected {name} to have at most {MAX_PIXELS // 1_000_000} million pixels") from None
    except MemoryError:
        raise
    except Exception as error:  # the decoders behind Pillow raise almost any kind for broken data
        words = " ".join(str(error).split())[:MAX_WORDS]
        if any(mark in words for mark in NO_MEMORY):
            raise MemoryError(words) from None
        raise ValueError(f"expected {name} to be a whole image file, got broken data ({words})") from None
    raise ValueError(
        f"expected {name} to have at most {MAX_PIXELS // 1_000_000} million pixels, got {width} x {height}"
    )


def to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Convert a decoded image of any mode to RGB, uint8, `(H, W, 3)`, some rows at a time to save memory."""
    width, height = image.size
    rows = max(1, BAND_PIXELS // width)
    bands = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    deep = image.mode.startswith("I") or image.mode == "F"
    low, high = extremes(deep_band(image, *band) for band in bands) if deep else (0.0, 0.0)
    for top, bottom in bands:
        if deep:
            pixels[top:bottom] = scaled(deep_band(image, top, bottom), low, high)[:, :, None]
        else:
            pixels[top:bottom] = np.asarray(on_black(image.crop((0, top, width, bottom))), dtype=np.uint8)
    return pixels


def deep_band(image: Image.Image, top: int, bottom: int) -> NDArray[np.float64]:
    """Copy some rows of an image with one channel of many bits, float64, `(bottom - top, W)`."""
    return np.array(image.crop((0, top, image.width, bottom)), dtype=np.float64)


def on_black(image: Image.Image) -> Image.Image:
    """Lay an image with transparency on black, and convert it to RGB."""
    if image.has_transparency_data:
        ground = Image.new("RGBA", image.size, (0, 0, 0, 255))
        ground.alpha_composite(image.convert("RGBA"))
        image = ground
    return image if image.mode == "RGB" else image.convert("RGB")


def extremes(bands: Iterable[NDArray[np.float64]]) -> tuple[float, float]:
    """Return the least and the greatest finite value; infinity and its negative where there is none."""
    low, high = np.inf, -np.inf
    for values in bands:
        finite = np.isfinite(values)
        low = min(low, float(values.min(where=finite, initial=np.inf)))
        high = max(high, float(values.max(where=finite, initial=-np.inf)))
    return low, high


def scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """Scale values in place from [low, high] to [0, 255]; all of them to 0 where that range is empty.

    What is not finite counts as the nearest of the two, NaN as the minimum.
    """
    if not low < high:
        return np.zeros(values.shape, dtype=np.uint8)
    np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
    values -= low
    values *= 255.0 / (high - low)
    return np.rint(values, out=values).astype(np.uint8)


def read_image(path: Path, name: str = "") -> NDArray[np.uint8]:
    """Read an image file to RGB, uint8, [0, 255], `(H, W, 3)`.

    Args:
        path: Of the file.
        name: What to call it in an error; by default its last part.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As `decode`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected an image file at {path}, found none")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"expected {name or path.name} to have at most {MAX_BYTES // 1_000_000} MB")
    return decode(path.read_bytes(), name or path.name)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize `(H, W, 3)` uint8 to `(height, width, 3)`, bilinear, averaging when it shrinks."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)
