"""Controls and checks of maps against independent computations; evidence changes nothing outside its mask."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity as reference_ssim

from mun.checkpoint import build_network
from mun.config import Config, ModelConfig
from mun.explain.faithfulness import (
    blurred,
    cascade,
    cascade_names,
    center_prior,
    curves,
    energy_share,
    randomised,
    rank_correlation,
    structural_similarity,
)
from mun.explain.truth import Thing, change_of, find_evidence
from mun.structures import Split
from mun.synvi import Pattern, Plan, Recipe

MODEL = ModelConfig(width=0.125, height=64, image_width=32)


def test_energy_share() -> None:
    values = np.array([[1, 2], [3, 4]], np.float32)
    mask = np.array([[True, False], [False, True]])
    assert energy_share(values, mask) == pytest.approx(0.5)
    assert energy_share(values, ~mask) == pytest.approx(0.5)
    assert energy_share(np.ones((4, 5)), np.eye(4, 5, dtype=bool)) == pytest.approx(4 / 20)
    assert np.isnan(energy_share(0 * values, mask))
    with pytest.raises(ValueError, match="one shape"):
        energy_share(values, mask[:1])
    with pytest.raises(ValueError, match="without negative values"):
        energy_share(-values, mask)


def test_the_centre_prior_is_a_gaussian_in_the_middle() -> None:
    prior = center_prior((65, 33))
    assert prior.shape == (65, 33)
    assert np.unravel_index(prior.argmax(), prior.shape) == (32, 16)
    assert prior[32, 16] == 1
    np.testing.assert_array_equal(prior, prior[::-1, ::-1])
    assert prior[32 + 13, 16] == pytest.approx(np.exp(-0.5 * (13 / (65 / 4)) ** 2), rel=1e-5)


def test_random_weights_depend_on_the_seed_alone() -> None:
    network = build_network(Config(model=MODEL), 0, seed=1).eval()
    one, other, third = (randomised(network, seed) for seed in (2, 2, 3))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    assert not torch.equal(one.trunk.layer1[0].conv1.weight, third.trunk.layer1[0].conv1.weight)
    assert not torch.equal(one.trunk.layer1[0].conv1.weight, network.trunk.layer1[0].conv1.weight)
    assert not one.training


def test_the_cascade_goes_from_the_top_down_and_leaves_the_network_alone() -> None:
    network = build_network(Config(model=MODEL), 0, seed=1).eval()
    with torch.no_grad():
        network.neck.bn.weight.mul_(2)  # as after training: a fresh neck has ones
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    done: list[str] = []
    for name, copied in cascade(network, 7):
        done.append(name)
        for part in cascade_names(network):
            holder, original = ((one.trunk if part.startswith("layer") else one) for one in (copied, network))
            same = all(
                torch.equal(a, b)
                for a, b in zip(getattr(holder, part).parameters(), getattr(original, part).parameters(), strict=True)
            )
            assert same == (part not in done)
    assert done == ["neck", "layer4", "layer3", "layer2", "layer1", "stems", "auxiliary"]
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    plain = build_network(Config(model=replace(MODEL, auxiliary="none")), 0)
    assert cascade_names(plain)[-1] == "stems"


def test_similarity_of_maps() -> None:
    draws = np.random.default_rng(0)
    one, other = draws.random((40, 24)), draws.random((40, 24))
    ranks = [np.argsort(np.argsort(values.ravel())) for values in (one, other)]
    assert rank_correlation(one, other) == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-12)
    assert rank_correlation(one, one**3) == pytest.approx(1)
    assert np.isnan(rank_correlation(one, np.ones_like(one)))
    smooth = blurred(np.stack([one, other, one]).astype(np.float32))[1]
    expected = reference_ssim(
        one / one.max(), smooth / smooth.max(), data_range=1, gaussian_weights=True, use_sample_covariance=False
    )
    assert structural_similarity(5 * one, smooth) == pytest.approx(expected, abs=1e-6)
    assert structural_similarity(one, 3 * one) == pytest.approx(1)
    with pytest.raises(ValueError, match="at least 11 x 11"):
        structural_similarity(one[:8], other[:8])


def test_curves_of_a_score_that_is_known() -> None:
    """The score counts bright pixels; the map of the truth deletes them first, its inverse last."""
    image = np.zeros((3, 16, 8), np.float32)
    image[:, 4:8, 2:6] = 1
    truth = image[0]

    def score(batch: np.ndarray) -> np.ndarray:
        return (batch[:, 0] > 0.9).mean((1, 2))

    right, wrong = curves(score, image, truth, 8), curves(score, image, 1 - truth, 8)
    assert right.shares.tolist() == [k / 8 for k in range(9)]
    assert right.deletion[0] == right.insertion[-1] == pytest.approx(16 / 128)
    assert right.deletion[-1] == right.insertion[0] == 0
    assert right.deletion[1] == 0  # an eighth of the pixels are the bright ones
    assert wrong.deletion[7] == pytest.approx(16 / 128)
    assert right.areas[0] < wrong.areas[0]
    assert right.areas[1] > wrong.areas[1]
    assert right.areas[0] == pytest.approx(16 / 128 / 16)
    with pytest.raises(ValueError, match="expected a map of"):
        curves(score, image, truth[:4])


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
