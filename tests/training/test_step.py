"""One step of training: its batches, rates and groups, who pays the generator, recalibration, and people renewed."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from mun.checkpoint import build_network, read_snapshots
from mun.config import Config, GeneratorConfig, LossConfig, ModelConfig, TrainConfig
from mun.data.sources import read_source
from mun.losses.criterion import Criterion
from mun.models.network import BnNeck, Network
from mun.structures import PAIRED, Modality
from mun.training.batches import Batches
from mun.training.run import FORMAT, RunSettings
from mun.training.schedule import build_optimizer, forget_labels, learning_rate, set_learning_rate
from mun.training.step import backward_sharing
from mun.training.trainer import Trainer, start_run, train
from mun.training.validation import recalibrated


def test_warm_up_then_cosine() -> None:
    config = TrainConfig(lr=1.0, warmup=0.1)
    rates = [learning_rate(step, 100, config) for step in range(100)]
    assert rates[0] == pytest.approx(1 / 11)
    assert rates[10] == max(rates) == 1.0
    assert all(a < b for a, b in zip(rates[:10], rates[1:11], strict=True))
    assert all(a > b for a, b in zip(rates[10:], rates[11:], strict=False))
    assert rates[-1] == pytest.approx(0.01, abs=0.001)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("pretrained", [False, True])
def test_rates_and_decay_of_every_parameter(optimizer, pretrained) -> None:
    """Pretrained layers learn more slowly, the generator at its own pace; norms, scales and biases do not decay."""
    network = build_network(Config(ModelConfig(width=0.125)), 3)
    config = TrainConfig(optimizer=optimizer, generator_rate=3.0, pretrained_rate=0.2)
    made = build_optimizer(network, config, pretrained=pretrained)
    set_learning_rate(made, 0.5)
    groups = {id(p): group for group in made.param_groups for p in group["params"]}
    assert len(groups) == sum(len(group["params"]) for group in made.param_groups)
    learned = {name: p for name, p in network.named_parameters() if p.requires_grad}
    assert len(groups) == len(learned)
    for name, parameter in learned.items():
        filled = pretrained and name.startswith(("stems.", "trunk."))
        expected = 0.1 if filled else 1.5 if name.startswith("auxiliary.") else 0.5
        assert groups[id(parameter)]["lr"] == pytest.approx(expected), name
        assert (groups[id(parameter)]["weight_decay"] > 0) == (parameter.ndim > 1), name
    plain = build_optimizer(network, TrainConfig(optimizer=optimizer))
    assert len(plain.param_groups) == 2, "as before the generator could have a pace: older states resume"


def test_the_next_batch_is_read_by_a_thread_and_is_the_same(tiny_synvi: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(
        ModelConfig(height=32, image_width=16), train=TrainConfig(ids_per_batch=4, instances_per_id=2, epochs=2)
    )
    batches = Batches(read_source("synvi", tiny_synvi), config, 5, torch.device("cpu"), progress=False)
    readers, read = [], batches.read

    def noted(*arguments: Any) -> Any:
        readers.append(threading.current_thread() is threading.main_thread())
        return read(*arguments)

    monkeypatch.setattr(batches, "read", noted)
    in_turn = [batches.at(step) for step in range(4)]
    assert readers.count(True) == 1  # the first; the thread reads all others
    for step in (3, 0, 2, 1):  # none of these was read ahead but by chance
        images, labels = batches.at(step)
        assert torch.equal(labels, in_turn[step][1])
        assert all(torch.equal(images[modality], in_turn[step][0][modality]) for modality in images)
    batches.close()


def given_batches(count: int) -> list[dict[Modality, torch.Tensor]]:
    draws = torch.Generator().manual_seed(0)
    return [
        {m: torch.rand(4, 3, 64, 32, generator=draws) for m in (Modality.VISIBLE, Modality.INFRARED)}
        for _ in range(count)
    ]


def test_statistics_are_the_mean_over_batches() -> None:
    network = build_network(Config(ModelConfig(width=0.125, height=64, image_width=32)), 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    given = given_batches(3)
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


def test_the_mean_of_the_maps_takes_no_part_in_the_statistics() -> None:
    """It lies between both modalities, and there is none at test."""
    network, plain = (
        build_network(Config(ModelConfig(name, width=0.125, height=64, image_width=32)), 2)
        for name in ("feature-mean", "none")
    )
    result, expected = (recalibrated(one, given_batches(2)) for one in (network, plain))
    assert all(torch.equal(value, result.state_dict()[name]) for name, value in expected.state_dict().items())


def test_without_batches_nothing_changes() -> None:
    network = build_network(Config(ModelConfig(width=0.125, height=64, image_width=32)), 2)
    result = recalibrated(network, [])
    assert all(torch.equal(value, result.state_dict()[name]) for name, value in network.state_dict().items())


PAID_MODEL = ModelConfig(width=0.0625, height=32, image_width=16, generator=GeneratorConfig(form="residual"))

LABELS = torch.arange(2).repeat_interleave(2)


def losses(network: Network, criterion: Criterion, seen: Tensor, visible: Tensor, infrared: Tensor) -> list[Tensor]:
    """The total, and the identity loss of the same graph."""
    images = {Modality.VISIBLE: visible, Modality.INFRARED: infrared, Modality.AUXILIARY: seen}
    labels = dict.fromkeys(images, LABELS)
    outputs = network(images)
    total, _ = criterion(outputs.features, outputs.embeddings, outputs.logits, labels, progress=1.0)
    return [total, criterion.identity(outputs.logits, labels)]


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("share", [0.0, 0.3, -0.5])
def test_the_generator_gets_its_share_and_all_else_the_whole(share, monkeypatch) -> None:
    """Against the definition in float64: the generator's gradient is that of total − (1 − share)·identity."""
    monkeypatch.setattr(Tensor, "float", lambda self: self)  # heads and losses work in float32 otherwise
    torch.manual_seed(0)
    network = Network(PAID_MODEL, 2).double()
    criterion = Criterion(LossConfig(momentum=0.0), network.num_features).double()
    visible, infrared = torch.rand(2, 4, 3, 32, 16, dtype=torch.float64)

    def fresh() -> Tensor:
        network.zero_grad(set_to_none=True)
        return network.auxiliary(visible, infrared)[0]

    made = fresh()
    losses(network, criterion, made, visible, infrared)[0].backward()
    whole = gradients(network)
    made = fresh()
    total, identity = losses(network, criterion, made, visible, infrared)
    (total - (1 - share) * identity).backward()
    expected = {**whole, **{f"auxiliary.{name}": value for name, value in gradients(network.auxiliary).items()}}

    made = fresh()
    seen = made.detach().requires_grad_()
    total, identity = losses(network, criterion, seen, visible, infrared)
    backward_sharing(total, identity, made, seen, share)
    got = gradients(network)
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(got[name], value, atol=1e-10, rtol=1e-8), name
    assert any(not torch.allclose(whole[name], got[name]) for name in got if name.startswith("auxiliary."))


