"""Processor time of a SynVI image and of its corruptions, on one core."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.measure import Row, in_turn
from mun.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from mun.structures import Split
from mun.synvi import CAMERAS, Plan, Recipe, truth_of

SMALL = Plan(train_ids=0, val_ids=0, test_ids=20, images=1)
FROZEN = (
    "959752de78c2331f0083b3df5cec3247d8db8361f05f141146f84b8c14c69d0f"  # of the first person's images by all cameras
)


def recipes(plan: Plan, people: int) -> list[Recipe]:
    """List one image per camera of the first people."""
    return [plan.recipe(Split.TEST, number, camid, 0) for number in range(people) for camid in CAMERAS]


def each(make: Callable[[Recipe], object], of: list[Recipe], repeats: int) -> float:
    """Return the milliseconds that `make` takes for one image."""
    make(of[0])
    (seconds,) = in_turn(lambda: [make(recipe) for recipe in of], repeats=repeats, clock=time.process_time)
    return 1e3 * seconds / len(of)


def rows(short: bool) -> list[Row]:
    """Measure the rows of this suite.

    Raises:
        ArithmeticError: The bytes of the frozen level have changed.
    """
    digest = hashlib.sha256(b"".join(recipe.image().tobytes() for recipe in recipes(SMALL, 1))).hexdigest()
    if digest != FROZEN:
        raise ArithmeticError(f"expected the frozen images, got others ({digest})")
    people, repeats = (1, 1) if short else (10, 3)
    found = []
    for plan, most in ((SMALL, 1.0), (replace(SMALL, size=(256, 128)), None)):
        title, of = f"{plan.size[0]}x{plan.size[1]}", recipes(plan, people)
        found.append(Row(f"an image of {title}", each(Recipe.image, of, repeats), "ms", 10.0, "limit", most=most))
        found.append(Row(f"its truth, {title}", each(truth_of, of, repeats), "ms", found[-1].value, "the image"))
    images = [recipe.image() for recipe in recipes(SMALL, people)]

    def corrupted(name: str) -> float:
        (seconds,) = in_turn(
            lambda: [corrupt(image, name, severity, 0) for image in images for severity in SEVERITIES],
            repeats=repeats,
            clock=time.process_time,
        )
        return 1e3 * seconds / (len(images) * len(SEVERITIES))

    times = {name: corrupted(name) for name in CORRUPTIONS}
    slowest = max(times, key=lambda name: times[name])
    found.append(Row(f"the slowest corruption ({slowest})", times[slowest], "ms", 15.0, "limit", most=1))
    median = float(np.median(list(times.values())))
    found.append(Row(f"the median of {len(times)} corruptions", median, "ms", times[slowest], "the slowest"))
    return found
