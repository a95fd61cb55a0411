"""Weights that a run starts from: a ResNet with torchvision's names, or a checkpoint of ours, as safetensors."""

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from mun.checkpoint import build_network, load_tensors
from mun.models.backbone import load_torchvision
from mun.models.network import Network
from mun.training.run import RunSettings

__all__ = ["filling_words", "load_pretrained", "with_pretrained"]


def load_pretrained(network: Network, path: Path, sha256: str = "") -> str:
    """Fill every stem and the trunk, and return the file's SHA-256.

    Args:
        network: A network with the depth and the width of the weights.
        path: The file: torchvision's names, or the `model.safetensors` of a checkpoint; its stems fill the stems of the
            same modality, its visible stem all others.
        sha256: The expected SHA-256; empty for any.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is no safetensors file (a pickle, say), has another SHA-256, depth or width, or a weight is
            not finite.
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
    for name, stem in network.stems.items():
        load_torchvision(stem, network.trunk, torchvision_names(state, name))
    return digest


def torchvision_names(state: Mapping[str, Tensor], stem: str) -> dict[str, Tensor]:
    """Rename the trunk and one stem of a checkpoint of ours; weights with torchvision's names stay as they are."""
    if not any(name.startswith("trunk.") for name in state):
        return dict(state)
    own = f"stems.{stem}." if f"stems.{stem}.conv1.weight" in state else "stems.visible."
    return {
        name.removeprefix(prefix): tensor
        for prefix in (own, "trunk.")
        for name, tensor in state.items()
        if name.startswith(prefix)
    }


def filling_words(settings: RunSettings) -> str:
    """Describe in one sentence which parts a run's pretrained weights fill and which tensors are left out."""
    names, path = list(load_tensors(Path(settings.pretrained))), Path(settings.pretrained)
    kept = ("conv1.", "bn1.", "layer", "stems.", "trunk.")
    left = [name for name in names if not name.startswith(kept)]
    with torch.device("meta"):
        stems = list(Network(settings.config.model, 0).stems)
    words = f"{path.name} filled the trunk and the stems {', '.join(stems)} with {len(names) - len(left)} tensors"
    words += f", left out {', '.join(left[:4])}{', …' if len(left) > 4 else ''}" if left else ""
    return f"{words}; generator, neck and classifier begin at random"


def with_pretrained(settings: RunSettings) -> RunSettings:
    """Check that a run can start from its pretrained weights, if it has any, and add their SHA-256 to the settings.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The weights do not fit the network.
    """
    if not settings.pretrained:
        return settings
    network = build_network(settings.config, num_classes=0)
    return dataclasses.replace(settings, pretrained_sha256=load_pretrained(network, Path(settings.pretrained)))
