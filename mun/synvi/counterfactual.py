"""Counterfactuals: the same scene with one thing changed, and the pixels that may differ."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from mun.synvi.camera import expose
from mun.synvi.plan import Recipe
from mun.synvi.render import illuminate
from mun.synvi.trace import trace
from mun.synvi.wardrobe import Colour, Identity, Pattern

__all__ = ["REMOVABLE", "Change", "Counterfactual", "changed", "counterfactual"]

# Functions that remove a thing from an identity; `passer` and `occluder` are removed from the scene.
WITHOUT: dict[str, Callable[[Identity], Identity]] = {
    "bag": lambda identity: replace(identity, bag=replace(identity.bag, kind="none")),
    "hat": lambda identity: replace(identity, hair=replace(identity.hair, hat="none")),
    "beard": lambda identity: replace(identity, hair=replace(identity.hair, beard=False)),
    "boots": lambda identity: replace(identity, boots=False),
    "hood": lambda identity: replace(identity, upper=replace(identity.upper, hood=False)),
}
REMOVABLE = (*WITHOUT, "passer", "occluder")
PIECES = ("upper", "lower", "bag")


@dataclass(frozen=True, slots=True)
class Change:
    """A change of an image; a field that is `None`, or empty, changes nothing.

    Attributes:
        without: Things to remove, each one of `REMOVABLE`.
        upper_pattern: Pattern of the upper garment; infrared shows it only if infrared showed the old one.
        lower_pattern: Likewise of the lower garment.
        upper_colour: sRGB in [0, 1]; infrared does not change.
        lower_colour: Likewise.
        bag_colour: Likewise.
        upper_infrared: Reflectance at 850 nm in [0, 1]; visible light does not change.
        lower_infrared: Likewise.
        bag_infrared: Likewise.
        yaw: Of the person, radians; 0 faces the camera.

    Raises:
        ValueError: Nothing would change, a value is out of its range, or a thing cannot be removed.
    """

    without: tuple[str, ...] = ()
    upper_pattern: Pattern | None = None
    lower_pattern: Pattern | None = None
    upper_colour: Colour | None = None
    lower_colour: Colour | None = None
    bag_colour: Colour | None = None
    upper_infrared: float | None = None
    lower_infrared: float | None = None
    bag_infrared: float | None = None
    yaw: float | None = None

    def __post_init__(self) -> None:
        if all(getattr(self, field.name) in (None, ()) for field in fields(self)):
            raise ValueError("expected at least one change, got none")
        for thing in self.without:
            if thing not in REMOVABLE:
                raise ValueError(f"expected a thing to remove, one of {', '.join(REMOVABLE)}; got {thing!r}")
        for name in PIECES:
            colour, infrared = getattr(self, f"{name}_colour"), getattr(self, f"{name}_infrared")
            values = [*(colour or ()), *(() if infrared is None else (infrared,))]
            if not all(0 <= value <= 1 for value in values):
                raise ValueError(f"expected the {name}'s colour and reflectance in [0, 1], got {values}")
        if self.yaw is not None and not np.isfinite(self.yaw):
            raise ValueError(f"expected a finite yaw, got {self.yaw}")


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """An image, the same with one thing changed, and where they differ.

    Attributes:
        before: RGB, uint8, `(H, W, 3)`, before JPEG compression.
        after: Likewise.
        mask: Pixels that the change can reach, blur of the lens included; all others are equal, bool, `(H, W)`.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    mask: NDArray[np.bool_]


def changed(recipe: Recipe, change: Change) -> Recipe:
    """Apply a change to the recipe of an image; everything else, sensor noise included, stays."""
    identity, scene = recipe.identity, recipe.scene
    for thing in change.without:
        if thing in WITHOUT:
            identity = WITHOUT[thing](identity)
        else:
            scene = replace(scene, passer=None) if thing == "passer" else replace(scene, occluder=None)
    if change.yaw is not None:
        scene = replace(scene, yaw=change.yaw)
    pieces = {name: _piece(getattr(identity, name), name, change) for name in PIECES}
    return replace(recipe, identity=replace(identity, **pieces), scene=scene)


def _piece(piece: Any, name: str, change: Change) -> Any:
    """Change the pattern, the colour and the reflectance of a garment or of the bag, which has no pattern."""
    wanted = {what: getattr(change, f"{name}_{what}", None) for what in ("pattern", "colour", "infrared")}
    given = {what: value for what, value in wanted.items() if value is not None}
    pattern = {"pattern": given.pop("pattern")} if "pattern" in given else {}
    return replace(piece, fabric=replace(piece.fabric, **given), **pattern)


def counterfactual(recipe: Recipe, change: Change) -> Counterfactual:
    """Render an image twice, without and with a change.

    Args:
        recipe: The recipe of the image.
        change: The change.

    Returns:
        Both images and the pixels where they may differ. The mask marks the pixels whose light changes, widened by
        how far the lens and the resolution knob spread light; it is empty where the change is not visible.

    Raises:
        ValueError: The size is out of bounds.
    """
    images, lights = [], []
    for one in (recipe, changed(recipe, change)):
        light, _ = illuminate(one.identity, one.camera, one.scene, trace(one.identity, one.camera, one.scene, one.size))
        lights.append(light)
        images.append(expose(one.camera, one.scene, light, one.knobs.noise, one.knobs.resolution))
    mask = (lights[0] != lights[1]).any(0)
    spread = int(np.ceil(2.2 * recipe.camera.softness * recipe.size[0] / 128))
    if recipe.knobs.resolution > 1:
        spread += int(np.ceil(2 * recipe.knobs.resolution))
    if mask.any():
        mask = binary_dilation(mask, np.ones((2 * spread + 1, 2 * spread + 1), bool))
    return Counterfactual(images[0], images[1], mask)
