"""Solids: the round cones, open cones, ellipsoids and boxes that figures are made of."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Chart", "Floats", "Part", "Plane", "Solid", "Triple", "ball", "box", "cone", "exact", "frame_of"]

Floats = NDArray[np.floating]
Triple = tuple[float, float, float]
Plane = tuple[float, float, float, float]  # a normal and an offset


class Part(IntEnum):
    """What a pixel shows; the values of a part mask."""

    BACKGROUND = 0
    FACE = 1
    HAIR = 2
    HAT = 3
    UPPER = 4
    LOWER = 5
    ARM = 6
    LEG = 7
    SHOE = 8
    BAG = 9
    OCCLUDER = 10


@dataclass(frozen=True, slots=True)
class Chart:
    """The coordinates of a pattern: a frame whose second axis runs along the garment.

    Attributes:
        frame: Rows side, axis and front, unit vectors, `(3, 3)`.
        origin: The zero point of the chart, metres, `(3,)`.
        start: The pattern's length coordinate at the origin, metres.
        radius: Mean radius, metres: an angle times this is a length around the garment.
        limb: Whether this is an arm or a leg, not the trunk.
    """

    frame: Floats
    origin: Floats
    start: float = 0.0
    radius: float = 0.16
    limb: bool = False


@dataclass(frozen=True, slots=True)
class Solid:
    """A round cone from `origin` along the second row of `frame`; a ball has no length, a box has `half` sizes.

    Attributes:
        part: The part of the person.
        frame: Rows side, axis and front, unit vectors, `(3, 3)`.
        origin: The start of its axis, metres, body frame, `(3,)`.
        length: Length of the axis, metres.
        radii: Radius at the start and at the end, metres.
        squash: Front radius over side radius.
        capped: Whether the ends are round; an open cone ends in a hem.
        cut: A plane (normal in units of the radius, offset); the solid beyond it is cut off. Balls only.
        half: Half sizes of a box along the rows of `frame`, metres.
        chart: The coordinates of the pattern on it.
    """

    part: Part
    frame: Floats
    origin: Floats
    length: float
    radii: tuple[float, float]
    chart: Chart
    squash: float = 1.0
    capped: bool = True
    cut: Plane | None = None
    half: Triple | None = None

    @property
    def matrix(self) -> Floats:
        """The map from the body frame to the frame in which the solid is round, float64, `(3, 3)`."""
        if self.half is not None:
            return self.frame
        stretched: Floats = self.frame / np.array([[1.0], [1.0], [self.squash]])
        return stretched

    @property
    def slope(self) -> float:
        """Sine of the half angle of the cone, positive when it narrows."""
        if self.length <= 0:
            return 0.0
        return float(np.clip((self.radii[0] - self.radii[1]) / self.length, -0.95, 0.95))


def exact(function: Callable[..., Any], *values: Floats | float) -> Floats:
    """Compute a transcendental function in float64 and round to float32.

    NumPy's float32 versions differ in the last bit between instruction sets, which could change a byte of an image.
    """
    return np.asarray(function(*(np.asarray(value, np.float64) for value in values))).astype(np.float32)


def frame_of(axis: Floats, front: Floats) -> Floats:
    """Complete an axis to rows side, axis and front, `(3, 3)`, the last as near to `front` as possible."""
    along = axis / max(float(np.sqrt((axis**2).sum())), 1e-9)
    ahead = front - along * float((front * along).sum())
    size = float(np.sqrt((ahead**2).sum()))
    ahead = ahead / size if size > 1e-6 else np.array([along[1], along[2], along[0]])
    (ax, ay, az), (bx, by, bz) = along.tolist(), ahead.tolist()
    side = (ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx)
    return np.array([side, along, ahead])


def cone(
    part: Part,
    ends: tuple[Floats, Floats],
    radii: tuple[float, float],
    chart: Chart | None = None,
    squash: float = 1.0,
    capped: bool = True,
) -> Solid:
    """Make a round (or open) cone between two points, its front towards the front of the body."""
    axis = ends[1] - ends[0]
    frame = frame_of(axis, np.array([0.0, 0.0, 1.0]))
    length = float(np.sqrt((axis**2).sum()))
    return Solid(part, frame, ends[0], length, radii, chart or Chart(frame, ends[0]), squash, capped)


def ball(part: Part, centre: Floats, radii: Triple, frame: Floats, cut: Plane | None = None) -> Solid:
    """Make an ellipsoid with `radii` along the rows of `frame`, as a round ball in a stretched frame."""
    stretch = np.array([[1.0], [radii[0] / radii[1]], [1.0]])
    chart = Chart(frame, centre)
    return Solid(part, frame * stretch, centre, 0.0, (radii[0], radii[0]), chart, radii[2] / radii[0], True, cut)


def box(part: Part, centre: Floats, half: Triple, frame: Floats) -> Solid:
    """Make a box with `half` sizes along the rows of `frame`; its normals are those of a rounded one."""
    return Solid(part, frame, centre, 0.0, (max(half), max(half)), Chart(frame, centre), half=half)
