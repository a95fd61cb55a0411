"""Run a protocol over its trials: mean and spread of the metrics, and the ranked lists as rows of a file."""

import csv
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.evaluation.galleries import GallerySampler, Permutations, draw_trials, uncounted
from mun.evaluation.metrics import BLOCK, RankingMetrics, cosine_distances, rank_blocks, ranking
from mun.evaluation.protocols import Protocol
from mun.features import unit_rows
from mun.files import whole_file
from mun.structures import Sample

__all__ = ["COLUMNS", "EVERY", "BenchmarkResult", "Distances", "benchmark", "check_suffix", "ranked_rows"]
__all__ += ["score_trials", "write_rows"]

COLUMNS = ("query", "query_pid", "query_camid", "rank", "gallery", "gallery_pid", "gallery_camid", "cosine", "match")
EVERY = "every image"  # stands for the name of a sampler where nothing is drawn

Distances = Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.floating[Any]]]


@dataclass(frozen=True)
class BenchmarkResult:
    """The metrics of every trial, and everything that a reader needs to know to compare them.

    Attributes:
        data: Name of the data: `synvi`, `sysu`, or that of the user's own data.
        protocol: Name of the protocol.
        sampler: How the galleries were drawn.
        shots: Gallery images per identity and camera; 0 where the gallery is every image.
        flip: Whether an embedding is the mean over the image and its mirror.
        per_trial: Metrics of trial 0, 1, ….
        rerank: Whether the distances were re-ranked.
        distance: Name of the distance.
    """

    data: str
    protocol: str
    sampler: str
    shots: int
    flip: bool
    per_trial: tuple[RankingMetrics, ...]
    rerank: bool = False
    distance: str = "cosine"

    @property
    def num_valid(self) -> int:
        """Number of valid queries of the first trial.

        All trials have this number, because their galleries have the same identities, unless the protocol has
        `other_instants`.
        """
        return self.per_trial[0].num_valid

    def mean(self) -> dict[str, float]:
        """Return the mean of each score over the trials, fractions."""
        scores = [metrics.scores() for metrics in self.per_trial]
        return {name: float(np.mean([score[name] for score in scores])) for name in scores[0]}

    def sd(self) -> dict[str, float]:
        """Return the sample standard deviation (divisor: trials − 1) of each score, fractions; 0 for a single trial."""
        scores = [metrics.scores() for metrics in self.per_trial]
        if len(scores) == 1:
            return dict.fromkeys(scores[0], 0.0)
        return {name: float(np.std([score[name] for score in scores], ddof=1)) for name in scores[0]}

    def to_json(self) -> dict[str, Any]:
        """Return the object that `evaluate` writes; `per_trial` in the order of the trials, `sd` as in `sd()`."""
        return {
            "data": self.data,
            "protocol": self.protocol,
            "sampler": self.sampler,
            "shots": self.shots,
            "trials": len(self.per_trial),
            "flip": self.flip,
            "rerank": self.rerank,
            "distance": self.distance,
            "num_valid": self.num_valid,
            "mean": self.mean(),
            "sd": self.sd(),
            "per_trial": [metrics.scores() for metrics in self.per_trial],
        }


def benchmark(
    protocol: Protocol,
    samples: Sequence[Sample],
    embeddings: ArrayLike,
    *,
    data: str,
    shots: int = 1,
    trials: int = 10,
    sampler: GallerySampler | str = GallerySampler.SEEDED,
    flip: bool = False,
    permutations: Permutations | None = None,
) -> BenchmarkResult:
    """Score embeddings by a protocol: the same queries against the gallery of each trial.

    Args:
        protocol: Queries, gallery, and the images that do not count.
        samples: All samples of the split, N of them.
        embeddings: Of those samples, in their order, real, `(N, D)`; normalised unless of unit length. Distances are in
            float64.
        data: Name of the data, for the record: `synvi` or `sysu`.
        shots: Gallery images per identity and camera.
        trials: Number of galleries; trial t has seed t.
        sampler: `seeded` or `official`.
        flip: Whether the embeddings are means over image and mirror, for the record.
        permutations: The content of the permutation file, for `official`.

    Raises:
        ValueError: `embeddings` is not of shape (N, D), not finite or has a zero row; a sample occurs twice; `trials`
            is below 1; there is no query, no gallery, or no query with a match; or `sample_gallery` refuses the draw.
    """
    rows = np.asarray(unit_rows("embeddings", embeddings), dtype=np.float64)
    if len(rows) != len(samples) or len(set(samples)) != len(samples):
        raise ValueError(
            f"expected `embeddings` of shape ({len(samples)}, D) and no sample twice,"
            f" got {rows.shape} for {len(set(samples))} different samples"
        )
    drawn = draw_trials(protocol, samples, shots, trials, sampler, permutations)
    metrics = score_trials(protocol, samples, *drawn, lambda q, g: cosine_distances(rows[q], rows[g]))
    drawn_by, count = (EVERY, 0) if protocol.whole else (str(sampler), shots)
    return BenchmarkResult(data, protocol.name, drawn_by, count, flip, metrics)


