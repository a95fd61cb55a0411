"""Validation during training: choose weights on identities that are neither trained on nor reported.

First the batch statistics are recomputed on visible and infrared images only: the trunk sees three modalities in
training, but two at test. This treats all auxiliary modalities alike, the two-stream baseline included.
"""

import copy
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn

from mun.data.source import Source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.protocols import protocol_of
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["recalibrated", "validate", "validation_protocol"]


def recalibrated(network: Network, batches: Iterable[Mapping[Modality, Tensor]]) -> Network:
    """Copy a network and give the copy the mean batch statistics of some batches.

    The generator and the auxiliary stem keep theirs. Without batches the copy equals the network.

    Args:
        network: It is not changed.
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
    with torch.no_grad():
        for number, batch in enumerate(batches):
            for norm in norms if not number else ():
                norm.reset_running_stats()
                norm.momentum = None  # a cumulative mean instead of a moving one
                norm.train()
            network(batch)
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()


TRIALS = 5  # galleries that validation draws, by the usual protocol of the data


def validation_protocol(source: Source) -> str:
    """Describe the protocol that chooses the weights."""
    protocol = protocol_of(source)
    return protocol.name if protocol.whole else f"{protocol.name}, single-shot, {TRIALS} trials"


def validate(
    network: Network,
    source: Source,
    batches: Iterable[Mapping[Modality, Tensor]],
    progress: bool,
    score_training: bool = False,
) -> dict[str, dict[str, float]]:
    """Score a network on the validation identities, without changing it.

    Args:
        network: In training.
        source: With validation samples.
        batches: Plain images that recalibrate the batch statistics of a copy.
        progress: Show a progress bar on stderr.
        score_training: Also score as many training identities, with as many images by each camera.

    Returns:
        Under `validation`, and under `training` if `score_training`: `rank1`, `mean_ap`, `mean_inp`, fractions, means
        over the trials.
    """
    ready, scored = recalibrated(network, batches), {}
    groups = {"validation": source.val, **({"training": like_validation(source)} if score_training else {})}
    for name, samples in groups.items():
        embeddings = embed_samples(ready, samples, progress=progress)
        means = benchmark(protocol_of(source), samples, embeddings, data=source.name, trials=TRIALS).mean()
        scored[name] = {metric: means[metric] for metric in ("rank1", "mean_ap", "mean_inp")}
    return scored


def like_validation(source: Source) -> Sequence[Sample]:
    """Pick training samples with at most as many identities, and images per identity and camera, as validation."""
    most = max(Counter((sample.pid, sample.camid) for sample in source.val).values())
    pids = sorted({sample.pid for sample in source.train})[: len({sample.pid for sample in source.val})]
    chosen, seen = [], Counter[tuple[int, int]]()
    for sample in source.train:
        seen[sample.pid, sample.camid] += 1
        if sample.pid <= pids[-1] and seen[sample.pid, sample.camid] <= most:
            chosen.append(sample)
    return chosen
