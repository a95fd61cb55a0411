"""A visible and an infrared image to compare auxiliary modalities on: of the data, rendered, or the visitor's own."""

import math
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from app.library.collection import Collection
from app.library.library import Library
from app.library.own_images import OwnImage, image_notes
from mun.images import resize
from mun.structures import Modality, Sample, Split
from mun.synvi.levels import CUSTOM, Level
from mun.synvi.plan import Plan, Recipe

__all__ = ["OTHER_PEOPLE", "ImagePair", "Side", "chosen_samples", "collection_pair", "opening_pair", "own_pair"]
__all__ += ["partners", "rendered_pair"]

Pixels = NDArray[np.uint8]
Sized = Mapping[tuple[int, int], Pixels]
SMALLEST = 8  # minimum height and width of a visitor's own image, in pixels
LOOKED_AT = 50  # identities among which the first pair is chosen
RENDERED_CAMERAS = (2, 3)  # one site, one instant: a visible and an infrared camera
OTHER_PEOPLE = Plan(train_ids=0, val_ids=0, test_ids=100, seed=4242)  # rendered if the data are not SynVI


@dataclass(frozen=True)
class Side:
    """One image of a pair: its name, and its camera if known."""

    name: str
    camid: int | None = None


@dataclass(frozen=True, eq=False)
class ImagePair:
    """A visible and an infrared image.

    Attributes:
        visible: Name and camera of the visible image.
        infrared: Name and camera of the infrared image.
        pixels: RGB, uint8, `(2, H, W, 3)` for each size (H, W) of the networks.
        words: A sentence that describes the pair.
        pid: The person in both images; `None` if the person is not in the data set.
        sources: The images of the data set whose sites are excluded when the person is searched.
        content: Cache key of the pixels; `None` for a visitor's own images, which are not kept.
        notes: Further notes for the visitor, one sentence each.
    """

    visible: Side
    infrared: Side
    pixels: Sized
    words: str
    pid: int | None = None
    sources: tuple[Sample, ...] = ()
    content: Hashable | None = None
    notes: tuple[str, ...] = ()


def partners(collection: Collection, pid: int) -> tuple[list[Sample], list[Sample]]:
    """List the visible and the infrared images of a person.

    Raises:
        ValueError: The data set does not have the person, or the person is seen in one modality only.
    """
    own = [sample for sample in collection.samples if sample.pid == pid]
    if not own:
        raise ValueError(f"expected person to be in {collection.title}, got {pid}")
    visible = [sample for sample in own if sample.modality is Modality.VISIBLE]
    infrared = [sample for sample in own if sample.modality is Modality.INFRARED]
    if not (visible and infrared):
        seen, unseen = ("visible", "infrared") if visible else ("infrared", "visible")
        raise ValueError(
            f"expected a person with images of both modalities, got person {pid} with {seen} images"
            f" but no {unseen} one; choose another person"
        )
    return visible, infrared


def opening_pair(library: Library, data: str) -> tuple[Sample, Sample]:
    """Choose the pair that the page shows at first.

    On SynVI it has the smallest `mismatch`: similar headings, a person who faces the cameras unoccluded, if possible
    with a pattern that infrared shows; elsewhere, the first images of the first person seen in both modalities.

    Raises:
        ValueError: No person has images of both modalities.
    """
    collection = library.collections[data]
    key = ("auxiliary-opening", collection.content)
    return library.cache.get(key, lambda: choose_opening(collection), lambda _: 500)


def choose_opening(collection: Collection) -> tuple[Sample, Sample]:
    """Choose the pair; see `opening_pair`."""
    if not collection.shared_pids:
        raise ValueError(f"expected a person with images of both modalities in {collection.title}, got none")
    ranked = []
    for pid in collection.shared_pids[:LOOKED_AT]:
        both = partners(collection, pid)
        # Images without a recipe were added after the rendering.
        known = [[(recipe, one) for one in side if (recipe := collection.recipe(one.key))] for side in both]
        ranked += [(mismatch(a, b), one.key, other.key, one, other) for (a, one), (b, other) in product(*known)]
    if ranked:
        *_, first, second = min(ranked)
        return first, second
    visible, infrared = partners(collection, collection.shared_pids[0])
    return visible[0], infrared[0]


def mismatch(visible: Recipe, infrared: Recipe) -> float:
    """Return how little two images suit the first view: different headings, turned away, occluded, no pattern."""
    apart = abs(math.remainder(visible.scene.yaw - infrared.scene.yaw, math.tau))
    away = abs(math.remainder(visible.scene.yaw, math.tau))
    hidden = sum(one.scene.occluder is not None or one.scene.passer is not None for one in (visible, infrared))
    upper = visible.identity.upper
    return apart + 0.5 * away + 9.0 * hidden - 0.4 * (upper.pattern != "plain" and upper.survives)


def chosen_samples(library: Library, data: str, visible: str, infrared: str, person: int) -> tuple[Sample, Sample]:
    """Return a visible and an infrared image of the data set; an image without a key is chosen.

    Args:
        library: State that all visitors share.
        data: Name of the data set.
        visible: Key of a visible image, or empty.
        infrared: Key of an infrared image, or empty.
        person: The person to show if both keys are empty; 0 for the pair of `opening_pair`.

    Raises:
        ValueError: A key names no image of that modality, the keys name two people, or the person is seen in one
            modality only.
    """
    collection, named = library.collections[data], []
    for modality, key in ((Modality.VISIBLE, visible), (Modality.INFRARED, infrared)):
        sample = collection.samples[collection.rows[key]] if key in collection.rows else None
        if key and (sample is None or sample.modality is not modality):
            article = "a visible" if modality is Modality.VISIBLE else "an infrared"
            raise ValueError(
                f"expected {modality} to be the key of {article} image of {collection.title}, got {key!r:.60}"
            )
        named.append(sample)
    one, other = named
    if one is not None and other is not None:
        if one.pid != other.pid:
            raise ValueError(
                f"expected a visible and an infrared image of one person, got person {one.pid} and person {other.pid};"
                " a generator is trained on pairs of one person"
            )
        return one, other
    pid = one.pid if one else other.pid if other else person
    opening = opening_pair(library, data)
    theirs = tuple(opening) if pid in (0, opening[0].pid) else tuple(side[0] for side in partners(collection, pid))
    return one or theirs[0], other or theirs[1]


