"""A figure: the solids of a dressed person in a pose."""

from dataclasses import replace

import numpy as np

from mun.synvi.body import Pose, Skeleton, pose_body
from mun.synvi.head import head_of
from mun.synvi.solids import Chart, Floats, Part, Solid, Triple, ball, box, cone
from mun.synvi.wardrobe import Garment, Identity

__all__ = ["figure_of"]

UP = np.array([0.0, 1.0, 0.0])
LEG = ((0.0, 0.049), (0.514, 0.032), (1.0, 0.021))  # share of the leg and radius, fraction of the height
ARM = ((0.0, 0.0235), (0.535, 0.022), (1.0, 0.016))
DRAPED = {"coat", "dress", "skirt", "maxi"}


def figure_of(identity: Identity, pose: Pose) -> tuple[Skeleton, list[Solid]]:
    """Dress a body in a pose.

    Args:
        identity: The person.
        pose: The moment of the walk.

    Returns:
        The skeleton and the solids, both in the body frame, metres.
    """
    if identity.lower.kind in DRAPED or identity.upper.kind in DRAPED:
        pose = replace(pose, stride=0.75 * pose.stride)
    bones = pose_body(identity.build, pose)
    solids = [*_trunk(identity, bones), *_legs(identity, bones), *_arms(identity, bones)]
    return bones, [*solids, *head_of(identity, bones), *_bag(identity, bones)]


def _widths(identity: Identity) -> tuple[float, float, float]:
    """Half widths of chest, waist and hips, metres."""
    build = identity.build
    chest = 0.083 * build.height * build.girth**0.8 * build.shoulders
    waist = 0.071 * build.height * build.girth * (1 - 0.07 * build.bust + 0.12 * build.belly)
    return chest, waist, 0.088 * build.height * build.girth**0.8 * build.hips


def _chart(identity: Identity, bones: Skeleton) -> Chart:
    """The trunk's chart: its length coordinate is the height above the ground when standing."""
    return Chart(bones.trunk, bones.pelvis, 0.53 * identity.build.height * identity.build.legs, 0.15)


def _trunk(identity: Identity, bones: Skeleton) -> list[Solid]:
    build, upper, tall = identity.build, identity.upper, identity.build.height
    chest, waist, hips = _widths(identity)
    chart, thick = _chart(identity, bones), upper.thickness
    rises = [
        bones.on_trunk(0.0, rise * tall, ahead * tall) for rise, ahead in ((0.0, 0.0), (0.1, 0.0), (0.215, -0.004))
    ]
    solids = [
        cone(Part.LOWER, (rises[0], rises[1]), (hips, waist * 0.94), chart, 0.68),
        cone(Part.UPPER, (rises[1], rises[2]), (waist + thick, chest + thick), chart, 0.68),
    ]
    for shoulder in bones.shoulders:
        inner = bones.neck - bones.trunk[1] * 0.016 * tall
        tip = shoulder - bones.trunk[1] * 0.006 * tall
        solids.append(cone(Part.UPPER, (inner, tip), (0.031 * tall + thick * 0.4, 0.0265 * tall + 0.8 * thick), chart))
    if build.bust > 0.1:
        for side in (-0.036, 0.036):
            spot = bones.on_trunk(side * tall, 0.2 * tall, 0.50 * chest)
            size = tall * (0.036 + 0.01 * build.bust) * build.girth**0.4
            solids.append(replace(ball(Part.UPPER, spot, (size, size, 0.95 * size + thick), bones.trunk), chart=chart))
    if build.belly > 0.15:
        spot = bones.on_trunk(0.0, 0.075 * tall, 0.25 * waist)
        sizes = (waist * 0.98, 0.085 * tall, 0.55 * waist + 0.05 * build.belly + thick)
        solids.append(replace(ball(Part.UPPER, spot, sizes, bones.trunk), chart=chart))
    solids += _collar(upper, bones, tall, chart)
    return solids + _hem(identity, bones, chart)


def _collar(upper: Garment, bones: Skeleton, tall: float, chart: Chart) -> list[Solid]:
    """A collar around the neck, and a hood behind it."""
    solids = []
    if upper.kind in {"shirt", "jacket", "coat", "hoodie"}:
        around = (bones.neck - 0.02 * tall * UP, bones.neck + 0.014 * tall * UP)
        solids.append(cone(Part.UPPER, around, (0.046 * tall, 0.036 * tall), chart, 1.0, capped=False))
    if upper.hood:
        for side in (-1.0, 1.0):
            behind = bones.on_trunk(0.0, 0.262 * tall, -0.055 * tall)
            above = bones.on_trunk(side * 0.045 * tall, 0.3 * tall, -0.012 * tall)
            solids.append(cone(Part.UPPER, (behind, above), (0.036 * tall, 0.022 * tall), chart))
    return solids


