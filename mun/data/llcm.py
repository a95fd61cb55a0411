"""The layout of LLCM: nine cameras, all but the third with an infrared twin."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mun.data.listing import Listing, by_identity, check_disjoint, check_seen, read_ids, read_image_list
from mun.data.source import Reading, Source
from mun.structures import Modality, Sample, Split

__all__ = ["CAMERAS", "FOLDERS", "read_llcm"]

FOLDERS = {Modality.VISIBLE: "vis", Modality.INFRARED: "nir"}
CAMERAS = {Modality.VISIBLE: tuple(range(1, 10)), Modality.INFRARED: (1, 2, 4, 5, 6, 7, 8, 9)}
CAMERA = re.compile(r"_c(\d{1,2})_")
GENUINE = 351  # test identities


def read_llcm(
    root: Path, reading: Reading, needs: Collection[Split], manifest: Mapping[str, Any] | None, listing: Listing
) -> Source:
    """Read the layout of LLCM.

    Training images are listed in `idx/train_{vis,nir}.txt`, as `vis/<id>/<id>_c<camera>_….jpg` and a label; test images
    are those of the people in `idx/test_id.txt`, in `test_{vis,nir}/cam<N>/<id>`. There is no validation split, and no
    infrared camera 3. Passed over, and counted: other cameras, people and images in no list, what is no image.

    Args:
        root: The folder with `idx`.
        reading: How to read it.
        needs: Splits that must be there.
        manifest: The content of its manifest.
        listing: Counts what is passed over.

    Raises:
        FileNotFoundError: A list, or an image of a list, that is needed is missing.
        ValueError: A list is broken, training and test share a person, or a person that is needed has no image.

    Source: Zhang and Wang, CVPR 2023, "Diverse Embedding Expansion Network", which brought LLCM.
    """
    train = [sample for modality in FOLDERS for sample in train_samples(root, modality, reading, needs, listing)]
    ids = root / "idx" / "test_id.txt"
    pids = read_ids(ids) if ids.is_file() or Split.TEST in needs else []
    people = {f"{pid:04d}" for pid in pids}
    test = [sample for modality in FOLDERS for sample in test_samples(root, modality, people, reading, listing)]
    listed = {Split.TRAIN: tuple(sorted({sample.pid for sample in train})), Split.VAL: (), Split.TEST: tuple(pids)}
    check_disjoint(listed, root / "idx")
    if Split.TEST in needs:
        check_seen(pids, test, "idx/test_id.txt", f"{root}/test_*/cam*/<id>")
    name = "llcm" if len(pids) == GENUINE else ""
    return Source(name, root, by_identity(train), (), by_identity(test), manifest, layout="llcm", listed=listed)


def train_samples(
    root: Path, modality: Modality, reading: Reading, needs: Collection[Split], listing: Listing
) -> list[Sample]:
    """List the training images of one modality."""
    folder, path = FOLDERS[modality], root / "idx" / f"train_{FOLDERS[modality]}.txt"
    if not path.is_file() and Split.TRAIN not in needs:
        return []
    there = {
        f"{folder}/{person}/{name}"
        for person in listing.folders(root / folder)
        for name in listing.images(root / folder / person)
    }
    names = read_image_list(path, there, needed=Split.TRAIN in needs)
    for name in sorted(there - set(names)):
        listing.pass_over("images in no list", root / name)
    samples = []
    for name in names:
        camera, person = CAMERA.search(name), name.split("/")[-2]
        if camera is None or not person.isdecimal():
            raise ValueError(f"expected {folder}/<id>/<id>_c<camera>_… in {path.name}, got {name[:60]!r}")
        samples.append(Sample(root / name, int(person), int(camera[1]), modality, name, reading.levels(modality)))
    return samples


def test_samples(root: Path, modality: Modality, people: set[str], reading: Reading, listing: Listing) -> list[Sample]:
    """List the test images of one modality."""
    folder = f"test_{FOLDERS[modality]}"
    cameras = {f"cam{camid}": camid for camid in CAMERAS[modality]}
    return [
        Sample(root / key, int(person), cameras[camera], modality, key, reading.levels(modality))
        for camera in listing.folders(root / folder, set(cameras), "cameras")
        for person in listing.folders(root / folder / camera, people, "people in no list")
        for name in listing.images(root / folder / camera / person)
        for key in (f"{folder}/{camera}/{person}/{name}",)
    ]
