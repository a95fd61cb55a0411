"""The guarded decoder: what it accepts, frames as thermal cameras have them, one sentence for everything else."""

import fcntl
import io
import os
import stat
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hostile_images import chunk, png
from made import encoded
from numpy.typing import NDArray
from PIL import Image

from mun import files, images
from mun.embedding import embed_pixels
from mun.files import whole_folder, write_json
from mun.images import decode, read_image, resize
from mun.structures import Modality

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 3), dtype=np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_come_back(kind) -> None:
    assert np.array_equal(decode(encoded(Image.fromarray(PIXELS), kind)), PIXELS)


@pytest.mark.parametrize("mode", ["L", "P", "1", "CMYK", "YCbCr"])
def test_modes_become_rgb(mode) -> None:
    kind = "JPEG" if mode in {"CMYK", "YCbCr"} else "PNG"
    result = decode(encoded(Image.fromarray(PIXELS).convert(mode), kind))
    assert result.shape == (6, 4, 3)
    assert result.dtype == np.uint8


def test_sixteen_bit_infrared_is_scaled() -> None:
    values = np.linspace(1000, 3000, 24).astype(np.uint16).reshape(6, 4)
    result = decode(encoded(Image.fromarray(values)))
    assert result[0, 0, 0] == 0
    assert result[-1, -1, 0] == 255
    assert len(np.unique(result)) == 24
    assert not decode(encoded(Image.fromarray(np.full((4, 4), 7, np.uint16)))).any()


def test_transparency_is_laid_on_black() -> None:
    assert not decode(encoded(Image.new("RGBA", (4, 4), (255, 255, 255, 0)))).any()


def test_exif_rotation() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode(encoded(Image.fromarray(PIXELS), "PNG", exif=exif)).shape == (4, 6, 3)


def claiming(width: int, height: int) -> bytes:
    """A PNG whose header claims a size that its few bytes do not hold."""
    return png(width, height, chunk(b"IDAT", zlib.compress(bytes(999))))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "something else"),
        (b"hello", "something else"),
        (encoded(Image.fromarray(PIXELS), "GIF"), "something else"),
        (encoded(Image.fromarray(PIXELS), "PNG")[:50], "broken data|something else"),
        (encoded(Image.fromarray(np.repeat(PIXELS, 40, 0)), "JPEG")[:200], "broken data|something else"),
        (claiming(12_000, 12_000), "25 million pixels"),
        (claiming(6_000, 5_000), "25 million pixels"),
        (b"\0" * 16_000_001, "at most 16 MB"),
    ],
    ids=["empty", "text", "gif", "cut png", "cut jpeg", "bomb", "large", "bytes"],
)
def test_bad_files_get_one_sentence(data, message) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        decode(data)
    assert "\n" not in str(caught.value)


def test_values_that_are_not_finite_are_scaled_too() -> None:
    values = np.array([[0.0, 1.0], [np.nan, np.inf], [-np.inf, 0.5]], dtype=np.float32)
    result = decode(encoded(Image.fromarray(values), "TIFF"))[:, :, 0]
    assert result.tolist() == [[0, 255], [0, 255], [0, 127]]
    assert not decode(encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF")).any()
    widest = np.array([[-3e38, 3e38]], dtype=np.float32)
    assert decode(encoded(Image.fromarray(widest), "TIFF"))[0, :, 0].tolist() == [0, 255]


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, about damaged tags
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP", "TIFF"])
def test_damaged_files_decode_or_get_one_sentence(kind) -> None:
    """A thousand seeded damages per format; whatever a decoder raises becomes a sentence."""
    generator = np.random.default_rng(3)
    whole = encoded(Image.fromarray(PIXELS), kind)
    refused = []
    for _ in range(1000):
        data = bytearray(whole)
        for place in generator.integers(0, len(data), generator.integers(1, 8)):
            data[place] = generator.integers(0, 256)
        data = data[: generator.integers(1, len(data) + 1)] if generator.random() < 0.2 else data
        try:
            assert decode(bytes(data)).dtype == np.uint8
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 100
    assert all(words.startswith("expected the image to ") and "\n" not in words for words in refused)
    assert max(map(len, refused)) < 200


def test_no_warning_filter_is_changed() -> None:
    """Filters belong to the whole process: changing them in one thread would confuse the decoders of others."""
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: decode(encoded(Image.fromarray(PIXELS))), range(200)))
    assert warnings.filters == before


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
def test_pixels_do_not_depend_on_how_many_rows_are_converted_at_a_time(mode, monkeypatch) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.random.default_rng(1).integers(0, 60_000, (23, 17), dtype=np.uint16))
    else:
        image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (23, 17, 3), dtype=np.uint8)).convert(mode)
    kind = "PNG" if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF"
    whole = decode(encoded(image, kind))
    monkeypatch.setattr(images, "BAND_PIXELS", 70)
    assert np.array_equal(decode(encoded(image, kind)), whole)


def test_missing_file(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="expected an image file"):
        read_image(tmp_path / "none.png")


def test_resize() -> None:
    assert resize(PIXELS, 6, 4) is PIXELS
    assert resize(PIXELS, 12, 8).shape == (12, 8, 3)
    assert np.all(resize(np.full((40, 20, 3), 9, np.uint8), 8, 4) == 9)


FRAME = np.add.outer(np.linspace(0, 1, 64), np.linspace(0, 1, 32) ** 2) / 2  # as smooth as warmth is


def thermal(values: NDArray[np.float64], kind: str) -> bytes:
    """A frame of values in [0, 1] as a camera stores it: counts of 14 bits, or degrees as floats."""
    if kind == "png":
        return encoded(Image.fromarray((7000 + 900 * values).astype(np.uint16)))
    order, size, packed = kind.split()
    kelvin, file = (20 + 15 * values).astype(f"{order}f{size}"), io.BytesIO()
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
def test_an_odd_pixel_costs_nothing_visible(kind, odd, tiny_network) -> None:
    """The frame stays as it was but for the pixel, and so does its embedding."""
    broken = FRAME.copy()
    broken[20, 11] = odd
    clean, seen = decode(thermal(FRAME, kind)), decode(thermal(broken, kind))
    others = np.ones(FRAME.shape, bool)
    others[20, 11] = False
    assert np.abs(clean.astype(int) - seen)[others].max() <= 2
    first, second = embed_pixels(
        tiny_network, np.stack([resize(clean, 64, 32), resize(seen, 64, 32)]), Modality.INFRARED
    )
    assert first @ second >= 0.98


def test_a_stated_range_is_black_to_white_whatever_the_frame_holds() -> None:
    shown = decode(thermal(FRAME, "< 4 plain"), levels=(20, 50))
    assert shown[0, 0, 0] == 0
    assert shown[-1, -1, 0] == round(255 / 2)
    narrow = decode(thermal(FRAME, "< 4 plain"), levels=(25, 30))
    assert {narrow.min(), narrow.max()} == {0, 255}
    eight = encoded(Image.fromarray(np.full((4, 4), 9, np.uint8)))
    assert np.all(decode(eight, levels=(0, 18)) == 9), "8 bits are pixels already"


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
