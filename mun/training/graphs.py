"""A network's passes recorded as CUDA graphs: a small network has its GPU wait for a thousand launches per step."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.models.network import Network, Outputs
from mun.structures import Modality

__all__ = ["RecordedPasses"]

Pass = Callable[..., tuple[Tensor, ...]]


class RecordedPasses:
    """Stand in for a network in training: what it generates and says is the same, forward and backward.

    MUN's generator and the pass through stems, trunk and neck are recorded at their first call, for the shapes and the
    precision of that call, and replayed from then on; every other auxiliary modality is computed as it is. Outputs are
    overwritten by the next call.

    Args:
        network: On a GPU, in training; its weights may change in place, but not move.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._generate: Pass | None = None
        self._embed: Pass | None = None

    def generate(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Make the auxiliary images of pairs; see `Network.generate`."""
        auxiliary = self.network.auxiliary
        if type(auxiliary) is not AuxiliaryGenerator or auxiliary.random:
            return self.network.generate(visible, infrared, draws)
        if self._generate is None:
            self._generate = recorded(_Generate(self.network), (visible, infrared))
        return self._generate(visible, infrared)

    def __call__(self, images: Mapping[Modality, Tensor]) -> Outputs:
        """Run stems, trunk and neck; see `Network.forward`."""
        modalities = list(images)
        if self._embed is None:
            self._embed = recorded(_Embed(self.network, modalities), list(images.values()))
        flat = self._embed(*images.values())
        count = len(modalities)
        groups = [
            dict(zip(modalities, flat[start : start + count], strict=True)) for start in range(0, 3 * count, count)
        ]
        return Outputs(*groups)


class _Generate(nn.Module):
    """A network's generator as a function of tensors."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.auxiliary = network.auxiliary
        self._network = [network]  # in a list: its other weights are no part of this pass

    def forward(self, visible: Tensor, infrared: Tensor) -> tuple[Tensor, ...]:
        return self._network[0].generate(visible, infrared)


class _Embed(nn.Module):
    """A network's stems, trunk and neck as a function of tensors: features, embeddings, logits by modality."""

    def __init__(self, network: Network, modalities: Sequence[Modality]) -> None:
        super().__init__()
        self.stems, self.trunk, self.neck = network.stems, network.trunk, network.neck
        self._network, self._modalities = [network], modalities

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        outputs = self._network[0](dict(zip(self._modalities, images, strict=True)))
        groups = (outputs.features, outputs.embeddings, outputs.logits)
        return tuple(group[modality] for group in groups for modality in self._modalities)


def recorded(module: nn.Module, images: Sequence[Tensor]) -> Pass:
    """Record a module's forward and backward pass for images like these; its batch statistics stay as they are."""
    kept = {name: buffer.clone() for name, buffer in module.named_buffers()}
    examples = tuple(image.detach().clone().requires_grad_(image.requires_grad) for image in images)
    mixed = torch.is_autocast_enabled("cuda")
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=mixed, cache_enabled=False):
        made = torch.cuda.make_graphed_callables(module, examples, allow_unused_input=True)
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(kept[name])
    return cast(Pass, made)
