"""On a GPU everything trains, and comes to the numbers of a CPU; run with `pytest -m gpu tests/test_gpu.py`."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from mun.auxiliary.registry import AUXILIARIES
from mun.checkpoint import load_checkpoint
from mun.config import Config, LossConfig, ModelConfig, TrainConfig
from mun.data.augment import augment, draw_uniform
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.experiments.cost import measure
from mun.models.network import Network
from mun.structures import Modality, Split
from mun.training.passes import RecordedPasses
from mun.training.run import FORMAT, MetricsFile, RunSettings, write_settings
from mun.training.trainer import Trainer, train

pytestmark = pytest.mark.gpu

CPU, GPU = torch.device("cpu"), torch.device("cuda")
MODEL = ModelConfig(width=0.125, height=64, image_width=32)
SHORT = TrainConfig(epochs=2, ids_per_batch=4, instances_per_id=2, save_every=4, log_every=1, recalibration=2)
EXACT = replace(SHORT, precision="float32")


@pytest.fixture(autouse=True)
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Multiply in float32, where comparisons with a CPU would else meet tf32."""
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    monkeypatch.setattr(torch.backends.cuda.matmul, "allow_tf32", False)


def start(folder: Path, data: Path, auxiliary: str, config: TrainConfig) -> Path:
    whole = Config(replace(MODEL, auxiliary=auxiliary), LossConfig(ramp_start=0.0, ramp_end=0.3), config)
    write_settings(folder, RunSettings(FORMAT, whole, "synvi", str(data), 5))
    return folder


def losses(folder: Path) -> list[float]:
    return [line["total"] for line in MetricsFile.lines(folder / "metrics.jsonl") if "total" in line]


@pytest.mark.parametrize("auxiliary", AUXILIARIES)
def test_everything_trains_in_mixed_precision(tiny_synvi: Path, tmp_path: Path, auxiliary: str) -> None:
    folder = start(tmp_path / "run", tiny_synvi, auxiliary, SHORT)
    assert train(folder, device=GPU, progress=False)
    assert np.isfinite(losses(folder)).all()
    network, card = load_checkpoint(folder)
    assert card.steps > 0
    samples = read_source("synvi", tiny_synvi).require(Split.TEST)
    on_gpu, on_cpu = (embed_samples(network.to(device), samples) for device in (GPU, CPU))
    assert np.abs(np.asarray(on_gpu) - np.asarray(on_cpu)).max() < 2e-3


@pytest.mark.parametrize("auxiliary", ["none", "cutmix", "middle", "mun"])
def test_losses_are_those_of_a_cpu(tiny_synvi: Path, tmp_path: Path, auxiliary: str) -> None:
    for name, device in (("cpu", CPU), ("gpu", GPU)):
        trainer = Trainer(start(tmp_path / name, tiny_synvi, auxiliary, EXACT), device, progress=False)
        for _ in range(3):
            trainer.advance()
    first, second = losses(tmp_path / "cpu"), losses(tmp_path / "gpu")
    assert len(first) == 3
    assert second == pytest.approx(first, rel=2e-2)
    assert second[0] == pytest.approx(first[0], rel=1e-4), "before any rounding could grow"


@pytest.mark.parametrize("auxiliary", ["none", "middle", "mun"])
def test_recorded_passes_are_those_of_the_network(auxiliary: str) -> None:
    torch.manual_seed(0)
    plain = Network(replace(MODEL, auxiliary=auxiliary), 10).to(GPU).to(memory_format=torch.channels_last).train()
    other = copy.deepcopy(plain)
    recorded = RecordedPasses(other)
    for turn in range(3):
        visible, infrared = torch.rand(2, 8, 3, 64, 32, device=GPU)
        found = {}
        for name, network, passes in (("plain", plain, plain), ("recorded", other, recorded)):
            images = {Modality.VISIBLE: visible, Modality.INFRARED: infrared}
            if generated := passes.generate(visible, infrared):
                images[Modality.AUXILIARY] = torch.cat(generated)
            outputs = passes(images)
            network.zero_grad(set_to_none=True)
            said = [*outputs.embeddings.values(), *outputs.features.values(), *outputs.logits.values()]
            torch.cat([values[:, :3] for values in said]).square().sum().backward()
            gradients = {f"{key}.grad": p.grad.clone() for key, p in network.named_parameters() if p.grad is not None}
            logits = {f"{key}.logits": value.detach().clone() for key, value in outputs.logits.items()}
            found[name] = {key: value.clone() for key, value in network.state_dict().items()} | gradients | logits
        assert found["plain"].keys() == found["recorded"].keys()
        for key, value in found["plain"].items():
            scale = 1 + float(value.abs().max())
            assert torch.allclose(value, found["recorded"][key], rtol=1e-3, atol=1e-4 * scale), (turn, key)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_run_goes_on_where_it_stopped(tiny_synvi: Path, tmp_path: Path, optimizer: str) -> None:
    config = replace(EXACT, optimizer=optimizer)
    for name, stops in (("whole", [None]), ("cut", [5, 9, None])):
        folder = start(tmp_path / name, tiny_synvi, "mun", config)
        for until in stops:
            train(folder, until=until, device=GPU, progress=False)
    first, second = losses(tmp_path / "whole"), losses(tmp_path / "cut")
    assert len(first) == len(second) > 9
    assert second == pytest.approx(first, rel=5e-2)
    assert second[5] == pytest.approx(first[5], rel=5e-3), "the first step after the stop"


def test_augmentation_is_that_of_a_cpu() -> None:
    draws = torch.Generator().manual_seed(0)
    images, uniform = torch.rand(16, 3, 64, 32, generator=draws), draw_uniform(16, draws)
    expected = augment(images, TrainConfig(), uniform)
    assert torch.allclose(augment(images.to(GPU), TrainConfig(), uniform).cpu(), expected, atol=1e-6)


def test_cost_counts_each_method_s_memory_alone() -> None:
    wide, narrow = (Config(replace(MODEL, auxiliary="none", width=width)) for width in (1.0, 0.125))
    costs = dict(measure({"wide": wide, "narrow": narrow, "again": wide}, 10, "cuda", 1))
    assert costs["narrow"].peak_bytes < costs["wide"].peak_bytes
    assert costs["again"].peak_bytes == pytest.approx(costs["wide"].peak_bytes, rel=0.05)
    assert all(cost.step_seconds > 0 for cost in costs.values())
