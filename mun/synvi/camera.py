"""The six cameras: their positions, their light, and the effect of their sensors on an image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mun.structures import Modality
from mun.synvi.body import Skeleton
from mun.synvi.rays import View
from mun.synvi.scene import Scene
from mun.synvi.solids import Floats, exact

__all__ = ["CAMERAS", "Camera", "aim", "blur", "expose", "turned"]


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera of the network."""

    camid: int
    modality: Modality
    site: str
    pitch: float  # down, radians
    distance: float  # to the person, metres
    light: tuple[float, float, float]  # towards the main light, world frame: x right, y up, z to the camera
    key: float  # strength of the main light
    ambient: float  # strength of the light from everywhere
    warmth: tuple[float, float, float]  # white balance, factors on RGB
    haze: float  # added to the linear light
    softness: float  # standard deviation of the blur, pixels of a 128-pixel-high image
    noise: float  # standard deviation of the sensor noise, fraction of full scale
    quality: int  # of the JPEG


VISIBLE, INFRARED = Modality.VISIBLE, Modality.INFRARED
NETWORK = (
    Camera(1, VISIBLE, "corridor", 0.2, 5.0, (0.25, 0.9, 0.35), 0.62, 0.66, (1.06, 1.0, 0.88), 0.004, 0.45, 0.012, 90),
    Camera(2, VISIBLE, "hall", 0.30, 4.2, (-0.35, 0.80, 0.50), 0.70, 0.54, (0.96, 1.0, 1.07), 0.010, 0.55, 0.016, 88),
    Camera(3, INFRARED, "hall", 0.30, 4.2, (0.0, 0.0, 1.0), 1.0, 0.07, (1.0, 1.0, 1.0), 0.006, 0.55, 0.020, 88),
    Camera(4, VISIBLE, "gate", 0.14, 7.5, (0.70, 0.60, 0.40), 1.20, 0.50, (1.02, 1.0, 0.96), 0.012, 0.50, 0.010, 88),
    Camera(5, VISIBLE, "garden", 0.24, 9.0, (-0.60, 0.70, 0.10), 0.75, 0.62, (0.95, 1.02, 1.0), 0.022, 0.75, 0.014, 82),
    Camera(6, INFRARED, "passage", 0.17, 6.0, (0.15, 0.10, 1.0), 1.1, 0.04, (1.0, 1.0, 1.0), 0.010, 0.70, 0.026, 86),
)
CAMERAS = {camera.camid: camera for camera in NETWORK}


def turned(vector: Floats, angle: float) -> Floats:
    """Turn a vector about the vertical, to the left of an observer who looks along z, radians."""
    sine, cosine = np.sin(angle), np.cos(angle)
    return np.array([cosine * vector[0] + sine * vector[2], vector[1], cosine * vector[2] - sine * vector[0]])


def aim(camera: Camera, scene: Scene, bones: Skeleton, size: tuple[int, int]) -> View:
    """Crop the person as a detector does, by the standing height alone, so that bags and hats do not move the crop.

    Args:
        camera: Its pitch and distance are used.
        scene: Its scale, shift and pitch are used.
        bones: The skeleton; only its height is used.
        size: Rows and columns.

    Returns:
        The rays in the world frame, whose origin is the ground below the person.
    """
    pitch = camera.pitch + scene.pitch
    sine, cosine = float(np.sin(pitch)), float(np.cos(pitch))
    target = np.array([0.0, 0.52 * bones.height, 0.0])
    right, up, forward = np.array([1.0, 0, 0]), np.array([0.0, cosine, -sine]), np.array([0.0, -sine, -cosine])
    origin = target - camera.distance * forward
    spots = []
    for rise in (0.0, 1.02 * bones.height):
        offset = np.array([0.0, rise, 0.0]) - origin
        spots.append(float((offset * up).sum()) / float((offset * forward).sum()))
    tall = 1.10 * (spots[1] - spots[0]) / scene.scale
    middle = 0.5 * (spots[0] + spots[1]) + scene.shift[1] * tall
    rows, columns = size
    pixel = tall / rows
    xs = (np.arange(columns) + 0.5 - columns / 2) * pixel + scene.shift[0] * tall
    ys = (rows / 2 - np.arange(rows) - 0.5) * pixel + middle
    return View(origin, right, up, forward, xs.astype(np.float32), ys.astype(np.float32))


