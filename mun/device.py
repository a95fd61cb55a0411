"""The device to compute on."""

from __future__ import annotations

import torch

__all__ = ["choose_device"]


def choose_device(name: str) -> torch.device:
    """Return the device of a name: `cpu`, `cuda`, or `auto`, which is CUDA where torch finds it.

    Raises:
        ValueError: The name is unknown, or torch finds no CUDA device.
    """
    if name not in {"auto", "cpu", "cuda"}:
        raise ValueError(f"expected device to be auto, cpu or cuda, got {name!r}")
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("expected a CUDA device, torch finds none; use --device cpu")
    return torch.device("cuda" if name != "cpu" and torch.cuda.is_available() else "cpu")
