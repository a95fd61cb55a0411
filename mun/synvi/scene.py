"""A scene: everything about one image that is not the person and not the camera, drawn from its key."""

from dataclasses import dataclass, replace

import numpy as np

from mun.structures import Split
from mun.synvi.body import Pose
from mun.synvi.levels import Knobs

__all__ = ["Key", "Occluder", "Scene", "draw_scene"]

NEAR_HEADING = 0.6  # share of a person's images by one camera within 30° of one heading


@dataclass(frozen=True, slots=True)
class Key:
    """The key of an image: everything random in it is drawn from this key alone."""

    seed: int
    split: Split
    number: int  # of the person in the split, from 0
    camid: int
    index: int  # of the image of this person by this camera, from 0

    def generator(self, purpose: int, camid: int | None = None) -> np.random.Generator:
        """Make the random generator for one purpose; `camid` replaces the camera of the key."""
        camera = self.camid if camid is None else camid
        return np.random.default_rng(
            [self.seed, purpose, list(Split).index(self.split), self.number, camera, self.index]
        )


@dataclass(frozen=True, slots=True)
class Occluder:
    """Something between the camera and the person."""

    kind: str  # pole, rail, corner
    place: float  # of its middle across the image, [0, 1]
    size: float  # 0 to 1, small to large
    shade: float  # reflectance in either light, [0, 1]


@dataclass(frozen=True, slots=True)
class Scene:
    """One image's circumstances."""

    yaw: float  # of the person, radians; 0 faces the camera
    pose: Pose
    scale: float  # of the person in the crop, 1 is a good detection
    shift: tuple[float, float]  # of the crop, right and up, in crop heights
    pitch: float  # added to the camera's, radians
    position: tuple[float, float]  # of the person at the site, metres
    passer: tuple[float, float, float] | None  # somebody in the background: place across, size, shade, all in [0, 1]
    occluder: Occluder | None
    exposure: float  # factor on the light
    light_turn: float  # of the main light about the vertical, radians
    tint: tuple[float, float]  # factors on red and blue
    folds: tuple[float, ...]  # eight phases, radians
    noise_key: Key


def _draw(rng: np.random.Generator, heading: float, knobs: Knobs, key: Key) -> Scene:
    """Draw one scene; the number of draws never depends on their outcome."""
    near, offset, anywhere = rng.random(), rng.uniform(-np.pi / 6, np.pi / 6), rng.uniform(-np.pi, np.pi)
    walks, phone = rng.random() < 0.82, rng.random(2) < 0.05
    stride = float(rng.uniform(0.55, 1.0)) if walks else 0.1
    bends = 0.2 + 0.25 * rng.random(2) + phone * rng.uniform(1.5, 2.0, 2)
    pose = Pose(
        float(rng.uniform(0, 2 * np.pi)),
        stride,
        float(rng.uniform(0.0, 0.08)),
        float(0.35 * np.clip(rng.standard_normal(), -2, 2)),
        (float(bends[0]), float(bends[1])),
    )
    scale = float(np.exp(0.05 * np.clip(rng.standard_normal(), -2.2, 2.2)))
    shift = 0.022 * np.clip(rng.standard_normal(2), -2.5, 2.5)
    pitch, position = 0.03 * float(rng.standard_normal()), rng.uniform(-6, 6, 2)
    passes, passer = rng.random() < 0.2, rng.random(3)
    occluded, what = rng.random() < knobs.occlusion, rng.random(4)
    exposure, light_turn = float(np.exp(0.10 * rng.standard_normal())), float(rng.uniform(-0.5, 0.5))
    tint = 1 + 0.025 * rng.standard_normal(2)
    occluder = Occluder(
        ("pole", "rail", "corner")[int(3 * what[0])], float(what[1]), float(what[2]), 0.1 + 0.5 * float(what[3])
    )
    return Scene(
        yaw=heading + (offset if near < NEAR_HEADING else anywhere),
        pose=pose,
        scale=scale,
        shift=(float(shift[0]), float(shift[1])),
        pitch=pitch,
        position=(float(position[0]), float(position[1])),
        passer=(float(passer[0]), float(passer[1]), float(passer[2])) if passes else None,
        occluder=occluder if occluded else None,
        exposure=exposure,
        light_turn=light_turn,
        tint=(float(tint[0]), float(tint[1])),
        folds=tuple(float(x) for x in rng.uniform(0, 2 * np.pi, 8)),
        noise_key=key,
    )


def _heading(key: Key, camid: int) -> float:
    rng = np.random.default_rng([key.seed, 12, list(Split).index(key.split), key.number, camid])
    return float(rng.uniform(-np.pi, np.pi))


def _blend(shared: Scene, own: Scene, share: float, coin: float) -> Scene:
    """Mix the instant that all cameras share with a camera's own instant; `coin` chooses what cannot be mixed."""

    def mix(a: float, b: float) -> float:
        return a + share * (b - a)

    def turn(a: float, b: float) -> float:
        return a + share * float((b - a + np.pi) % (2 * np.pi) - np.pi)

    chosen = own if coin < share else shared
    a, b = shared.pose, own.pose
    elbows = (mix(a.elbows[0], b.elbows[0]), mix(a.elbows[1], b.elbows[1]))
    return replace(
        own,
        yaw=turn(shared.yaw, own.yaw),
        pose=Pose(
            turn(a.phase, b.phase), mix(a.stride, b.stride), mix(a.lean, b.lean), mix(a.head_turn, b.head_turn), elbows
        ),
        scale=mix(shared.scale, own.scale),
        shift=(mix(shared.shift[0], own.shift[0]), mix(shared.shift[1], own.shift[1])),
        pitch=mix(shared.pitch, own.pitch),
        position=chosen.position,
        passer=chosen.passer,
        occluder=chosen.occluder,
        folds=chosen.folds,
    )


def draw_scene(key: Key, knobs: Knobs | None = None) -> Scene:
    """Draw the circumstances of one image from its key alone.

    Without misalignment all cameras see one instant per index: pose, yaw, scale, shift and place are shared.

    Args:
        key: The key of the image.
        knobs: Misalignment and occlusion are used; `None` means the defaults.

    Returns:
        The scene.
    """
    knobs = knobs or Knobs()
    own = _draw(key.generator(10), _heading(key, key.camid), knobs, key)
    if knobs.misalignment >= 1:
        return own
    shared = _draw(key.generator(11, 0), _heading(key, 0), knobs, key)
    return _blend(shared, own, knobs.misalignment, float(key.generator(13).random()))
