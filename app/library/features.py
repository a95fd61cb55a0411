"""Features files of any method: each acts as a model with the embeddings of exactly one data set."""

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

NOWHERE = Path("no image")  # path of the images of a features file, unless a folder was named
EXACT_BYTES = 2**26  # features up to this size are normalised in double precision, larger ones in single
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
    """Read a features file as a model of the data set with the same keys, or else of a new data set.

    Args:
        name: Name of the model, and of the data set if that is new.
        source: The file, or its content.
        file: The file's name, for captions.
        collections: The data sets that are open already.
        images: Folder to which the keys are relative; `None` if the images are not available.
        most: Maximum bytes of the decompressed file; `None` for no limit.

    Returns:
        The model, and its data set, which is one of `collections` or new.

    Raises:
        FileNotFoundError: The file, or an image of it, is missing.
        ValueError: It is no features file, contradicts a data set with the same keys, or cannot be searched.
    """
    saved = read_features(source, most, file)
    digest = hashlib.sha256(repr((saved.features.dtype, saved.features.shape)).encode())
    for start in range(0, len(saved.features), 10_000):
        digest.update(saved.features[start : start + 10_000].tobytes())
    known = next((one for one in collections.values() if one.rows.keys() == set(saved.keys)), None)
    collection = known or collection_of(name, file, saved, images)
    order = order_of(file, saved, known) if known else None
    if order is not None:
        digest.update(order.tobytes())
    features = saved.features
    if features.nbytes <= EXACT_BYTES:
        features = np.asarray(unit_rows("features", features), np.float32)
    elif not isinstance(features, np.memmap):
        features = np.asarray(features, np.float32)
    content, vectors = digest.hexdigest()[:24], Vectors(features, order)
    entry = CheckpointEntry(name, NOWHERE, content, file=file, vectors=vectors, embedded=collection.content)
    return entry, collection


def order_of(file: str, saved: FeatureSet, collection: Collection) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    """Return the rows of a file in the order of a data set; `None` if they are in that order already.

    Raises:
        ValueError: The file and the data set disagree about an image.
    """
    row_of = {key: row for row, key in enumerate(saved.keys)}
    order = np.array([row_of[sample.key] for sample in collection.samples], dtype=np.int64)
    facts = {
        "pids": (saved.pids, [sample.pid for sample in collection.samples]),
        "camids": (saved.camids, [sample.camid for sample in collection.samples]),
        "modalities": (saved.infrared, [sample.modality is Modality.INFRARED for sample in collection.samples]),
    }
    for name, (values, known) in facts.items():
        wrong = np.flatnonzero(values[order] != np.array(known))
        if wrong.size:
            key = collection.samples[wrong[0]].key
            raise ValueError(f"expected the {name} of {collection.title} in {file}, got another at {key!r:.60}")
    return None if (order == np.arange(len(order))).all() else order


def collection_of(name: str, file: str, saved: FeatureSet, images: Path | None) -> Collection:
    """Make a data set from the keys, pids, camids and modalities in a features file.

    Raises:
        FileNotFoundError: An image is not in the folder.
        ValueError: No protocol finds queries and a gallery, or no identity has images of both modalities.
    """
    kinds = (Modality.VISIBLE, Modality.INFRARED)
    samples = tuple(
        Sample(NOWHERE if images is None else images / key, pid, camid, kinds[infrared], key)
        for key, pid, camid, infrared in zip(
            saved.keys, saved.pids.tolist(), saved.camids.tolist(), saved.infrared.tolist(), strict=True
        )
    )
    if images is not None and (gone := next((one for one in samples if not one.path.is_file()), None)) is not None:
        raise FileNotFoundError(f"expected the image {gone.key} of the features file in {images}, found none")
    both = np.intersect1d(saved.pids[saved.infrared], saved.pids[~saved.infrared])
    if not both.size:
        raise ValueError("expected features of an identity with images of both modalities, got none")
    cameras = {kind: {one.camid for one in samples if one.modality is kind} for kind in kinds}
    sysu = all(cameras[kind] <= SYSU_CAMERAS[kind] for kind in kinds)
    protocols = tuple(one for one in OFFERED if (sysu or one == "whole") and allows(PROTOCOLS[one], samples))
    digest = hashlib.sha256("\n".join(saved.keys).encode())
    for values in (saved.pids, saved.camids, saved.infrared):
        digest.update(values.tobytes())
    digest.update(str(images).encode())
    words = f"the {len(samples):,} images of {file}"
    content = digest.hexdigest()[:24]
    return Collection(name, samples, protocols, content, pictured=images is not None, origin=words)
