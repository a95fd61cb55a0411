"""Weights that a run begins with: a ResNet with torchvision's names, as safetensors."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

from mun.checkpoint import build_network, load_tensors
from mun.models.backbone import load_torchvision
from mun.models.network import Network
from mun.training.run import RunSettings

__all__ = ["load_pretrained", "with_pretrained"]


def load_pretrained(network: Network, path: Path, sha256: str = "") -> str:
    """Fill every stem and the trunk, and return the file's SHA-256.

    Args:
        network: At width 1.
        path: The file.
        sha256: What it has to be; empty for any.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no safetensors file (a pickle, say), another one than it was, of another depth or width, or a
            weight is not finite.
    """
    state = load_tensors(path)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 not in {"", digest}:
        raise ValueError(f"expected the weights that the run was started with at {path}, found others")
    for name, tensor in state.items():
        real = tensor.is_floating_point() and bool(tensor.isfinite().all())
        if not (real or name.endswith("num_batches_tracked")):
            raise ValueError(f"expected finite real weights in {path}, {name} is not")
    load_torchvision(dict(network.stems.items()), network.trunk, state)
    return digest


def with_pretrained(settings: RunSettings) -> RunSettings:
    """Check that a run can begin with its pretrained weights, if it has any, and note which they are.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The weights or the width do not fit.
    """
    if not settings.pretrained:
        return settings
    if (width := settings.config.model.width) != 1:
        raise ValueError(f"expected width 1 for pretrained weights, got {width:g}")
    network = build_network(settings.config, num_classes=0)
    return dataclasses.replace(settings, pretrained_sha256=load_pretrained(network, Path(settings.pretrained)))
