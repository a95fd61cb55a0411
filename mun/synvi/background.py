"""The background around the person, and occluders in front of the person."""

import numpy as np

from mun.structures import Modality
from mun.synvi.camera import Camera
from mun.synvi.rays import View
from mun.synvi.scene import Occluder, Scene
from mun.synvi.site import Floor, Site, Tone
from mun.synvi.solids import Floats, exact

__all__ = ["background", "occlusion"]


def _hash(x: Floats, y: Floats, salt: int) -> Floats:
    """A fixed random number in [0, 1) for each pair of whole numbers."""
    a = x.astype(np.int64).astype(np.uint32) * np.uint32(0x9E3779B1)
    b = y.astype(np.int64).astype(np.uint32) * np.uint32(0x85EBCA77)
    mixed = a ^ b ^ np.uint32((salt * 0x27D4EB2F) & 0xFFFFFFFF)
    mixed = (mixed ^ (mixed >> np.uint32(15))) * np.uint32(0x2C1B3C6D)
    mixed = (mixed ^ (mixed >> np.uint32(12))) * np.uint32(0x297A2D39)
    return ((mixed ^ (mixed >> np.uint32(15))) >> np.uint32(8)).astype(np.float32) / np.float32(2**24)


def _noise(x: Floats, y: Floats, salt: int) -> Floats:
    """Smooth noise in [0, 1] with cells of size one."""
    x0, y0 = np.floor(x), np.floor(y)
    u, v = x - x0, y - y0
    u, v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    top = _hash(x0, y0, salt) * (1 - u) + _hash(x0 + 1, y0, salt) * u
    low = _hash(x0, y0 + 1, salt) * (1 - u) + _hash(x0 + 1, y0 + 1, salt) * u
    return top * (1 - v) + low * v


def _tone(tone: Tone, modality: Modality) -> Floats:
    """A tone's channels, `(3, 1, 1)` or `(1, 1, 1)`."""
    channels = tone[3:] if modality is Modality.INFRARED else tone[:3]
    return np.array(channels, np.float32)[:, None, None]


def _tiles(floor: Floor, x: Floats, z: Floats, modality: Modality) -> Floats:
    u, v = x / floor.tile, z / floor.tile
    near = np.minimum(np.abs(u - np.round(u)), np.abs(v - np.round(v)))
    joint = np.clip(1.2 - near * floor.tile * 45, 0, 1) * np.float32(0.8)
    grain = 1 + floor.speckle * (2 * _noise(x * 9, z * 9, 3) - 1) + 0.12 * (2 * _hash(np.floor(u), np.floor(v), 5) - 1)
    base = _tone(floor.tone, modality)
    colour: Floats = (base + (_tone(floor.joint, modality) - base) * joint) * grain
    return colour


def _wall(site: Site, x: Floats, y: Floats, modality: Modality) -> Floats:
    def paint(colour: Floats, tone: Tone, where: Floats) -> Floats:
        return colour + (_tone(tone, modality) - colour) * where

    def between(value: Floats, low: float, high: float) -> Floats:
        inside: Floats = np.clip(np.minimum(value - low, high - value) * 25 + 0.5, 0, 1)
        return inside

    opening, pillar, base = site.opening, site.pillar, _tone(site.wall, modality)
    colour = np.broadcast_to(base, (len(base), *x.shape))
    if site.leaves:
        dark = 0.35 + 1.3 * _noise(x * 5, y * 5, 7) * _noise(x * 1.7, y * 1.7, 8)
        colour = colour * (1 + site.leaves * (dark - 1))
    place = x / opening.every
    inside = between((place - np.floor(place)) * opening.every, 0.3, 0.3 + opening.width)
    glow = 0.6 + 0.8 * _hash(np.floor(place), np.zeros_like(place), 11)
    colour = paint(colour, opening.tone, inside * between(y, *site.opening_span)) * (1 + 0.6 * (glow - 1) * inside)
    low = np.clip((site.dado_height - y) * 25, 0, 1) * (1 - inside * (site.opening_span[0] < 0.3))
    colour = paint(colour, site.dado, low)
    place = x / pillar.every
    colour = paint(colour, pillar.tone, between((place - np.floor(place)) * pillar.every, 0.0, pillar.width))
    return colour * (0.85 + 0.3 * _noise(x * 1.1, y * 1.1, 9))


