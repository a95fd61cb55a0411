"""The position of an auxiliary image between its two sources, and the rank at which it retrieves the person."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.evaluation.galleries import uncounted
from mun.evaluation.metrics import rank_metrics
from mun.evaluation.protocols import Protocol
from mun.features import unit_rows
from mun.structures import Sample

__all__ = ["Found", "Place", "find", "place"]


@dataclass(frozen=True)
class Place:
    """Euclidean distances between three unit-length embeddings, √(2 − 2 cos), in [0, 2].

    Attributes:
        to_visible: d(A, V).
        to_infrared: d(A, I).
        between: d(V, I).
    """

    to_visible: float
    to_infrared: float
    between: float

    @property
    def relative(self) -> tuple[float, float] | None:
        """d(A, V) and d(A, I) over d(V, I), whose sum is at least 1; `None` where V and I are equal."""
        return (self.to_visible / self.between, self.to_infrared / self.between) if self.between > 0 else None


@dataclass(frozen=True)
class Found:
    """The outcome of a search in one gallery.

    Attributes:
        rank: Of the first image of the person, from 1; `None` where the gallery holds none.
        size: Number of ranked images.
        left_out: Number of images left out because they are a source or from the site of a source.
    """

    rank: int | None
    size: int
    left_out: int


def place(auxiliary: ArrayLike, visible: ArrayLike, infrared: ArrayLike) -> Place:
    """Measure a triangle of embeddings, in float64.

    Args:
        auxiliary: Real, `(D,)`; scaled to unit length.
        visible: Likewise.
        infrared: Likewise.

    Raises:
        ValueError: The embeddings have different lengths, or one is zero or not finite.
    """
    points = [np.asarray(point, dtype=np.float64) for point in (auxiliary, visible, infrared)]
    if len({point.shape for point in points}) > 1:
        raise ValueError(f"expected three embeddings of one shape (D,), got {[point.shape for point in points]}")
    a, v, i = unit_rows("points", np.stack(points))
    return Place(*(float(np.linalg.norm(one - other)) for one, other in ((a, v), (a, i), (v, i))))


def find(
    points: ArrayLike, pid: int, sources: Sequence[Sample], gallery: Sequence[Sample], rows: ArrayLike, rule: Protocol
) -> list[Found]:
    """Rank a gallery for points of one person, without their source images and all images from the sources' sites.

    Args:
        points: Unit-length embeddings, `(A, D)`.
        pid: Of the person.
        sources: The images that the points were made from.
        gallery: G images.
        rows: Their unit-length embeddings, `(G, D)`.
        rule: The protocol that says which cameras share a site.

    Returns:
        The first match of each point, by (distance, gallery index).

    Raises:
        ValueError: Points and rows have different lengths, or the site of a camera is unknown.
    """
    away = left_out(sources, gallery, rule)
    kept = [sample for sample, out in zip(gallery, away, strict=True) if not out]
    queries = np.asarray(points)
    if not any(sample.pid == pid for sample in kept):
        return [Found(None, len(kept), int(away.sum()))] * len(queries)
    distances = -(queries @ np.asarray(rows)[~away].T)
    metrics = rank_metrics(distances, [pid] * len(queries), [sample.pid for sample in kept], None, False)
    return [Found(int(hit), len(kept), int(away.sum())) for hit in metrics.first_hit]


def left_out(sources: Sequence[Sample], gallery: Sequence[Sample], rule: Protocol) -> NDArray[np.bool_]:
    """Mark gallery images that are a source or from the site of a source, bool, `(G,)`."""
    keys = {sample.key for sample in sources}
    same = np.array([sample.key in keys for sample in gallery], dtype=np.bool_)
    if not len(sources) or not len(gallery):
        return same
    return same | uncounted(rule, sources, gallery).any(axis=0)
