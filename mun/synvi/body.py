"""A body: its build, its pose in the gait cycle, and the resulting skeleton."""

from dataclasses import dataclass

import numpy as np

from mun.synvi.solids import Floats, frame_of

__all__ = ["Build", "Pose", "Skeleton", "pose_body"]


@dataclass(frozen=True, slots=True)
class Build:
    """The proportions of a person."""

    height: float = 1.72  # metres, 1.45 to 2.0
    girth: float = 1.0  # factor on all widths, 0.8 to 1.4
    shoulders: float = 1.0  # factor on the width of the shoulders, 0.85 to 1.15
    hips: float = 1.0  # factor on the width of the hips, 0.9 to 1.15
    legs: float = 1.0  # factor on the length of the legs, 0.94 to 1.06
    bust: float = 0.0  # 0 to 1
    belly: float = 0.0  # 0 to 1


@dataclass(frozen=True, slots=True)
class Pose:
    """A moment of a walk."""

    phase: float = 0.0  # of the gait, radians
    stride: float = 1.0  # 0 standing, 1 a brisk walk
    lean: float = 0.04  # of the trunk, forward, radians
    head_turn: float = 0.0  # to the person's left, radians
    elbows: tuple[float, float] = (0.25, 0.25)  # bend of the right and left elbow when the arm hangs, radians


@dataclass(frozen=True, slots=True)
class Skeleton:
    """Joints in the body frame, metres: x to the person's left, y up from the ground, z ahead.

    Pairs hold the right side first, `(2, 3)`; single points are `(3,)`; frames have rows side, axis, front.
    """

    height: float
    hips: Floats
    knees: Floats
    ankles: Floats
    toes: Floats
    shoulders: Floats
    elbows: Floats
    wrists: Floats
    fingers: Floats
    pelvis: Floats
    neck: Floats
    skull: Floats
    trunk: Floats
    head: Floats

    def on_trunk(self, side: float, rise: float, ahead: float) -> Floats:
        """Place a point by its distances from the pelvis along the trunk's frame, metres, `(3,)`."""
        point: Floats = self.pelvis + side * self.trunk[0] + rise * self.trunk[1] + ahead * self.trunk[2]
        return point


def _swing(length: float, angle: float, spread: float = 0.0) -> Floats:
    """Return the vector along a limb of `length`, `angle` forward of the vertical and `spread` to the left."""
    down = np.cos(angle) * np.cos(spread)
    return length * np.array([np.sin(spread), -down, np.sin(angle) * np.cos(spread)])


def _leg(height: float, scale: float, phase: float, stride: float, hip: Floats, outward: float) -> list[Floats]:
    """Compute the joints of one leg: hip, knee, ankle and toe."""
    thigh = stride * (0.42 * np.sin(phase) + 0.06)
    bend = 0.05 + stride * (0.12 + 0.75 * max(0.0, float(np.cos(phase + 0.35))) ** 2)
    knee = hip + _swing(0.245 * height * scale, thigh, 0.015 * outward)
    ankle = knee + _swing(0.232 * height * scale, thigh - bend, 0.0)
    pitch = 0.6 * (thigh - bend) * (1.0 if thigh < bend else 0.4) + 0.1 * stride * np.sin(phase)
    toe = ankle + 0.098 * height * np.array([0.16 * outward, np.sin(pitch) - 0.16, np.cos(pitch)])
    return [hip, knee, ankle, toe]


def _arm(height: float, phase: float, stride: float, bend: float, shoulder: Floats, outward: float) -> list[Floats]:
    """Compute the joints of one arm: shoulder, elbow, wrist and fingers."""
    upper = -0.38 * stride * np.sin(phase) - 0.03
    lower = upper + bend + 0.25 * stride * max(0.0, -float(np.sin(phase)))
    elbow = shoulder + _swing(0.17 * height, upper, 0.11 * outward)
    wrist = elbow + _swing(0.148 * height, lower, -0.02 * outward)
    return [shoulder, elbow, wrist, wrist + _swing(0.072 * height, lower + 0.12, -0.06 * outward)]


def _turn(angle: float) -> Floats:
    """Make a frame turned to the left about the vertical."""
    front = np.array([np.sin(angle), 0.0, np.cos(angle)])
    return frame_of(np.array([0.0, 1.0, 0.0]), front)


def pose_body(build: Build, pose: Pose) -> Skeleton:
    """Compute the joints of a body in a pose, with the lower foot on the ground.

    Args:
        build: The proportions.
        pose: The moment of the walk.

    Returns:
        The joints in the body frame, metres, float64.
    """
    tall = build.height
    pelvis = np.array([0.0, 0.53 * tall * build.legs, 0.0])
    twist = 0.10 * pose.stride * np.sin(pose.phase)
    lean = np.array([0.0, np.cos(pose.lean), np.sin(pose.lean)])
    trunk = frame_of(lean, np.array([np.sin(twist), 0.0, np.cos(twist)]))
    rise = 0.82 * tall - pelvis[1]
    legs, arms = [], []
    for side, outward in enumerate((-1.0, 1.0)):
        phase = pose.phase + (0.0 if side else np.pi)
        hip = pelvis + np.array([outward * 0.05 * tall * build.hips, -0.012 * tall, 0.0])
        legs.append(_leg(tall, build.legs, phase, pose.stride, hip, outward))
        width = outward * tall * (0.098 * build.shoulders + 0.012 * (build.girth - 1.0))
        shoulder = pelvis + width * trunk[0] + (rise - 0.012 * tall) * trunk[1]
        arms.append(_arm(tall, phase, pose.stride, pose.elbows[side], shoulder, outward * build.girth))
    joints = np.array([*np.swapaxes(np.array(legs), 0, 1), *np.swapaxes(np.array(arms), 0, 1)])
    neck = pelvis + trunk[1] * (rise + 0.012 * tall)
    skull = neck + np.array([0.0, 0.107 * tall - 0.02 * (tall - 1.7), 0.012 * tall])
    ground = np.minimum(joints[2, :, 1] - 0.045 * tall, joints[3, :, 1] - 0.02 * tall).min()
    for points in (joints, pelvis, neck, skull):
        points[..., 1] -= ground
    hips, knees, ankles, toes, shoulders, elbows, wrists, fingers = joints
    limbs = (hips, knees, ankles, toes, shoulders, elbows, wrists, fingers)
    return Skeleton(tall, *limbs, pelvis, neck, skull, trunk, _turn(pose.head_turn))
