"""Rays: where they meet solids, in closed form, and the normals there."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mun.synvi.solids import Floats, Solid

__all__ = ["View", "first_hits", "normals"]

MISS = np.float32(1e9)
Rays = list[list[float]]  # eye, right, up and forward of a view, three numbers each
Integers = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class View:
    """A pinhole: `origin + t (forward + x right + y up)` for columns x and rows y of the image plane.

    The unit of t is metres along `forward`, so t is the depth.
    """

    origin: Floats
    right: Floats
    up: Floats
    forward: Floats
    columns: Floats
    rows: Floats


def first_hits(solids: list[Solid], view: View) -> tuple[Floats, NDArray[np.int16]]:
    """Find the first solid on every ray.

    Args:
        solids: The solids, at most 32767.
        view: The rays, H rows by W columns.

    Returns:
        The depth, metres, float32, `(H, W)`, 1e9 for a miss; and the index of the solid, `(H, W)`, −1 for a miss.
    """
    depth = np.full((len(view.rows), len(view.columns)), MISS, np.float32)
    index = np.full(depth.shape, -1, np.int16)
    windows = zip(*(edges.tolist() for edges in _windows(solids, view)), strict=True)
    for number, (solid, rays, window) in enumerate(zip(solids, _seen_by(solids, view), windows, strict=True)):
        left, right, top, bottom = window
        if left >= right or top >= bottom:
            continue
        rows, columns = slice(top, bottom), slice(left, right)
        hit = _meet(solid, view, rays, rows, columns)
        nearer = hit < depth[rows, columns]
        np.copyto(depth[rows, columns], hit, where=nearer)
        np.copyto(index[rows, columns], np.int16(number), where=nearer)
    return depth, index


def _dot(a: Floats, b: Floats) -> Floats:
    """Dot products of vectors, `(..., 3)`; the order of the sum decides the last bit."""
    products = a * b
    return products[..., 0] + products[..., 1] + products[..., 2]


def _windows(solids: list[Solid], view: View) -> tuple[Integers, Integers, Integers, Integers]:
    """Bound the rays that can hit each solid by the projection of balls around its two ends.

    Returns:
        The first column, the one after the last, the first row and the one after the last, `(S,)` each.
    """
    axis = np.stack([solid.frame[1] for solid in solids])
    offset = np.stack([solid.origin for solid in solids]) - view.origin
    size = np.array([max(solid.radii) for solid in solids])
    size = size * np.maximum(np.maximum(1.0, [solid.squash for solid in solids]), 1.0 / np.sqrt(_dot(axis, axis)))
    boxes = [number for number, solid in enumerate(solids) if solid.half is not None]
    reach = np.array([solid.length for solid in solids])
    reach[boxes] = 0.0
    half = np.array([solids[number].half for number in boxes]).reshape(-1, 3)
    size[boxes] = np.sqrt(_dot(half, half))
    low, high = [], []
    for end in (offset, offset + reach[:, None] * axis):
        distance = np.maximum(_dot(end, view.forward), 0.1)
        spot = np.stack([_dot(end, view.right) / distance, _dot(end, view.up) / distance])
        around = 1.08 * size / distance
        low.append(spot - around)
        high.append(spot + around)
    (left, under), (right, over) = np.minimum(*low), np.maximum(*high)
    top, bottom = np.searchsorted(-view.rows, -over), np.searchsorted(-view.rows, -under)
    return np.searchsorted(view.columns, left), np.searchsorted(view.columns, right), top, bottom


def _seen_by(solids: list[Solid], view: View) -> list[Rays]:
    """Express eye, right, up and forward of a view in the frame in which each solid is round."""
    matrices = np.stack([solid.matrix for solid in solids])
    offset = view.origin - np.stack([solid.origin for solid in solids])
    axes = [offset[:, None], view.right, view.up, view.forward]
    rays: list[Rays] = np.stack([_dot(matrices, axis) for axis in axes], axis=1).tolist()
    return rays


def _meet(solid: Solid, view: View, rays: Rays, rows: slice, columns: slice) -> Floats:
    """Intersect the rays of a window with one solid: depth, float32, 1e9 for a miss."""
    start, right, up, forward = rays
    across = [(view.columns[columns] * x).astype(np.float32) for x in right]
    down = [(view.rows[rows] * y + z).astype(np.float32) for y, z in zip(up, forward, strict=True)]
    ray = [a[None, :] + d[:, None] for a, d in zip(across, down, strict=True)]
    if solid.half is not None:
        return _meet_box(solid.half, start, ray)
    square = ray[0] * ray[0] + ray[2] * ray[2]
    if solid.length <= 0:
        return _meet_ball(solid, start, ray, square + ray[1] * ray[1])
    hit = _meet_cone(solid, start, ray, square)
    if solid.capped:
        square += ray[1] * ray[1]
        for centre, radius in zip((0.0, solid.length), solid.radii, strict=True):
            moved = [start[0], start[1] - centre, start[2]]
            near, _ = _ball_roots(moved, ray, square, radius)
            np.minimum(hit, near, out=hit)
    return hit


def _meet_cone(solid: Solid, start: list[float], ray: list[Floats], square: Floats) -> Floats:
    """Intersect with the side of a cone: a²(s² + f²) = (r − b v)², between its ends."""
    b = solid.slope
    a2 = 1.0 - b * b
    rest = solid.radii[0] - b * start[1]
    quadratic = np.float32(a2) * square - np.float32(b * b) * (ray[1] * ray[1])
    linear = np.float32(a2 * start[0]) * ray[0] + np.float32(a2 * start[2]) * ray[2] + np.float32(b * rest) * ray[1]
    constant = np.float32(a2 * (start[0] ** 2 + start[2] ** 2) - rest * rest)
    discriminant = linear * linear - quadratic * constant
    with np.errstate(divide="ignore", invalid="ignore"):
        hit = -(linear + np.sqrt(np.maximum(discriminant, 0))) / quadratic
        along = np.float32(start[1]) + hit * ray[1]
    # The side of a round cone ends where its end balls touch it, the side of an open cone at the hems.
    low, high = (solid.radii[0] * b, solid.length + solid.radii[1] * b) if solid.capped else (0.0, solid.length)
    good = (discriminant > 0) & (hit > 0) & (along >= np.float32(low)) & (along <= np.float32(high))
    return np.where(good, hit, MISS)


def _ball_roots(start: list[float], ray: list[Floats], square: Floats, radius: float) -> tuple[Floats, Floats]:
    """Both depths at which rays meet a ball around zero, 1e9 for a miss."""
    linear = np.float32(start[0]) * ray[0] + np.float32(start[1]) * ray[1] + np.float32(start[2]) * ray[2]
    constant = np.float32(start[0] ** 2 + start[1] ** 2 + start[2] ** 2 - radius * radius)
    discriminant = linear * linear - square * constant
    root = np.sqrt(np.maximum(discriminant, 0))
    missed = discriminant <= 0
    near, far = -(linear + root) / square, (root - linear) / square
    near[missed], far[missed] = MISS, MISS
    return near, far


def _meet_ball(solid: Solid, start: list[float], ray: list[Floats], square: Floats) -> Floats:
    """Intersect with an ellipsoid; where its front is cut away, show its inside."""
    near, far = _ball_roots(start, ray, square, solid.radii[0])
    if solid.cut is None:
        return near
    weights, offset = solid.cut[:3], solid.cut[3] * solid.radii[0]
    for candidate in (near, far):
        side = sum(np.float32(w) * (np.float32(s) + candidate * r) for w, s, r in zip(weights, start, ray, strict=True))
        candidate[np.asarray(side) > offset] = MISS
    return np.minimum(near, far)


def _meet_box(half: tuple[float, float, float], start: list[float], ray: list[Floats]) -> Floats:
    """Intersect with a box by its three slabs."""
    enter = np.full(ray[0].shape, -MISS, np.float32)
    leave = np.full(ray[0].shape, MISS, np.float32)
    for size, origin, direction in zip(half, start, ray, strict=True):
        safe = np.where(np.abs(direction) < 1e-6, np.float32(1e-6), direction)
        one, two = np.float32(-size - origin) / safe, np.float32(size - origin) / safe
        enter, leave = np.maximum(enter, np.minimum(one, two)), np.minimum(leave, np.maximum(one, two))
    return np.where((enter < leave) & (enter > 0), enter, MISS)


def normals(solids: list[Solid], which: NDArray[np.int16], points: Floats) -> Floats:
    """Compute the outward normals at points of solids.

    Args:
        solids: The solids.
        which: The solid of each point, `(N,)`.
        points: Points on the solids, metres, body frame, float32, `(3, N)`.

    Returns:
        Unit normals, float32, `(3, N)`.
    """
    order = np.argsort(which, kind="stable")
    numbers, starts = np.unique(which[order], return_index=True)
    parts = np.split(points[:, order], starts[1:], axis=1)
    out = np.empty_like(points)
    found = [_normals(solids[number], part) for number, part in zip(numbers, parts, strict=True)]
    out[:, order] = np.concatenate(found, axis=1) if found else out
    out /= np.sqrt((out * out).sum(0) + np.float32(1e-12))
    return out


def _normals(solid: Solid, points: Floats) -> Floats:
    matrix = solid.matrix.astype(np.float32)
    offset = points - solid.origin[:, None].astype(np.float32)
    local = [matrix[i, 0] * offset[0] + matrix[i, 1] * offset[1] + matrix[i, 2] * offset[2] for i in range(3)]
    if solid.half is not None:
        local = [(np.float32(1 / size) * x) ** 5 for size, x in zip(solid.half, local, strict=True)]
    elif solid.length > 0:
        b = solid.slope
        radius = np.sqrt(local[0] * local[0] + local[2] * local[2])
        # Place on the axis of the ball of the round cone that touches the surface at this point.
        centre = np.clip(local[1] - np.float32(b / np.sqrt(1 - b * b)) * radius, 0, np.float32(solid.length))
        local[1] = local[1] - centre if solid.capped else radius * np.float32(b / np.sqrt(1 - b * b))
    return np.stack([sum(matrix[i, j] * local[i] for i in range(3)) for j in range(3)])
