"""Choose the device, and share one job among the processes of `torchrun`, each with its part of the images.

Without torchrun every function works as for one process. The folder of a run and the data must be on a disk that all
machines see; only the first process writes.
"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["choose_device", "gathered", "is_first", "local_first", "own_part", "processes", "rank", "share", "summed"]
__all__ += ["together", "wait"]


def choose_device(name: str) -> torch.device:
    """Return the device of this name: `cpu`, `cuda`, or `auto`, which is CUDA if torch finds it, else the CPU.

    Raises:
        ValueError: The name is unknown, or torch finds no CUDA device.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise ValueError(f"expected device to be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("expected a CUDA device, torch finds none; use --device cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")


T = TypeVar("T")
PATIENCE = timedelta(hours=1)  # to wait for other processes, which may decode a whole data set
LOST = "another process of this job has ended, so this one ends too; --resume continues a training"
SIGNS = ("gloo", "NCCL", "onnection closed", "onnection reset", "store->get")  # of a lost process, in torch's errors


def processes() -> int:
    """Return the number of processes of this job; 1 without torchrun."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return dist.get_rank() if processes() > 1 else 0


def is_first() -> bool:
    """Return whether this process is the one that writes and prints."""
    return rank() == 0


def wait() -> None:
    """Wait until all processes reach this call."""
    if processes() > 1:
        dist.barrier()


@contextmanager
def together(device: torch.device) -> Iterator[torch.device]:
    """Join the other processes of `torchrun`, if there are any; yield the device of this process.

    Raises:
        ConnectionError: Another process has ended, or torchrun ends all of them.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) < 2:
        yield device
        return
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    signal.signal(signal.SIGTERM, _end)  # torchrun sends it to all processes when one has ended
    try:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
        yield device
        wait()
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or any(sign in str(error) for sign in SIGNS):
            raise ConnectionError(LOST) from None
        raise
    dist.destroy_process_group()


def _end(*_: object) -> None:
    raise ConnectionError(LOST)


@contextmanager
def local_first() -> Iterator[None]:
    """Run the block in the first process of each machine before the others there, for example to fill a cache."""
    first = processes() == 1 or int(os.environ["LOCAL_RANK"]) == 0
    if not first:
        wait()
    yield
    if first:
        wait()


def share(items: Sequence[T]) -> Sequence[T]:
    """Return the items that this process works on; each belongs to exactly one process."""
    return items[rank() :: processes()]


def own_part(count: int) -> slice:
    """Return this process's slice of `count` rows; the slices of all processes have equal length.

    Raises:
        ValueError: The processes cannot share them evenly.
    """
    if count % processes():
        raise ValueError(f"expected a multiple of {processes()} pairs per step for as many processes, got {count}")
    each = count // processes()
    return slice(rank() * each, (rank() + 1) * each)


def summed(values: NDArray[Any], device: torch.device) -> NDArray[Any]:
    """Sum arrays of equal shape over all processes; they are exchanged on `device`."""
    if processes() == 1:
        return values
    tensor = torch.from_numpy(np.ascontiguousarray(values)).to(device)
    dist.all_reduce(tensor)
    return tensor.cpu().numpy()


def gathered(values: Tensor) -> Tensor:
    """Concatenate the rows of all processes, `(N, …)` each; the rows of this process keep their gradient.

    Every process computes the loss of all rows, with the gradient of its own rows only; the sum of these gradients over
    the processes is the whole gradient.
    """
    if processes() == 1:
        return values
    parts = [torch.empty_like(values, requires_grad=False) for _ in range(processes())]
    dist.all_gather(parts, values.detach().contiguous())
    parts[rank()] = values
    return torch.cat(parts)
