"""From embeddings and the settings of a ranking to distances, ranks and metrics of every query; orders of queries."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.library.collection import Collection, Terms
from mun.evaluation.galleries import uncounted
from mun.evaluation.metrics import RankingMetrics, cosine_distances, rank_metrics, ranking
from mun.evaluation.protocols import dropped
from mun.evaluation.reranking import rerank
from mun.search import Vectors
from mun.structures import Sample

__all__ = ["ImageFacts", "Item", "Order", "Ranked", "Table"]
__all__ += ["list_queries", "measure", "opening", "ordered", "rank_one_by_one", "spread_over_cameras"]

KEPT_ROWS = 8  # queries whose ranking of a large gallery is kept


@dataclass(frozen=True)
class ImageFacts:
    """An image by its key, the person's number and the camera's."""

    image: str
    pid: int
    camid: int

    @classmethod
    def of(cls, sample: Sample) -> ImageFacts:
        """Describe a sample."""
        return cls(sample.key, sample.pid, sample.camid)


@dataclass(frozen=True)
class Ranked(ImageFacts):
    """A gallery image at its rank, from 1; `distance` is 1 − cos, in [0, 2], or the re-ranked distance, in [0, 1]."""

    rank: int
    distance: float
    match: bool


class ByRow:
    """Rows that are computed on access; the last ones are kept. Indexed like an array, or like a tuple of arrays."""

    def __init__(self, make: Callable[[int], NDArray[Any]]) -> None:
        self._row = lru_cache(maxsize=KEPT_ROWS)(make)

    def __getitem__(self, at: Any) -> Any:
        return self._row(at[0])[at[1]] if isinstance(at, tuple) else self._row(at)


@dataclass(frozen=True, eq=False)
class Table:
    """Every query against the gallery of a trial; queries in the order of the collection.

    Attributes:
        queries: The Q queries.
        gallery: The G images.
        distances: As they are shown, float64, `(Q, G)`: the cosine distances 1 − cos, or the re-ranked ones.
        orders: For each query, gallery indices by (distance, index), without those that the protocol excludes.
        metrics: Metrics of each query; `None` if no query has a match, or there are too many to rank all.
    """

    queries: tuple[Sample, ...]
    gallery: tuple[Sample, ...]
    distances: NDArray[np.float64] | ByRow
    orders: tuple[NDArray[np.int32], ...] | ByRow
    metrics: RankingMetrics | None

    def found(self, row: int) -> tuple[float, int] | None:
        """Return average precision and rank of the first match of a query; `None` where it has no match."""
        if self.metrics is not None:
            hit = int(self.metrics.first_hit[row])
            return (float(self.metrics.average_precision[row]), hit) if hit else None
        if not isinstance(self.orders, ByRow):
            return None
        ranks = 1 + np.flatnonzero(self._pids[self.orders[row]] == self.queries[row].pid)
        return (float((np.arange(1, len(ranks) + 1) / ranks).mean()), int(ranks[0])) if len(ranks) else None

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of the gallery's images."""
        return tuple(image.key for image in self.gallery)

    @cached_property
    def _pids(self) -> NDArray[np.int64]:
        return np.array([image.pid for image in self.gallery], dtype=np.int64)

    @cached_property
    def _places(self) -> dict[str, int]:
        return {key: index for index, key in enumerate(self.keys)}

    def rank(self, row: int, key: str) -> int | None:
        """Return the rank of a gallery image for a query, from 1; `None` where it is not ranked."""
        index = self._places.get(key)
        if index is None or not len(found := np.flatnonzero(self.orders[row] == index)):
            return None
        return int(found[0]) + 1

    def top(self, row: int, count: int) -> tuple[Ranked, ...]:
        """Describe the images that are closest to a query."""
        ranked = []
        for place, index in enumerate(self.orders[row][:count], start=1):
            image, distance = self.gallery[index], float(self.distances[row, index])
            match = image.pid == self.queries[row].pid
            ranked.append(Ranked(self.keys[index], image.pid, image.camid, place, distance, match))
        return tuple(ranked)

    @property
    def num_bytes(self) -> int:
        """Size in memory."""
        if isinstance(self.distances, ByRow) or isinstance(self.orders, ByRow):
            return (KEPT_ROWS * 12 + 100) * len(self.gallery)
        return self.distances.nbytes + sum(order.nbytes for order in self.orders) + 24 * len(self.queries)


def measure(collection: Collection, embeddings: NDArray[np.float32], terms: Terms) -> Table:
    """Rank the gallery of a trial for every query, the distances in float64.

    Args:
        collection: N images.
        embeddings: Their embeddings, of unit length, `(N, D)`.
        terms: Settings of the ranking.
    """
    protocol, rows = collection.search(terms.protocol, terms.direction), np.asarray(embeddings, dtype=np.float64)
    queries, gallery = collection.query_sets[terms.protocol, terms.direction].samples, tuple(collection.gallery(terms))
    asked, shown = (rows[[collection.rows[sample.key] for sample in samples]] for samples in (queries, gallery))
    distances = rerank(asked, shown) if terms.rerank else np.asarray(cosine_distances(asked, shown), dtype=np.float64)
    query_pids, gallery_pids = (np.array([sample.pid for sample in samples]) for samples in (queries, gallery))
    mask = uncounted(protocol, queries, gallery)
    orders = tuple(ranking(row, out).astype(np.int32) for row, out in zip(distances, mask, strict=True))
    metrics = None
    if ((query_pids[:, None] == gallery_pids) & ~mask).any():
        metrics = rank_metrics(distances, query_pids, gallery_pids, mask, protocol.distinct_identities)
    return Table(queries, gallery, distances if terms.rerank else distances + 1, orders, metrics)


