"""Small training runs for the tests: recipes of a second or two, and functions that wait for runs and compare them."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from app.train.queue import Queue
from app.train.record import Data, Recipe, Record
from mun.config import Config, LossConfig, ModelConfig, TrainConfig

SECONDS = 120  # a busy machine takes long to start a process


def recipe_for(data: Path, *, epochs: int = 2, auxiliary: str = "mun", **changes: Any) -> Recipe:
    """A run of four steps an epoch over the tiny data set, by a tiny network."""
    model = ModelConfig(auxiliary, width=0.125, height=32, image_width=32)
    train = TrainConfig(epochs=epochs, ids_per_batch=4, instances_per_id=2, recalibration=1, pad=2)
    config = Config(model, LossConfig(ramp_start=0.0, ramp_end=0.3), train)
    return Recipe(Data("synvi", root=str(data)), config, seed=5, device="cpu", **changes)


def until(queue: Queue, run: str, done: Callable[[Record], bool] = lambda record: record.over) -> Record:
    """Wait until a condition on a run's record holds; fail if the run ends before."""
    deadline = time.monotonic() + SECONDS
    while not done(record := queue.get(run)):
        assert not record.over, f"{record.state}: {record.error}"
        assert time.monotonic() < deadline, record
        time.sleep(0.01)
    return record


def same_weights(first: Path, second: Path) -> bool:
    """Say whether two finished runs have the same weights, to the bit."""
    one, other = load_file(first / "model.safetensors"), load_file(second / "model.safetensors")
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
