"""States of a generator during training, in one file next to a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from mun.checkpoint import load_tensors, save_tensors

__all__ = ["SNAPSHOTS", "read_snapshots", "write_snapshots"]

SNAPSHOTS = "snapshots.safetensors"
MAX_DIGITS = 9  # of a step


def write_snapshots(folder: Path, states: Mapping[int, Mapping[str, Tensor]]) -> None:
    """Write states as `<step>/<name>` into one file, whole or not at all.

    Args:
        folder: Of the checkpoint; it exists.
        states: By the number of steps trained, each the generator's tensors by name (parameters, and buffers such as
            batch statistics).

    Raises:
        ValueError: A step is negative, or there is nothing to write.
    """
    if not any(states.values()) or min(states) < 0:
        raise ValueError(f"expected states by steps from 0, got the steps {sorted(states)[:8]}")
    save_tensors(
        folder / SNAPSHOTS,
        {f"{step}/{name}": tensor.clone() for step, state in states.items() for name, tensor in state.items()},
    )


def read_snapshots(folder: Path) -> dict[int, dict[str, Tensor]]:
    """Read the states that a checkpoint keeps, in ascending order of their steps; none where there is no file.

    Args:
        folder: Of the checkpoint.

    Returns:
        The generator's tensors by name, for each step.

    Raises:
        ValueError: The file is a link, no whole safetensors file, or a name in it is not `<step>/<name>`.
    """
    path = folder / SNAPSHOTS
    if path.is_symlink():
        raise ValueError(f"expected a file named {SNAPSHOTS}, got a link; copy what it points to")
    if not path.is_file():
        return {}
    states: dict[int, dict[str, Tensor]] = {}
    for key, tensor in load_tensors(path).items():
        step, slash, name = key.partition("/")
        if not (slash and name and step.isascii() and step.isdigit() and len(step) <= MAX_DIGITS):
            raise ValueError(f"expected tensors named <step>/<name> in {SNAPSHOTS}, got {key[:60]!r}")
        states.setdefault(int(step), {})[name] = tensor
    return dict(sorted(states.items()))
