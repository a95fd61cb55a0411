"""The only image decoder: every image file of the project is read and checked here.

The header is read first; a file is decoded only if its format is on the allow-list and its size within the limits.
These checks do not bound the decoder's work, so images from visitors are decoded by `mun.decoding`.
"""

import io
import math
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

__all__ = ["FORMATS", "MAX_PIXELS", "decode", "read_image", "resize"]

FORMATS = ("JPEG", "PNG", "BMP", "WEBP", "TIFF")
MAX_PIXELS = 25_000_000
MAX_BYTES = 16_000_000
MAX_MESSAGE = 80  # characters of a decoder's own error
BAND_PIXELS = 1_000_000  # converted at a time
NO_MEMORY = ("error -9", "out of memory")  # in Pillow's errors when memory is missing
PERCENTILES = (0.5, 99.5)  # of an image of more than 8 bits; values outside become black or white
MOST_VALUES = 4_000_000  # evenly spread values of a large image, for its percentiles
TIFF_STARTS = {b"II*\0": "<", b"MM\0*": ">"}
WIDTH, BITS, COMPRESSION, SAMPLES, TILE_WIDTH, FORMAT, ORIENTATION = 256, 258, 259, 277, 322, 339, 274  # tags of TIFF
WHOLE, SIGNED, FLOATING = 1, 2, 3  # values of FORMAT


