"""Render a person: pure functions from an identity, a camera and a scene to an image and its truth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mun.data.synthetic.background import background, occlusion
from mun.data.synthetic.camera import Camera, aim, expose, turned
from mun.data.synthetic.cloth import albedo, fold, spots_on
from mun.data.synthetic.figure import figure_of
from mun.data.synthetic.levels import Knobs
from mun.data.synthetic.rays import View, first_hits, normals
from mun.data.synthetic.scene import Scene
from mun.data.synthetic.site import SITES
from mun.data.synthetic.solids import Floats, Part, Solid, exact
from mun.data.synthetic.wardrobe import Identity
from mun.structures import Modality

__all__ = ["Rendering", "render", "render_image"]

FINER = 2  # rays per pixel and axis


@dataclass(frozen=True, slots=True)
class Rendering:
    """An image with its truth.

    Attributes:
        image: RGB, uint8, `(H, W, 3)`; in infrared three equal channels.
        parts: Values of `Part`, uint8, `(H, W)`.
        depth: Distance along the camera's axis, metres, float32, `(H, W)`; infinite where no person is.
    """

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    depth: Floats


def render_image(
    identity: Identity, camera: Camera, scene: Scene, size: tuple[int, int] = (128, 64), knobs: Knobs | None = None
) -> NDArray[np.uint8]:
    """Render one image, before its JPEG; see `render`.

    Returns:
        RGB, uint8, `(H, W, 3)`; in infrared three equal channels.
    """
    return render(identity, camera, scene, size, knobs).image


def render(
    identity: Identity, camera: Camera, scene: Scene, size: tuple[int, int] = (128, 64), knobs: Knobs | None = None
) -> Rendering:
    """Render one image and its truth.

    Nothing is drawn here: the same arguments give the same bytes, and an identity with one thing changed gives the same
    image but for that thing.

    Args:
        identity: The person.
        camera: One of `CAMERAS`.
        scene: The circumstances.
        size: Rows and columns, 32 to 512 each.
        knobs: Noise and resolution count here; the defaults where None.

    Returns:
        The image, the part mask and the depth.

    Raises:
        ValueError: `size` is out of bounds.
    """
    if not all(32 <= length <= 512 for length in size):
        raise ValueError(f"expected `size` between 32 and 512 in each direction, got {size[0]}x{size[1]}")
    knobs = knobs or Knobs()
    bones, solids = figure_of(identity, scene.pose)
    fine = aim(camera, scene, bones, (size[0] * FINER, size[1] * FINER))
    depth, which = first_hits(solids, _from_body(fine, scene.yaw))
    person, cover = _person(identity, camera, scene, solids, (fine, depth, which))
    feet = np.stack([turned(foot, scene.yaw) for foot in 0.5 * (bones.ankles + bones.toes)])
    around = background(SITES[camera.site], camera, scene, aim(camera, scene, bones, size), feet)
    light = around * (1 - cover) + person
    tags = np.array([*(s.part for s in solids), Part.BACKGROUND], np.uint8)  # a miss is −1: the last
    parts: NDArray[np.uint8] = tags[which[::FINER, ::FINER]]
    distance = np.where(which < 0, np.float32(np.inf), depth)[::FINER, ::FINER]
    if scene.occluder is not None:
        shade, hidden = occlusion(scene.occluder, size)
        light = light * (1 - hidden) + shade * hidden
        parts[hidden > 0.5] = Part.OCCLUDER
    return Rendering(expose(camera, scene, light, knobs.noise, knobs.resolution), parts, distance)


def _from_body(view: View, yaw: float) -> View:
    """Express a view in the frame of a body turned by `yaw`."""
    return replace(
        view,
        origin=turned(view.origin, -yaw),
        right=turned(view.right, -yaw),
        up=turned(view.up, -yaw),
        forward=turned(view.forward, -yaw),
    )


def _person(
    identity: Identity, camera: Camera, scene: Scene, solids: list[Solid], hits: tuple[View, Floats, NDArray[np.int16]]
) -> tuple[Floats, Floats]:
    """Shade the person: light times coverage, `(C, H, W)`, and coverage, `(H, W)`, means over each pixel's rays."""
    view, depth, which = hits
    body = _from_body(view, scene.yaw)
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
    lit = (
        _infrared(camera, normal, rays, far)
        if camera.modality is Modality.INFRARED
        else _daylight(camera, scene, normal)
    )
    lit = lit * relief * near * (0.80 + 0.20 * np.clip(points[1] / 0.5, 0, 1))
    light = albedo(identity, spots, camera.modality) * lit
    planes = np.zeros((len(light) + 1, *which.shape), np.float32)
    planes[:-1, rows, columns] = light
    planes[-1, rows, columns] = 1
    small = planes.reshape(len(planes), which.shape[0] // FINER, FINER, which.shape[1] // FINER, FINER).mean(
        (2, 4), dtype=np.float32
    )
    return small[:-1], small[-1]


def _smooth(
    normal: Floats,
    parts: NDArray[np.int16],
    far: Floats,
    where: tuple[NDArray[np.intp], NDArray[np.intp]],
    shape: tuple[int, ...],
) -> Floats:
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
    """Darken where the person is behind its own nearer parts: a light kind of ambient occlusion, `(H, W)`."""
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
    """Light from beside the lens: it falls off with the square of the distance and towards the edges, `(N,)`."""
    facing = -(normal * rays).sum(0) / np.sqrt((rays * rays).sum(0))
    away = np.float32(camera.distance) / far
    lit: Floats = np.float32(camera.key) * exact(np.power, np.clip(facing, 0, 1), 0.8) * away * away
    return lit + np.float32(camera.ambient)
