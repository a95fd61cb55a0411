"""Cloth and skin: the colour of a point of a figure in either light, and the turn of its normal by folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mun.structures import Modality
from mun.synvi.solids import Floats, Part, Solid, exact
from mun.synvi.wardrobe import Fabric, Garment, Identity, Pattern

__all__ = ["Spots", "albedo", "fold", "spots_on"]


@dataclass(frozen=True, slots=True)
class Spots:
    """Points of a figure in the coordinates of their charts; all arrays are `(N,)`.

    Attributes:
        part: The `Part` of each point.
        side: Distance to the left of the chart's axis, metres.
        along: Length coordinate, metres: height above the ground on the trunk, distance from the joint on a limb.
        front: Distance before the chart's axis, metres.
        around: Angle from the front times the mean radius, metres.
        limb: Whether on an arm or a leg.
        axis: The axis of the chart, `(3, N)`.
    """

    part: NDArray[np.int16]
    side: Floats
    along: Floats
    front: Floats
    around: Floats
    limb: NDArray[np.bool_]
    axis: Floats

    def of(self, chosen: NDArray[np.intp]) -> Spots:
        """Return some of the points."""
        return Spots(*(getattr(self, name)[..., chosen] for name in Spots.__slots__))


def spots_on(solids: list[Solid], which: NDArray[np.int16], points: Floats) -> Spots:
    """Express points on solids, metres, body frame, `(3, N)`, in the coordinates of their charts."""
    frames = np.stack([solid.chart.frame for solid in solids]).astype(np.float32)
    origins = np.stack([solid.chart.origin for solid in solids]).astype(np.float32)
    scalars = np.array([[s.chart.start, s.chart.radius, s.chart.limb, s.part] for s in solids], np.float32)
    offset = points - origins[which].T
    rows = [frames[:, i, :][which].T for i in range(3)]
    side, along, front = ((row * offset).sum(0) for row in rows)
    start, radius, limb, part = scalars[which].T
    around = exact(np.arctan2, side, front) * radius
    return Spots(part.astype(np.int16), side, along + start, front, around, limb > 0.5, rows[1])


def fold(spots: Spots, normal: Floats, phases: tuple[float, ...], identity: Identity) -> tuple[Floats, Floats]:
    """Turn the normals of cloth by soft folds.

    Args:
        spots: The points.
        normal: Unit normals, float32, `(3, N)`.
        phases: Eight phases, radians; they belong to the image.
        identity: The thickness of its garments sets the strength of the folds.

    Returns:
        The turned unit normals, and a factor on the albedo near 1, `(N,)`.
    """
    turned, relief = normal.copy(), np.ones(normal.shape[1], np.float32)
    chosen = np.flatnonzero((spots.part == Part.UPPER) | (spots.part == Part.LOWER))
    turned[:, chosen], relief[chosen] = _folded(spots.of(chosen), normal[:, chosen], phases, identity)
    turned /= np.sqrt((turned * turned).sum(0) + np.float32(1e-9))
    return turned, relief


def _folded(spots: Spots, normal: Floats, phases: tuple[float, ...], identity: Identity) -> tuple[Floats, Floats]:
    """Turn the normals of cloth alone, not yet of unit length, and return its relief."""
    upper, lower = 0.42 + 12 * identity.upper.thickness, 0.28 + 9 * identity.lower.thickness
    strength = np.where(spots.part == Part.UPPER, upper, lower).astype(np.float32)
    around, along = spots.around * np.float32(2 * np.pi), spots.along * np.float32(2 * np.pi)
    warp = exact(np.sin, along * 2.1 + phases[0]) * 1.3
    waves = (
        (np.where(spots.limb, 3.0, 3.4), 2.3, 0.30, warp + phases[1]),
        (np.where(spots.limb, -3.5, 1.7), 4.6, 0.34, warp * 0.7 + phases[2]),
        (np.where(spots.limb, 2.0, 7.5), np.where(spots.limb, 8.5, 0.8), 0.28, warp + phases[3]),
        (-4.4, 3.1, 0.22, phases[4]),
    )
    turn_around, turn_along = np.zeros_like(around), np.zeros_like(around)
    relief = np.zeros_like(around)
    for across, down, height, phase in waves:
        angle = across * around + down * along + phase
        slope = exact(np.cos, angle) * np.float32(height)
        size = np.sqrt(np.square(across) + np.square(down))
        turn_around += slope * (across / size)
        turn_along += slope * (down / size)
        relief += exact(np.sin, angle) * np.float32(height)
    axis = spots.axis
    tangent = np.stack(
        [axis[(i + 1) % 3] * normal[(i + 2) % 3] - axis[(i + 2) % 3] * normal[(i + 1) % 3] for i in range(3)]
    )
    turned = normal - strength * (turn_around * tangent + turn_along * axis)
    return turned, (1 + 0.07 * strength * relief).astype(np.float32)


def _light(fabric: Fabric, modality: Modality) -> Floats:
    """The linear reflectance of a fabric: three channels in visible light, one in infrared, `(C, 1)`."""
    if modality is Modality.INFRARED:
        return np.array([[fabric.infrared]], np.float32)
    return exact(np.power, np.array(fabric.colour), 2.2)[:, None]


def _wave(value: Floats, period: float, share: float = 0.5) -> Floats:
    """A soft square wave in [0, 1] that is high for `share` of each period."""
    edge = exact(np.cos, np.float32(2 * np.pi / period) * value) - np.float32(np.cos(np.pi * share))
    wave: Floats = np.clip(np.float32(0.5) + 3 * edge, 0, 1)
    return wave


def _print(spots: Spots, ahead: bool, half_width: float, half_height: float) -> Floats:
    """A print on the chest or on the back, 1 inside, `(N,)`."""
    inside: NDArray[np.bool_] = ~spots.limb & ((spots.front > 0) == ahead)
    inside &= (np.abs(spots.side) < half_width) & (np.abs(spots.along - 1.22) < half_height)
    return inside.astype(np.float32)


def _level(spots: Spots) -> Floats:
    """Height above the ground when standing, metres, with hanging arms, `(N,)`."""
    return np.where(spots.limb, np.float32(1.42) - spots.along, spots.along)


def _sides(spots: Spots, half_angle: float) -> Floats:
    """Bands down both sides, 1 inside, `(N,)`."""
    angle = np.abs(exact(np.arctan2, spots.side, spots.front)) - np.float32(np.pi / 2)
    return (np.abs(angle) < half_angle).astype(np.float32)


# How much of the second colour shows, [0, 1], `(N,)`, by the scale of the pattern; lengths are metres.
PATTERNS: dict[Pattern, Callable[[Spots, float], Floats]] = {
    Pattern.STRIPES: lambda spots, scale: _wave(spots.along, 0.10 * scale, 0.45),
    Pattern.PINSTRIPES: lambda spots, scale: _wave(spots.around, 0.07 * scale, 0.3),
    Pattern.CHECKS: lambda spots, scale: (_wave(spots.along, 0.13 * scale) + _wave(spots.around, 0.13 * scale)) / 2,
    Pattern.CHEST: lambda spots, scale: _print(spots, True, 0.075 * scale, 0.07 * scale),
    Pattern.BACK: lambda spots, scale: _print(spots, False, 0.09 * scale, 0.10 * scale),
    Pattern.BLOCK: lambda spots, scale: np.clip((_level(spots) - 0.98 - 0.2 * scale) * 80, 0, 1).astype(np.float32),
    Pattern.BAND: lambda spots, scale: (np.abs(_level(spots) - 1.18) < 0.05 * scale).astype(np.float32),
    Pattern.SLEEVES: lambda spots, _: spots.limb.astype(np.float32),
    Pattern.SIDES: lambda spots, scale: _sides(spots, 0.22 + 0.2 * scale),
    Pattern.DOTS: lambda spots, scale: _wave(spots.along, 0.11 * scale, 0.6) * _wave(spots.around, 0.11 * scale, 0.6),
    Pattern.HEM: lambda spots, scale: (spots.limb & (spots.along > 0.72 - 0.1 * scale)).astype(np.float32),
}


def _dress(garment: Garment, spots: Spots, modality: Modality) -> Floats:
    first, second = _light(garment.fabric, modality), _light(garment.second, modality)
    if garment.pattern is Pattern.PLAIN or (modality is Modality.INFRARED and not garment.survives):
        return np.repeat(first, len(spots.along), axis=1)
    return first + (second - first) * PATTERNS[garment.pattern](spots, garment.scale)


def _upper(identity: Identity, spots: Spots, modality: Modality) -> Floats:
    """The upper garment with its opening, its button line and the straps of a bag."""
    garment, bag = identity.upper, identity.bag
    colour = _dress(garment, spots, modality)
    trunk, ahead = ~spots.limb, spots.front > 0
    rise = spots.along - np.float32(0.53 * identity.build.height * identity.build.legs)
    if garment.opening > 0:
        half = garment.opening * (0.7 + 1.6 * np.clip(0.25 - rise, 0, 1))
        colour = np.where(trunk & ahead & (np.abs(spots.side) < half), _light(garment.inner, modality), colour)
    elif garment.kind in {"shirt", "jacket", "coat", "hoodie"}:
        colour = colour * np.where(trunk & ahead & (np.abs(spots.side) < 0.007), np.float32(0.55), np.float32(1))
    tall = identity.build.height
    strap = np.zeros(len(rise), bool)
    if bag.kind == "backpack":
        strap = trunk & (np.abs(np.abs(spots.side) - 0.058 * tall) < 0.021) & (rise > 0.13 * tall) & ahead
    elif bag.kind == "shoulder":
        line = -bag.side * 0.055 * tall + bag.side * (0.30 * tall - rise) * 0.56
        strap = trunk & (np.abs(spots.side - line) < 0.022) & (rise > 0.0)
    return np.where(strap, 0.8 * _light(bag.fabric, modality), colour)


def _face(identity: Identity, spots: Spots, modality: Modality) -> Floats:
    """Skin with brows, eyes, mouth and beard; lengths are in units of the head's chart."""
    size = np.float32(0.5 * identity.build.height + 0.86)
    side, rise, ahead = np.abs(spots.side) / size, spots.along / size, spots.front / size
    skin, hair = _light(identity.skin, modality), _light(identity.hair.fabric, modality)
    eyes = ((side - 0.0175) / 0.010) ** 2 + ((rise - 0.002) / 0.006) ** 2 < 1
    brows = (np.abs(side - 0.018) < 0.011) & (np.abs(rise - 0.014) < 0.0035)
    mouth = (side < 0.014) & (np.abs(rise + 0.034) < 0.004)
    shade = 1 - (ahead > 0.01) * (0.55 * eyes + 0.45 * brows + 0.35 * mouth)
    colour: Floats = skin * shade.astype(np.float32)
    if identity.hair.beard:
        colour = np.where((rise < -0.020) & (rise > -0.072) & (ahead > 0.004) & ~mouth, 0.3 * skin + 0.7 * hair, colour)
    return colour


