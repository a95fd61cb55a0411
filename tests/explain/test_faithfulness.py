"""Controls and checks of maps: each against an independent computation."""

from __future__ import annotations

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
from mun.structures import Modality

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
    plain = build_network(Config(model=ModelConfig(auxiliary="none", width=0.125, height=64, image_width=32)), 0)
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


def test_modalities_stay_apart() -> None:
    """A random copy embeds like any network; its maps are made the same way."""
    network = randomised(build_network(Config(model=MODEL), 0), 4)
    assert network.embed(torch.rand(1, 3, 64, 32), Modality.INFRARED).norm() == pytest.approx(1, abs=1e-5)