def _nearest(site: Site, scene: Scene, view: View) -> tuple[Floats, Floats, Floats, Floats]:
    """Intersect the rays with floor, side walls and back wall: depth, which of them, and the coordinates on it."""
    sway, along = scene.position
    back = site.depth[0] + (site.depth[1] - site.depth[0]) * (along + 6) / 12
    right = view.columns[None, :].astype(np.float32)
    down = (view.forward[1] + view.rows * view.up[1])[:, None].astype(np.float32)
    ahead = (view.forward[2] + view.rows * view.up[2])[:, None].astype(np.float32)
    far = np.float32(1e6)
    shape = (len(view.rows), len(view.columns))
    floor = np.broadcast_to(np.where(down < -1e-4, -view.origin[1] / np.minimum(down, -1e-4), far), shape)
    wall = np.broadcast_to((-back - view.origin[2]) / np.minimum(ahead, -1e-3), shape)
    drift = sway * min(1.0, 0.25 * site.half_width) * 0.35
    reach = np.where(right > 0, site.half_width - drift, site.half_width + drift)
    side = np.broadcast_to(reach / np.maximum(np.abs(right), 1e-4), shape)
    depth = np.minimum(np.minimum(floor, wall), side).astype(np.float32)
    which = np.where(floor <= depth * np.float32(1.0001), 0, np.where(wall <= side, 1, 2))
    return depth, which, right * depth, view.origin[1] + down * depth


def background(site: Site, camera: Camera, scene: Scene, view: View, feet: Floats) -> Floats:
    """Render the background.

    Args:
        site: The place.
        camera: Its modality and light are used.
        scene: Where the person is at the site.
        view: The rays, world frame.
        feet: Where the feet touch the ground, world frame, metres, `(2, 3)`; the shadow falls there.

    Returns:
        Linear light, float32, `(3, H, W)` or, in infrared, `(1, H, W)`.
    """
    depth, which, x, y = _nearest(site, scene, view)
    ahead = (view.forward[2] + view.rows * view.up[2])[:, None].astype(np.float32)
    z = view.origin[2] + ahead * depth
    sway, along = scene.position
    ground = which == 0
    modality = camera.modality
    wall = _wall(site, np.where(which == 1, x + 3 * sway, z + 3 * along + 40), y, modality)
    colour = np.where(ground, _tiles(site.floor, x + 3 * sway, z + along, modality), wall)
    if modality is Modality.INFRARED:
        away = camera.distance / depth
        lit = camera.key * away * away * np.where(ground, 0.5, 0.8) + camera.ambient
    else:
        patch = 0.8 + 0.4 * _noise((x + sway) * 0.5, (z + along) * 0.5, 13)
        lit = (camera.ambient + 0.75 * camera.key * np.where(ground, camera.light[1], 0.45)) * patch
        lit = lit * np.where(ground, 1, 0.75 + 0.25 * np.clip(y, 0, 1))
    lit = lit * np.where(ground, _shadow(camera, scene, x, z, feet), 1)
    colour = colour * lit.astype(np.float32)
    return (_passer(scene, colour) if scene.passer else colour).astype(np.float32)


def _shadow(camera: Camera, scene: Scene, x: Floats, z: Floats, feet: Floats) -> Floats:
    """Return the light that reaches the floor around the feet, [0, 1]."""
    lit: Floats = np.ones_like(x)
    for foot in feet:
        lit = lit * (1 - 0.6 * exact(np.exp, -((x - foot[0]) ** 2 + (z - foot[2]) ** 2) / 0.022))
    middle = feet.mean(0)
    wide = exact(np.exp, -((x - middle[0]) ** 2 + (z - middle[2]) ** 2) / 0.30)
    lit = lit * (1 - 0.35 * wide)
    if camera.modality is Modality.INFRARED:
        return lit
    turn = scene.light_turn
    away = (
        -(np.cos(turn) * camera.light[0] + np.sin(turn) * camera.light[2]) / camera.light[1],
        -(np.cos(turn) * camera.light[2] - np.sin(turn) * camera.light[0]) / camera.light[1],
    )
    size = float(np.hypot(*away)) + 1e-6
    along = np.clip(((x - middle[0]) * away[0] + (z - middle[2]) * away[1]) / size, 0, 1.6 * size)
    apart = (x - middle[0] - along * away[0] / size) ** 2 + (z - middle[2] - along * away[1] / size) ** 2
    hard = camera.key / (camera.key + camera.ambient)
    lit *= 1 - 0.75 * hard * exact(np.exp, -apart / 0.05)
    return lit


