"""A head: face, hair and hat as solids."""

from dataclasses import replace

import numpy as np

from mun.synvi.body import Skeleton
from mun.synvi.solids import Chart, Floats, Part, Plane, Solid, Triple, ball, cone
from mun.synvi.wardrobe import Identity

__all__ = ["head_of"]

UP = np.array([0.0, 1.0, 0.0])
# Where a hat's peak or brim sits and its half sizes, in units of a normal body height.
BRIMS = {"cap": ((0.0, 0.030, 0.068), (0.040, 0.006, 0.042)), "brim": ((0.0, 0.030, 0.0), (0.095, 0.008, 0.1))}


def head_of(identity: Identity, bones: Skeleton) -> list[Solid]:
    """Put face, hair and hat on a skeleton: solids in the body frame, metres."""
    return [*_face(identity, bones), *_hair(identity, bones), *_hat(identity, bones)]


def _face(identity: Identity, bones: Skeleton) -> list[Solid]:
    size = 0.5 * bones.height + 0.86
    frame, centre = bones.head, bones.skull
    chart = Chart(frame, centre, radius=size)
    parts = [
        ball(Part.FACE, _spot(bones, (0.0, 0.011, 0.0)), (0.0435 * size, 0.054 * size, 0.0545 * size), frame),
        ball(Part.FACE, _spot(bones, (0.0, -0.029, 0.013)), (0.0345 * size, 0.0375 * size, 0.039 * size), frame),
        ball(Part.FACE, _spot(bones, (0.0, -0.010, 0.054)), (0.007 * size, 0.014 * size, 0.012 * size), frame),
    ]
    parts += [
        ball(Part.FACE, _spot(bones, (side * 0.043, -0.004, -0.002)), (0.006 * size, 0.014 * size, 0.009 * size), frame)
        for side in (-1.0, 1.0)
    ]
    width = 0.030 * bones.height * identity.build.girth**0.5
    ends = (bones.neck - 0.025 * size * UP, _spot(bones, (0.0, -0.022, -0.008)))
    return [replace(part, chart=chart) for part in [*parts, cone(Part.FACE, ends, (width, width * 0.93))]]


def _spot(bones: Skeleton, place: Triple) -> Floats:
    """Place a point in the head's frame, in units of a normal body height, `(3,)`."""
    size = 0.5 * bones.height + 0.86
    return np.asarray(bones.skull + size * (np.array(place)[:, None] * bones.head).sum(0))


def _cap(part: Part, bones: Skeleton, grow: float, cut: Plane) -> Solid:
    """A shell around the cranium, larger by `grow`, without the part beyond the plane `cut`."""
    size = (0.5 * bones.height + 0.86) * grow
    return ball(part, _spot(bones, (0.0, 0.014, -0.003)), (0.0435 * size, 0.054 * size, 0.0545 * size), bones.head, cut)


def _tress(bones: Skeleton, start: Triple, end: Triple, radii: tuple[float, float], squash: float = 1.0) -> Solid:
    size = 0.5 * bones.height + 0.86
    ends = (_spot(bones, start), _spot(bones, end))
    return cone(Part.HAIR, ends, (radii[0] * size, radii[1] * size), squash=squash)


def _hair(identity: Identity, bones: Skeleton) -> list[Solid]:
    style = identity.hair.style
    if style == "bald":
        return []
    grow = {"short": 1.06, "full": 1.17, "afro": 1.5}.get(style, 1.11)
    solids = [_cap(Part.HAIR, bones, grow, (0.0, -0.757, 0.653, 0.16 if style != "afro" else 0.42))]
    if style in {"bob", "long"}:
        bob, back = ((0.0, -0.05, -0.032), (0.05, 0.044)), ((0.0, -0.165, -0.058), (0.048, 0.044))
        (end, sizes), drop = (bob, -0.06) if style == "bob" else (back, -0.115)
        solids += [
            _tress(bones, (s * 0.037, 0.005, -0.012), (s * 0.042, drop, -0.006), (0.017, 0.015)) for s in (-1, 1)
        ]
        solids.append(_tress(bones, (0.0, 0.01, -0.018), end, sizes, 0.66))
    elif style == "ponytail":
        solids.append(_tress(bones, (0.0, 0.028, -0.062), (0.0, -0.125, -0.085), (0.015, 0.019)))
    elif style == "bun":
        size = 0.027 * (0.5 * bones.height + 0.86)
        solids.append(ball(Part.HAIR, _spot(bones, (0.0, 0.058, -0.045)), (size, size, size), bones.head))
    return solids


def _hat(identity: Identity, bones: Skeleton) -> list[Solid]:
    kind, size = identity.hair.hat, 0.5 * bones.height + 0.86
    if kind == "none":
        return []
    grow, low = {"cap": (1.17, -0.3), "beanie": (1.22, -0.05), "brim": (1.18, -0.3)}[kind]
    solids = [_cap(Part.HAT, bones, grow, (0.0, -0.98, 0.2, low))]
    if kind in BRIMS:
        place, (wide, high, deep) = BRIMS[kind]
        solids.append(ball(Part.HAT, _spot(bones, place), (wide * size, high * size, deep * size), bones.head))
    return solids