def decode(data: bytes, name: str = "the image", levels: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Decode an image file's bytes to RGB, uint8, [0, 255], `(H, W, 3)`.

    EXIF rotation is applied; transparency is laid on black. Images of one channel with more than 8 bits (thermal
    frames) are scaled from their own 0.5th and 99.5th percentile, which a dead or a hot pixel does not move, or from a
    stated range.

    Args:
        data: The file, at most 16 MB.
        name: Name of the image in error messages.
        levels: Values that become black and white where there are more than 8 bits; its percentiles by default.

    Raises:
        ValueError: Too large a file or image, a format outside the allow-list, or broken data.
        MemoryError: The decoder needs more memory than there is.
    """
    if len(data) > MAX_BYTES:
        raise ValueError(f"expected {name} to have at most {MAX_BYTES // 1_000_000} MB, got {len(data) / 1e6:.1f} MB")
    try:
        data, bits, orientation = with_whole_numbers(data)
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            width, height = image.size
            if 0 < width * height <= MAX_PIXELS:
                upright = floats_of(image, bits, orientation) if bits else image
                ImageOps.exif_transpose(upright, in_place=True)
                return to_rgb(upright, levels)
    except UnidentifiedImageError:
        raise ValueError(f"expected {name} to be one of {', '.join(FORMATS)}, got something else") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise ValueError(f"expected {name} to have at most {MAX_PIXELS // 1_000_000} million pixels") from None
    except MemoryError:
        raise
    except Exception as error:  # the decoders behind Pillow raise almost any kind for broken data
        message = " ".join(str(error).split())[:MAX_MESSAGE]
        if any(mark in message for mark in NO_MEMORY):
            raise MemoryError(message) from None
        raise ValueError(f"expected {name} to be a whole image file, got broken data ({message})") from None
    raise ValueError(
        f"expected {name} to have at most {MAX_PIXELS // 1_000_000} million pixels, got {width} x {height}"
    )


def with_whole_numbers(data: bytes) -> tuple[bytes, int, int]:
    """Mark the floats of a TIFF that Pillow cannot read, or misreads, as whole numbers of as many bits.

    These are half and double floats, and big-endian single floats. Each double becomes two numbers of 32 bits, in an
    image of twice the width.

    Returns:
        The file without its orientation tag; its bits per value, 16, 32 or 64; and its orientation. For any other file
        the file itself, 0 and 1.
    """
    order = TIFF_STARTS.get(data[:4])
    if order is None or len(data) < 10:
        return data, 0, 1
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    try:
        (count,) = struct.unpack_from(f"{order}H", data, first)
        places = {
            struct.unpack_from(f"{order}H", data, place)[0]: place
            for place in range(first + 2, first + 2 + 12 * count, 12)
        }
        known = (BITS, SAMPLES, FORMAT, WIDTH, TILE_WIDTH, ORIENTATION)
        tags = {tag: tag_value(data, order, places[tag]) for tag in known if tag in places}
    except struct.error:  # broken; the decoder reports it
        return data, 0, 1
    bits = tags.get(BITS, 1)
    if tags.get(FORMAT) != FLOATING or tags.get(SAMPLES, 1) != 1 or bits not in (16, 64, 32 if order == ">" else 16):
        return data, 0, 1
    changed = bytearray(data)
    changes = {FORMAT: SIGNED if order == ">" and bits > 16 else WHOLE}
    if bits == 64:
        changes |= {BITS: 32} | {tag: 2 * tags[tag] for tag in (WIDTH, TILE_WIDTH) if tag in tags}
    changes |= {ORIENTATION: 1} if ORIENTATION in tags else {}
    for tag, value in changes.items():
        struct.pack_into(f"{order}{tag_kind(data, order, places[tag])}", changed, places[tag] + 8, value)
    return bytes(changed), bits, tags.get(ORIENTATION, 1)


def tag_kind(data: bytes, order: str, place: int) -> str:
    """Return the `struct` format of a tag's value: a short (type 3) or a long."""
    return "H" if struct.unpack_from(f"{order}H", data, place + 2)[0] == 3 else "I"


def tag_value(data: bytes, order: str, place: int) -> int:
    """Read the one number of a tag."""
    return int(struct.unpack_from(f"{order}{tag_kind(data, order, place)}", data, place + 8)[0])


def floats_of(image: Image.Image, bits: int, orientation: int) -> Image.Image:
    """Read the floats of a file that `with_whole_numbers` has changed, as an image of mode F."""
    big, words = image.tag_v2.prefix == b"MM", np.asarray(image)  # type: ignore[attr-defined]
    if bits == 16:
        values = words.view(words.dtype.str.replace("u", "f"))
    else:
        if big and image.tag_v2.get(COMPRESSION, 1) != 1:  # type: ignore[attr-defined]
            words = words.byteswap()  # because Pillow swaps the bytes once too often
        values = words.view(np.float32) if bits == 32 else doubles(words.view(np.uint32).astype(np.uint64), big)
    with np.errstate(over="ignore"):  # values beyond single precision become infinite, and white
        upright = Image.fromarray(values.astype(np.float32))
    upright.getexif()[ORIENTATION] = orientation
    return upright


def doubles(words: NDArray[np.uint64], big: bool) -> NDArray[np.float64]:
    """Join each pair of 32-bit numbers into a double, `(H, 2W)` to `(H, W)`."""
    first, second = words[:, ::2], words[:, 1::2]
    high, low = (first, second) if big else (second, first)
    return (high << np.uint64(32) | low).view(np.float64)


def to_rgb(image: Image.Image, levels: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Convert a decoded image of any mode to RGB, uint8, `(H, W, 3)`, some rows at a time to save memory."""
    width, height = image.size
    rows = max(1, BAND_PIXELS // width)
    bands = [(top, min(top + rows, height)) for top in range(0, height, rows)]
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    deep = image.mode.startswith("I") or image.mode == "F"
    if deep and levels is None:
        step = math.ceil(width * height / MOST_VALUES)
        levels = robust_levels(np.concatenate([deep_band(image, *band).ravel()[::step] for band in bands]))
    for top, bottom in bands:
        if levels is not None and deep:
            pixels[top:bottom] = scaled(deep_band(image, top, bottom), *levels)[:, :, None]
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


def robust_levels(values: NDArray[np.float64]) -> tuple[float, float]:
    """Return the 0.5th and the 99.5th percentile of the finite values, or the extremes if both are equal."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 0.0
    low, high = (float(value) for value in np.percentile(finite, PERCENTILES))
    return (low, high) if low < high else (float(finite.min()), float(finite.max()))


def scaled(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.uint8]:
    """Scale values in place from [low, high] to [0, 255]; all of them to 0 where that range is empty.

    Infinite values count as the nearer end of the range, NaN as `low`.
    """
    if not low < high:
        return np.zeros(values.shape, dtype=np.uint8)
    np.nan_to_num(values, copy=False, nan=low, posinf=high, neginf=low)
    np.clip(values, low, high, out=values)
    values -= low
    values *= 255.0 / (high - low)
    return np.rint(values, out=values).astype(np.uint8)


def read_image(path: Path, name: str = "", levels: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Read an image file to RGB, uint8, [0, 255], `(H, W, 3)`.

    Args:
        path: The file.
        name: Name of the image in error messages; its path by default.
        levels: As for `decode`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As `decode`.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected an image file at {path}, found none")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"expected {name or path} to have at most {MAX_BYTES // 1_000_000} MB")
    return decode(path.read_bytes(), name or str(path), levels)


def resize(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize `(H, W, 3)` uint8 to `(height, width, 3)`, bilinear, averaging when it shrinks."""
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR), dtype=np.uint8)
