"""A data set that was read: its samples, its name, and what was passed over; and how it was asked to be read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.data.listing import Passed
from mun.images import read_image
from mun.structures import Modality, Sample, Split

__all__ = ["TITLES", "Reading", "Source", "read_sample"]

# The published data sets by name: the layout that each has, and how people write it.
TITLES = {
    "synvi": ("sysu", "SynVI"),
    "sysu": ("sysu", "SYSU-MM01"),
    "regdb": ("regdb", "RegDB"),
    "llcm": ("llcm", "LLCM"),
}


@dataclass(frozen=True)
class Reading:
    """How a data set is to be read; what is empty is found out.

    Attributes:
        name: What to call the data.
        trial: Of RegDB's ten splits, 1 to 10; 0 for the first.
        train_on: `train`, or `train+val`: the validation identities are trained on too, and nothing validates.
        modality_names: Names of the visible and of the infrared folder of own data, as `rgb,lwir`.
        camera: Regular expression with one group, the camera's number in the name of an image of own data.
        infrared_range: Values that become black and white in infrared images of more than 8 bits.
        skip_broken: Leave out images that cannot be decoded, and say so.
    """

    name: str = ""
    trial: int = 0
    train_on: str = "train"
    modality_names: str = ""
    camera: str = ""
    infrared_range: tuple[float, ...] = ()
    skip_broken: bool = False

    def words(self) -> list[str]:
        """Write what is not as by default as flags, without any folder of the machine."""
        words = [f"--trial {self.trial}"] if self.trial else []
        words += [f"--train-on {self.train_on}"] if self.train_on != "train" else []
        words += [f"--modality-names {self.modality_names}"] if self.modality_names else []
        words += [f"--camera '{self.camera}'"] if self.camera else []
        words += (
            ["--infrared-range " + " ".join(f"{one:g}" for one in self.infrared_range)] if self.infrared_range else []
        )
        return [*words, *(["--skip-broken"] if self.skip_broken else [])]

    def levels(self, modality: Modality) -> tuple[float, float] | None:
        """Return the range of an image of a modality, where one is stated."""
        infrared = modality is Modality.INFRARED and self.infrared_range
        return (self.infrared_range[0], self.infrared_range[1]) if infrared else None


@dataclass(frozen=True)
class Source:
    """A data set on disk; the samples of a split ascend by identity, camera, file name.

    Attributes:
        name: What the images are: `synvi`, `sysu`, `regdb`, `llcm`, or the name of one's own data.
        root: The folder it was read from.
        train: Samples to train on; like the others, empty where the data set has none.
        val: Samples to choose by.
        test: Samples to report on.
        manifest: The content of `manifest.json`, or `None` where there is none.
        layout: How it is stored: `sysu`, `regdb`, `llcm`, `folders` or `csv`.
        trial: Which of RegDB's splits it is; 0 for a data set without trials.
        sites: Groups of cameras that watch one site.
        listed: Identities that the data set's lists name for each split, with an image or without.
        passed: What was passed over.
        columns: Of each image, by its key, what a CSV says beyond path, modality, pid, camid and split, and what people
            and cameras are called that have names instead of numbers.
        train_on: `train`, or `train+val` where `train` holds both.
    """

    name: str
    root: Path
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]
    manifest: Mapping[str, Any] | None = None
    layout: str = "sysu"
    trial: int = 0
    sites: tuple[tuple[int, ...], ...] = ()
    listed: Mapping[Split, tuple[int, ...]] = field(default_factory=dict)
    passed: tuple[Passed, ...] = ()
    columns: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    train_on: str = "train"

    @property
    def title(self) -> str:
        """The name as people write it."""
        layout, title = TITLES.get(self.name, ("", ""))
        if layout == self.layout:
            return f"{title}, trial {self.trial}" if self.trial else title
        said = (self.manifest or {}).get("title")
        return said if isinstance(said, str) and 0 < len(said) <= 80 else self.name

    @property
    def samples(self) -> tuple[Sample, ...]:
        """The samples of all splits."""
        return (*self.train, *self.val, *self.test)

    def split(self, split: Split) -> tuple[Sample, ...]:
        """Return the samples of a split, which may be none."""
        return {Split.TRAIN: self.train, Split.VAL: self.val, Split.TEST: self.test}[split]

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
        FileNotFoundError: It is gone.
        ValueError: It is broken.
    """
    return read_image(sample.path, sample.key, sample.levels)
