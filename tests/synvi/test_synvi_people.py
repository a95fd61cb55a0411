"""Identities depend on seed, split and number alone; bodies stand in every pose; rays agree with a slow march."""

import numpy as np
import pytest

from mun.structures import Split
from mun.synvi import Knobs, draw_identity
from mun.synvi.rays import View, first_hits
from mun.synvi.solids import Part, Solid, ball, box, cone, frame_of


def test_seed_split_and_number_give_other_people() -> None:
    people = [draw_identity(seed, split, number) for seed in (0, 1) for split in Split for number in range(20)]
    assert len({repr(person) for person in people}) == len(people)


def test_people_are_various() -> None:
    people = [draw_identity(0, Split.TRAIN, number) for number in range(300)]
    structures = {
        (p.upper.kind, p.lower.kind, p.hair.style, p.hair.hat, p.bag.kind, p.upper.pattern, p.lower.pattern)
        for p in people
    }
    assert len(structures) > 280
    assert all(0 <= p.upper.fabric.infrared <= 1 for p in people)


@pytest.mark.parametrize("wanted", [0.0, 0.3, 0.8])
def test_lightness_and_infrared_correlate_as_asked(wanted: float) -> None:
    knobs = Knobs(colour_infrared_correlation=wanted)
    fabrics = [draw_identity(0, Split.TRAIN, number, knobs).upper.fabric for number in range(800)]
    lightness = [float(np.dot(fabric.colour, (0.3, 0.59, 0.11))) for fabric in fabrics]
    found = np.corrcoef(lightness, [fabric.infrared for fabric in fabrics])[0, 1]
    assert abs(found - wanted) < 0.12


@pytest.mark.parametrize("share", [0.0, 0.6, 1.0])
def test_patterns_survive_in_infrared_as_asked(share: float) -> None:
    knobs = Knobs(pattern_survival=share)
    survivors = [draw_identity(0, Split.TRAIN, number, knobs).upper.survives for number in range(400)]
    assert abs(np.mean(survivors) - share) < 0.07


def test_lookalikes_share_clothes_and_not_the_body() -> None:
    one, two = (draw_identity(0, Split.TRAIN, number, Knobs(lookalikes=1.0)) for number in (0, 1))
    assert two.upper == one.upper
    assert two.lower == one.lower
    assert two.build != one.build
    assert draw_identity(0, Split.TRAIN, 1).upper != one.upper
    everybody = {draw_identity(0, Split.TRAIN, number, Knobs(lookalikes=1.0)).upper for number in range(12)}
    assert everybody == {one.upper}
    some = [draw_identity(0, Split.TRAIN, number, Knobs(lookalikes=0.3)).upper for number in range(400)]
    assert 0.2 < np.mean([left == right for left, right in zip(some, some[1:], strict=False)]) < 0.4


@pytest.mark.parametrize("numbers", [(-1, 0), (0, -1)])
def test_negative_numbers_are_refused(numbers: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        draw_identity(numbers[0], Split.TRAIN, numbers[1])


@pytest.mark.parametrize(
    "knobs",
    [{"colour_infrared_correlation": 1.1}, {"pattern_survival": -0.1}, {"misalignment": 2.0}, {"noise": 9.0},
     {"occlusion": 1.5}, {"resolution": 0.5}, {"lookalikes": float("nan")}],
)  # fmt: skip
def test_a_knob_out_of_range_is_refused(knobs: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected the knob"):
        Knobs(**knobs)


X, Y, Z = np.eye(3)


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
