"""The layout of RegDB: ten splits of 412 people, seen by one visible and one thermal camera."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mun.data.listing import read_image_list
from mun.data.source import Folder, Source
from mun.structures import Modality, Sample, Split

__all__ = ["FOLDERS", "TRIALS", "check_trial", "list_file", "read_regdb"]

TRIALS = 10
FOLDERS = {Modality.VISIBLE: "Visible", Modality.INFRARED: "Thermal"}
CAMERAS = {Modality.VISIBLE: 1, Modality.INFRARED: 2}  # one pair of cameras side by side; no number in file names
SPLITS = (Split.TRAIN, Split.TEST)
GENUINE = 206  # identities of either split


def list_file(root: Path, split: Split, modality: Modality, trial: int) -> Path:
    """Return where the images of a split are listed."""
    return root / "idx" / f"{split}_{FOLDERS[modality].lower()}_{trial}.txt"


def read_regdb(folder: Folder) -> Source:
    """Read one trial of RegDB: `Visible|Thermal/<id>/<name>.bmp` and `idx/{train,test}_{visible,thermal}_<trial>.txt`.

    The label after a path starts at 0 in both training and test; the folder gives the identity. There is no validation
    split. Passed over and counted: images in no list of the trial, and files that are no images.

    Raises:
        FileNotFoundError: A list, or an image of a list, that is needed is missing.
        ValueError: The trial is out of range, or a list is broken.

    Source: Nguyen et al., Sensors 2017; the splits are those of Ye et al., AAAI 2018.
    """
    root, listing, trial = folder.root, folder.listing, folder.reading.trial or 1
    if not 1 <= trial <= TRIALS:
        raise ValueError(f"expected --trial from 1 to {TRIALS} for RegDB, got {trial}")
    there = set().union(*(listing.people(name) for name in FOLDERS.values()))
    samples: dict[Split, list[Sample]] = {split: [] for split in SPLITS}
    for split in SPLITS:
        for modality in FOLDERS:
            path = list_file(root, split, modality, trial)
            if path.is_file() or split in folder.needs:
                names = read_image_list(path, there, needed=split in folder.needs)
                samples[split] += [sample_of(folder, name, modality) for name in names]
    listing.not_listed(there - {sample.name for split in SPLITS for sample in samples[split]})
    counts = {len({sample.pid for sample in of_split}) for of_split in samples.values()}
    genuine = GENUINE in counts and counts <= {0, GENUINE}
    return Source("regdb" if genuine else "", root, samples, layout="regdb", trial=trial)


def sample_of(folder: Folder, name: str, modality: Modality) -> Sample:
    """Make the sample of a listed path, `Visible/<id>/<name>.bmp`."""
    parts = name.split("/")
    if len(parts) != 3 or not parts[1].isdecimal():
        raise ValueError(f"expected {FOLDERS[modality]}/<id>/<name> in a list of RegDB, got {name[:60]!r}")
    return folder.sample(name, int(parts[1]), CAMERAS[modality], modality)


def check_trial(trained: Mapping[str, Any], source: Source) -> None:
    """Refuse to test a model on people that it was trained on: RegDB's trials share them.

    Args:
        trained: The data of the checkpoint's card.
        source: The data to test on.

    Raises:
        ValueError: It was trained on another trial of the same data, or on one that its card does not name.
    """
    same = source.trial and source.layout == "regdb" and trained.get("name") == source.name
    if same and trained.get("trial") != source.trial:
        was = f"trial {trained['trial']}" if "trial" in trained else "a trial that its card does not name"
        raise ValueError(
            f"expected a model trained on trial {source.trial} of RegDB, got one trained on {was}: the people of a"
            " trial's test are trained on in the others"
        )
