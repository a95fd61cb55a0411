"""Files as thermal cameras and Windows have them: odd pixels, floats of any size, stated ranges, folders not synced."""

from __future__ import annotations

import fcntl
import io
import os
import stat
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from mun import files
from mun.checkpoint import load_checkpoint
from mun.embedding import embed_pixels
from mun.files import whole_folder, write_json
from mun.images import decode, resize
from mun.structures import Modality

FRAME = np.add.outer(np.linspace(0, 1, 64), np.linspace(0, 1, 32) ** 2) / 2  # as smooth as warmth is


def thermal(values: NDArray[np.float64], kind: str) -> bytes:
    """A frame of values in [0, 1] as a camera stores it: counts of 14 bits, or degrees as floats."""
    file = io.BytesIO()
    if kind == "png":
        Image.fromarray((7000 + 900 * values).astype(np.uint16)).save(file, "PNG")
    else:
        order, size, packed = kind.split()
        kelvin = (20 + 15 * values).astype(f"{order}f{size}")
        tifffile.imwrite(file, kelvin, byteorder=order, compression="zlib" if packed == "packed" else None)
    return file.getvalue()


KINDS = ["png", *(" ".join(words) for words in product("<>", "248", ("plain", "packed")))]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_frame_shows_the_same(kind) -> None:
    shown = decode(thermal(FRAME, kind))
    assert np.abs(shown.astype(int) - decode(thermal(FRAME, "png"))).max() <= 1
    assert shown[0, 0, 0] == 0
    assert shown[-1, -1, 0] == 255


def test_a_rotated_frame_of_doubles_is_set_upright() -> None:
    file = io.BytesIO()
    tifffile.imwrite(file, FRAME, extratags=[(274, 3, 1, 6, True)])
    assert decode(file.getvalue()).shape == (32, 64, 3)


@pytest.mark.parametrize("odd", [-7.0, 60.0], ids=["dead", "hot"])
@pytest.mark.parametrize("kind", ["png", "< 2 plain", "< 4 plain", "> 8 plain"])
def test_an_odd_pixel_costs_nothing_visible(kind, odd, tiny_checkpoint) -> None:
    """The frame stays as it was but for the pixel, and so does its embedding."""
    network, _ = load_checkpoint(tiny_checkpoint / "mun-tiny")
    broken = FRAME.copy()
    broken[20, 11] = odd
    clean, seen = decode(thermal(FRAME, kind)), decode(thermal(broken, kind))
    others = np.ones(FRAME.shape, bool)
    others[20, 11] = False
    assert np.abs(clean.astype(int) - seen)[others].max() <= 2
    first, second = embed_pixels(network, np.stack([resize(clean, 64, 32), resize(seen, 64, 32)]), Modality.INFRARED)
    assert first @ second >= 0.98


def test_a_stated_range_is_black_to_white_whatever_the_frame_holds() -> None:
    shown = decode(thermal(FRAME, "< 4 plain"), levels=(20, 50))
    assert shown[0, 0, 0] == 0
    assert shown[-1, -1, 0] == round(255 / 2)
    narrow = decode(thermal(FRAME, "< 4 plain"), levels=(25, 30))
    assert {narrow.min(), narrow.max()} == {0, 255}
    eight = io.BytesIO()
    Image.fromarray(np.full((4, 4), 9, np.uint8)).save(eight, "PNG")
    assert np.all(decode(eight.getvalue(), levels=(0, 18)) == 9), "8 bits are pixels already"


def test_writing_keeps_the_rules_of_windows(tmp_path, monkeypatch) -> None:
    """There a folder cannot be opened, and a handle for reading cannot be flushed."""
    real_open, real_sync, synced = os.open, os.fsync, []

    def open_file(path: Path, flags: int, *more: int) -> int:
        if Path(path).is_dir():
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, flags, *more)

    def sync_file(descriptor: int) -> None:
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(9, "Bad file descriptor")
        synced.append(stat.S_ISREG(os.fstat(descriptor).st_mode))
        real_sync(descriptor)

    monkeypatch.setattr(files, "WINDOWS", True)
    monkeypatch.setattr(os, "open", open_file)
    monkeypatch.setattr(os, "fsync", sync_file)
    with whole_folder(tmp_path / "run") as folder:
        write_json(folder / "state.json", {"step": 1})
    assert (tmp_path / "run" / "state.json").is_file()
    assert synced == [True]
