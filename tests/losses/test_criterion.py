"""The total loss: its ramp, its weights, and its diagnostics."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional as F

from mun.config import LossConfig
from mun.losses.criterion import Criterion, ramp
from mun.losses.functional import batch_hard_triplet, identity_alignment
from mun.structures import Modality

V, I = Modality.VISIBLE, Modality.INFRARED


def batch() -> tuple:
    draws = torch.Generator().manual_seed(0)
    features = {m: torch.rand(6, 5, generator=draws) for m in (V, I)}
    embeddings = {m: F.normalize(torch.randn(6, 5, generator=draws), dim=1) for m in (V, I)}
    logits = {m: torch.randn(6, 3, generator=draws) for m in (V, I)}
    labels = dict.fromkeys((V, I), torch.tensor([0, 0, 1, 1, 2, 2]))
    return features, embeddings, logits, labels


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.0), (0.1, 0.0), (0.2, 0.5), (0.3, 1.0), (1.0, 1.0)])
def test_ramp(progress, expected) -> None:
    assert ramp(progress, 0.1, 0.3) == pytest.approx(expected)


def test_ramp_without_width() -> None:
    assert ramp(0.0, 0.0, 0.0) == 1.0


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
