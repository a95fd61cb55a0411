"""Files that are no whole, bearable image, each for another reason; small ones that ask for gigabytes or minutes."""

import io
import pickle
import struct
import zipfile
import zlib
from functools import cache

import numpy as np
from made import encoded
from PIL import Image

__all__ = ["broken_images", "image_bomb", "whole_image"]


def whole_image(kind: str = "PNG", width: int = 32, height: int = 64) -> bytes:
    """An image of noise that every decoder accepts."""
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return encoded(Image.fromarray(pixels), kind)


def chunk(kind: bytes, data: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *chunks: bytes, colour: int = 2) -> bytes:
    """A PNG of some chunks whose header claims a size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0))
    return b"".join([b"\x89PNG\r\n\x1a\n", header, *chunks, chunk(b"IEND", b"")])


@cache
def image_bomb() -> bytes:
    """A PNG of some kilobytes that is 576 million pixels when it is decoded."""
    row = zlib.compressobj(9)
    data = b"".join([*(row.compress(bytes(1_000_000)) for _ in range(30)), row.flush()])
    return png(24_000, 24_000, chunk(b"IDAT", data))


def bmp(width: int, height: int, offset: int = 54) -> bytes:
    """A BMP that claims a size, with a few bytes of pixels."""
    header = struct.pack("<2sIHHI", b"BM", 100, 0, 0, offset)
    return header + struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0) + bytes(46)


def tiff(first: int, count: int = 1) -> bytes:
    """A TIFF whose list of tags is somewhere or points to itself."""
    return struct.pack("<2sHI", b"II", 42, first) + struct.pack("<H", count) + bytes(12) + struct.pack("<I", 8)


def archive() -> bytes:
    """A zip file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as written:
        written.writestr("a.png", whole_image())
    return file.getvalue()


@cache
def broken_images() -> dict[str, bytes]:
    """Each kind by its name."""
    whole, jpeg, webp = whole_image(), whole_image("JPEG"), whole_image("WEBP")
    flipped = bytearray(whole)
    flipped[60] ^= 0xFF
    return {
        "empty": b"",
        "one byte": b"\x89",
        "text": b"hello, this is no image",
        "html": b"<html><script>alert(1)</script></html>",
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "gif": whole_image("GIF"),
        "ico": whole_image("ICO"),
        "pdf": whole_image("PDF"),
        "pickle": pickle.dumps({"a": 1}),
        "zip": archive(),
        "signature alone": whole[:8],
        "cut header": whole[:20],
        "cut png": whole[: len(whole) // 2],
        "flipped bits": bytes(flipped),
        "no pixels": png(32, 64),
        "width of zero": png(0, 64, chunk(b"IDAT", zlib.compress(b""))),
        "text bomb": png(4, 4, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80_000_000), 9))),
        "cut jpeg": jpeg[: len(jpeg) // 2],
        "jpeg without tables": jpeg[:2] + jpeg[-400:],
        "bmp of four gigabytes": bmp(30_000, 30_000),
        "tiff that points to itself": tiff(8),
        "cut webp": webp[: len(webp) // 2],
    }


def bmp_of_gaps() -> bytes:
    """A run-length coded BMP of 1,086 bytes, 25,000,000 wide, which skips 255 rows that it does not have."""
    gaps = b"\0\2\xff\xff\0\0\0\0"
    head = struct.pack("<2sIHHI", b"BM", 1078 + len(gaps), 0, 0, 1078)
    shape = struct.pack("<IiiHHIIiiII", 40, 25_000_000, 1, 1, 8, 1, len(gaps), 0, 0, 0, 0)
    return head + shape + bytes(1024) + gaps


@cache
def tiff_of_one_tile(side: int = 32_768) -> bytes:
    """A TIFF of 16x16 pixels in one tile of a gigabyte."""
    packing, rows = zlib.compressobj(9), bytes(side * 16)
    tile = b"".join([*(packing.compress(rows) for _ in range(side // 16)), packing.flush()])
    tile += bytes(len(tile) % 2)
    shorts = {258: 8, 259: 8, 262: 1, 277: 1}  # bits, deflate, black is 0, one channel
    longs = {256: 16, 257: 16, 322: side, 323: side, 324: 8, 325: len(tile)}
    tags = {name: struct.pack("<HHIHH", name, 3, 1, value, 0) for name, value in shorts.items()}
    tags |= {name: struct.pack("<HHII", name, 4, 1, value) for name, value in longs.items()}
    listed = b"".join(tag for _, tag in sorted(tags.items()))
    return struct.pack("<2sHI", b"II", 42, 8 + len(tile)) + tile + struct.pack("<H", len(tags)) + listed + bytes(4)


@cache
def jpeg_of_scans(count: int = 20_000, side: int = 4_900) -> bytes:
    """A progressive JPEG that says one of its scans again and again."""
    data = encoded(Image.new("L", (side, side)), "JPEG", progressive=True, quality=50)
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 2)
    third = data.index(b"\xff\xda", second + 2)
    return data[:second] + data[second:third] * count + b"\xff\xd9"


def greedy_images() -> dict[str, bytes]:
    """Each kind by its name."""
    return {"bmp of gaps": bmp_of_gaps(), "tiff of one tile": tiff_of_one_tile(), "jpeg of scans": jpeg_of_scans()}