def _hem(identity: Identity, bones: Skeleton, chart: Chart) -> list[Solid]:
    """The part of the upper garment below the waist, and a skirt where there is one."""
    upper, lower, tall = identity.upper, identity.lower, identity.build.height
    _, waist, hips = _widths(identity)
    solids = []
    waistline, hipline = bones.on_trunk(0.0, 0.13 * tall, 0.0), bones.on_trunk(0.0, 0.005 * tall, 0.0)
    thick = upper.thickness + 0.006
    sizes = (waist + thick, max(hips * min(upper.flare, 1.12), hips) + thick)
    solids.append(cone(Part.UPPER, (waistline, hipline), sizes, chart, 0.74, capped=False))
    below = identity.build.legs * 0.53 * tall - upper.hem * tall
    top = bones.on_trunk(0.0, 0.03 * tall, 0.0)  # cloth starts inside the piece above, so that no gap shows
    if below > 0.0:
        solids.append(_drape(Part.UPPER, bones, chart, (top, below + 0.025 * tall), sizes[1], upper.flare))
    if lower.kind in {"skirt", "maxi"}:
        length = identity.build.legs * 0.53 * tall - lower.hem * tall
        solids.append(
            _drape(Part.LOWER, bones, chart, (top, length + 0.025 * tall), hips + lower.thickness, lower.flare)
        )
    return solids


def _drape(part: Part, bones: Skeleton, chart: Chart, fall: tuple[Floats, float], radius: float, flare: float) -> Solid:
    """Hang cloth from the hips to `fall[1]` metres below them, deep enough for the legs inside."""
    share = min(fall[1] / (0.48 * bones.height), 1.0)
    legs = bones.hips + (bones.knees - bones.hips) * min(share / 0.514, 1.0)
    legs = legs + (bones.ankles - bones.knees) * max(0.0, (share - 0.514) / 0.486)
    end = 0.5 * (legs[0] + legs[1]) * np.array([0.6, 0.0, 0.8])
    end[1] = fall[0][1] - fall[1]
    width = radius * (1 + (flare - 1) * min(1.0, 1.6 * share))
    apart = 0.5 * abs(float(legs[0, 2] - legs[1, 2])) + 0.042 * bones.height
    squash = float(np.clip(apart / width, 0.74, 0.9))
    return cone(part, (fall[0], end), (radius, width), chart, squash, capped=False)


def _limb(part: Part, joints: Floats, profile: tuple[tuple[float, float], ...], sizes: Triple) -> list[Solid]:
    """Cover a limb of two cones from its top to `sizes[0]` of its length.

    Args:
        part: The `Part` of the cover.
        joints: Top, middle and end, `(3, 3)`.
        profile: Shares of the length and bare radii in metres.
        sizes: The covered share, the thickness in metres and the extra radius at the end of the limb in metres.
    """
    cover, thick, extra = sizes
    middle = profile[1][0]
    lengths = [float(np.sqrt(((joints[i + 1] - joints[i]) ** 2).sum())) for i in (0, 1)]

    def radius(share: float) -> float:
        bare = float(np.interp(share, [p[0] for p in profile], [p[1] for p in profile]))
        return bare + thick + extra * share

    solids = []
    for piece, (low, high) in enumerate(((0.0, middle), (middle, 1.0))):
        stop = min(cover, high)
        if stop - low < 0.02:
            continue
        part_way = (stop - low) / (high - low)
        ends = (joints[piece], joints[piece] + (joints[piece + 1] - joints[piece]) * part_way)
        solid = cone(part, ends, (radius(low), radius(stop)), capped=stop == high and high < 1.0)
        start = sum(lengths[:piece])
        solids.append(replace(solid, chart=Chart(solid.frame, joints[piece], start, radius(0.5), True)))
        if not solid.capped:  # the top of an open piece is closed by a ball, so that no gap shows at the joint
            solids.append(replace(ball(part, joints[piece], (radius(low),) * 3, solid.frame), chart=solids[-1].chart))
    return solids


def _legs(identity: Identity, bones: Skeleton) -> list[Solid]:
    tall, lower, girth = identity.build.height, identity.lower, identity.build.girth
    profile = tuple((share, radius * tall * (girth**0.7 if share < 0.9 else girth**0.3)) for share, radius in LEG)
    cover = (0.518 - lower.hem) / 0.473
    extra = 0.045 * max(0.0, lower.flare - 0.9) if lower.kind not in DRAPED else 0.0
    draped = identity.upper.kind == "dress"
    solids: list[Solid] = []
    for side in (0, 1):
        joints = np.stack([bones.hips[side], bones.knees[side], bones.ankles[side]])
        solids += _limb(Part.LEG, joints, profile, (1.0, 0.0, 0.0)) if cover < 0.97 else []
        solids += _limb(Part.LOWER, joints, profile, (min(cover, 0.99), lower.thickness, extra))
        if draped:
            inside = (0.518 - identity.upper.hem) / 0.473
            solids += _limb(Part.UPPER, joints, profile, (inside, lower.thickness + 0.006, 0.0))
        solids += _shoe(identity, bones, side)
    return solids


