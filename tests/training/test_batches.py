"""Batches that a thread reads ahead are those that a step would read itself."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
import torch

from mun.config import Config, ModelConfig, TrainConfig
from mun.data.sources import read_source
from mun.training.batches import Batches


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
