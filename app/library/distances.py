"""From embeddings and the terms of a ranking to distances, and to how well every query is ranked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.library.collection import Collection, Terms, search
from mun.evaluation.metrics import RankingMetrics, cosine_distances, rank_metrics
from mun.evaluation.protocols import dropped
from mun.evaluation.reranking import rerank
from mun.structures import Sample

__all__ = ["Table", "judge", "measure"]


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
