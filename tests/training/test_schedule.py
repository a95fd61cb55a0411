"""The learning rate and the groups of the optimiser."""

from __future__ import annotations

import pytest

from mun.checkpoint import build_network
from mun.config import Config, ModelConfig, TrainConfig
from mun.training.schedule import build_optimizer, learning_rate, set_learning_rate


def test_warm_up_then_cosine() -> None:
    config = TrainConfig(lr=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == max(rates) == 1.0
    assert all(a < b for a, b in zip(rates[:10], rates[1:11], strict=True))
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_layer_scale_and_norms_are_not_decayed(name) -> None:
    network = build_network(Config(ModelConfig(width=0.125)), 3)
    optimizer = build_optimizer(network, TrainConfig(optimizer=name))
    decayed = {id(p): group["weight_decay"] > 0 for group in optimizer.param_groups for p in group["params"]}
    assert not decayed[id(network.auxiliary.scale_iml)]
    assert not decayed[id(network.neck.bn.weight)]
    assert decayed[id(network.trunk.layer1[0].conv1.weight)]
    assert len(decayed) == sum(p.requires_grad for p in network.parameters())
    set_learning_rate(optimizer, 0.25)
    assert {group["lr"] for group in optimizer.param_groups} == {0.25}


@pytest.mark.parametrize("name", ["adamw", "sgd"])
def test_pretrained_layers_learn_more_slowly(name) -> None:
    network = build_network(Config(ModelConfig(width=0.125)), 3)
    optimizer = build_optimizer(network, TrainConfig(optimizer=name, pretrained_rate=0.2), pretrained=True)
    set_learning_rate(optimizer, 0.5)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    for parameter, value in network.named_parameters():
        if not value.requires_grad:
            continue
        filled = parameter.startswith(("stems.", "trunk."))
        assert rates[id(value)] == pytest.approx(0.1 if filled else 0.5)
        assert (decays[id(value)] > 0) == (value.ndim > 1)
    assert len(rates) == sum(len(group["params"]) for group in optimizer.param_groups)
    assert len(rates) == sum(p.requires_grad for p in network.parameters())


def test_the_generator_may_have_a_pace_of_its_own() -> None:
    network = build_network(Config(ModelConfig(width=0.125)), 3)
    optimizer = build_optimizer(network, TrainConfig(generator_rate=3.0, pretrained_rate=0.2), pretrained=True)
    set_learning_rate(optimizer, 0.5)
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates[id(network.auxiliary.scale_iml)] == pytest.approx(1.5)
    assert rates[id(network.trunk.layer1[0].conv1.weight)] == pytest.approx(0.1)
    assert rates[id(network.neck.bn.weight)] == pytest.approx(0.5)
    plain = build_optimizer(network, TrainConfig())
    assert len(plain.param_groups) == 2, "as before the generator could have a pace: older states resume"
