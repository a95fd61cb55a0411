"""Validation during training: choose on identities that are neither trained on nor reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from torch import Tensor

from mun.data.source import Source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.protocols import protocol_of
from mun.models.network import Network
from mun.structures import Modality, Sample
from mun.training.recalibration import recalibrated

__all__ = ["validate", "validation_protocol"]

TRIALS = 5  # galleries that validation draws, by the usual protocol of the data


def validation_protocol(source: Source) -> str:
    """Describe the protocol by which weights are chosen."""
    protocol = protocol_of(source)
    return protocol.name if protocol.whole else f"{protocol.name}, single-shot, {TRIALS} trials"


def validate(
    network: Network,
    source: Source,
    batches: Iterable[Mapping[Modality, Tensor]],
    progress: bool,
    score_training: bool = False,
) -> dict[str, dict[str, float]]:
    """Score a network on the validation identities; it stays as it is.

    Args:
        network: In training.
        source: With validation samples.
        batches: Plain images that recalibrate the batch statistics of a copy.
        progress: Show a progress bar on stderr.
        score_training: Score as many training identities too, with as many images by each camera.

    Returns:
        Under `validation`, and under `training` where the config says so: `rank1`, `mean_ap`, `mean_inp`, fractions,
        means over the trials.
    """
    ready, scored = recalibrated(network, batches), {}
    groups = {"validation": source.val, **({"training": like_validation(source)} if score_training else {})}
    for name, samples in groups.items():
        embeddings = embed_samples(ready, samples, progress=progress)
        means = benchmark(protocol_of(source), samples, embeddings, data=source.name, trials=TRIALS).mean()
        scored[name] = {metric: means[metric] for metric in ("rank1", "mean_ap", "mean_inp")}
    return scored


def like_validation(source: Source) -> Sequence[Sample]:
    """Pick training samples as validation has them: at most as many identities, and images of each by each camera."""
    most = max(Counter((sample.pid, sample.camid) for sample in source.val).values())
    pids = sorted({sample.pid for sample in source.train})[: len({sample.pid for sample in source.val})]
    chosen, seen = [], Counter[tuple[int, int]]()
    for sample in source.train:
        seen[sample.pid, sample.camid] += 1
        if sample.pid <= pids[-1] and seen[sample.pid, sample.camid] <= most:
            chosen.append(sample)
    return chosen
