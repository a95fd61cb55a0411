"""From embeddings and the terms of a ranking to distances, ranks, and how well every query is ranked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.library.collection import Collection, Terms, search
from mun.evaluation.metrics import RankingMetrics, cosine_distances, rank_metrics, ranking
from mun.evaluation.protocols import dropped
from mun.evaluation.reranking import rerank
from mun.structures import Sample

__all__ = ["ImageFacts", "Ranked", "Ranking", "Table", "judge", "measure", "rank"]


@dataclass(frozen=True, eq=False)
class Table:
    """The distances of one gallery.

    Attributes:
        distances: −(Q·Gᵀ) in float64, `(Q, G)`, or the re-ranked distances; queries in the order of the collection.
        gallery: The G images.
        offset: What is added to a distance before it is shown: 1 makes −cos the cosine distance.
    """

    distances: NDArray[np.float64]
    gallery: tuple[Sample, ...]
    offset: float = 1.0


def measure(collection: Collection, embeddings: NDArray[np.float32], terms: Terms) -> Table:
    """Return the distances of every query to the gallery of a trial.

    Args:
        collection: N images.
        embeddings: Of those images, of unit length, `(N, D)`.
        terms: What is asked of which gallery.
    """
    rows = np.asarray(embeddings, dtype=np.float64)
    gallery = tuple(collection.gallery(terms.protocol, terms.trial, terms.direction, terms.shots))
    queries = collection.asked(terms.protocol, terms.direction).samples
    asked = rows[[collection.rows[sample.key] for sample in queries]]
    shown = rows[[collection.rows[sample.key] for sample in gallery]]
    if terms.rerank:
        return Table(rerank(asked, shown), gallery, offset=0.0)
    return Table(np.asarray(cosine_distances(asked, shown), dtype=np.float64), gallery)


def judge(collection: Collection, table: Table, terms: Terms) -> RankingMetrics:
    """Score every query of a table; queries in the order of the collection.

    Raises:
        ValueError: No query has a match.
    """
    protocol = search(terms.protocol, terms.direction)
    queries = collection.asked(terms.protocol, terms.direction).samples
    query_pids, gallery_pids = [sample.pid for sample in queries], [sample.pid for sample in table.gallery]
    query_camids, gallery_camids = [sample.camid for sample in queries], [sample.camid for sample in table.gallery]
    mask = dropped(protocol, query_pids, query_camids, gallery_pids, gallery_camids)
    return rank_metrics(table.distances, query_pids, gallery_pids, mask, protocol.distinct_identities)


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


@dataclass(frozen=True, eq=False)
class Ranking:
    """One query against the whole gallery.

    Attributes:
        sample: The query.
        table: The distances that it was taken from.
        row: The query's row in the table.
        mask: Whether the protocol leaves a gallery image out, bool, `(G,)`.
        order: Gallery indices, the closest first, without those left out.
    """

    sample: Sample
    table: Table
    row: int
    mask: NDArray[np.bool_]
    order: NDArray[np.int64]

    @property
    def distances(self) -> NDArray[np.float64]:
        """The query's distances as they are shown, `(G,)`."""
        shown: NDArray[np.float64] = self.table.distances[self.row] + self.table.offset
        return shown

    def top(self, count: int) -> tuple[Ranked, ...]:
        """Describe the closest images."""
        distances, gallery, pid = self.distances, self.table.gallery, self.sample.pid
        return tuple(
            Ranked(image.key, image.pid, image.camid, place, float(distances[index]), image.pid == pid)
            for place, index in enumerate(self.order[:count], start=1)
            for image in (gallery[index],)
        )

    def ranks(self) -> dict[str, int]:
        """Give the rank of every image by its key, from 1."""
        return {self.table.gallery[index].key: rank for rank, index in enumerate(self.order, start=1)}


def rank(collection: Collection, table: Table, terms: Terms, query: str) -> Ranking:
    """Rank the whole gallery for one query by (distance, gallery index), the distances in float64.

    Args:
        collection: What is searched.
        table: Its distances on these terms.
        terms: What is asked of which gallery.
        query: Key of a query image.
    """
    asked = collection.asked(terms.protocol, terms.direction)
    row = asked.rows[query]
    sample = asked.samples[row]
    pids, camids = [image.pid for image in table.gallery], [image.camid for image in table.gallery]
    mask = dropped(search(terms.protocol, terms.direction), [sample.pid], [sample.camid], pids, camids)[0]
    return Ranking(sample, table, row, mask, ranking(table.distances[row], mask))
