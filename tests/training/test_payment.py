"""Who pays the generator: the identity loss's gradient is kept from it, shared or reversed, and from nothing else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from mun.checkpoint import read_snapshots
from mun.config import Config, GeneratorConfig, LossConfig, ModelConfig, TrainConfig
from mun.losses.criterion import Criterion
from mun.models.network import Network
from mun.structures import Modality
from mun.training.run import FORMAT, RunSettings
from mun.training.step import backward_sharing
from mun.training.trainer import start_run, train

MODEL = ModelConfig(width=0.0625, height=32, image_width=16, generator=GeneratorConfig(form="residual"))
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
    network = Network(MODEL, 2).double()
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
        settings = RunSettings(FORMAT, Config(MODEL, loss, train_config), "synvi", str(tiny_synvi), 0)
        start_run(tmp_path / f"{share:g}", settings)
        assert train(tmp_path / f"{share:g}", progress=False)
        states = read_snapshots(tmp_path / f"{share:g}")
        first, last = states[min(states)], states[max(states)]
        kept[share] = all(torch.equal(first[name], last[name]) for name in first if "norm" not in name)
    assert kept == {0.0: True, 1.0: False}
