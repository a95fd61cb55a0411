"""Losses and their sum against the public code's numbers, hand-written references and numerical gradients."""

import math

import numpy as np
import pytest
import reference
import torch
from torch.nn import functional as F

from mun.config import LossConfig
from mun.losses.criterion import Criterion, ramp
from mun.losses.functional import (
    batch_hard_triplet,
    euclidean_distances,
    identity_alignment,
    identity_centers,
    modality_prototype,
)
from mun.structures import Modality

V, I, A = Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY


def parity_batch() -> tuple[torch.Tensor, torch.Tensor]:
    """The formula-made batch on which the peers' own functions were run: 8 ids × 4 images × 2 modalities, 64-d."""
    rs = np.random.RandomState(31337)
    centers, visible, infrared = (rs.standard_normal((n, 64)) for n in (8, 1, 1))
    noise_v, noise_i = rs.standard_normal((32, 64)), rs.standard_normal((32, 64))
    labels = np.repeat(np.arange(8), 4)
    features = [0.5 * centers[labels] + 0.5 * visible + noise_v, 0.5 * centers[labels] + 0.5 * infrared + noise_i]
    return torch.tensor(np.concatenate(features), dtype=torch.float32), torch.tensor(np.tile(labels, 2))


def ragged_groups(seed: int = 0) -> tuple[dict, dict]:
    """Unsorted labels, unequal K, one identity absent in infrared, one in auxiliary."""
    rs = np.random.RandomState(seed)
    labels = {V: [4, 9, 4, 2, 9, 9, 2], I: [9, 4, 4, 9, 9], A: [2, 9, 2, 9]}
    features = {m: rs.standard_normal((len(values), 6)) for m, values in labels.items()}
    return features, labels


def as_tensors(features: dict, labels: dict) -> tuple[dict, dict]:
    return {m: torch.tensor(f) for m, f in features.items()}, {m: torch.tensor(l) for m, l in labels.items()}


@pytest.mark.parametrize(
    ("loss", "value", "gradient"),
    [
        (lambda f, y: batch_hard_triplet(f, y, 0.3), 3.2277994, 0.3090259),
        (lambda f, y: identity_alignment({V: f[:32], I: f[32:]}, {V: y[:32], I: y[32:]}, 0.3), 1.0863383, 0.2737525),
    ],
    ids=["batch-hard", "hetero-center"],
)
def test_parity_with_public_code(loss, value, gradient) -> None:
    features, labels = parity_batch()
    features.requires_grad_()
    result = loss(features, labels)
    result.backward()
    assert result.item() == pytest.approx(value, abs=2e-6)
    assert features.grad.norm().item() == pytest.approx(gradient, abs=1e-6)


@pytest.mark.parametrize("absent", [None, V, I, A])
def test_identity_alignment_equals_the_loops(absent) -> None:
    features, labels = ragged_groups()
    if absent:
        del features[absent], labels[absent]
    result = identity_alignment(*as_tensors(features, labels), margin=0.7)
    assert result.item() == pytest.approx(reference.identity_alignment(features, labels, 0.7), abs=1e-10)


def test_identity_alignment_is_zero_without_negatives_or_positives() -> None:
    one = {V: torch.randn(3, 4, requires_grad=True), I: torch.randn(2, 4)}
    loss = identity_alignment(one, {V: torch.tensor([5, 5, 5]), I: torch.tensor([5, 5])}, 0.3)
    loss.backward()
    assert loss.item() == 0.0
    assert torch.equal(one[V].grad, torch.zeros(3, 4))


def test_batch_hard_triplet_equals_the_loops() -> None:
    features, labels = parity_batch()
    rows, ids = features.double().numpy(), labels.numpy()
    hard = batch_hard_triplet(features.double(), labels, 0.3).item()
    assert hard == pytest.approx(reference.batch_hard_triplet(rows, ids, 0.3), abs=1e-10)


def test_prototype_weighs_identities_equally() -> None:
    features, labels = ragged_groups(5)
    result = modality_prototype(torch.tensor(features[V]), torch.tensor(labels[V]))
    np.testing.assert_allclose(result.numpy(), reference.prototype(features[V], labels[V]), atol=1e-12)


def test_centers_ascend_by_label() -> None:
    features, labels = ragged_groups(5)
    centers, ids = identity_centers(torch.tensor(features[V]), torch.tensor(labels[V]))
    expected = reference.centers(features[V], labels[V])
    assert ids.tolist() == [2, 4, 9]
    np.testing.assert_allclose(centers.numpy(), np.stack([expected[i] for i in (2, 4, 9)]), atol=1e-12)


