"""Show SynVI as an instrument: people by cameras at a level, and what each knob does to one person."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from app.actions.checks import known, whole_number
from app.library import Library
from app.library.thumbnails import encoded
from mun.synvi.camera import CAMERAS
from mun.synvi.levels import LEVELS
from mun.synvi.sheet import CAMERA_ORDER, knob_pictures, people_by_camera

__all__ = ["ALL", "CAMERA_NAMES", "KNOBS", "LEVEL_NAMES", "KnobRow", "Row", "Sheet", "knob", "sheet"]

ALL = "all"
LEVEL_NAMES = ("standard", *(name for name in LEVELS if name != "standard"))
CAMERA_NAMES = (ALL, *map(str, CAMERA_ORDER))
PEOPLE, MORE_PEOPLE = 12, 24  # columns with all cameras, and with one
SIZE = (160, 80)
MAX_SEED, MAX_PERSON = 9999, 99

# What a knob does, in one sentence.
KNOBS: dict[str, str] = {
    "colour_infrared_correlation": "How far the reflectance of a fabric in infrared follows its lightness in visible"
    " light: at 0 a white coat may be black in infrared, at 1 infrared is a grey photograph of the clothes.",
    "pattern_survival": "The share of patterns that infrared still shows: a print whose two colours reflect infrared"
    " alike is gone.",
    "misalignment": "How far a visible and an infrared image of one index are apart in yaw, gait, scale and shift:"
    " at 0 both cameras of a site see one instant, pixel by pixel; real data sets have no such pairs.",
    "noise": "A factor on the noise of every camera's sensor.",
    "occlusion": "The share of images in which a pole, a rail or a corner hides a part of the person.",
    "resolution": "The image is made smaller by this factor and enlarged again, as of somebody far away.",
    "lookalikes": "The share of people who wear the clothes of the person before them, so that only build, hair, hat"
    " and bag tell the two apart. Shown: the person before, and the person.",
}


@dataclass(frozen=True)
class Row:
    """The images of one camera, as data URIs."""

    camid: int
    modality: str
    site: str
    uris: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """People by cameras at one level.

    Attributes:
        level: Its name.
        version: It rises whenever the pictures of a level change.
        hash: It names the level's content.
        knobs: Their values by name.
        seed: Of the people.
        rows: One per camera.
    """

    level: str
    version: int
    hash: str
    knobs: dict[str, float]
    seed: int
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class KnobRow:
    """What a knob does to one person.

    Attributes:
        name: Of the knob.
        words: What it does.
        pictures: Value and two images as data URIs, each.
    """

    name: str
    words: str
    pictures: tuple[tuple[float, str, str], ...]


def sheet(library: Library, level: object = "", camera: object = "", seed: object = 0) -> Sheet:
    """Render people by cameras, each sheet once for all visitors.

    Args:
        library: Its cache keeps the sheets.
        level: Name of a level; empty for *standard*.
        camera: Number of a camera as text, or `all`; empty for all.
        seed: Of the people, 0 to 9999.

    Raises:
        ValueError: A value is out of bounds.
    """
    name, camid = known("level", level, LEVEL_NAMES), known("camera", camera, CAMERA_NAMES)
    number = whole_number("seed", seed, 0, MAX_SEED)
    return library.cache.get(("sheet", name, camid, number), lambda: _sheet(name, camid, number), _weigh_sheet)


def _sheet(name: str, camid: str, seed: int) -> Sheet:
    cameras = CAMERA_ORDER if camid == ALL else (int(camid),)
    people = PEOPLE if camid == ALL else MORE_PEOPLE
    level = LEVELS[name]
    rows = tuple(
        Row(number, CAMERAS[number].modality, CAMERAS[number].site, tuple(map(encoded, images)))
        for number, images in zip(cameras, people_by_camera(level, people, cameras, seed, SIZE), strict=True)
    )
    return Sheet(name, level.version, level.hash, asdict(level.knobs), seed, rows)


def _weigh_sheet(made: Sheet) -> int:
    return sum(len(uri) for row in made.rows for uri in row.uris)


def knob(library: Library, name: object = "", person: object = 9, seed: object = 4242) -> KnobRow:
    """Render one person under a knob, each row once for all visitors.

    Args:
        library: Its cache keeps the rows.
        name: Of the knob; empty for the first.
        person: Number of the person, 1 to 99; 0 has nobody before them.
        seed: Of the people, 0 to 9999.

    Raises:
        ValueError: A value is out of bounds.
    """
    chosen = known("knob", name, KNOBS)
    number, chance = whole_number("person", person, 1, MAX_PERSON), whole_number("seed", seed, 0, MAX_SEED)
    return library.cache.get(("knob", chosen, number, chance), lambda: _knob(chosen, number, chance), _weigh_knob)


def _knob(name: str, person: int, seed: int) -> KnobRow:
    pictures = knob_pictures(name, person, seed, SIZE)
    return KnobRow(name, KNOBS[name], tuple((value, encoded(one), encoded(other)) for value, one, other in pictures))


def _weigh_knob(made: KnobRow) -> int:
    return sum(len(one) + len(other) for _, one, other in made.pictures)