def _passer(scene: Scene, colour: Floats) -> Floats:
    """Add a small, blurred person to the background; three draws set hair, face, coat, trousers and shoes."""
    place, size, shade = scene.passer or (0.0, 0.0, 0.0)
    rows, columns = colour.shape[1:]
    tall = rows * (0.24 + 0.24 * size)
    ys = (np.arange(rows, dtype=np.float32)[:, None] + 0.5 - 0.13 * rows) / tall
    xs = (np.arange(columns, dtype=np.float32)[None, :] + 0.5 - place * columns) / tall
    soft = tall * 0.4  # edges two and a half pixels wide

    def inside(across: Floats, half_width: Floats | float, top: float, bottom: float) -> Floats:
        edge = np.minimum(np.minimum(ys - top, bottom - ys), half_width - np.abs(across))
        cover: Floats = np.clip(edge * soft + 0.5, 0, 1)
        return cover

    stride = 0.012 + 0.05 * ((7 * size + 3 * place) % 1)
    legs = [inside(xs - side * stride * (ys - 0.5) / 0.45, 0.042 - 0.014 * ys, 0.5, 0.97) for side in (-1, 1)]
    shoes = [inside(xs - side * stride * 1.1, 0.034, 0.95, 0.995) for side in (-1, 1)]
    hem = 0.52 + 0.16 * ((5 * shade + place) % 1)
    waist = 0.088 - 0.03 * np.clip(ys - 0.17, 0, 0.3) / 0.3
    coat = [inside(xs, waist, 0.155, hem), *(inside(xs - side * 0.095, 0.026, 0.18, 0.50) for side in (-1, 1))]
    head = np.clip((1 - np.sqrt((xs / 0.047) ** 2 + ((ys - 0.075) / 0.072) ** 2)) * 0.05 * soft + 0.5, 0, 1)
    hair = head * np.clip((0.07 - ys) * soft + 0.5, 0, 1)
    tint = np.array([1.0 + 0.5 * (shade - 0.5), 1.0, 1.0 - 0.5 * (shade - 0.5)], np.float32)[: len(colour), None, None]
    bright = np.float32(2.2 * colour.mean(dtype=np.float64))
    pieces = [(legs, 0.05 + 0.12 * (1 - shade)), (shoes, 0.05), (coat, 0.05 + 0.34 * shade * shade)]
    for shapes, tone in [*pieces, ([head], 0.36), ([hair], 0.06)]:
        cover = np.max(np.stack([np.broadcast_to(shape, (rows, columns)) for shape in shapes]), axis=0)
        lit = np.float32(tone) * bright * (tint if len(colour) == 3 else np.float32(1))
        colour = colour + (lit - colour) * cover * np.float32(0.94)
    return colour


def occlusion(occluder: Occluder, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Draw an occluder.

    Args:
        occluder: Its kind, place, size and shade.
        size: Rows and columns.

    Returns:
        Its linear light before exposure, float32, `(H, W)`, and its coverage in [0, 1], float32, `(H, W)`.
    """
    rows, columns = size
    ys = ((np.arange(rows, dtype=np.float32) + 0.5) / rows)[:, None]
    xs = ((np.arange(columns, dtype=np.float32) + 0.5) / rows)[None, :]
    wide = columns / rows
    soft = rows / 2.5
    light: Floats = np.full((rows, columns), np.float32(0.6 * occluder.shade), np.float32)
    if occluder.kind == "pole":
        half, middle = 0.025 + 0.05 * occluder.size, (0.1 + 0.8 * occluder.place) * wide
        offset = (xs - middle) / half
        light = light * (1.1 - 0.6 * offset * offset).clip(0.25, None)
        cover = np.broadcast_to(np.clip((half - np.abs(xs - middle)) * soft + 0.5, 0, 1), (rows, columns))
    elif occluder.kind == "rail":
        top = 0.90 - 0.38 * occluder.size
        bar = np.abs(ys - top - 0.02) - 0.02
        posts = np.where(ys > top, np.abs(((xs + occluder.place) % 0.14) - 0.07) - 0.018, 1.0)
        lower = np.abs(ys - top - 0.16) - 0.016
        cover = np.clip(0.5 - np.minimum(np.minimum(bar, lower), posts) * soft, 0, 1)
    else:
        reach = (0.10 + 0.28 * occluder.size) * wide
        edge = reach + 0.05 * wide * np.sin(9 * ys + 6 * occluder.place)
        away = xs if occluder.place < 0.5 else wide - xs
        cover = np.clip((edge - away) * soft * 0.5 + 0.5, 0, 1)
        light = light * (0.8 + 0.5 * ys)
    return light.astype(np.float32), np.asarray(cover, np.float32)
