"""Facts about every image besides its pixels: on SynVI the truth about its scene and person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mun.auxiliary.pixel import LUMA
from mun.structures import Sample, Split
from mun.synvi import Identity, Pattern, Plan, Recipe, draw_identity

__all__ = ["UNKNOWN", "Facts", "column_facts", "synvi_facts"]

UNKNOWN = ""  # the word of an image whose fact is not known
GRADES = ((0.1, "agree"), (0.3, "differ"), (1.1, "differ much"))  # |lightness − infrared reflectance| up to
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts of N images.

    Attributes:
        columns: A word per image by the name of the fact; empty where it is not known.
        numbers: Numbers per image by name, `(N,)` or `(N, K)`; NaN where unknown. `yaw`, in radians, is 0 where the
            person faces the camera.
        covered: Whether something stands in front of the person, as a column; empty without this fact.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    covered: tuple[str, ...] = ()


def column_facts(columns: Mapping[str, Mapping[str, str]], samples: Sequence[Sample]) -> Facts:
    """Read facts from the columns of a CSV file.

    Args:
        columns: Words by the key of the image, then by the name of the column.
        samples: N images; an image without a word in a column is unknown there.
    """
    rows = [columns.get(sample.key, {}) for sample in samples]
    names = sorted({name for row in rows for name in row})
    return Facts({name: tuple(row.get(name, UNKNOWN) for row in rows) for name in names})


def synvi_facts(plan: Plan, samples: Sequence[Sample]) -> Facts:
    """Read the truth of rendered images from the plan that they were made from; nothing is rendered.

    Args:
        plan: Of the data set.
        samples: N images; the facts of images outside the plan are unknown.
    """
    known = {}
    for sample in samples:
        try:
            known[sample.key] = plan.recipe_of(sample.key)
        except ValueError:
            continue
    recipes = [known.get(sample.key) for sample in samples]
    alike = lookalikes(plan)

    def words(read: Callable[[Recipe], str]) -> tuple[str, ...]:
        return tuple(UNKNOWN if recipe is None else read(recipe) for recipe in recipes)

    def numbers(read: Callable[[Recipe], float | Sequence[float]], width: int = 1) -> Floats:
        rows = [[np.nan] * width if one is None else np.atleast_1d(read(one)) for one in recipes]
        values = np.array(rows, dtype=np.float64).reshape(len(samples), width)
        return values[:, 0] if width == 1 else values

    columns = {
        "bag": words(lambda one: one.identity.bag.kind),
        "pattern": words(lambda one: pattern_words(one.identity)),
        "colour and infrared": words(lambda one: agreement(one.identity)),
        "occlusion": words(lambda one: "occluded" if one.scene.occluder else "free"),
        "look-alike": tuple(
            UNKNOWN if one is None else ("has one" if sample.pid in alike else "has none")
            for one, sample in zip(recipes, samples, strict=True)
        ),
    }
    measured = {
        "yaw": numbers(lambda one: one.scene.yaw),
        "colour": numbers(lambda one: one.identity.upper.fabric.colour, 3),
        "infrared reflectance": numbers(lambda one: one.identity.upper.fabric.infrared),
        "body height": numbers(lambda one: one.identity.build.height),
    }
    return Facts(columns, measured, columns["occlusion"])


def pattern_words(person: Identity) -> str:
    """Return a word for whether the upper garment has a pattern, and whether infrared shows it."""
    if person.upper.pattern == Pattern.PLAIN:
        return "plain"
    return "survives" if person.upper.survives else "vanishes"


def agreement(person: Identity) -> str:
    """Return a word for the gap between the upper garment's lightness and infrared reflectance, both in [0, 1]."""
    fabric = person.upper.fabric
    gap = abs(float(np.dot(fabric.colour, LUMA)) - fabric.infrared)
    return next(word for most, word in GRADES if gap < most)


def lookalikes(plan: Plan) -> set[int]:
    """List the test people who wear the same clothes as the previous or the next person."""
    pids = plan.pids()[Split.TEST]
    drawn = [draw_identity(plan.seed, Split.TEST, number, plan.level.knobs) for number in range(len(pids))]
    clothes = [(person.upper, person.lower) for person in drawn]
    pairs = [number for number in range(1, len(pids)) if clothes[number] == clothes[number - 1]]
    return {pids[one] for number in pairs for one in (number - 1, number)}
