"""The layout of LLCM: nine cameras, all but the third also infrared."""

import re

from mun.data.listing import check_seen, read_ids, read_image_list
from mun.data.source import Folder, Source
from mun.structures import Modality, Sample, Split

__all__ = ["CAMERAS", "FOLDERS", "read_llcm"]

FOLDERS = {Modality.VISIBLE: "vis", Modality.INFRARED: "nir"}
CAMERAS = {Modality.VISIBLE: tuple(range(1, 10)), Modality.INFRARED: (1, 2, 4, 5, 6, 7, 8, 9)}
CAMERA = re.compile(r"_c(\d{1,2})_")
GENUINE = 351  # test identities


def read_llcm(folder: Folder) -> Source:
    """Read the layout of LLCM.

    Training images are listed in `idx/train_{vis,nir}.txt`, as `vis/<id>/<id>_c<camera>_….jpg` and a label; test images
    are those of the people in `idx/test_id.txt`, in `test_{vis,nir}/cam<N>/<id>`. There is no validation split, and no
    infrared camera 3. Passed over and counted: other cameras, people and images in no list, files that are no images.

    Raises:
        FileNotFoundError: A list, or an image of a list, that is needed is missing.
        ValueError: A list is broken, or a person that is needed has no image.

    Source: Zhang and Wang, CVPR 2023, "Diverse Embedding Expansion Network", which introduced LLCM.
    """
    root = folder.root
    train = [sample for modality in FOLDERS for sample in train_samples(folder, modality)]
    ids = root / "idx" / "test_id.txt"
    pids = read_ids(ids) if ids.is_file() or Split.TEST in folder.needs else []
    people = {f"{pid:04d}" for pid in pids}
    test = [sample for modality in FOLDERS for sample in test_samples(folder, modality, people)]
    if Split.TEST in folder.needs:
        check_seen(pids, test, "idx/test_id.txt", f"{root}/test_*/cam*/<id>")
    name, samples = "llcm" if len(pids) == GENUINE else "", {Split.TRAIN: train, Split.TEST: test}
    return Source(name, root, samples, layout="llcm", listed={Split.TEST: pids})


def train_samples(folder: Folder, modality: Modality) -> list[Sample]:
    """List the training images of one modality."""
    place, needed = FOLDERS[modality], Split.TRAIN in folder.needs
    path = folder.root / "idx" / f"train_{place}.txt"
    if not path.is_file() and not needed:
        return []
    there = folder.listing.people(place)
    names = read_image_list(path, there, needed=needed)
    folder.listing.not_listed(there - set(names))
    samples = []
    for name in names:
        camera, person = CAMERA.search(name), name.split("/")[-2]
        if camera is None or not person.isdecimal():
            raise ValueError(f"expected {place}/<id>/<id>_c<camera>_… in {path.name}, got {name[:60]!r}")
        samples.append(folder.sample(name, int(person), int(camera[1]), modality))
    return samples


def test_samples(folder: Folder, modality: Modality, people: set[str]) -> list[Sample]:
    """List the test images of one modality."""
    root, listing, place = folder.root, folder.listing, f"test_{FOLDERS[modality]}"
    cameras = {f"cam{camid}": camid for camid in CAMERAS[modality]}
    return [
        folder.sample(f"{place}/{camera}/{person}/{name}", int(person), cameras[camera], modality)
        for camera in listing.folders(root / place, set(cameras), "cameras")
        for person in listing.folders(root / place / camera, people, "people in no list")
        for name in listing.images(root / place / camera / person)
    ]
