"""The surfaces that an image's rays hit, before shading."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mun.synvi.body import Skeleton
from mun.synvi.camera import Camera, aim, turned
from mun.synvi.figure import figure_of
from mun.synvi.rays import View, first_hits
from mun.synvi.scene import Scene
from mun.synvi.solids import Floats, Part, Solid
from mun.synvi.wardrobe import Identity

__all__ = ["FINER", "Trace", "body_points", "checked_size", "from_body", "trace"]

FINER = 2  # rays per pixel and axis


@dataclass(frozen=True, slots=True)
class Trace:
    """The surfaces that an image's rays hit, `FINER` rays per pixel and axis.

    Attributes:
        bones: The skeleton.
        solids: The solids of the figure, body frame.
        view: The rays, world frame.
        depth: Metres along the camera's axis, float32, `(H·FINER, W·FINER)`; 1e9 for a miss.
        which: Number of the solid, int16, likewise; −1 for a miss.
    """

    bones: Skeleton
    solids: list[Solid]
    view: View
    depth: Floats
    which: NDArray[np.int16]

    @property
    def solid(self) -> NDArray[np.int16]:
        """Number of the solid that each pixel shows, −1 for none, `(H, W)`."""
        return self.which[::FINER, ::FINER]

    @property
    def parts(self) -> NDArray[np.uint8]:
        """Values of `Part` without the occluder, uint8, `(H, W)`; a new array."""
        tags = np.array([*(solid.part for solid in self.solids), Part.BACKGROUND], np.uint8)  # a miss is −1: the last
        return tags[self.solid]


def checked_size(size: tuple[int, int]) -> tuple[int, int]:
    """Check rows and columns, and return them.

    Raises:
        ValueError: A length is not from 32 to 512.
    """
    if not all(32 <= length <= 512 for length in size):
        raise ValueError(f"expected `size` between 32 and 512 in each direction, got {size[0]}x{size[1]}")
    return size


def trace(identity: Identity, camera: Camera, scene: Scene, size: tuple[int, int]) -> Trace:
    """Find the first surface that every ray hits.

    Raises:
        ValueError: `size` is out of bounds.
    """
    rows, columns = checked_size(size)
    bones, solids = figure_of(identity, scene.pose)
    view = aim(camera, scene, bones, (rows * FINER, columns * FINER))
    return Trace(bones, solids, view, *first_hits(solids, from_body(view, scene.yaw)))


def body_points(traced: Trace, yaw: float) -> Floats:
    """Compute the points where the rays end, metres, body frame, `(3, H·FINER, W·FINER)`; meaningless for a miss."""
    body = from_body(traced.view, yaw)
    xs, ys = body.columns[None, :], body.rows[:, None]
    rays = [body.forward[i] + xs * body.right[i] + ys * body.up[i] for i in range(3)]
    return np.stack([body.origin[i] + ray * traced.depth for i, ray in enumerate(rays)])


def from_body(view: View, yaw: float) -> View:
    """Express a view in the frame of a body turned by `yaw`."""
    names = ("origin", "right", "up", "forward")
    return replace(view, **{name: turned(getattr(view, name), -yaw) for name in names})