def rank_one_by_one(collection: Collection, vectors: Vectors, terms: Terms) -> Table:
    """Rank a gallery that is too large to rank all queries at once: each query on access, in single precision.

    Args:
        collection: N images.
        vectors: Their embeddings.
        terms: Settings of the ranking.

    Raises:
        ValueError: `terms` has re-ranking, which compares all queries.
    """
    if terms.rerank:
        raise ValueError("expected fewer images for re-ranking, which compares all queries with the whole gallery")
    protocol = collection.search(terms.protocol, terms.direction)
    queries, gallery = collection.query_sets[terms.protocol, terms.direction].samples, tuple(collection.gallery(terms))
    rows = np.array([collection.rows[sample.key] for sample in gallery])
    pids, camids = (np.array([getattr(sample, name) for sample in gallery]) for name in ("pid", "camid"))

    def distances(row: int) -> NDArray[np.float64]:
        query = vectors.rows([collection.rows[queries[row].key]])[0]
        return np.asarray(1 - vectors.similarities(query)[rows].astype(np.float64), np.float64)

    def order(row: int) -> NDArray[np.int32]:
        one = queries[row]
        out = dropped(protocol, [one.pid], [one.camid], pids, camids)[0]
        if protocol.mixed:
            out = out | (rows == collection.rows[one.key])  # a query does not rank itself
        return ranking(kept[row], out).astype(np.int32)

    kept = ByRow(distances)
    return Table(queries, gallery, kept, ByRow(order), None)


class Order(StrEnum):
    """An order of queries."""

    PERSON = "person"
    CAMERA = "camera"
    HARDEST = "hardest"
    EASIEST = "easiest"


BY_SCORE = (Order.HARDEST, Order.EASIEST)  # they need a ranking of every query


@dataclass(frozen=True)
class Item:
    """A query, and how well it is ranked.

    Attributes:
        sample: The image.
        number: Number of the image among those of its person and camera, from 1.
        average_precision: In [0, 1]; `None` if it is not known yet, or the gallery has no match.
        first_hit: Rank of the first match, from 1; `None` likewise.
    """

    sample: Sample
    number: int
    average_precision: float | None = None
    first_hit: int | None = None

    @cached_property
    def key(self) -> str:
        """The image's key."""
        return self.sample.key


def list_queries(samples: Sequence[Sample], numbers: Sequence[int], metrics: RankingMetrics | None) -> list[Item]:
    """List queries with their scores, if known; all arguments have the same order."""
    if metrics is None:
        return [Item(sample, number) for sample, number in zip(samples, numbers, strict=True)]
    measured = zip(samples, numbers, metrics.average_precision.tolist(), metrics.first_hit.tolist(), strict=True)
    return [Item(sample, number, ap, hit) if hit else Item(sample, number) for sample, number, ap, hit in measured]


def ordered(items: Iterable[Item], order: Order) -> list[Item]:
    """Sort queries; ties are sorted by identity, camera, file name, and queries without a score come last."""
    by_person = sorted(items, key=lambda item: (item.sample.pid, item.sample.camid, item.sample.path.name))
    if order is Order.CAMERA:
        return sorted(by_person, key=lambda item: item.sample.camid)
    if order in BY_SCORE:
        sign = 1 if order is Order.HARDEST else -1
        return sorted(
            by_person, key=lambda item: math.inf if item.average_precision is None else sign * item.average_precision
        )
    return by_person


def opening(items: Sequence[Item]) -> str:
    """Return the key of the query with the median average precision, or of the first query if none is scored."""
    scored = ordered([item for item in items if item.average_precision is not None], Order.EASIEST)
    return scored[len(scored) // 2].key if scored else items[0].key


def spread_over_cameras(samples: Sequence[Sample], count: int, chosen: str = "") -> list[Sample]:
    """Select images evenly over the cameras: the first image of each camera, then the second of each, and so on.

    Args:
        samples: Images of one person.
        count: Maximum number of images.
        chosen: Key of an image that is selected first; empty for none.

    Returns:
        The selected images by camera, within a camera in their order.
    """
    seen, turns = Counter[int](), dict[str, tuple[bool, int, int]]()
    for sample in samples:
        seen[sample.camid] += 1
        turns[sample.key] = (sample.key != chosen, seen[sample.camid], sample.camid)
    kept = set(sorted(turns, key=lambda key: turns[key])[:count])
    return sorted((sample for sample in samples if sample.key in kept), key=lambda sample: sample.camid)