def collection_pair(library: Library, data: str, visible: Sample, infrared: Sample) -> ImagePair:
    """Read two images of one person.

    Raises:
        ValueError: An image is broken or gone.
    """
    collection = library.collections[data]
    content, both = (collection.content, visible.key, infrared.key), (visible, infrared)
    pixels = kept_pixels(library, content, lambda sizes: {size: collection.pixels(both, *size) for size in sizes})
    words = (
        f"Person {visible.pid} of {collection.title}, seen by camera {visible.camid} in visible light and by camera"
        f" {infrared.camid} in infrared, at two moments."
    )
    one, other = (Side(sample.key, sample.camid) for sample in both)
    return ImagePair(one, other, pixels, words, visible.pid, both, content)


def kept_pixels(library: Library, content: Hashable, make: Callable[[list[tuple[int, int]]], Sized]) -> Sized:
    """Make the pixels of a pair at the networks' sizes, once for all visitors."""
    sizes = library.input_sizes
    key = ("auxiliary-pixels", content, *sizes)
    return library.cache.get(key, lambda: make(sizes), lambda arrays: sum(one.nbytes for one in arrays.values()))


def rendered_pair(library: Library, data: str, pid: int, misalignment: float) -> ImagePair:
    """Render a person from both cameras of one site, with a given misalignment.

    At 0 the two cameras see one instant, pixel by pixel; at 1 they differ as in the data. If the data are SynVI, the
    person is one of the data; otherwise one of 100 other people. The person is never occluded.

    Raises:
        ValueError: The person does not exist.
    """
    collection = library.collections[data]
    own, plan = collection.plan is not None, collection.plan or OTHER_PEOPLE
    people = plan.pids()[Split.TEST]
    if pid not in people:
        raise ValueError(f"expected person from {people[0]} to {people[-1]}, got {pid}")
    knobs = replace(plan.level.knobs, misalignment=misalignment, occlusion=0.0)
    plan = replace(plan, level=Level(CUSTOM, 0, knobs))
    number = people.index(pid)
    content = ("rendered", plan.seed, knobs, plan.size, number)
    visible, infrared = (Side(f"camera {camid}, rendered", camid) for camid in RENDERED_CAMERAS)
    whose = "of these data" if own else "of SynVI (nobody in the data loaded here)"
    alike = "one instant, pixel by pixel" if misalignment == 0 else f"misalignment {misalignment:.2f} of 1"
    pixels = kept_pixels(library, content, lambda sizes: render_pixels(plan, number, sizes))
    words = f"Person {pid} {whose}, rendered from cameras 2 and 3, which share a site: {alike}."
    sources = tuple(one for one in collection.samples if own and one.pid == pid and one.camid in RENDERED_CAMERAS)
    return ImagePair(visible, infrared, pixels, words, pid if own else None, sources, content)


def render_pixels(plan: Plan, number: int, sizes: list[tuple[int, int]]) -> Sized:
    """Render the first image by both cameras, and resize it to every size."""
    images = [plan.recipe(Split.TEST, number, camid, 0).image() for camid in RENDERED_CAMERAS]
    return {size: np.stack([resize(image, *size) for image in images]) for size in sizes}


def own_pair(visible: OwnImage | None, infrared: OwnImage | None) -> ImagePair:
    """Pair a visitor's own two images, at the networks' sizes that both have.

    Raises:
        ValueError: One is missing or tiny, or no size is common to both.
    """
    if visible is None or infrared is None:
        name = "a visible" if visible is None else "an infrared"
        raise ValueError(f"expected two images of one person, {name} one is missing; drop it in")
    for name, image in (("a visible", visible), ("an infrared", infrared)):
        if min(image.height, image.width) < SMALLEST:
            raise ValueError(
                f"expected {name} image of at least {SMALLEST} pixels each way, got {image.width} x {image.height}"
            )
    sizes = [size for size in visible.pixels if size in infrared.pixels]  # a checkpoint may have been added in between
    if not sizes:
        raise ValueError("expected two images at an input size of the same checkpoint, got none; add both again")
    pixels = {size: np.stack([visible.pixels[size], infrared.pixels[size]]) for size in sizes}
    words, notes = "Your own two images; nothing of them is kept.", own_notes(visible, infrared, sizes[0])
    return ImagePair(Side(visible.name), Side(infrared.name), pixels, words, notes=notes)


def own_notes(visible: OwnImage, infrared: OwnImage, size: tuple[int, int]) -> tuple[str, ...]:
    """List how the visitor's images were changed, and what is not known about them."""
    notes = [
        "It was not checked that both show one person; a generator accepts any pair, so the result proves nothing."
    ]
    if (visible.height, visible.width) != (infrared.height, infrared.width):
        notes.append(
            f"They differ in size ({visible.width}×{visible.height} and {infrared.width}×{infrared.height} pixels);"  # noqa: RUF001
            f" both were resized to the network's {size[1]}×{size[0]}."  # noqa: RUF001
        )
    notes += image_notes("visible image", visible, size) + image_notes("infrared image", infrared, size)
    return tuple(notes)
