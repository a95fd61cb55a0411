"""Features and their files: what is read; a hostile file is refused before anything of it is inflated."""

import io
import struct
import tracemalloc
import zipfile
from typing import Any

import numpy as np
import pytest
from made import content, method, write

from mun import features as feature_file
from mun.features import SAMPLE_BYTES, read_features, unit_rows

MEGABYTE = 1_000_000


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"pids": lambda v: v.astype(np.float64)[None], "camids": lambda v: v.astype(np.uint8)[:, None]},
        {"keys": lambda v: v.astype("S"), "modalities": lambda v: np.char.upper(v)[None]},
        {"features": lambda v: np.asfortranarray(v.astype(np.float16))},
    ],
)
def test_what_is_written_is_read_in_whatever_integer_or_text_type(tmp_path, change: Any, packed: bool) -> None:
    arrays = method(1.0)
    changed = {**arrays, **{name: make(arrays[name]) for name, make in change.items()}}
    for source in (write(tmp_path / "f.npz", changed, packed=packed), content(changed, packed=packed)):
        found = read_features(source)
        assert (found.features == changed["features"]).all()
        assert found.pids.tolist() == arrays["pids"].tolist()
        assert found.camids.tolist() == arrays["camids"].tolist()
        assert found.keys == tuple(arrays["keys"].tolist())
        assert (found.infrared == (arrays["modalities"] == "infrared")).all()


def test_without_cameras_each_modality_is_one(tmp_path) -> None:
    arrays = method(1.0)
    del arrays["camids"]
    found = read_features(write(tmp_path / "f.npz", arrays))
    assert (found.camids == np.where(found.infrared, 2, 1)).all()


def test_a_large_array_is_mapped_with_its_values(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(feature_file, "MAPPED_BYTES", 1000)
    arrays = method(1.0)
    found = read_features(write(tmp_path / "f.npz", arrays))
    assert isinstance(found.features, np.memmap)
    assert (found.features == arrays["features"]).all()
    assert not isinstance(read_features(write(tmp_path / "p.npz", arrays, packed=True)).features, np.memmap)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"features": np.ones(96)}, "expected real `features` of shape (N, D), got float64 of shape (96,)"),
        ({"features": np.ones((0, 4))}, "of shape (0, 4)"),
        ({"pids": np.ones((2, 48), int)}, "expected `pids` of shape (96,), got (2, 48)"),
        ({"features": np.ones((96, 4), complex)}, "expected `features` in f.npz to be a numeric or text array"),
        ({"features": np.full((96, 4), None)}, "expected `features` in f.npz to be a numeric or text array"),
        ({"features": np.zeros(96, [("a", "f4")])}, "expected `features` in f.npz to be a numeric or text array"),
        ({"pids": np.ones(95, int)}, "expected `pids` of shape (96,), got (95,)"),
        ({"pids": np.full(96, np.nan)}, "expected `pids` of whole numbers from 0 to 2147483647, got nan"),
        ({"pids": np.full(96, -1)}, "got -1"),
        ({"pids": np.full(96, 2**40)}, "expected `pids` of whole numbers from 0 to 2147483647"),
        ({"camids": np.array(["1"] * 96)}, "expected `camids` of whole numbers, got <U1"),
        ({"modalities": np.array(["thermal"] * 96)}, "expected `modalities` of visible and infrared, got 'thermal'"),
        ({"modalities": np.zeros(96)}, "expected `modalities` of text, got float64"),
        ({"keys": np.array(["a"] * 96)}, "expected `keys` without repetition, got 95 more than once"),
        ({"keys": np.array([f"../{row}" for row in range(96)])}, "expected `keys` such as cam3/0007/0001.jpg"),
        ({"keys": np.array([f"/etc/{row}" for row in range(96)])}, "got '/etc/0'"),
        ({"keys": np.array([f"a\n{row}" for row in range(96)])}, "expected `keys` such as"),
        ({"keys": np.array([f"{row}" * 100 for row in range(96)])}, "expected `keys` such as"),
        ({"keys": np.array([b"\xff%d" % row for row in range(96)])}, "expected `keys` of text in UTF-8"),
        ({"keys": None}, "expected the arrays features, pids, camids, modalities, keys in f.npz, missing: keys"),
    ],
)
def test_arrays_that_do_not_fit_get_one_sentence(change: Any, words: str) -> None:
    arrays = {name: value for name, value in {**method(1.0), **change}.items() if value is not None}
    with pytest.raises(ValueError, match="^expected ") as refused:
        read_features(content(arrays), name="f.npz")
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)


def archive(features: bytes, **more: bytes) -> io.BytesIO:
    """A file whose features are these bytes, header and all."""
    file = content({name: value for name, value in method(1.0).items() if name != "features"})
    with zipfile.ZipFile(file, "a", zipfile.ZIP_DEFLATED) as made:
        made.writestr("features.npy", features)
        for name, value in more.items():
            made.writestr(f"{name}.npy", value)
    file.seek(0)
    return file


def header_of(text: str, version: bytes = b"\x01\x00") -> bytes:
    length = struct.pack("<H" if version[0] == 1 else "<I", len(text))
    return b"\x93NUMPY" + version + length + text.encode("latin1")