def _shoe(identity: Identity, bones: Skeleton, side: int) -> list[Solid]:
    tall = identity.build.height
    ankle, toe = bones.ankles[side], bones.toes[side]
    ahead = toe - ankle
    heel = ankle - 0.30 * ahead * np.array([1.0, 0.0, 1.0]) - np.array([0.0, 0.020 * tall, 0.0])
    chart = Chart(np.eye(3), np.array([0.0, min(heel[1], toe[1]) - 0.016 * tall, 0.0]))
    solids = [
        cone(Part.SHOE, (heel, toe), (0.0225 * tall, 0.0205 * tall), chart),
        cone(Part.SHOE, (ankle - 0.012 * tall * UP, ankle + 0.55 * ahead), (0.026 * tall, 0.022 * tall), chart),
    ]
    if identity.boots:
        top = ankle + 0.38 * (bones.knees[side] - ankle)
        solids.append(cone(Part.SHOE, (ankle, top), (0.027 * tall, 0.031 * tall), chart, capped=False))
    return solids


def _arms(identity: Identity, bones: Skeleton) -> list[Solid]:
    tall, upper, girth = identity.build.height, identity.upper, identity.build.girth
    profile = tuple((share, radius * tall * girth**0.6) for share, radius in ARM)
    solids: list[Solid] = []
    for side in (0, 1):
        joints = np.stack([bones.shoulders[side] - 0.008 * tall * UP, bones.elbows[side], bones.wrists[side]])
        solids += _limb(Part.ARM, joints, profile, (1.0, 0.0, 0.0)) if upper.sleeve < 0.97 else []
        loose = 0.006 if upper.sleeve > 0.5 else 0.03
        solids += _limb(Part.UPPER, joints, profile, (min(upper.sleeve, 0.99), upper.thickness, loose))
        hand = (joints[2], bones.fingers[side])
        solids.append(cone(Part.ARM, hand, (0.017 * tall, 0.0135 * tall), squash=0.8))
    return solids


def _bag(identity: Identity, bones: Skeleton) -> list[Solid]:
    bag, tall, frame = identity.bag, identity.build.height, bones.trunk
    chest, _, hips = _widths(identity)
    side, size, thick = bag.side, bag.size, identity.upper.thickness
    index = 1 if side > 0 else 0
    if bag.kind == "backpack":
        depth = 0.68 * chest + thick
        low = bones.on_trunk(0.0, 0.105 * tall, -depth - 0.045 * size)
        ends = (low, bones.on_trunk(0.0, 0.105 * tall + 0.22 * size, -depth - 0.02 * size))
        pocket = bones.on_trunk(0.0, 0.115 * tall, -depth - 0.11 * size)
        pouch = (0.115 * size, 0.10 * size, 0.055 * size)
        return [cone(Part.BAG, ends, (0.15 * size, 0.125 * size), squash=0.62), ball(Part.BAG, pocket, pouch, frame)]
    if bag.kind == "shoulder":
        spot = bones.on_trunk(side * (hips + thick + 0.055), -0.015 * tall, 0.02)
        return [box(Part.BAG, spot, (0.045 * size, 0.10 * size, 0.135 * size), frame)]
    if bag.kind == "tote":
        spot = bones.on_trunk(side * (chest + 0.085), 0.06 * tall, -0.03)
        top = bones.shoulders[index] + (0.028 * tall + thick) * UP
        straps = _straps(top, spot, 0.14 * size, 0.07, 0.011)
        return [box(Part.BAG, spot, (0.045 * size, 0.16 * size, 0.16 * size), frame), *straps]
    if bag.kind == "handbag":
        hand = bones.fingers[index]
        spot = hand - np.array([0.0, 0.10 + 0.11 * size, 0.0])
        straps = _straps(hand, spot, 0.09 * size, 0.08, 0.009)
        return [box(Part.BAG, spot, (0.05 * size, 0.105 * size, 0.15 * size), frame), *straps]
    return []


def _straps(top: Floats, spot: Floats, rise: float, apart: float, radius: float) -> list[Solid]:
    """Make two straps from `top` to a bag at `spot`; they end `rise` above it, `apart` behind and ahead, metres."""
    ends = (spot + np.array([0.0, rise, ahead]) for ahead in (-apart, apart))
    return [cone(Part.BAG, (top, end), (radius, radius)) for end in ends]
