"""Recalibration: batch statistics of visible and infrared images, nothing else changed."""

from __future__ import annotations

import torch

from mun.checkpoint import build_network
from mun.config import Config, ModelConfig
from mun.structures import Modality
from mun.training.validation import recalibrated


def batches(count: int) -> list[dict[Modality, torch.Tensor]]:
    draws = torch.Generator().manual_seed(0)
    return [
        {m: torch.rand(4, 3, 64, 32, generator=draws) for m in (Modality.VISIBLE, Modality.INFRARED)}
        for _ in range(count)
    ]


def test_statistics_are_the_mean_over_batches() -> None:
    network = build_network(Config(ModelConfig(width=0.125, height=64, image_width=32)), 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    given = batches(3)
    result = recalibrated(network, given)
    means = []
    for batch in given:
        normalised = (batch[Modality.VISIBLE] - network.mean) / network.std
        means.append(network.stems["visible"].conv1(normalised).mean(dim=(0, 2, 3)))
    assert torch.allclose(result.stems["visible"].bn1.running_mean, torch.stack(means).mean(dim=0), atol=1e-5)
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    changed = {name for name, value in result.state_dict().items() if not torch.equal(before[name], value)}
    assert all("running" in name or "num_batches" in name for name in changed)
    assert not any(name.startswith(("auxiliary", "stems.auxiliary")) for name in changed)
    assert not result.training


def test_without_batches_nothing_changes() -> None:
    network = build_network(Config(ModelConfig(width=0.125, height=64, image_width=32)), 2)
    result = recalibrated(network, [])
    assert all(torch.equal(value, result.state_dict()[name]) for name, value in network.state_dict().items())