def _shoes(identity: Identity, spots: Spots, modality: Modality) -> Floats:
    """Shoes; all but boots have a light sole."""
    colour = _light(identity.shoes, modality)
    sole = (spots.along < 0.022) & (not identity.boots)
    return np.where(sole, np.float32(0.6), np.repeat(colour, len(sole), axis=1))


def albedo(identity: Identity, spots: Spots, modality: Modality) -> Floats:
    """Compute the linear reflectance of points of a figure.

    Args:
        identity: The person.
        spots: The points.
        modality: `VISIBLE` gives three channels, `INFRARED` one.

    Returns:
        Reflectances in [0, 1], float32, `(3, N)` or `(1, N)`.
    """
    out = np.zeros((1 if modality is Modality.INFRARED else 3, len(spots.part)), np.float32)
    plain = {Part.HAIR: identity.hair.fabric, Part.HAT: identity.hair.hat_fabric, Part.ARM: identity.skin}
    plain |= {Part.LEG: identity.socks, Part.BAG: identity.bag.fabric}
    for number in np.unique(spots.part):
        part, chosen = Part(int(number)), np.flatnonzero(spots.part == number)
        few = spots.of(chosen)
        if part in plain:
            out[:, chosen] = _light(plain[part], modality)
        elif part is Part.UPPER:
            out[:, chosen] = _upper(identity, few, modality)
        elif part is Part.LOWER:
            out[:, chosen] = _dress(identity.lower, few, modality)
        elif part is Part.FACE:
            out[:, chosen] = _face(identity, few, modality)
        else:
            out[:, chosen] = _shoes(identity, few, modality)
    return out
