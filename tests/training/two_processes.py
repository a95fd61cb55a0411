"""Train a few steps as one of the processes of torchrun, and keep what this process ends with.

torchrun … two_processes.py OUT RUN [RUN …]; in a run called `frozen`, batch statistics stay and four steps are done,
else one.
"""

import sys
from pathlib import Path

import torch
from torch import nn

from mun.checkpoint import save_tensors
from mun.distributed import gathered, processes, rank, share, together, wait
from mun.training.trainer import Trainer

__all__ = ["end_of"]


def end_of(folder: Path) -> dict[str, torch.Tensor]:
    """Train a run and return weights, statistics, prototypes, the last gradients and the last loss."""
    trainer, loss = Trainer(folder, torch.device("cpu"), progress=False), 0.0
    if folder.name == "frozen":
        for module in trainer.network.modules():
            if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
                module.train = lambda mode=True, module=module: nn.Module.train(module, False)  # type: ignore[method-assign]
    for _ in range(4 if folder.name == "frozen" else 1):
        loss = trainer.train_step().get("total", loss)
    trainer.batches.close()
    parts = {"network": trainer.network, "criterion": trainer.criterion}
    state = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()}
    gradients = {
        f"gradient.{key}": part.grad for key, part in trainer.network.named_parameters() if part.grad is not None
    }
    return {**state, **gradients, "loss": torch.tensor(loss)}


def main() -> None:
    """Join the others, train every run, and check what they share."""
    out = Path(sys.argv[1])
    with together(torch.device("cpu")):
        mine = torch.full((1, 2), float(rank() + 1), requires_grad=True)
        (gathered(mine) * torch.arange(2.0 * processes()).reshape(-1, 2)).sum().backward()
        assert mine.grad is not None
        save_tensors(
            out / f"parts-{rank()}.safetensors", {"gradient": mine.grad, "rows": torch.tensor(share(range(5)))}
        )
        for folder in map(Path, sys.argv[2:]):
            save_tensors(out / f"{folder.name}-{rank()}.safetensors", end_of(folder))
            wait()


if __name__ == "__main__":
    main()
