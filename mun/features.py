"""Read features of any method from an .npz file, checked before decompression; make rows of unit length. NumPy only."""

import math
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.structures import Modality

__all__ = ["ARRAYS", "SAMPLE_BYTES", "UNREADABLE", "FeatureSet", "integers", "read_arrays", "read_features"]
__all__ += ["unit_rows"]

ARRAYS = ("features", "pids", "camids", "modalities", "keys")
USUAL_CAMERAS = (2, 1)  # infrared, visible: for data without camera numbers, as repositories do with RegDB
MAPPED_BYTES = 2**28  # a larger array that is not compressed is mapped from its file instead of read
MAX_MEMBERS = 64
MAX_NUMBER = 2**31 - 1  # of an identity or a camera
MAX_KEY = 160  # characters
HEADER_BYTES = 4096  # NumPy's headers have some hundred bytes
SAMPLE_BYTES = 500  # that an image takes in memory besides its features
UNIT_TOLERANCE = 1e-6  # float32 embeddings of unit length are off by about 1e-7
UNREADABLE = (
    *(ValueError, EOFError, OSError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error, RuntimeError),
    *(SyntaxError, tokenize.TokenError, MemoryError, OverflowError, struct.error),
)
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """The features that a method computes for N images, with identity, camera and modality of each.

    Attributes:
        features: Real numbers, finite or not, `(N, D)`; a large array is mapped from its file.
        pids: Identity numbers, int64, `(N,)`.
        camids: Camera numbers, int64, `(N,)`; where the file has none, 1 for visible images and 2 for infrared ones.
        infrared: Whether an image is infrared (otherwise visible), bool, `(N,)`.
        keys: Name of each image, such as `cam3/0007/0001.jpg`; all names differ.
    """

    features: NDArray[Any]
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    infrared: NDArray[np.bool_]
    keys: tuple[str, ...]


def read_features(source: Path | IO[bytes], most: int | None = None, name: str = "") -> FeatureSet:
    """Read the arrays `features`, `pids`, `modalities`, `keys` and, if present, `camids`.

    Args:
        source: The .npz file, or its content.
        most: Most bytes of the arrays after decompression, and of all that is kept beside them; `None` for any number.
        name: Name of the file in messages; its path by default.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: As `read_arrays`; there are too many images, an array has another shape or type, or a key is invalid
            or repeated.
    """
    arrays = read_arrays(source, ARRAYS, optional=("camids",), most=most, name=name)
    features = arrays["features"]
    if features.ndim != 2 or 0 in features.shape or features.dtype.kind not in "fiu":
        raise ValueError(f"expected real `features` of shape (N, D), got {features.dtype} of shape {features.shape}")
    count = len(features)
    if most is not None and count > most // SAMPLE_BYTES:
        raise ValueError(f"expected `features` of at most {most // SAMPLE_BYTES:,} images, got {count:,}")
    modalities = np.char.lower(texts("modalities", arrays["modalities"], count))
    odd = np.flatnonzero((modalities != Modality.VISIBLE) & (modalities != Modality.INFRARED))
    if odd.size:
        raise ValueError(f"expected `modalities` of visible and infrared, got {str(modalities[odd[0]])!r:.60}")
    infrared = modalities == Modality.INFRARED
    camids = arrays["camids"] if "camids" in arrays else np.where(infrared, *USUAL_CAMERAS)
    pids, camids = integers("pids", arrays["pids"], count), integers("camids", camids, count)
    return FeatureSet(features, pids, camids, infrared, checked_keys(texts("keys", arrays["keys"], count)))