def score_trials(
    protocol: Protocol,
    samples: Sequence[Sample],
    queries: Sequence[Sample],
    galleries: Sequence[Sequence[Sample]],
    distances: Distances,
) -> tuple[RankingMetrics, ...]:
    """Score every gallery.

    Args:
        protocol: Which gallery images count, and how CMC counts.
        samples: All samples of the split.
        queries: Q of the samples.
        galleries: Of each trial, G of the samples.
        distances: Function from the rows of some queries and of a gallery in `samples` to their distances.

    Raises:
        ValueError: As `rank_metrics`.
    """
    row_of = {sample: row for row, sample in enumerate(samples)}

    def rows_of(images: Sequence[Sample]) -> NDArray[np.int64]:
        return np.array([row_of[one] for one in images])

    def scored(gallery: Sequence[Sample]) -> RankingMetrics:
        rows = rows_of(gallery)
        blocks = (
            (distances(rows_of(asked), rows), [one.pid for one in asked], uncounted(protocol, asked, gallery))
            for asked in in_blocks(queries, gallery)
        )
        return rank_blocks(blocks, [one.pid for one in gallery], protocol.distinct_identities)

    return tuple(map(scored, galleries))


def in_blocks(queries: Sequence[Sample], gallery: Sequence[Sample]) -> Iterator[Sequence[Sample]]:
    """Yield some queries at a time, so that not all distances are in memory at once."""
    size = max(1, BLOCK // len(gallery))
    return (queries[start : start + size] for start in range(0, len(queries), size))


def ranked_rows(
    protocol: Protocol,
    samples: Sequence[Sample],
    embeddings: NDArray[np.float32],
    queries: Sequence[Sample],
    gallery: Sequence[Sample],
    top: int,
) -> Iterator[dict[str, Any]]:
    """Yield the images that are ranked first for every query, closest first, as `COLUMNS`; paths are those on disk.

    Args:
        protocol: Which gallery images count.
        samples: N images.
        embeddings: Of them, `(N, D)`, unit length.
        queries: Q of the samples.
        gallery: Of one trial, G of the samples.
        top: Largest number of images per query.
    """
    row_of = {sample: row for row, sample in enumerate(samples)}
    rows = np.asarray(embeddings, dtype=np.float64)
    for asked in in_blocks(queries, gallery):
        distances = cosine_distances(*(rows[[row_of[one] for one in side]] for side in (asked, gallery)))
        dropped = uncounted(protocol, asked, gallery)
        for query, row, left_out in zip(asked, distances, dropped, strict=True):
            for rank, place in enumerate(ranking(row, left_out)[:top].tolist(), start=1):
                one = gallery[place]
                result = (str(one.path), one.pid, one.camid, float(-row[place]), one.pid == query.pid)
                values = (str(query.path), query.pid, query.camid, rank, *result)
                yield dict(zip(COLUMNS, values, strict=True))


def check_suffix(path: Path) -> None:
    """Check the name of a file of rows.

    Raises:
        ValueError: The name ends neither in .csv nor in .json.
    """
    if path.suffix not in (".csv", ".json"):
        raise ValueError(f"expected a name that ends in .csv or .json, got {path.name!r}")


def write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows as CSV, or as a JSON list if the name ends in `.json`, completely or not at all."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        if path.suffix == ".json":
            json.dump(list(rows), stream, indent=1, ensure_ascii=False)
        else:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
