"""Identities depend on the seed, the split and the number alone; knobs move what they name."""

import numpy as np
import pytest

from mun.structures import Split
from mun.synvi import LEVELS, Knobs, Level, draw_identity, level_of


def test_the_same_person_is_drawn_again() -> None:
    assert draw_identity(3, Split.TEST, 7) == draw_identity(3, Split.TEST, 7)


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


def test_a_level_is_named_by_its_content() -> None:
    standard = level_of("standard")
    assert standard is LEVELS["standard"]
    assert standard.hash == Level("standard", 1).hash
    assert standard.hash != Level("standard", 2).hash
    assert standard.hash != Level("standard", 1, Knobs(noise=2.0)).hash


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of the levels easy, standard, hard"):
        level_of("impossible")
