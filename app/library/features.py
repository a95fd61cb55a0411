"""Features files of any method: each a model that has embedded one data set already, and no other."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np

from app.library.checkpoints import CheckpointEntry
from app.library.collection import Collection, allows
from mun.evaluation.protocols import PROTOCOLS
from mun.features import FeatureSet, read_features, unit_rows
from mun.search import Vectors
from mun.structures import Modality, Sample

__all__ = ["NOWHERE", "open_features"]

NOWHERE = Path("no image")  # where the images of a features file are, unless a folder was named
EXACT_BYTES = 2**26  # of features that are brought to unit length in double precision; larger ones in single
OFFERED = ("sysu-all", "sysu-indoor", "whole")
SYSU_CAMERAS = {Modality.VISIBLE: {1, 2, 4, 5}, Modality.INFRARED: {3, 6}}


def open_features(
    name: str,
    source: Path | IO[bytes],
    file: str,
    collections: Mapping[str, Collection],
    *,
    images: Path | None = None,
    most: int | None = None,
) -> tuple[CheckpointEntry, Collection]:
    """Read a features file as a model of the data set whose keys it has, or else of a new one.

    Args:
        name: Of the model, and of the data set where that is new.
        source: The file, or its content.
        file: The file's name, for captions.
        collections: The data sets that there are.
        images: Folder below which the keys are files; `None` where the images are not at hand.
        most: Bytes that the file may have once it is inflated; `None` for any number.

    Returns:
        The model, and its data set, which is one of `collections` or new.

    Raises:
        FileNotFoundError: The file, or an image of it, is missing.
        ValueError: It is no features file, contradicts a data set with the same keys, or cannot be searched.
    """
    found = read_features(source, most, file)
    digest = hashlib.sha256(repr((found.features.dtype, found.features.shape)).encode())
    for start in range(0, len(found.features), 10_000):
        digest.update(found.features[start : start + 10_000].tobytes())
    known = next((one for one in collections.values() if one.rows.keys() == set(found.keys)), None)
    collection = known or collection_of(name, file, found, images)
    order = order_of(file, found, known) if known else None
    features = found.features
    if features.nbytes <= EXACT_BYTES:
        features = np.asarray(unit_rows("features", features), np.float32)
    elif not isinstance(features, np.memmap):
        features = np.asarray(features, np.float32)
    content, vectors = digest.hexdigest()[:24], Vectors(features, order)
    entry = CheckpointEntry(name, NOWHERE, content, file=file, vectors=vectors, embedded=collection.content)
    return entry, collection


def order_of(file: str, found: FeatureSet, collection: Collection) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """Return the rows of a file in the order of a data set; `None` where they are in that order.

    Raises:
        ValueError: The file says of an image what the data set denies.
    """
    row_of = {key: row for row, key in enumerate(found.keys)}
    order = np.array([row_of[sample.key] for sample in collection.samples], dtype=np.int64)
    said = {
        "pids": (found.pids, [sample.pid for sample in collection.samples]),
        "camids": (found.camids, [sample.camid for sample in collection.samples]),
        "modalities": (found.infrared, [sample.modality is Modality.INFRARED for sample in collection.samples]),
    }
    for name, (values, known) in said.items():
        wrong = np.flatnonzero(values[order] != np.array(known))
        if wrong.size:
            key = collection.samples[wrong[0]].key
            raise ValueError(f"expected the {name} of {collection.title} in {file}, got another at {key!r:.60}")
    return None if (order == np.arange(len(order))).all() else order


def collection_of(name: str, file: str, found: FeatureSet, images: Path | None) -> Collection:
    """Make a data set of what a features file says about its images.

    Raises:
        FileNotFoundError: An image is not in the folder.
        ValueError: No protocol finds queries and a gallery, or nobody is in both modalities.
    """
    kinds = (Modality.VISIBLE, Modality.INFRARED)
    samples = tuple(
        Sample(NOWHERE if images is None else images / key, pid, camid, kinds[infrared], key)
        for key, pid, camid, infrared in zip(
            found.keys, found.pids.tolist(), found.camids.tolist(), found.infrared.tolist(), strict=True
        )
    )
    if images is not None and (gone := next((one for one in samples if not one.path.is_file()), None)) is not None:
        raise FileNotFoundError(f"expected the image {gone.key} of the features file in {images}, found none")
    both = np.intersect1d(found.pids[found.infrared], found.pids[~found.infrared])
    if not both.size:
        raise ValueError("expected features of somebody seen in both modalities, got nobody")
    cameras = {kind: {one.camid for one in samples if one.modality is kind} for kind in kinds}
    sysu = all(cameras[kind] <= SYSU_CAMERAS[kind] for kind in kinds)
    protocols = tuple(one for one in OFFERED if (sysu or one == "whole") and allows(PROTOCOLS[one], samples))
    digest = hashlib.sha256("\n".join(found.keys).encode())
    for values in (found.pids, found.camids, found.infrared):
        digest.update(values.tobytes())
    digest.update(str(images).encode())
    words = f"the {len(samples):,} images of {file}"
    content = digest.hexdigest()[:24]
    return Collection(name, samples, protocols, content, pictured=images is not None, origin=words)
