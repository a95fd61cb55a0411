"""A data set that was read: its samples, its name and the files passed over; and the options for reading it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.data.listing import Listing, Passed
from mun.images import read_image
from mun.structures import Modality, Sample, Split

__all__ = ["TITLES", "Folder", "Reading", "Source", "is_whole", "read_sample"]

# The published data sets by name: layout and title of each.
TITLES = {
    "synvi": ("sysu", "SynVI"),
    "sysu": ("sysu", "SYSU-MM01"),
    "regdb": ("regdb", "RegDB"),
    "llcm": ("llcm", "LLCM"),
}


def flag(unset: Any, text: str, **how: Any) -> Any:
    """Declare a field of `Reading` with its flag: help text, and the arguments of `add_argument`."""
    return field(default=unset, metadata={"help": text, **how})


@dataclass(frozen=True)
class Reading:
    """Options for reading a data set; an empty option is detected or keeps its default."""

    name: str = ""  # what to call the data
    trial: int = flag(0, "which of RegDB's ten splits, 1 to 10 (default: 1)", type=int, metavar="N")
    train_on: str = flag(
        "train",
        "train+val: the public recipe of SYSU-MM01, 395 identities and no validation (default: train)",
        choices=("train", "train+val"),
    )
    modality_names: str = flag(
        "", "own data: names of the visible and of the infrared folder, such as rgb,lwir", metavar="A,B"
    )
    camera: str = flag("", r"own data: regular expression for the camera in a file name: '_c(\d+)_'", metavar="PATTERN")
    infrared_range: tuple[float, ...] = flag(
        (),
        "values that become black and white in infrared images of more than 8 bits (default: the 0.5th and the"
        " 99.5th percentile of each image)",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
    )
    skip_broken: bool = flag(
        False, "leave out images that cannot be decoded, and report them", action="store_true", default=None
    )

    def words(self) -> list[str]:
        """Write the options that differ from their defaults as flags, without folders of the machine."""
        shown = {"camera": f"'{self.camera}'", "infrared_range": " ".join(f"{one:g}" for one in self.infrared_range)}
        return [
            f"--{item.name.replace('_', '-')} {'' if value is True else shown.get(item.name, value)}".rstrip()
            for item in fields(self)
            if item.metadata and (value := getattr(self, item.name)) != item.default
        ]

    def levels(self, modality: Modality) -> tuple[float, float] | None:
        """Return the stated range of values for images of a modality, else `None`."""
        infrared = modality is Modality.INFRARED and self.infrared_range
        return (self.infrared_range[0], self.infrared_range[1]) if infrared else None


@dataclass(frozen=True)
class Folder:
    """A data set that is being read.

    Attributes:
        root: The folder, or a CSV.
        reading: How to read it.
        needs: Splits that must be complete; other splits may lack lists or images.
        manifest: The content of its manifest; empty if there is none.
        listing: Lists its folders, and counts what is passed over.
    """

    root: Path
    reading: Reading
    needs: Collection[Split]
    manifest: Mapping[str, Any]
    listing: Listing

    def sample(self, name: str, pid: int, camid: int, modality: Modality) -> Sample:
        """Make the sample of an image by its path below the folder."""
        return Sample(self.listing.root / name, pid, camid, modality, name, self.reading.levels(modality))


@dataclass(frozen=True)
class Source:
    """A data set on disk.

    Attributes:
        name: Name of the data: `synvi`, `sysu`, `regdb`, `llcm`, or the name of own data.
        root: The folder it was read from.
        splits: Samples for training, validation and test; in a split they ascend by identity, camera, file name, and a
            split that the data set lacks is empty.
        layout: How it is stored: `sysu`, `regdb`, `llcm`, `folders` or `csv`.
        trial: Which of RegDB's splits it is; 0 for a data set without trials.
        sites: Groups of cameras that watch one site.
        listed: Identities that the data set's lists name for each split, with an image or without.
        columns: By image key, the columns of a CSV other than path, modality, pid, camid and split, and the names of
            person and camera if they are not numbers.
        manifest: The content of `manifest.json`; empty if there is none.
        passed: What was passed over.
        train_on: `train`, or `train+val` if `train` holds both.
    """

    name: str
    root: Path
    splits: Mapping[Split, Sequence[Sample]]
    layout: str = "sysu"
    trial: int = 0
    sites: tuple[tuple[int, ...], ...] = ()
    listed: Mapping[Split, Sequence[int]] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    manifest: Mapping[str, Any] = field(default_factory=dict)
    passed: tuple[Passed, ...] = ()
    train_on: str = "train"

    @property
    def train(self) -> tuple[Sample, ...]:
        """Training samples."""
        return self.split(Split.TRAIN)

    @property
    def val(self) -> tuple[Sample, ...]:
        """Validation samples."""
        return self.split(Split.VAL)

    @property
    def test(self) -> tuple[Sample, ...]:
        """Test samples."""
        return self.split(Split.TEST)

    @property
    def title(self) -> str:
        """The name for display."""
        layout, name = TITLES.get(self.name, ("", ""))
        if layout == self.layout:
            return f"{name}, trial {self.trial}" if self.trial else name
        title = self.manifest.get("title")
        return title if isinstance(title, str) and 0 < len(title) <= 80 else self.name

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples of all splits."""
        return (*self.train, *self.val, *self.test)

    def split(self, split: Split) -> tuple[Sample, ...]:
        """Return the samples of a split, possibly none."""
        return tuple(self.splits.get(split, ()))

    def require(self, split: Split) -> tuple[Sample, ...]:
        """Return the samples of a split.

        Raises:
            ValueError: The split is empty.
        """
        samples = self.split(split)
        if not samples:
            raise ValueError(f"expected images in the {split} split of {self.root}, found none")
        return samples


def read_sample(sample: Sample) -> NDArray[np.uint8]:
    """Read the image of a sample, RGB, uint8, [0, 255], `(H, W, 3)`; errors name it by its key.

    Raises:
        FileNotFoundError: The file is gone.
        ValueError: The file is broken.
    """
    return read_image(sample.path, sample.key, sample.levels)


def is_whole(sample: Sample) -> bool:
    """Return whether an image can be decoded."""
    try:
        read_sample(sample)
    except (ValueError, OSError, MemoryError):  # a hostile image asks for more memory than there is
        return False
    return True