def integers(name: str, values: NDArray[Any], length: int | None = None) -> NDArray[np.int64]:
    """Convert identity or camera numbers to int64; any numeric type with whole values, and MATLAB's rows and columns.

    Args:
        name: The name of the values in messages.
        values: From 0 to 2³¹ − 1, `(length,)`, `(1, length)` or `(length, 1)`.
        length: The length they must have; `None` for any.

    Raises:
        ValueError: Another shape, or a value that is not such a number.
    """
    vector = flat(name, values, length)
    if vector.dtype.kind not in "iuf":
        raise ValueError(f"expected `{name}` of whole numbers, got {vector.dtype}")
    bad = np.flatnonzero(~((vector >= 0) & (vector <= MAX_NUMBER) & (vector == np.floor(vector))))  # NaN is bad too
    if bad.size:
        raise ValueError(f"expected `{name}` of whole numbers from 0 to {MAX_NUMBER}, got {vector[bad[0]]:g}")
    return vector.astype(np.int64)


def texts(name: str, values: NDArray[Any], length: int) -> NDArray[np.str_]:
    """Return an array of text, `(length,)`.

    Raises:
        ValueError: Another shape or type.
    """
    vector = flat(name, values, length)
    if vector.dtype.kind == "S":
        try:
            return np.char.decode(vector, "utf-8")
        except UnicodeDecodeError:
            raise ValueError(f"expected `{name}` of text in UTF-8, got other bytes") from None
    if vector.dtype.kind != "U":
        raise ValueError(f"expected `{name}` of text, got {vector.dtype}")
    return vector


def flat(name: str, values: NDArray[Any], length: int | None) -> NDArray[Any]:
    """Return a vector; a matrix of one row or one column is flattened.

    Raises:
        ValueError: Another shape.
    """
    vector = values.reshape(-1) if values.ndim == 2 and 1 in values.shape else values
    if vector.ndim != 1 or (length is not None and len(vector) != length):
        raise ValueError(f"expected `{name}` of shape ({'N' if length is None else length},), got {values.shape}")
    return vector


def checked_keys(words: NDArray[np.str_]) -> tuple[str, ...]:
    """Return the keys of images after a check: short, printable, inside their folder, without repetition.

    Raises:
        ValueError: A key is not.
    """
    keys = tuple(words.tolist())
    for key in keys:
        if not 0 < len(key) <= MAX_KEY or not key.isprintable() or "\\" in key or not {"", ".", ".."}.isdisjoint(
            key.split("/")
        ):  # fmt: skip
            raise ValueError(f"expected `keys` such as cam3/0007/0001.jpg, got {key!r:.60}")
    if len(set(keys)) < len(keys):
        raise ValueError(f"expected `keys` without repetition, got {len(keys) - len(set(keys))} more than once")
    return keys


def read_arrays(
    source: Path | IO[bytes],
    names: Sequence[str],
    *,
    optional: Sequence[str] = (),
    most: int | None = None,
    name: str = "",
) -> dict[str, NDArray[Any]]:
    """Read arrays of an .npz file; each header is checked before decompression, and Python objects are never loaded.

    Args:
        source: The file, or its content.
        names: Names of the arrays; others in the file are ignored.
        optional: Names of the arrays that may be missing.
        most: Most bytes after decompression; `None` for any number.
        name: Name of the file in messages; its path by default.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no .npz file or has too much in it, an array is missing, damaged, or holds Python objects.
    """
    path, label = source if isinstance(source, Path) else None, name or str(source)
    if path is not None and not path.is_file():
        raise FileNotFoundError(f"expected an .npz file at {path}, found none")
    with source.open("rb") if isinstance(source, Path) else nullcontext(source) as file:
        return _arrays(file, path, label, names, optional, most)


