"""Milliseconds that SynVI takes for an image on one core, at two sizes, with and without its truth.

Run with one thread: `OMP_NUM_THREADS=1 python -m benchmarks.render`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from mun.structures import Split
from mun.synvi import CAMERAS, Plan, Recipe, truth_of

PEOPLE = 20
LIMIT = 15.0  # milliseconds for 128×64


def measure(plan: Plan, make: Callable[[Recipe], object]) -> float:
    """Return the processor time of one image of one core, in milliseconds."""
    recipes = [plan.recipe(Split.TEST, number, camid, 0) for number in range(PEOPLE) for camid in CAMERAS]
    for recipe in recipes[:6]:
        make(recipe)
    began = time.process_time()
    for recipe in recipes:
        make(recipe)
    return 1000 * (time.process_time() - began) / len(recipes)


def main() -> None:
    """Print a line per size."""
    small = Plan(train_ids=0, val_ids=0, test_ids=PEOPLE, images=1)
    for plan in (small, replace(small, size=(256, 128))):
        image, truth = measure(plan, Recipe.image), measure(plan, truth_of)
        print(f"{plan.size[0]}x{plan.size[1]}: {image:.1f} ms an image, its truth {truth:.1f} ms")
    print(f"the limit for 128x64 is {LIMIT:g} ms")


if __name__ == "__main__":
    main()
