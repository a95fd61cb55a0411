"""A counterfactual changes one thing: all pixels outside its mask are equal, and the other light does not show it."""

from dataclasses import fields, replace

import numpy as np
import pytest

from mun.structures import Split
from mun.synvi import LEVELS, Change, Part, Pattern, Plan, Recipe, counterfactual, truth_of
from mun.synvi.counterfactual import changed

PLAN = Plan(train_ids=0, val_ids=0, test_ids=60, images=1, seed=21)
VISIBLE_ONLY = (
    Change(upper_colour=(0.9, 0.1, 0.5)),
    Change(lower_colour=(0.1, 0.9, 0.5)),
    Change(bag_colour=(0.9, 0.9, 0.1)),
)
INFRARED_ONLY = (Change(upper_infrared=0.05), Change(lower_infrared=0.95), Change(bag_infrared=0.5))


def recipe(number: int, camid: int) -> Recipe:
    return PLAN.recipe(Split.TEST, number, camid, 0)


def with_bag(camid: int) -> list[Recipe]:
    found = [recipe(number, camid) for number in range(60)]
    return [one for one in found if (truth_of(one).parts == Part.BAG).sum() > 60][:6]


ALL = (
    *VISIBLE_ONLY,
    *INFRARED_ONLY,
    Change(without=("bag",)),
    Change(without=("hat", "beard")),
    Change(without=("passer", "occluder")),
    Change(upper_pattern=Pattern.CHECKS),
    Change(lower_pattern=Pattern.STRIPES),
    Change(yaw=0.5),
)


@pytest.mark.parametrize("change", ALL, ids=str)
def test_only_masked_pixels_differ(change: Change) -> None:
    touched = 0
    for number in range(12):
        for camid in (2, 6):
            result = counterfactual(recipe(number, camid), change)
            differ = (result.before != result.after).any(2)
            assert not (differ & ~result.mask).any()
            touched += differ.any()
    assert touched


@pytest.mark.parametrize("level", LEVELS)
def test_the_mask_knows_blur_and_resolution_of_every_level(level: str) -> None:
    plan = replace(PLAN, level=LEVELS[level], size=(160, 80))
    for number in range(5):
        for camid in (3, 5):
            result = counterfactual(plan.recipe(Split.TEST, number, camid, 0), Change(without=("bag",)))
            assert not ((result.before != result.after).any(2) & ~result.mask).any()


OTHER_LIGHT = [(change, camid) for change in VISIBLE_ONLY for camid in (3, 6)] + [
    (change, 1) for change in INFRARED_ONLY
]


@pytest.mark.parametrize(("change", "camid"), OTHER_LIGHT, ids=str)
def test_the_bytes_of_one_light_do_not_depend_on_the_other(change: Change, camid: int) -> None:
    for number in range(8):
        result = counterfactual(recipe(number, camid), change)
        np.testing.assert_array_equal(result.before, result.after)
        assert not result.mask.any()


@pytest.mark.parametrize("camid", [1, 3])
def test_without_the_bag_no_bag_is_left_and_the_mask_is_where_it_was(camid: int) -> None:
    for one in with_bag(camid):
        result = counterfactual(one, Change(without=("bag",)))
        bag = truth_of(one).parts == Part.BAG
        assert not (truth_of(changed(one, Change(without=("bag",)))).parts == Part.BAG).any()
        assert (bag & result.mask).sum() == bag.sum()
        assert result.mask.mean() < 0.6
        assert (result.before != result.after).any(2)[bag].mean() > 0.6


def test_what_is_not_there_cannot_be_missed() -> None:
    one = recipe(0, 1)
    bare = replace(one, identity=replace(one.identity, bag=replace(one.identity.bag, kind="none")))
    result = counterfactual(bare, Change(without=("bag",)))
    np.testing.assert_array_equal(result.before, result.after)
    assert not result.mask.any()


def test_turning_by_a_whole_turn_is_the_same_scene() -> None:
    one = recipe(2, 1)
    result = counterfactual(one, Change(yaw=one.scene.yaw))
    np.testing.assert_array_equal(result.before, result.after)


def test_every_field_of_a_change_does_something() -> None:
    samples = {field.name: None for field in fields(Change)} | {
        "without": ("hat", "bag", "beard"), "upper_pattern": Pattern.HEM, "lower_pattern": Pattern.DOTS,
        "upper_colour": (1.0, 0.0, 0.0), "lower_colour": (1.0, 0.0, 0.0), "bag_colour": (1.0, 0.0, 0.0),
        "upper_infrared": 0.5, "lower_infrared": 0.5, "bag_infrared": 0.5, "yaw": 0.1,
    }  # fmt: skip
    one = with_bag(1)[0]
    for name, value in samples.items():
        assert value is not None
        assert changed(one, Change(**{name: value})) != one  # type: ignore[arg-type]