def _arrays(
    file: IO[bytes], path: Path | None, label: str, names: Sequence[str], optional: Sequence[str], most: int | None
) -> dict[str, NDArray[Any]]:
    try:
        archive = zipfile.ZipFile(file)
    except UNREADABLE:
        raise ValueError(f"expected an .npz file with {', '.join(names)} at {label}, got something else") from None
    members = archive.infolist()
    if len(members) > MAX_MEMBERS or len({member.filename for member in members}) < len(members):
        raise ValueError(f"expected at most {MAX_MEMBERS} arrays in {label}, each once, got {len(members)}")
    if most is not None and sum(max(0, member.file_size) for member in members) > most:
        raise ValueError(f"expected at most {most // 1_000_000} MB of arrays in {label}, got more")
    found = {member.filename.removesuffix(".npy"): member for member in members}
    if missing := [one for one in names if one not in found and one not in optional]:
        raise ValueError(f"expected the arrays {', '.join(names)} in {label}, missing: {', '.join(missing)}")
    arrays = {}
    for one in (each for each in names if each in found):
        try:
            arrays[one] = _array(archive, found[one], path)
        except UNREADABLE as error:
            why = " ".join(str(error).split())[:160] or type(error).__name__
            raise ValueError(f"expected `{one}` in {label} to be a numeric or text array, got: {why}") from None
    return arrays


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path | None) -> NDArray[Any]:
    """Read one array whose header agrees with the size that the archive declares."""
    with archive.open(member) as stream:
        version = np.lib.format.read_magic(stream)
        read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f"version {version} of NumPy's format")
        shape, fortran, dtype = read(stream, max_header_size=HEADER_BYTES)
        start = stream.tell()
        size = math.prod(shape) * dtype.itemsize
        if dtype.hasobject or dtype.fields or dtype.kind not in "biufUS":
            raise ValueError(f"the type {dtype}")
        if min(shape, default=1) < 0 or size != member.file_size - start:
            raise ValueError(f"{member.file_size - start} bytes for an array of shape {shape}")
        order: Literal["F", "C"] = "F" if fortran else "C"
        if path is not None and size > MAPPED_BYTES and member.compress_type == zipfile.ZIP_STORED:
            offset = _content_of(path, member) + start
            if offset + size > path.stat().st_size:
                raise ValueError("a file that ends too early")
            return np.memmap(path, dtype, "r", offset, shape, order)
        content = np.empty(size, np.uint8)  # aligned, unlike the data in the file
        done = 0
        while done < size and (part := stream.read(min(size - done, 2**22))):
            content[done : done + len(part)] = np.frombuffer(part, np.uint8)
            done += len(part)
        if done < size or stream.read(1):  # reading to the end verifies the checksum
            raise ValueError("a file that ends too early")
    return content.view(dtype).reshape(shape, order=order) if size else np.empty(shape, dtype)


def _content_of(path: Path, member: zipfile.ZipInfo) -> int:
    """Return where a member's content begins in the file."""
    with path.open("rb") as file:
        file.seek(member.header_offset)
        head = file.read(30)
    if head[:4] != b"PK\3\4":
        raise ValueError("a damaged archive")
    name, extra = struct.unpack("<2H", head[26:30])
    return int(member.header_offset + len(head) + name + extra)


def unit_rows(name: str, features: ArrayLike) -> Floats:
    """Return features of unit length: as they are where every row has length 1 within 1e-6, else normalised.

    Rows that are already of unit length are left alone, because dividing again moves distances in their last digits,
    and the order of near ties with them.

    Args:
        name: The name of the features in a message.
        features: Real numbers, `(N, D)`.

    Returns:
        float32 where `features` is, else float64, `(N, D)`.

    Raises:
        ValueError: Not of shape (N, D), empty, not finite, or a row is zero.
    """
    rows = np.asarray(features)
    if rows.dtype.kind not in "fiu":
        raise ValueError(f"expected `{name}` of a real numeric type, got {rows.dtype}")
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"expected `{name}` of shape (N, D), neither of them 0, got {rows.shape}")
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    if not np.isfinite(rows).all():
        raise ValueError(f"expected finite `{name}`, got NaN or infinity")
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise ValueError(f"expected `{name}` without a zero row, got one at row {int(np.argmin(largest))}")
    scaled = rows.astype(np.float64) / largest  # first by the largest entry, so that no square overflows
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    if np.all(np.abs(lengths * largest - 1) <= UNIT_TOLERANCE):
        return rows
    unit: Floats = (scaled / lengths).astype(rows.dtype)
    return unit
