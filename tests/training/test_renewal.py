"""Fresh identities in training: forgotten rows, exact resume, one clear error where people are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from mun.config import Config, LossConfig, ModelConfig, TrainConfig
from mun.models.network import BnNeck
from mun.structures import Modality
from mun.training.batches import PAIRED
from mun.training.run import FORMAT, RunSettings
from mun.training.schedule import forget_labels
from mun.training.trainer import Trainer, start_run, train

CPU = torch.device("cpu")


def settings(data: Path, fresh: int) -> RunSettings:
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
    start_run(tmp_path / "run", settings(tiny_synvi, 3))
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
        start_run(tmp_path / name, settings(tiny_synvi, 3))
    assert train(tmp_path / "whole", progress=False)
    steps = Trainer(tmp_path / "whole", CPU, progress=False).steps_per_epoch
    assert not train(tmp_path / "cut", steps, progress=False)
    assert not train(tmp_path / "cut", steps + 2, progress=False)
    assert train(tmp_path / "cut", progress=False)
    first, second = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "cut"))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_fresh_people_change_what_is_learned(tiny_synvi: Path, tmp_path: Path) -> None:
    for fresh in (0, 3):
        start_run(tmp_path / str(fresh), settings(tiny_synvi, fresh))
    batches = []
    for fresh in (0, 3):
        trainer = Trainer(tmp_path / str(fresh), CPU, progress=False)
        batches.append(
            torch.cat(
                [
                    trainer.batches.at(step)[0][Modality.VISIBLE]
                    for step in range(trainer.steps_per_epoch, trainer.steps_per_epoch + 3)
                ]
            )
        )
        trainer.batches.close()
    assert not torch.equal(*batches)


def test_more_fresh_people_than_places_are_refused_before_anything_is_written(tiny_synvi: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected fresh between 1 and the"):
        start_run(tmp_path / "run", settings(tiny_synvi, 10_000))
    assert not (tmp_path / "run").exists()