def blur(planes: Floats, sigma: float) -> Floats:
    """Blur `(C, H, W)` by a Gaussian of `sigma` pixels, edges repeated."""
    radius = int(np.ceil(2.2 * sigma))
    if sigma <= 0.05 or radius < 1:
        return planes
    steps = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (steps / sigma) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (1, 2):
        margin = [(0, 0)] * 3
        margin[axis] = (radius, radius)
        padded, length = np.pad(planes, margin, mode="edge"), planes.shape[axis]
        view = [slice(None)] * 3
        total = np.zeros_like(planes)
        for step, weight in enumerate(weights):
            view[axis] = slice(step, step + length)
            total += weight * padded[tuple(view)]
        planes = total
    return planes


def _shrink(planes: Floats, factor: float) -> Floats:
    """Reduce the resolution: average over blocks as large as the factor, then interpolate back, `(C, H, W)`."""
    for axis in (1, 2):
        length = planes.shape[axis]
        few = max(2, round(length / factor))
        edges = np.linspace(0, length, few + 1)
        means = np.zeros_like(np.take(planes, np.zeros(few, int), axis))
        shape = [1, 1, 1]
        shape[axis] = -1
        for step in range(int(np.ceil(length / few)) + 1):  # a block covers few pixels; others have no weight
            place = np.floor(edges[:-1]).astype(int) + step
            inside = np.clip(np.minimum(edges[1:], place + 1) - np.maximum(edges[:-1], place), 0, None)
            weight = (inside * few / length).astype(np.float32).reshape(shape)
            means += weight * np.take(planes, np.minimum(place, length - 1), axis)
        planes = _sample(means, (np.arange(length) + 0.5) * few / length - 0.5, axis)
    return planes


def _sample(planes: Floats, places: Floats, axis: int) -> Floats:
    """Interpolate linearly at fractional indices along one axis, edges repeated."""
    places = np.clip(places, 0, planes.shape[axis] - 1)
    low = np.minimum(places.astype(int), planes.shape[axis] - 2)
    shape = [1, 1, 1]
    shape[axis] = -1
    weight = (places - low).astype(np.float32).reshape(shape)
    mixed: Floats = np.take(planes, low, axis) * (1 - weight) + np.take(planes, low + 1, axis) * weight
    return mixed


def expose(camera: Camera, scene: Scene, light: Floats, noise: float, resolution: float) -> NDArray[np.uint8]:
    """Turn linear light into the pixels of a camera.

    Args:
        camera: Its blur, white balance, haze and noise are used.
        scene: Its exposure, tint and noise key are used.
        light: Linear light, float32, at least 0, `(3, H, W)` or, in infrared, `(1, H, W)`.
        noise: Factor on the sensor noise.
        resolution: Factor by which the image is made smaller and enlarged again.

    Returns:
        The image, uint8, `(H, W, 3)`; in infrared three equal channels.
    """
    planes = blur(light, camera.softness * light.shape[1] / 128)
    if resolution > 1:
        planes = _shrink(planes, resolution)
    gains = np.array(camera.warmth, np.float32) * np.array([scene.tint[0], 1.0, scene.tint[1]], np.float32)
    gains = gains[:, None, None] if len(planes) == 3 else np.ones((1, 1, 1), np.float32)
    planes = planes * gains * np.float32(scene.exposure) + np.float32(camera.haze)
    planes = planes / (1 + np.float32(0.12) * planes * planes)  # highlights roll off
    planes = exact(np.power, np.clip(planes, 0, 1), 1 / 2.2)
    rng = scene.noise_key.generator(20)
    grain = rng.standard_normal(planes.shape, dtype=np.float32)
    planes += np.float32(camera.noise * noise) * (np.float32(1.15) - np.float32(0.5) * planes) * grain
    if camera.modality is Modality.INFRARED:
        lines = rng.standard_normal((1, planes.shape[1], 1), dtype=np.float32)
        planes += np.float32(0.25 * camera.noise * noise) * lines
    pixels = np.clip(planes * 255 + np.float32(0.5), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (3, *pixels.shape[1:])).transpose(1, 2, 0))
