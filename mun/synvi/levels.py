"""The levels of SynVI, named, versioned settings of its knobs; and its shapes: how many people, images and cameras."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

__all__ = ["CUSTOM", "LEVELS", "SHAPES", "Knobs", "Level", "Shape", "level_of"]

CUSTOM = "custom"  # the name of a level whose knobs were set one by one


@dataclass(frozen=True, slots=True)
class Knobs:
    """The knobs of SynVI's difficulty; all of them go into the manifest. The defaults are those of *standard*.

    Raises:
        ValueError: A knob is outside its range.
    """

    colour_infrared_correlation: float = 0.5  # between visible lightness and infrared reflectance, 0 to 1
    pattern_survival: float = 0.85  # share of the patterns that infrared shows, 0 to 1
    misalignment: float = 1.0  # yaw, gait, scale and shift between images of one index, 0 (the same instant) to 1
    noise: float = 1.0  # factor on the sensor noise of each camera, 0 to 4
    occlusion: float = 0.08  # share of the images with something in front of the person, 0 to 1
    resolution: float = 1.0  # the image is made smaller by this factor and enlarged again, 1 to 8
    lookalikes: float = 0.0  # share of the identities that wear the clothes of the previous identity, 0 to 1

    def __post_init__(self) -> None:
        bounds = {"noise": (0.0, 4.0), "resolution": (1.0, 8.0)}
        for name, value in asdict(self).items():
            low, high = bounds.get(name, (0.0, 1.0))
            if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
                raise ValueError(f"expected the knob {name} between {low:g} and {high:g}, got {value!r}")


@dataclass(frozen=True, slots=True)
class Level:
    """A named setting of the knobs; if the images of a level change, its version must rise."""

    name: str
    version: int
    knobs: Knobs = field(default_factory=Knobs)

    @property
    def hash(self) -> str:
        """The first 16 hex digits of the SHA-256 of the level's JSON."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()[:16]


# Frozen: a change of the images or the knobs of a level must raise its version. The knobs of *standard* were fixed
# with the two-modality baseline alone, before MUN was trained on it (docs/synvi.md).
LEVELS = {
    level.name: level
    for level in (
        Level("easy", 1, Knobs(0.6, 1.0, misalignment=0.6, noise=0.5, occlusion=0.0)),
        Level("standard", 1),
        Level("hard", 1, Knobs(0.3, 0.6, noise=1.5, occlusion=0.2, resolution=1.5, lookalikes=0.2)),
    )
}


def level_of(name: str, knobs: Mapping[str, float] | None = None) -> Level:
    """Return a level by its name; with new values of knobs the level is called `custom`, version 0.

    Args:
        name: One of `LEVELS`.
        knobs: New values by the names of the knobs; none by default.

    Raises:
        ValueError: There is no such level or knob, or a value is out of its range.
    """
    if name not in LEVELS:
        raise ValueError(f"expected one of the levels {', '.join(LEVELS)}; got {name!r}")
    if not knobs:
        return LEVELS[name]
    known = asdict(LEVELS[name].knobs)
    for knob in knobs:
        if knob not in known:
            raise ValueError(f"expected one of the knobs {', '.join(known)}; got {knob!r}")
    return Level(CUSTOM, 0, replace(LEVELS[name].knobs, **knobs))


@dataclass(frozen=True, slots=True)
class Shape:
    """Counts of a data set, by the fields of `Plan`, and the knobs that belong to them.

    Attributes:
        name: The value of `synth --shape`.
        text: A description.
        counts: Fields of `Plan`.
        knobs: Values that replace the level's; if there are any, the level is called `custom`.
    """

    name: str
    text: str
    counts: Mapping[str, int | tuple[int, ...]]
    knobs: Mapping[str, float] = field(default_factory=dict)


SHAPES = {
    shape.name: shape
    for shape in (
        # SYSU-MM01 trains on 395 people with 56 visible and 30 infrared images each (Wu et al., ICCV 2017): few people,
        # many images. Here each of four visible and two infrared cameras takes 8.
        Shape(
            "few",
            "as SYSU-MM01: 400 people, 8 images by each of six cameras; 400 others to validate with, 2 images each",
            {"train_ids": 400, "val_ids": 400, "test_ids": 0, "images": 8, "held_images": 2},
        ),
        # RegDB trains on 206 people with 10 visible and 10 thermal images each, of one camera per modality side by side
        # (Nguyen et al., Sensors 2017). Here they see one instant from two sites, because the protocols of SYSU-MM01,
        # by which SynVI is scored, leave out matches from one site.
        Shape(
            "pairs",
            "as RegDB: 206 people, 10 images by each of two cameras at the same instants; 100 and 206 others held out",
            {"train_ids": 206, "val_ids": 100, "test_ids": 206, "images": 10, "cameras": (1, 3)},
            {"misalignment": 0.0},
        ),
    )
}
