"""The types that all other modules use: modality, split, sample."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

__all__ = ["PAIRED", "Modality", "Sample", "Split"]


class Modality(StrEnum):
    """The modality of an image: visible light, infrared light, or a generator's output."""

    VISIBLE = "visible"
    INFRARED = "infrared"
    AUXILIARY = "auxiliary"


PAIRED = (Modality.VISIBLE, Modality.INFRARED)  # of cameras


class Split(StrEnum):
    """A part of a data set; the identities of two splits are disjoint."""

    TRAIN = "train"
    VAL = "val"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of one person by one camera.

    Attributes:
        path: The image file.
        pid: The data set's identity number.
        camid: The data set's camera number, from 1; 0 where it is not known.
        modality: `VISIBLE` or `INFRARED`.
        name: The image's path below the root folder; empty where it is the last three parts of `path`.
        levels: Values that become black and white in an image of more than 8 bits; `None` for its own percentiles.
    """

    path: Path
    pid: int
    camid: int
    modality: Modality
    name: str = ""
    levels: tuple[float, float] | None = None

    @property
    def key(self) -> str:
        """The image's path below the root folder, as `cam3/0007/0001.jpg`."""
        return self.name or "/".join(self.path.parts[-3:])