def header(shape: str, descr: str = "<f4", version: bytes = b"\x01\x00") -> bytes:
    return header_of(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}", version)


def lying(size: int) -> io.BytesIO:
    """A file whose directory says another size of the features than there is, in a field of ZIP64 where it is large."""
    file = archive(header("(96, 4)") + bytes(96 * 16))
    data = bytearray(file.getvalue())
    place = data.rfind(b"PK\x01\x02", 0, data.rfind(b"features.npy"))
    if size < 2**32 - 1:
        struct.pack_into("<I", data, place + 24, size)
    else:
        struct.pack_into("<I", data, place + 24, 2**32 - 1)
        extra = struct.pack("<HHQ", 1, 8, size)
        struct.pack_into("<H", data, place + 30, len(extra))
        name_end = place + 46 + len("features.npy")
        data[name_end:name_end] = extra
        end = data.rfind(b"PK\x05\x06")
        struct.pack_into("<I", data, end + 12, struct.unpack_from("<I", data, end + 12)[0] + len(extra))
    return io.BytesIO(bytes(data))


HOSTILE = {
    "bomb": lambda: archive(header("(96, 4000000)") + bytes(300 * MEGABYTE)),
    "shape beyond the file": lambda: archive(header("(96, 400000000000)") + bytes(64)),
    "negative shape": lambda: archive(header("(-96, -4)") + bytes(96 * 16)),
    "shape of a million dimensions": lambda: archive(header("(" + "1," * 3000 + ")") + bytes(64)),
    "pickled": lambda: archive(header("(96, 4)", "|O") + b"cos\nsystem\n(S'true'\ntR."),
    "items of no size": lambda: archive(header("(96, 4)", "|V0")),
    "version 3": lambda: archive(header("(96, 4)", version=b"\x03\x00") + bytes(96 * 16)),
    "no header": lambda: archive(b"nothing"),
    "a header cut in its shape": lambda: archive(header_of("{'descr': '<f8', 'fortran_order': False, 'shape': (6,")),
    "a header cut in a word": lambda: archive(header_of("{'descr': '<f8',\n  '")),
    "a header of another form": lambda: archive(header_of("a:\n    b\n  c")),
    "an endless header": lambda: archive(b"\x93NUMPY\x02\x00\xff\xff\xff\x7f" + bytes(64)),
    "declared smaller": lambda: lying(200),
    "declared larger": lambda: lying(96 * 16 + 10_000),
    "declared 2**40 in ZIP64": lambda: lying(2**40),
    "declared 2**63 in ZIP64": lambda: lying(2**63),
    "too many members": lambda: archive(b"", **{f"m{number}": b"" for number in range(70)}),
    "an array and more after it": lambda: archive(header("(96, 4)") + bytes(96 * 16 + 8)),
    "no archive": lambda: io.BytesIO(b"text"),
    "empty": lambda: io.BytesIO(),
    "half": lambda: io.BytesIO(content(method(1.0)).getvalue()[:900]),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_file_gets_one_sentence_and_no_memory(what: str) -> None:
    file = HOSTILE[what]()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"^expected [^\n]*$"):
            read_features(file, 200 * MEGABYTE, "f.npz")
        assert tracemalloc.get_traced_memory()[1] < 10 * MEGABYTE
    finally:
        tracemalloc.stop()


def test_a_name_twice_and_a_broken_check_sum_are_refused() -> None:
    file = archive(header("(96, 4)") + bytes(96 * 16))
    with zipfile.ZipFile(file, "a") as made, pytest.warns(UserWarning, match="Duplicate name"):
        made.writestr("features.npy", b"")
    with pytest.raises(ValueError, match="each once"):
        read_features(file, name="f.npz")
    data = bytearray(content(method(1.0)).getvalue())
    data[data.find(b"features.npy") + 300] ^= 1
    with pytest.raises(ValueError, match="expected `features` in f.npz to be a numeric or text array, got: Bad CRC-32"):
        read_features(io.BytesIO(bytes(data)), name="f.npz")


def test_a_missing_file_is_named(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="expected an .npz file at"):
        read_features(tmp_path / "none.npz")


def test_more_images_than_memory_has_room_for_are_refused() -> None:
    arrays = method(1.0)
    most = SAMPLE_BYTES * len(arrays["keys"])
    assert len(read_features(content(arrays), most).keys) == len(arrays["keys"])
    with pytest.raises(ValueError, match=r"expected `features` of at most \d+ images, got \d+"):
        read_features(content(arrays), most - 1)


def test_unit_rows_are_left_alone_and_others_normalised():
    generator = np.random.default_rng(2)
    rows = generator.standard_normal((20, 8)) * 10.0 ** generator.integers(-200, 200, (20, 1))
    unit = unit_rows("features", rows)
    assert np.linalg.norm(unit, axis=1) == pytest.approx(np.ones(20), abs=1e-12)
    assert unit_rows("features", unit) is unit
    single = unit.astype(np.float32)
    assert unit_rows("features", single) is single
    assert unit_rows("features", 3 * single).dtype == np.float32
    assert unit_rows("features", [[3, 4]]).tolist() == [[0.6, 0.8]]
