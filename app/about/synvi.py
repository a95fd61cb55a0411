"""SynVI in pictures and numbers: people by cameras, the effect of each knob, one thing changed, the bounds."""

import csv
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from app.library import Library
from app.library.thumbnails import encoded
from mun.structures import Split
from mun.synvi import Change, Counterfactual, Pattern, Plan, counterfactual
from mun.synvi.camera import CAMERAS
from mun.synvi.levels import LEVELS, Knobs, Level
from mun.synvi.sheet import CAMERA_ORDER, knob_pictures, people_by_camera

__all__ = ["ALL", "CAMERA_NAMES", "CHANGES", "KNOBS", "LEVEL_NAMES", "bounds", "changed", "knob", "levels", "sheet"]

ALL = "all"
LEVEL_NAMES = ("standard", *(name for name in LEVELS if name != "standard"))
CAMERA_NAMES = (ALL, *map(str, CAMERA_ORDER))
PEOPLE, MORE_PEOPLE = 12, 24  # columns with all cameras, and with one
SIZE = (160, 80)
PERSON_SEED = 4242  # of the people who are shown at values of a knob and with one thing changed
BOUNDS = Path(__file__).parents[2] / "assets" / "synvi-bounds.csv"
RENDERING = threading.BoundedSemaphore(2)  # renderings at once; the rest of the machine ranks meanwhile
T = TypeVar("T")

# The effect of each knob, in one sentence.
KNOBS: dict[str, str] = {
    "colour_infrared_correlation": "How far the reflectance of a fabric in infrared follows its lightness in visible"
    " light: at 0 a white coat may be black in infrared, at 1 infrared is a grey photograph of the clothes.",
    "pattern_survival": "The share of patterns that infrared still shows: a print whose two colours reflect infrared"
    " equally disappears.",
    "misalignment": "How far a visible and an infrared image of one index are apart in yaw, gait, scale and shift:"
    " at 0 both cameras of a site see one instant, pixel by pixel; real data sets have no such pairs.",
    "noise": "A factor on the noise of every camera's sensor.",
    "occlusion": "The share of images in which a pole, a rail or a corner hides a part of the person.",
    "resolution": "The image is made smaller by this factor and enlarged again, as of a distant person.",
    "lookalikes": "The share of people who wear the clothes of the person before them, so that only build, hair, hat"
    " and bag tell the two apart. Shown: the person before, and the person.",
}
# Changes of an image that is rendered again: title, change, and why the change may be invisible.
CHANGES: dict[str, tuple[str, Change, str]] = {
    "colour": ("with another visible colour", Change(upper_colour=(0.75, 0.1, 0.15)), "infrared keeps every byte"),
    "infrared": ("with another infrared reflectance", Change(upper_infrared=0.95), "visible light keeps every byte"),
    "pattern": ("with another pattern", Change(upper_pattern=Pattern("checks")), "infrared does not show this pattern"),
    "bag": ("without the bag", Change(without=("bag",)), "this person carries none, or it is hidden"),
    "turn": ("turned to the camera", Change(yaw=0.0), "the person faces the camera already"),
}


def kept(library: Library, key: tuple[object, ...], make: Callable[[], T]) -> T:
    """Render once for all visitors, with at most two renderings at a time."""

    def made() -> T:
        with RENDERING:
            return make()

    return library.cache.get(key, made, lambda one: len(repr(one)))


class SheetRow(NamedTuple):
    """The images of one camera, as data URIs."""

    camid: int
    modality: str
    site: str
    uris: tuple[str, ...]


def sheet(library: Library, level: str, camera: str, seed: int) -> tuple[SheetRow, ...]:
    """Render people by cameras: twelve people by all cameras, or twenty-four by one."""
    cameras = CAMERA_ORDER if camera == ALL else (int(camera),)

    def render() -> tuple[SheetRow, ...]:
        count = PEOPLE if camera == ALL else MORE_PEOPLE
        rows = zip(cameras, people_by_camera(LEVELS[level], count, cameras, seed, SIZE), strict=True)
        known = ((CAMERAS[camid], tuple(map(encoded, images))) for camid, images in rows)
        return tuple(SheetRow(one.camid, one.modality, one.site, uris) for one, uris in known)

    return kept(library, ("sheet", level, camera, seed), render)


def knob(library: Library, name: str, person: int) -> tuple[tuple[float, str, str], ...]:
    """Render a person at each value of a knob: the value, and two images as data URIs."""

    def render() -> tuple[tuple[float, str, str], ...]:
        made = knob_pictures(name, person, PERSON_SEED, SIZE)
        return tuple((value, encoded(one), encoded(other)) for value, one, other in made)

    return kept(library, ("knob", name, person), render)


class Changed(NamedTuple):
    """An image before and after a change, and the pixels that differ, as data URIs; `share` of pixels, in [0, 1]."""

    modality: str
    before: str
    after: str
    mask: str
    share: float


def changed(library: Library, name: str, person: int) -> tuple[Changed, ...]:
    """Render a person in visible and in infrared light with one thing changed."""

    def render() -> tuple[Changed, ...]:
        level = Level("custom", 0, Knobs(misalignment=0.0, occlusion=0.0))
        plan = Plan(level=level, train_ids=0, val_ids=0, test_ids=person + 1, images=1, size=SIZE, seed=PERSON_SEED)
        made = {camid: counterfactual(plan.recipe(Split.TEST, person, camid, 0), CHANGES[name][1]) for camid in (2, 3)}
        return tuple(described(CAMERAS[camid].modality, one) for camid, one in made.items())

    return kept(library, ("counterfactual", name, person), render)


def described(modality: str, made: Counterfactual) -> Changed:
    """Turn a counterfactual into pictures."""
    differs = (made.before != made.after).any(2)
    mask = np.repeat(np.where(differs, np.uint8(255), np.uint8(30))[..., None], 3, axis=2)
    return Changed(modality, encoded(made.before), encoded(made.after), encoded(mask), float(differs.mean()))


def levels() -> list[list[str]]:
    """List every level with its version and hash, and the values of its knobs."""
    return [
        [f"{level.name} {level.version}", level.hash, *(f"{value:g}" for value in asdict(level.knobs).values())]
        for level in LEVELS.values()
    ]


def bounds() -> list[list[str]]:
    """Read the scores that each level allows without learning, measured by `python -m mun bounds`; the head is first.

    Raises:
        ValueError: The file is gone.
    """
    try:
        lines = csv.reader(BOUNDS.read_text(encoding="utf-8").splitlines())
        return [[f"{search}: {bound}", *values] for search, bound, *values in lines]
    except OSError:
        raise ValueError(f"expected {BOUNDS.name} among the assets, found none") from None
