"""The light on a person: daylight or infrared, folds, corners, and the colours under it."""

import numpy as np
from numpy.typing import NDArray

from mun.structures import Modality
from mun.synvi.camera import Camera, turned
from mun.synvi.cloth import albedo, fold, spots_on
from mun.synvi.rays import normals
from mun.synvi.scene import Scene
from mun.synvi.solids import Floats, exact
from mun.synvi.trace import FINER, Trace, from_body
from mun.synvi.wardrobe import Identity

__all__ = ["light_of_person"]

Where = tuple[NDArray[np.intp], NDArray[np.intp]]  # rows and columns of N rays


def light_of_person(identity: Identity, camera: Camera, scene: Scene, traced: Trace) -> tuple[Floats, Floats]:
    """Light the person.

    Returns:
        Linear light times coverage, float32, `(3, H, W)` or, in infrared, `(1, H, W)`; and coverage, [0, 1], `(H, W)`;
        both are means over each pixel's rays.
    """
    solids, view, depth, which = traced.solids, traced.view, traced.depth, traced.which
    body = from_body(view, scene.yaw)
    rows, columns = np.nonzero(which >= 0)
    far, solid = depth[rows, columns], which[rows, columns]
    xs, ys = view.columns[columns], view.rows[rows]
    rays = np.stack(
        [np.float32(body.forward[i]) + xs * np.float32(body.right[i]) + ys * np.float32(body.up[i]) for i in range(3)]
    )
    points = body.origin[:, None].astype(np.float32) + rays * far
    normal = normals(solids, solid, points)
    normal *= np.where((normal * rays).sum(0) > 0, np.float32(-1), np.float32(1))
    parts = np.array([s.part for s in solids], np.int16)[solid]
    normal = _smooth(normal, parts, far, (rows, columns), which.shape)
    spots = spots_on(solids, solid, points)
    normal, relief = fold(spots, normal, scene.folds, identity)
    near = _corners(depth, which >= 0)[rows, columns]
    infrared = camera.modality is Modality.INFRARED
    lit = _infrared(camera, normal, rays, far) if infrared else _daylight(camera, scene, normal)
    lit = lit * relief * near * (0.80 + 0.20 * np.clip(points[1] / 0.5, 0, 1))
    light = albedo(identity, spots, camera.modality) * lit
    planes = np.zeros((len(light) + 1, *which.shape), np.float32)
    planes[:-1, rows, columns] = light
    planes[-1, rows, columns] = 1
    pixels = planes.reshape(len(planes), which.shape[0] // FINER, FINER, which.shape[1] // FINER, FINER)
    small = pixels.mean((2, 4), dtype=np.float32)
    return small[:-1], small[-1]


def _smooth(normal: Floats, parts: NDArray[np.int16], far: Floats, where: Where, shape: tuple[int, ...]) -> Floats:
    """Round the creases between solids of one part: average the normals of near neighbours, `(3, N)`."""
    planes = np.zeros((3, *shape), np.float32)
    planes[:, where[0], where[1]] = normal
    part_map, depth_map = np.zeros(shape, np.int16), np.zeros(shape, np.float32)
    part_map[where], depth_map[where] = parts, far
    step = max(2, shape[0] // 110)
    total = planes.copy()
    for axis in (0, 1):
        ahead, behind = [slice(None)] * 2, [slice(None)] * 2
        ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
        one, two = tuple(ahead), tuple(behind)
        alike = (part_map[one] == part_map[two]) & (np.abs(depth_map[one] - depth_map[two]) < 0.05)
        total[(slice(None), *one)] += planes[(slice(None), *two)] * alike
        total[(slice(None), *two)] += planes[(slice(None), *one)] * alike
    out: Floats = total[:, where[0], where[1]]
    out /= np.sqrt((out * out).sum(0) + np.float32(1e-9))
    return out


def _corners(depth: Floats, hit: NDArray[np.bool_]) -> Floats:
    """Darken pixels of the person next to nearer parts of the person: a simple ambient occlusion, `(H, W)`."""
    lit = np.ones(depth.shape, np.float32)
    step = max(2, depth.shape[0] // 64)
    for axis in (0, 1):
        for one, two in ((slice(step, None), slice(None, -step)), (slice(None, -step), slice(step, None))):
            here, there = [slice(None)] * 2, [slice(None)] * 2
            here[axis], there[axis] = one, two
            a, b = tuple(here), tuple(there)
            gap = np.clip((depth[a] - depth[b]) * 5, 0, 1)
            gap *= hit[a] & hit[b]
            lit[a] *= 1 - np.float32(0.22) * gap
    return lit


def _daylight(camera: Camera, scene: Scene, normal: Floats) -> Floats:
    """Ambient light, brighter from above, and a main light, `(N,)`; normals are in the body frame."""
    towards = np.array(camera.light) / np.sqrt(np.square(camera.light).sum())
    towards = turned(turned(towards, scene.light_turn), -scene.yaw).astype(np.float32)
    facing = (normal * towards[:, None]).sum(0)
    main = np.clip(facing * np.float32(0.85) + np.float32(0.15), 0, 1)
    lit: Floats = camera.ambient * (np.float32(0.72) + np.float32(0.28) * normal[1]) + np.float32(camera.key) * main
    return lit


def _infrared(camera: Camera, normal: Floats, rays: Floats, far: Floats) -> Floats:
    """Light from a lamp at the lens: it falls off with the square of the distance and towards the edges, `(N,)`."""
    facing = -(normal * rays).sum(0) / np.sqrt((rays * rays).sum(0))
    away = np.float32(camera.distance) / far
    lit: Floats = np.float32(camera.key) * exact(np.power, np.clip(facing, 0, 1), 0.8) * away * away
    return lit + np.float32(camera.ambient)
