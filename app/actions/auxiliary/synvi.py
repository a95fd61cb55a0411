"""Pairs that only SynVI can give: rendered live with more or less misalignment, and a good one to begin with."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from app.actions.auxiliary.pairs import ImagePair, Side, partners
from app.actions.plans import plan_of
from app.library import Library
from app.library.collection import Collection
from mun.images import resize
from mun.structures import Modality, Sample, Split
from mun.synvi.levels import CUSTOM, Level
from mun.synvi.plan import Plan, Recipe

__all__ = ["opening_pair", "rendered_pair"]

Pixels = NDArray[np.uint8]
LOOKED_AT = 50  # identities among which the first pair is chosen
RENDERED_CAMERAS = (2, 3)  # one site, one instant: a visible and an infrared camera
OTHER_PEOPLE = Plan(train_ids=0, val_ids=0, test_ids=100, seed=4242)  # rendered where the data are not SynVI


def opening_pair(library: Library, data: str) -> tuple[Sample, Sample]:
    """Choose the pair that a first visitor sees.

    On SynVI it is the one whose two headings agree best while the person faces the cameras unhidden, with a pattern
    that infrared shows too where there is one; elsewhere the first images of the first person seen in both modalities.

    Raises:
        ValueError: Nobody is seen in both modalities.
    """
    key = ("auxiliary-opening", library.collections[data].content)
    return library.cache.get(
        key, lambda: choose_opening(library.collections[data], plan_of(library, data)), lambda _: 500
    )


def choose_opening(collection: Collection, plan: Plan | None) -> tuple[Sample, Sample]:
    """Choose the pair; see `opening_pair`."""
    by_person: dict[int, set[Modality]] = {}
    for sample in collection.samples:
        by_person.setdefault(sample.pid, set()).add(sample.modality)
    both = [pid for pid, seen in sorted(by_person.items()) if len(seen) == 2]
    if not both:
        raise ValueError(f"expected somebody with images of both modalities in {collection.title}, found nobody")
    if plan is None:
        visible, infrared = partners(collection, both[0])
        return visible[0], infrared[0]
    ranked = []
    for pid in both[:LOOKED_AT]:
        recipes = dict(
            zip(keys_of(plan, pid), plan.recipes(Split.TEST, plan.pids()[Split.TEST].index(pid)), strict=True)
        )
        visible, infrared = partners(collection, pid)
        ranked += [(unlike(recipes[v.key], recipes[i.key]), v.key, i.key) for v in visible for i in infrared]
    _, one, other = min(ranked)
    return collection.samples[collection.rows[one]], collection.samples[collection.rows[other]]


def keys_of(plan: Plan, pid: int) -> list[str]:
    """Name all images of a person in the order of `Plan.recipes`."""
    split = next(split for split, pids in plan.pids().items() if pid in pids)
    numbers = range(1, plan.images_of(split) + 1)
    return [f"cam{camid}/{pid:04d}/{number:04d}.jpg" for camid in plan.cameras for number in numbers]


def unlike(visible: Recipe, infrared: Recipe) -> float:
    """Say how little two images of one person suit a first look: differing headings, turned away, hidden, plain."""
    apart, away = (
        abs(math.remainder(angle, 2 * math.pi)) for angle in (visible.scene.yaw - infrared.scene.yaw, visible.scene.yaw)
    )
    hidden = sum(one.scene.occluder is not None or one.scene.passer is not None for one in (visible, infrared))
    upper = visible.identity.upper
    return apart + 0.5 * away + 9.0 * hidden - 0.4 * (upper.pattern != "plain" and upper.survives)


def rendered_pair(library: Library, data: str, pid: int, misalignment: float, sizes: set[tuple[int, int]]) -> ImagePair:
    """Render a person from both cameras of one site, with as much misalignment as asked for.

    At 0 the two cameras see one instant, pixel by pixel; at 1 they differ as in the data. Where the data are SynVI it
    is their own person; otherwise one of 100 others. Nothing stands before the person.

    Raises:
        ValueError: There is no such person.
    """
    collection = library.collections[data]
    known = plan_of(library, data)
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
