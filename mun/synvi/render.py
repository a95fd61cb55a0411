"""Render a person: pure functions from an identity, a camera and a scene to an image."""

import numpy as np
from numpy.typing import NDArray

from mun.synvi.background import background, occlusion
from mun.synvi.body import pose_body
from mun.synvi.camera import Camera, aim, expose, turned
from mun.synvi.levels import Knobs
from mun.synvi.scene import Scene
from mun.synvi.shade import light_of_person
from mun.synvi.site import SITES
from mun.synvi.solids import Floats
from mun.synvi.trace import FINER, Trace, checked_size, trace
from mun.synvi.wardrobe import Identity

__all__ = ["hidden_by", "illuminate", "render_background", "render_image"]


def render_image(
    identity: Identity, camera: Camera, scene: Scene, size: tuple[int, int], knobs: Knobs
) -> NDArray[np.uint8]:
    """Render one image, before JPEG compression.

    Nothing is random here: the same arguments give the same bytes. If one thing of an identity changes, only this thing
    changes in the image.

    Args:
        identity: The person.
        camera: One of `CAMERAS`.
        scene: The circumstances.
        size: Rows and columns, 32 to 512 each.
        knobs: Noise and resolution are used.

    Returns:
        RGB, uint8, `(H, W, 3)`; in infrared three equal channels.

    Raises:
        ValueError: `size` is out of bounds.
    """
    light, _ = illuminate(identity, camera, scene, trace(identity, camera, scene, size))
    return expose(camera, scene, light, knobs.noise, knobs.resolution)


def render_background(
    identity: Identity, camera: Camera, scene: Scene, size: tuple[int, int], knobs: Knobs
) -> NDArray[np.uint8]:
    """Render an image without its person: no body and no shadow, but the crop that the person would have.

    Args:
        identity: Its body height sets the crop.
        camera: One of `CAMERAS`.
        scene: The circumstances.
        size: Rows and columns, 32 to 512 each.
        knobs: Noise and resolution are used.

    Returns:
        RGB, uint8, `(H, W, 3)`; in infrared three equal channels.

    Raises:
        ValueError: `size` is out of bounds.
    """
    view = aim(camera, scene, pose_body(identity.build, scene.pose), checked_size(size))
    nowhere = np.full((2, 3), 1e3)
    light, _ = _occluded(background(SITES[camera.site], camera, scene, view, nowhere), scene)
    return expose(camera, scene, light, knobs.noise, knobs.resolution)


def illuminate(identity: Identity, camera: Camera, scene: Scene, traced: Trace) -> tuple[Floats, Floats]:
    """Compute the light that reaches the lens, before blur, exposure and noise.

    Returns:
        Linear light, float32, `(3, H, W)` or, in infrared, `(1, H, W)`; and the share of each pixel that the occluder
        hides, [0, 1], `(H, W)`.
    """
    size = (traced.depth.shape[0] // FINER, traced.depth.shape[1] // FINER)
    person, cover = light_of_person(identity, camera, scene, traced)
    feet = np.stack([turned(foot, scene.yaw) for foot in 0.5 * (traced.bones.ankles + traced.bones.toes)])
    around = background(SITES[camera.site], camera, scene, aim(camera, scene, traced.bones, size), feet)
    return _occluded(around * (1 - cover) + person, scene)


def _occluded(light: Floats, scene: Scene) -> tuple[Floats, Floats]:
    """Add the occluder to the light; return the light and the coverage of the occluder, `(H, W)`."""
    shade, hidden = hidden_by(scene, (light.shape[1], light.shape[2]))
    return (light, hidden) if scene.occluder is None else (light * (1 - hidden) + shade * hidden, hidden)


def hidden_by(scene: Scene, size: tuple[int, int]) -> tuple[Floats, Floats]:
    """Draw the occluder: its light and its coverage, `(H, W)` each, both zero without an occluder."""
    if scene.occluder is None:
        return np.zeros(size, np.float32), np.zeros(size, np.float32)
    return occlusion(scene.occluder, size)
