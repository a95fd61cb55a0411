"""What is known of every image besides its pixels: on SynVI the truth of its scene and of the person."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mun.auxiliary.pixel import LUMA
from mun.structures import Sample, Split
from mun.synvi import Identity, Pattern, Plan, Recipe, draw_identity

__all__ = ["UNKNOWN", "Facts", "column_facts", "synvi_facts"]

UNKNOWN = ""  # of an image of which nothing is known
GRADES = ((0.1, "agree"), (0.3, "differ"), (1.1, "differ much"))  # |lightness − infrared reflectance| up to
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Facts:
    """Facts of N images.

    Attributes:
        columns: A word per image by the name of the fact; empty where it is not known.
        numbers: Numbers per image by name, `(N,)` or `(N, K)`; NaN where unknown. `yaw`, in radians, is 0 where the
            person faces the camera.
        covered: Whether something stands before the person, as a column; empty where nobody knows.
    """

    columns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    numbers: Mapping[str, Floats] = field(default_factory=dict)
    covered: tuple[str, ...] = ()


def column_facts(columns: Mapping[str, Mapping[str, str]], samples: Sequence[Sample]) -> Facts:
    """Read what a CSV says of images.

    Args:
        columns: By the key of the image, then by the name of the column.
        samples: N images; a column that says nothing of one leaves it unknown.
    """
    said = [columns.get(sample.key, {}) for sample in samples]
    names = sorted({name for one in said for name in one})
    return Facts({name: tuple(one.get(name, UNKNOWN) for one in said) for name in names})


def synvi_facts(plan: Plan, samples: Sequence[Sample]) -> Facts:
    """Read the truth of rendered images from the plan that they were made from; nothing is rendered.

    Args:
        plan: Of the data set.
        samples: N images; of those that are not in the plan nothing is known.
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
    """Say whether the upper garment has a pattern, and whether infrared shows it."""
    if person.upper.pattern == Pattern.PLAIN:
        return "plain"
    return "survives" if person.upper.survives else "vanishes"


def agreement(person: Identity) -> str:
    """Say how far the upper garment's lightness is from its reflectance in infrared, both in [0, 1]."""
    fabric = person.upper.fabric
    gap = abs(float(np.dot(fabric.colour, LUMA)) - fabric.infrared)
    return next(word for most, word in GRADES if gap < most)


def lookalikes(plan: Plan) -> set[int]:
    """List the test people who wear the clothes of another one: the person before, or after, them."""
    pids = plan.pids()[Split.TEST]
    drawn = [draw_identity(plan.seed, Split.TEST, number, plan.level.knobs) for number in range(len(pids))]
    clothes = [(person.upper, person.lower) for person in drawn]
    pairs = [number for number in range(1, len(pids)) if clothes[number] == clothes[number - 1]]
    return {pids[one] for number in pairs for one in (number - 1, number)}
