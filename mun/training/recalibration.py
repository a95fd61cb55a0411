"""Reset batch statistics to those of visible and infrared images alone.

In training the trunk's statistics see three modalities, at test two. Recalibrating treats every auxiliary modality
alike, the two-stream baseline included.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from mun.models.network import Network
from mun.structures import Modality

__all__ = ["recalibrated"]


def recalibrated(network: Network, batches: Iterable[Mapping[Modality, Tensor]]) -> Network:
    """Copy a network and give the copy the mean batch statistics of some batches.

    The generator and the auxiliary stem keep theirs. Without batches the copy is as it was.

    Args:
        network: Left untouched.
        batches: Visible and infrared images in [0, 1], without augmentation.

    Returns:
        The copy, in evaluation mode.
    """
    network = copy.deepcopy(network)
    kept = [network.auxiliary, *[stem for name, stem in network.stems.items() if name == Modality.AUXILIARY.value]]
    frozen = {id(part) for module in kept for part in module.modules()}
    norms = [
        part
        for part in network.modules()
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d) and id(part) not in frozen
    ]
    network.eval()
    first = True
    with torch.no_grad():
        for batch in batches:
            for norm in norms:
                if first:
                    norm.reset_running_stats()
                norm.momentum = None  # a cumulative mean instead of a moving one
                norm.train()
            first = False
            network(batch)
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()
