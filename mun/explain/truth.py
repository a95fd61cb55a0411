"""The truth about a similarity on SynVI: how it changes when one thing about the person is changed."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mun.images import resize
from mun.synvi.counterfactual import Change, counterfactual
from mun.synvi.plan import Recipe
from mun.synvi.wardrobe import Pattern

__all__ = ["LEAST_SHARE", "Evidence", "Thing", "change_of", "find_evidence"]

LEAST_SHARE = 0.01  # of the image's pixels that a change must reach to count as seen


class Thing(StrEnum):
    """The part of a person that is changed."""

    BAG = "bag"
    UPPER_PATTERN = "upper pattern"
    LOWER_PATTERN = "lower pattern"
    HAT = "hat"

    @property
    def words(self) -> str:
        """The change, in words."""
        return f"the {self.value} removed" if self in (Thing.BAG, Thing.HAT) else f"another {self.value}"


@dataclass(frozen=True, eq=False)
class Evidence:
    """An image before and after one thing was changed, at the size that the network takes.

    Attributes:
        thing: What was changed.
        before: RGB, uint8, `(H, W, 3)`, as rendered, before its JPEG.
        after: Likewise.
        mask: Pixels that the change can reach, bool, `(H, W)`.
    """

    thing: Thing
    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    mask: NDArray[np.bool_]

    @property
    def share(self) -> float:
        """Share of the image that the change can reach: the share of energy that an even map has there."""
        return float(self.mask.mean())


def change_of(recipe: Recipe, thing: Thing) -> Change | None:
    """Return the change of a thing, `None` where the person does not have the thing.

    A patterned garment becomes plain, a plain one gets stripes.
    """
    identity = recipe.identity
    worn = {Thing.BAG: identity.bag.kind, Thing.HAT: identity.hair.hat}
    if thing in worn:
        return Change(without=(thing.value,)) if worn[thing] != "none" else None
    garment = identity.upper if thing is Thing.UPPER_PATTERN else identity.lower
    pattern = Pattern.STRIPES if garment.pattern is Pattern.PLAIN else Pattern.PLAIN
    return Change(upper_pattern=pattern) if thing is Thing.UPPER_PATTERN else Change(lower_pattern=pattern)


def find_evidence(
    recipe: Recipe, size: tuple[int, int], things: tuple[Thing, ...] = tuple(Thing), least: float = LEAST_SHARE
) -> Evidence | None:
    """Render an image before and after a change of the first of some things that it shows.

    Args:
        recipe: The recipe of the image.
        size: Height and width that the network takes.
        things: In the order in which they are tried.
        least: Share of the pixels that the change must reach.

    Returns:
        The evidence, or `None` where the image shows none of the things.
    """
    for thing in things:
        change = change_of(recipe, thing)
        if change is not None and (made := counterfactual(recipe, change)).mask.mean() >= least:
            mask = Image.fromarray(made.mask.astype(np.uint8)).resize(size[::-1], Image.Resampling.NEAREST)
            return Evidence(thing, resize(made.before, *size), resize(made.after, *size), np.asarray(mask, dtype=bool))
    return None
