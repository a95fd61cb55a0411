"""Bodies stand on the ground in every pose; rays meet solids where a slow march meets them."""

import numpy as np
import pytest

from mun.synvi.body import Build, Pose, pose_body
from mun.synvi.rays import View, first_hits, normals
from mun.synvi.solids import Part, Solid, ball, box, cone, frame_of

X, Y, Z = np.eye(3)


@pytest.mark.parametrize("phase", np.linspace(0, 2 * np.pi, 9))
def test_the_lower_foot_is_on_the_ground_and_the_head_at_the_top(phase: float) -> None:
    build = Build(height=1.8)
    bones = pose_body(build, Pose(phase=float(phase)))
    assert -1e-9 < (bones.ankles[:, 1].min() - 0.045 * 1.8) < 0.1
    assert abs(bones.skull[1] + 0.066 * 1.8 - 1.8) < 0.12
    assert np.allclose(bones.trunk @ bones.trunk.T, np.eye(3))


def test_limbs_keep_their_length_in_every_phase() -> None:
    lengths = []
    for phase in np.linspace(0, 6, 7):
        bones = pose_body(Build(), Pose(phase=float(phase)))
        lengths.append(np.linalg.norm(bones.knees - bones.hips, axis=1))
    assert np.ptp(lengths) < 1e-9


def view() -> View:
    columns, rows = np.linspace(-0.3, 0.3, 41, dtype=np.float32), np.linspace(0.3, -0.3, 41, dtype=np.float32)
    return View(np.array([0.1, 0.2, 4.0]), X, Y, -Z, columns, rows)


def inside(solid: Solid, points: np.ndarray) -> np.ndarray:
    """Whether points `(N, 3)` are inside: a round cone is a chain of balls."""
    local = (points - solid.origin) @ solid.matrix.T
    if solid.half is not None:
        return (np.abs(local) < solid.half).all(1)
    out = np.zeros(len(points), bool)
    for share in np.linspace(0, 1, 400):
        centre = np.array([0.0, share * solid.length, 0.0])
        radius = (1 - share) * solid.radii[0] + share * solid.radii[1]
        out |= np.linalg.norm(local - centre, axis=1) < radius
    return out


@pytest.mark.parametrize(
    "solid",
    [
        cone(Part.UPPER, (np.array([0.0, -0.4, 0.0]), np.array([0.2, 0.5, 0.3])), (0.5, 0.2)),
        cone(Part.UPPER, (np.array([0.0, -0.4, 0.0]), np.array([0.2, 0.5, 0.3])), (0.2, 0.4), squash=0.6),
        cone(Part.UPPER, (np.array([0.0, 0.0, -0.6]), np.array([0.1, 0.1, 0.6])), (0.3, 0.5)),
        ball(Part.FACE, np.array([0.1, 0.1, 0.2]), (0.3, 0.7, 0.5), frame_of(np.array([0.3, 1.0, 0.1]), Z)),
        box(Part.BAG, np.array([0.1, 0.1, 0.2]), (0.3, 0.5, 0.4), frame_of(np.array([0.3, 1.0, 0.4]), Z)),
    ],
)
def test_rays_hit_where_a_slow_march_enters(solid: Solid) -> None:
    sight = view()
    depth, which = first_hits([solid], sight)
    some = [(row, column) for row in range(1, 41, 6) for column in range(1, 41, 6)]
    steps = np.arange(2.5, 5.5, 0.004)
    for row, column in some:
        ray = sight.forward + sight.columns[column] * sight.right + sight.rows[row] * sight.up
        within = inside(solid, sight.origin + steps[:, None] * ray)
        if within.sum() > 3:
            assert which[row, column] == 0
            assert abs(depth[row, column] - steps[within.argmax()]) < 0.012
        elif not within.any():
            assert which[row, column] == -1 or solid.radii[0] != solid.radii[1]


def test_normals_have_unit_length_and_face_outwards() -> None:
    solid = cone(Part.UPPER, (np.array([0.0, -0.4, 0.0]), np.array([0.2, 0.5, 0.3])), (0.5, 0.2), squash=0.7)
    sight = view()
    depth, which = first_hits([solid], sight)
    rows, columns = np.nonzero(which >= 0)
    rays = sight.forward[:, None] + sight.columns[columns] * X[:, None] + sight.rows[rows] * Y[:, None]
    points = (sight.origin[:, None] + rays * depth[rows, columns]).astype(np.float32)
    found = normals([solid], which[rows, columns], points)
    assert np.allclose((found**2).sum(0), 1, atol=1e-4)
    assert ((found * rays).sum(0) < 0.02).all()


def test_the_nearer_of_two_solids_is_seen() -> None:
    frame = np.eye(3)
    behind, before = (ball(Part.FACE, np.array([0.0, 0.2, z]), (0.4, 0.4, 0.4), frame) for z in (-1.0, 1.0))
    for solids, nearer in (([behind, before], 1), ([before, behind], 0)):
        _, which = first_hits(solids, view())
        assert which[20, 20] == nearer
