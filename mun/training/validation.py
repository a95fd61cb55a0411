"""Validation during training: choose on identities that are neither trained on nor reported."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from mun.data.sources import Source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.protocols import get_protocol
from mun.models.network import Network
from mun.structures import Modality
from mun.training.recalibration import recalibrated

__all__ = ["validate", "validation_protocol"]

# Validation follows the rules of all-search on the validation identities, single-shot, over this many galleries.
PROTOCOL, TRIALS = "sysu-all", 5


def validation_protocol(source: Source) -> str:
    """Say in words by what protocol weights are chosen."""
    return f"{source.name}-all, single-shot, {TRIALS} trials"


def validate(
    network: Network, source: Source, batches: Iterable[Mapping[Modality, Tensor]], progress: bool
) -> dict[str, float]:
    """Score a network on the validation identities; it stays as it is.

    Args:
        network: In training.
        source: With validation samples.
        batches: Plain images that recalibrate the batch statistics of a copy.
        progress: Show a progress bar on stderr.

    Returns:
        `rank1`, `mean_ap`, `mean_inp`, fractions, means over the trials.
    """
    embeddings = embed_samples(recalibrated(network, batches), source.val, progress=progress)
    result = benchmark(get_protocol(PROTOCOL), source.val, embeddings, data=source.name, trials=TRIALS)
    return {name: result.mean()[name] for name in ("rank1", "mean_ap", "mean_inp")}
