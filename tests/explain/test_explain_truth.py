"""Evidence: the change is the one asked for, and nothing outside its mask differs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mun.explain.truth import Thing, change_of, find_evidence
from mun.structures import Split
from mun.synvi import Pattern, Plan, Recipe


def recipes(count: int = 30) -> list[Recipe]:
    plan = Plan(train_ids=0, val_ids=0, test_ids=count, images=1, size=(64, 32), seed=3)
    return [plan.recipe(Split.TEST, number, 1 + number % 6, 0) for number in range(count)]


def test_a_change_is_of_what_the_person_has() -> None:
    for recipe in recipes():
        identity = recipe.identity
        assert (change_of(recipe, Thing.BAG) is None) == (identity.bag.kind == "none")
        assert (change_of(recipe, Thing.HAT) is None) == (identity.hair.hat == "none")
        change = change_of(recipe, Thing.UPPER_PATTERN)
        assert change is not None
        assert (change.upper_pattern is Pattern.PLAIN) == (identity.upper.pattern is not Pattern.PLAIN)
        assert change.upper_pattern is not identity.upper.pattern


def test_evidence_differs_inside_its_mask_alone() -> None:
    seen = set()
    for recipe in recipes(16):
        evidence = find_evidence(recipe, (64, 32))
        if evidence is None:
            continue
        seen.add(evidence.thing)
        differs = (evidence.before != evidence.after).any(2)
        assert differs.any()
        assert not (differs & ~evidence.mask).any()
        assert evidence.share == evidence.mask.mean() >= 0.01
        np.testing.assert_array_equal(evidence.before, recipe.image())
    assert len(seen) > 1


def test_things_are_tried_in_their_order_and_sizes_are_the_networks() -> None:
    recipe = next(recipe for recipe in recipes() if recipe.identity.bag.kind == "backpack")
    recipe = replace(recipe, scene=replace(recipe.scene, yaw=np.pi, occluder=None, passer=None))
    bag = find_evidence(recipe, (48, 24))
    assert bag is not None
    assert bag.thing is Thing.BAG
    assert bag.mask.shape == bag.before.shape[:2] == bag.after.shape[:2] == (48, 24)
    assert 0.01 < bag.share < 0.6
    pattern = find_evidence(recipe, (64, 32), (Thing.UPPER_PATTERN,))
    assert pattern is None or pattern.thing is Thing.UPPER_PATTERN
    assert find_evidence(recipe, (64, 32), (Thing.BAG,), least=0.9) is None


@pytest.mark.parametrize("thing", Thing)
def test_things_have_words(thing: Thing) -> None:
    assert thing.words.endswith("removed") == (thing in (Thing.BAG, Thing.HAT))
