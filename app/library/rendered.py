"""Pairs that only SynVI can give: rendered live, with more or less misalignment."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.library.library import Library
from app.library.pairs import ImagePair, Side
from app.library.plans import plan_of
from mun.images import resize
from mun.structures import Split
from mun.synvi.levels import CUSTOM, Level
from mun.synvi.plan import Plan

__all__ = ["OTHER_PEOPLE", "rendered_pair"]

Pixels = NDArray[np.uint8]
RENDERED_CAMERAS = (2, 3)  # one site, one instant: a visible and an infrared camera
OTHER_PEOPLE = Plan(train_ids=0, val_ids=0, test_ids=100, seed=4242)  # rendered where the data are not SynVI


def rendered_pair(library: Library, data: str, pid: int, misalignment: float) -> ImagePair:
    """Render a person from both cameras of one site, with as much misalignment as asked for.

    At 0 the two cameras see one instant, pixel by pixel; at 1 they differ as in the data. Where the data are SynVI it
    is their own person; otherwise one of 100 others. Nothing stands before the person.

    Raises:
        ValueError: There is no such person.
    """
    collection = library.collections[data]
    known, sizes = plan_of(library, data), library.input_sizes
    plan = OTHER_PEOPLE if known is None else known
    people = plan.pids()[Split.TEST]
    if pid not in people:
        raise ValueError(f"expected person from {people[0]} to {people[-1]}, got {pid}")
    knobs = replace(plan.level.knobs, misalignment=misalignment, occlusion=0.0)
    plan = replace(plan, level=Level(CUSTOM, 0, knobs))
    number = people.index(pid)
    content = ("rendered", plan.seed, knobs, plan.size, number)
    pixels = library.cache.get(
        ("auxiliary-pixels", content, tuple(sorted(sizes))),
        partial(render_pixels, plan, number, sizes),
        lambda arrays: sum(array.nbytes for array in arrays.values()),
    )
    visible, infrared = (Side(f"camera {camid}, rendered", camid) for camid in RENDERED_CAMERAS)
    whose = "of these data" if known is not None else "of SynVI (nobody in the data loaded here)"
    alike = "one instant, pixel by pixel" if misalignment == 0 else f"misalignment {misalignment:.2f} of 1"
    return ImagePair(
        visible,
        infrared,
        pid if known is not None else None,
        tuple(
            sample
            for sample in collection.samples
            if known is not None and sample.pid == pid and sample.camid in RENDERED_CAMERAS
        ),
        content,
        pixels,
        f"Person {pid} {whose}, rendered from cameras 2 and 3, which share a site: {alike}.",
    )


def render_pixels(plan: Plan, number: int, sizes: set[tuple[int, int]]) -> dict[tuple[int, int], Pixels]:
    """Render the first image by both cameras, and resize it to every size."""
    images = [plan.recipe(Split.TEST, number, camid, 0).image() for camid in RENDERED_CAMERAS]
    return {size: np.stack([resize(image, *size) for image in images]) for size in sizes}
