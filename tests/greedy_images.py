"""Small files of allowed formats and sizes whose decoders ask for gigabytes, or for half a minute."""

from __future__ import annotations

import io
import struct
import zlib
from functools import cache

from PIL import Image

__all__ = ["greedy_images", "jpeg_of_scans"]


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
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG", progressive=True, quality=50)
    data = file.getvalue()
    first = data.index(b"\xff\xda")
    second = data.index(b"\xff\xda", first + 2)
    third = data.index(b"\xff\xda", second + 2)
    return data[:second] + data[second:third] * count + b"\xff\xd9"


def greedy_images() -> dict[str, bytes]:
    """Each kind by its name."""
    return {"bmp of gaps": bmp_of_gaps(), "tiff of one tile": tiff_of_one_tile(), "jpeg of scans": jpeg_of_scans()}
