"""Scores as curves: against the severity of a corruption, and against a knob of SynVI."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mun.data.corruptions import SEVERITIES
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.corrupted import Corruption, Order, embed_corrupted
from mun.evaluation.protocols import OTHER_INSTANTS, PROTOCOLS
from mun.models.network import Network
from mun.structures import Sample, Split
from mun.synvi import Plan, level_of, write

__all__ = ["KNOBS", "Curve", "corruption_curve", "knob_curves", "knob_plan"]

PEOPLE, IMAGES, SEED = 40, 2, 4242  # of the sets for a knob's curve; images by each camera
KNOBS: dict[str, tuple[float, ...]] = {
    "colour_infrared_correlation": (0.0, 0.25, 0.5, 0.75, 1.0),
    "pattern_survival": (0.0, 0.25, 0.5, 0.75, 1.0),
    "misalignment": (0.0, 0.25, 0.5, 0.75, 1.0),
    "noise": (0.0, 1.0, 2.0, 3.0, 4.0),
    "occlusion": (0.0, 0.25, 0.5, 0.75, 1.0),
    "resolution": (1.0, 2.0, 3.0, 4.0, 6.0),
    "lookalikes": (0.0, 0.25, 0.5, 0.75, 1.0),
}
Report = Callable[[int, int], object]  # called with steps done and all steps; raises an error if the work is stopped


@dataclass(frozen=True)
class Curve:
    """Mean average precision of one model.

    Attributes:
        name: The corruption, or the knob.
        model: Name of the model.
        values: Severities, 0 being clean, or values of the knob.
        mean_ap: Mean over the galleries at each value, in [0, 1].
        sd: Sample standard deviation over the galleries.
    """

    name: str
    model: str
    values: tuple[float, ...]
    mean_ap: tuple[float, ...]
    sd: tuple[float, ...]

    @classmethod
    def of(cls, name: str, model: str, results: Mapping[float, BenchmarkResult]) -> Curve:
        """Make a curve of the results of a protocol at each value."""
        precision = tuple(one.mean()["mean_ap"] for one in results.values())
        return cls(name, model, tuple(results), precision, tuple(one.sd()["mean_ap"] for one in results.values()))


def corruption_curve(
    name: str,
    model: str,
    network: Network,
    samples: Sequence[Sample],
    clean: NDArray[np.float32],
    score: Callable[[NDArray[np.float32]], BenchmarkResult],
    *,
    progress: bool = False,
) -> Curve:
    """Score a network on visible images corrupted at each severity, seed 0, one pass, before they are resized.

    Args:
        name: One of the corruptions.
        model: Name of the network.
        network: In evaluation mode.
        samples: N images.
        clean: Their embeddings, `(N, D)`.
        score: Function that scores embeddings of these samples by a protocol.
        progress: Show a progress bar on stderr.

    Raises:
        ValueError: The corruption is unknown, or as `embed_corrupted`.
    """
    results = {0.0: score(clean)}
    for severity in SEVERITIES:
        rows = embed_corrupted(network, samples, clean, Corruption(name, severity), Order.NATIVE, progress=progress)
        results[float(severity)] = score(rows)
    return Curve.of(name, model, results)


def knob_plan(name: str, value: float, size: tuple[int, int], people: int = PEOPLE) -> Plan:
    """Plan the set on which one value of a knob is measured: the level *standard* with only this knob changed.

    Raises:
        ValueError: There is no such knob.
    """
    if name not in KNOBS:
        raise ValueError(f"expected one of the knobs {', '.join(KNOBS)}; got {name!r}")
    level = level_of("standard", {name: value})
    return Plan(level, train_ids=0, val_ids=0, test_ids=people, images=IMAGES, size=size, seed=SEED)


def knob_curves(
    name: str, networks: Mapping[str, Network], folder: Path, report: Report, people: int = PEOPLE
) -> list[Curve]:
    """Render a set at each value of a knob, the same people and instants, and score each network on it.

    Ten galleries of `synvi-all`; for *misalignment* images of the query's own instant are left out, because they would
    be the easiest match at 0.

    Args:
        name: One of `KNOBS`.
        networks: In evaluation mode, by name, all for one size of images.
        folder: Folder for the sets; a set that exists is used again.
        report: Called with the numbers of finished images and of all images.
        people: Number of people in each set.

    Raises:
        ValueError: There is no such knob, or the networks take images of different sizes.
    """
    sizes = {network.config.size for network in networks.values()}
    if len(sizes) != 1:
        raise ValueError(f"expected networks for one size of images, got {len(sizes)} sizes")
    plans = {value: knob_plan(name, value, next(iter(sizes)), people) for value in KNOBS.get(name, (0.0,))}
    total, done = sum(plan.total for plan in plans.values()), 0
    protocol = OTHER_INSTANTS if name == "misalignment" else PROTOCOLS["synvi-all"]
    results: dict[str, dict[float, BenchmarkResult]] = {model: {} for model in networks}
    for value, plan in plans.items():
        place = folder / f"{name}-{value:g}"
        if not place.exists():
            for written in write(plan, place, 1):
                done += written
                report(done, total)
        samples = read_source("synvi", place).require(Split.TEST)
        for model, network in networks.items():
            report(done, total)
            results[model][value] = benchmark(protocol, samples, embed_samples(network, samples), data="synvi")
    return [Curve.of(name, model, scored) for model, scored in results.items()]