def test_gradients_in_float64() -> None:
    features, labels = as_tensors(*ragged_groups(7))
    leaves = [features[m].clone().requires_grad_() for m in (V, I, A)]

    def alignment(*values):
        return identity_alignment(dict(zip((V, I, A), values, strict=True)), labels, 2.0)

    assert torch.autograd.gradcheck(alignment, leaves)
    y = torch.tensor([0, 0, 1, 1, 2])
    x = torch.randn(5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    assert torch.autograd.gradcheck(lambda f: batch_hard_triplet(f, y, 5.0), x)
    assert torch.autograd.gradcheck(lambda f: modality_prototype(f, y), x)


def test_distance_zero_has_gradient_zero() -> None:
    point = torch.ones(2, 3, requires_grad=True)
    euclidean_distances(point, point).sum().backward()
    assert torch.equal(point.grad, torch.zeros(2, 3))


def test_one_identity_is_refused() -> None:
    with pytest.raises(ValueError, match="two identities"):
        batch_hard_triplet(torch.randn(4, 2), torch.zeros(4, dtype=torch.long), 0.3)


@pytest.mark.parametrize("features", [torch.randn(4), torch.randn(3, 2), torch.randn(4, 2, 2)])
def test_shapes_are_checked(features) -> None:
    with pytest.raises(ValueError, match=r"\(N, D\)"):
        identity_centers(features, torch.zeros(4, dtype=torch.long))


def batch() -> tuple:
    draws = torch.Generator().manual_seed(0)
    features = {m: torch.rand(6, 5, generator=draws) for m in (V, I)}
    embeddings = {m: F.normalize(torch.randn(6, 5, generator=draws), dim=1) for m in (V, I)}
    logits = {m: torch.randn(6, 3, generator=draws) for m in (V, I)}
    labels = dict.fromkeys((V, I), torch.tensor([0, 0, 1, 1, 2, 2]))
    return features, embeddings, logits, labels


@pytest.mark.parametrize(
    ("progress", "start", "end", "expected"),
    [(0.0, 0.1, 0.3, 0.0), (0.1, 0.1, 0.3, 0.0), (0.2, 0.1, 0.3, 0.5), (0.3, 0.1, 0.3, 1.0), (0.0, 0.0, 0.0, 1.0)],
)
def test_ramp(progress, start, end, expected) -> None:
    assert ramp(progress, start, end) == pytest.approx(expected)


def test_begins_with_the_identity_loss_alone() -> None:
    total, parts = Criterion(LossConfig(label_smoothing=0.0), 5)(*batch(), progress=0.0)
    _, _, logits, labels = batch()
    expected = F.cross_entropy(torch.cat([logits[V], logits[I]]), torch.cat([labels[V], labels[I]]))
    assert total.item() == pytest.approx(expected.item())
    assert set(parts) == {"identity", "identity_alignment", "modality_alignment"}


@pytest.mark.parametrize("space", ["features", "unit_features", "embedding"])
def test_weights_and_space(space) -> None:
    config = LossConfig(identity_alignment=2.0, modality_alignment=0.0, triplet=3.0, space=space)
    features, embeddings, logits, labels = batch()
    total, parts = Criterion(config, 5)(features, embeddings, logits, labels, progress=1.0)
    points = {
        "features": features,
        "unit_features": {m: F.normalize(f, dim=1) for m, f in features.items()},
        "embedding": embeddings,
    }[space]
    alignment = identity_alignment(points, labels, config.margin)
    hard = batch_hard_triplet(torch.cat([points[V], points[I]]), torch.cat([labels[V], labels[I]]), config.margin)
    assert total.item() == pytest.approx((parts["identity"] + 2 * alignment + 3 * hard).item(), rel=1e-6)


def test_diagnostics_see_collapse() -> None:
    features, embeddings, _, labels = batch()
    criterion = Criterion(LossConfig(), 5)
    spread = criterion.diagnostics(features, embeddings, labels)["spread"]
    flat = {m: torch.ones(6, 5) for m in (V, I)}
    collapsed = criterion.diagnostics(flat, flat, labels)
    assert collapsed["spread"] == pytest.approx(0.0, abs=1e-6)
    assert spread > 0.1
    assert collapsed["active_triplets"] == 1.0
    assert all(math.isfinite(value) for value in collapsed.values())