def test_identity_loss_alone_teaches_an_unpaid_generator_nothing(tiny_synvi, tmp_path) -> None:
    """In the trainer itself: with no alignment and no decay the generator ends as it began; paid, it does not."""
    train_config = TrainConfig(
        epochs=1, ids_per_batch=2, instances_per_id=2, weight_decay=0.0, recalibration=0, log_every=1, snapshots=2
    )
    kept = {}
    for share in (0.0, 1.0):
        loss = LossConfig(identity_alignment=0.0, modality_alignment=0.0, generator_identity=share)
        settings = RunSettings(FORMAT, Config(PAID_MODEL, loss, train_config), "synvi", str(tiny_synvi), 0)
        start_run(tmp_path / f"{share:g}", settings)
        assert train(tmp_path / f"{share:g}", progress=False)
        states = read_snapshots(tmp_path / f"{share:g}")
        first, last = states[min(states)], states[max(states)]
        kept[share] = all(torch.equal(first[name], last[name]) for name in first if "norm" not in name)
    assert kept == {0.0: True, 1.0: False}


CPU = torch.device("cpu")


def renewal_settings(data: Path, fresh: int) -> RunSettings:
    short = TrainConfig(epochs=3, ids_per_batch=4, instances_per_id=2, save_every=5, log_every=3, fresh=fresh)
    config = Config(
        ModelConfig(width=0.125, height=32, image_width=16), LossConfig(ramp_start=0.0, ramp_end=0.3), short
    )
    return RunSettings(FORMAT, config, "synvi", str(data), 5)


