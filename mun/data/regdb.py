"""The layout of RegDB: ten splits of 412 people, seen by one visible and one thermal camera."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from mun.data.listing import Listing, by_identity, check_disjoint, read_image_list
from mun.data.source import Reading, Source
from mun.structures import Modality, Sample, Split

__all__ = ["FOLDERS", "TRIALS", "check_trial", "list_file", "read_regdb"]

TRIALS = 10
FOLDERS = {Modality.VISIBLE: "Visible", Modality.INFRARED: "Thermal"}
CAMERAS = {Modality.VISIBLE: 1, Modality.INFRARED: 2}  # one pair of cameras side by side; the files have no number
SPLITS = (Split.TRAIN, Split.TEST)
GENUINE = 206  # identities of either split


def list_file(root: Path, split: Split, modality: Modality, trial: int) -> Path:
    """Return where the images of a split are listed."""
    return root / "idx" / f"{split}_{FOLDERS[modality].lower()}_{trial}.txt"


def read_regdb(
    root: Path, reading: Reading, needs: Collection[Split], manifest: Mapping[str, Any] | None, listing: Listing
) -> Source:
    """Read one trial of RegDB: `Visible|Thermal/<id>/<name>.bmp` and `idx/{train,test}_{visible,thermal}_<trial>.txt`.

    The label behind a path begins at 0 in training and in test; the person is the folder's. There is no validation
    split. Passed over, and counted: images that no list of the trial names, and what is no image.

    Args:
        root: The folder with `Visible`, `Thermal` and `idx`.
        reading: How to read it; its trial is 1 to 10, by default 1.
        needs: Splits that must be there.
        manifest: The content of its manifest.
        listing: Counts what is passed over.

    Raises:
        FileNotFoundError: A list, or an image of a list, that is needed is missing.
        ValueError: The trial is out of range, a list is broken, or training and test share a person.

    Source: Nguyen et al., Sensors 2017; the splits are those of Ye et al., AAAI 2018.
    """
    trial = reading.trial or 1
    if not 1 <= trial <= TRIALS:
        raise ValueError(f"expected --trial from 1 to {TRIALS} for RegDB, got {reading.trial}")
    there = {
        f"{folder}/{person}/{name}"
        for folder in FOLDERS.values()
        for person in listing.folders(root / folder)
        for name in listing.images(root / folder / person)
    }
    samples: dict[Split, list[Sample]] = {split: [] for split in Split}
    for split in SPLITS:
        for modality in FOLDERS:
            path = list_file(root, split, modality, trial)
            if not path.is_file() and split not in needs:
                continue
            names = read_image_list(path, there, needed=split in needs)
            samples[split] += [sample_of(root, name, modality, reading) for name in names]
    check_disjoint({split: {sample.pid for sample in samples[split]} for split in SPLITS}, root / "idx")
    for name in sorted(there - {sample.name for split in SPLITS for sample in samples[split]}):
        listing.pass_over("images in no list", root / name)
    listed = {split: tuple(sorted({sample.pid for sample in samples[split]})) for split in Split}
    genuine = any(listed.values()) and all(len(listed[split]) in (0, GENUINE) for split in SPLITS)
    train, test = by_identity(samples[Split.TRAIN]), by_identity(samples[Split.TEST])
    return Source(
        "regdb" if genuine else "", root, train, (), test, manifest, layout="regdb", trial=trial, listed=listed
    )


def sample_of(root: Path, name: str, modality: Modality, reading: Reading) -> Sample:
    """Make the sample of a listed path, `Visible/<id>/<name>.bmp`."""
    parts = name.split("/")
    if len(parts) != 3 or not parts[1].isdecimal():
        raise ValueError(f"expected {FOLDERS[modality]}/<id>/<name> in a list of RegDB, got {name[:60]!r}")
    return Sample(root / name, int(parts[1]), CAMERAS[modality], modality, name, reading.levels(modality))


def check_trial(trained: Mapping[str, Any], source: Source) -> None:
    """Refuse to test a model on people that it was trained on: RegDB's trials share them.

    Args:
        trained: What the checkpoint's card says about its data.
        source: What it is to be tested on.

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