def test_the_rows_of_old_labels_start_anew_and_the_others_stay() -> None:
    neck = BnNeck(8, 6)
    optimizer = torch.optim.AdamW(neck.parameters(), lr=0.1)
    neck.train()
    neck(torch.randn(12, 8, generator=torch.Generator().manual_seed(0)))[1].square().sum().backward()
    optimizer.step()
    weight = neck.classifier.weight
    before = weight.detach().clone()
    moment = optimizer.state[weight]["exp_avg"].clone()
    forget_labels(neck, optimizer, np.array([1, 4]), torch.Generator().manual_seed(3))
    kept = [0, 2, 3, 5]
    assert torch.equal(weight[kept], before[kept])
    assert torch.equal(optimizer.state[weight]["exp_avg"][kept], moment[kept])
    assert not optimizer.state[weight]["exp_avg"][[1, 4]].any()
    assert not optimizer.state[weight]["exp_avg_sq"][[1, 4]].any()
    assert 0 < weight[[1, 4]].abs().max() < 0.01
    assert not torch.equal(weight[[1, 4]], before[[1, 4]])


def test_a_network_without_a_classifier_has_nothing_to_forget() -> None:
    with pytest.raises(ValueError, match="expected a network with a classifier"):
        forget_labels(BnNeck(4, 0), torch.optim.SGD([torch.zeros(1)], 0.1), np.array([0]), torch.Generator())


def test_batches_show_the_new_people(tiny_synvi: Path, tmp_path: Path) -> None:
    start_run(tmp_path / "run", renewal_settings(tiny_synvi, 3))
    trainer = Trainer(tmp_path / "run", CPU, progress=False)
    each = len(trainer.batches.pixels) // trainer.batches.sampler.num_classes
    rows = np.arange(len(trainer.batches.pixels))
    old, new = (trainer.batches.read(dict.fromkeys(PAIRED, rows), step) for step in (0, trainer.steps_per_epoch))
    changed = (old[Modality.VISIBLE] != new[Modality.VISIBLE]).any((1, 2, 3)).reshape(-1, each)
    assert changed[:3].all()
    assert not changed[3:].any()
    trainer.batches.close()


@pytest.mark.slow
def test_cut_into_calls_ends_the_same(tiny_synvi: Path, tmp_path: Path) -> None:
    for name in ("whole", "cut"):
        start_run(tmp_path / name, renewal_settings(tiny_synvi, 3))
    assert train(tmp_path / "whole", progress=False)
    steps = Trainer(tmp_path / "whole", CPU, progress=False).steps_per_epoch
    assert not train(tmp_path / "cut", steps, progress=False)
    assert not train(tmp_path / "cut", steps + 2, progress=False)
    assert train(tmp_path / "cut", progress=False)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_more_fresh_people_than_places_are_refused_before_anything_is_written(tiny_synvi: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected fresh between 1 and the"):
        start_run(tmp_path / "run", renewal_settings(tiny_synvi, 10_000))
    assert not (tmp_path / "run").exists()
