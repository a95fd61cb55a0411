"""Rank a gallery for every query and score the ranking: CMC, mAP, mINP. Needs NumPy only."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["BLOCK", "RANKS", "Places", "RankingMetrics", "cosine_distances", "integer_vector", "match_places"]
__all__ += ["rank_blocks", "rank_metrics", "ranking"]

RANKS = (1, 5, 10, 20)  # the ranks that the field's tables report
BLOCK = 2**24  # distances that are held at once
CHUNK_ELEMENTS = 2**18  # distances ranked at once; about 50 bytes of working memory each
FEW = 8  # images of an identity; with more of them the closest is found by `reduceat`

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.integer[Any]]
Booleans = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class RankingMetrics:
    """Scores of a ranking; every mean is over the valid queries, those with a match in their kept gallery.

    Attributes:
        cmc: Fraction of valid queries found within the first 1 … R places, float64, `(R,)`.
        mean_ap: Mean average precision, in [0, 1].
        mean_inp: Mean inverse negative penalty, in [0, 1].
        num_valid: Number of valid queries.
        average_precision: Of each query, float64, `(Q,)`; NaN where the query is skipped.
        inverse_negative_penalty: Of each query, float64, `(Q,)`; NaN where the query is skipped.
        first_hit: Place of the first match in the kept gallery, from 1, int64, `(Q,)`; 0 where the query is skipped.
    """

    cmc: NDArray[np.float64]
    mean_ap: float
    mean_inp: float
    num_valid: int
    average_precision: NDArray[np.float64]
    inverse_negative_penalty: NDArray[np.float64]
    first_hit: NDArray[np.int64]

    def rank(self, k: int) -> float:
        """Return CMC at rank `k`, a fraction.

        Raises:
            ValueError: `k` is not in [1, R].
        """
        if not 1 <= k <= len(self.cmc):
            raise ValueError(f"expected a rank in [1, {len(self.cmc)}], got {k}")
        return float(self.cmc[k - 1])

    def scores(self) -> dict[str, float]:
        """Return `rank1, rank5, rank10, rank20, mean_ap, mean_inp` as fractions.

        Raises:
            ValueError: The CMC curve is shorter than 20.
        """
        scores = {f"rank{k}": self.rank(k) for k in RANKS}
        return {**scores, "mean_ap": self.mean_ap, "mean_inp": self.mean_inp}


def integer_vector(name: str, values: ArrayLike, length: int | None = None) -> Integers:
    """Check that `values` is an integer vector, and return it as an array.

    Args:
        name: The name of the values in a message.
        values: Integers, `(length,)`.
        length: The length they must have; `None` for any.

    Raises:
        ValueError: `values` is not a vector of this length, or not of an integer type.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (length is not None and len(array) != length):
        raise ValueError(f"expected `{name}` of shape ({'N' if length is None else length},), got {array.shape}")
    if array.dtype.kind not in "iu" and array.size:
        raise ValueError(f"expected `{name}` of an integer type, got {array.dtype}")
    return array


def _floats(name: str, values: ArrayLike) -> Floats:
    """Return real numbers as an array: float32 stays float32, every other type becomes float64."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ValueError(f"expected `{name}` of a real numeric type, got {array.dtype}")
    return array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)


def cosine_distances(query: ArrayLike, gallery: ArrayLike) -> Floats:
    """Return −(Q·Gᵀ): the cosine distance of unit rows minus its constant 1, which changes no ranking.

    Args:
        query: Embeddings of unit length, `(Q, D)`.
        gallery: Embeddings of unit length, `(G, D)`.

    Returns:
        Distances in [−1, 1], smaller is closer, `(Q, G)`; float32 where both inputs are, else float64.

    Raises:
        ValueError: Not of these shapes or of a real type; `rank_metrics` and `ranking` refuse NaN and infinity.
    """
    query_rows, gallery_rows = _floats("query", query), _floats("gallery", gallery)
    if query_rows.ndim != 2 or gallery_rows.ndim != 2 or query_rows.shape[1] != gallery_rows.shape[1]:
        shapes = f"{query_rows.shape} and {gallery_rows.shape}"
        raise ValueError(f"expected `query` of shape (Q, D) and `gallery` of shape (G, D), got {shapes}")
    return -(query_rows @ gallery_rows.T)


def ranking(distances: ArrayLike, dropped: ArrayLike | None = None) -> NDArray[np.int64]:
    """Rank the kept gallery of one query by (distance, gallery index).

    Args:
        distances: Of the query to each gallery image, `(G,)`.
        dropped: Whether the protocol drops the image for this query, bool, `(G,)`; `None` drops nothing.

    Returns:
        Gallery indices, the closest first, int64, `(K,)` with K ≤ G; empty where all are dropped.

    Raises:
        ValueError: Not of these shapes, empty, not finite, or `dropped` is not boolean.
    """
    row = _floats("distances", distances)
    if row.ndim != 1 or not row.size:
        raise ValueError(f"expected `distances` of shape (G,), not empty, got {row.shape}")
    _check_finite(row)
    mask = _mask(dropped, row.shape)
    if mask is None:
        return np.argsort(row, kind="stable")
    return np.argsort(np.where(mask, np.inf, row), kind="stable")[: int((~mask).sum())]


def rank_metrics(
    distances: ArrayLike,
    query_pids: ArrayLike,
    gallery_pids: ArrayLike,
    dropped: ArrayLike | None,
    distinct_identities: bool,
    max_rank: int = 20,
) -> RankingMetrics:
    """Rank the gallery for every query, and score the ranking.

    The kept gallery of a query is sorted by (distance, gallery index); rank_k is the place of its k-th match, m the
    number of matches. AP = (1/m) Σ k / rank_k, without interpolation; INP = m / rank_m. A query with m = 0 is skipped.

    Args:
        distances: Smaller is closer, real, `(Q, G)`.
        query_pids: Integers, `(Q,)`.
        gallery_pids: Integers, `(G,)`.
        dropped: Whether the protocol drops a gallery image for a query, bool, `(Q, G)`; `None` drops nothing.
        distinct_identities: CMC counts distinct identities, in the order of their first image (SYSU-MM01), not images.
        max_rank: Length R of the CMC curve; it may exceed the size of the gallery.

    Raises:
        ValueError: Not of these shapes or types, empty, not finite, `max_rank` below 1, or no query has a match.

    Source: mAP after Zheng et al., ICCV 2015; mINP after Ye et al., TPAMI 2022, arXiv:2001.04193; identity-CMC after Wu
    et al., ICCV 2017. Departs from their code in: ties go by gallery index, so that constant features score chance.
    """
    return rank_blocks([(distances, query_pids, dropped)], gallery_pids, distinct_identities, max_rank)


def rank_blocks(
    blocks: Iterable[tuple[ArrayLike, ArrayLike, ArrayLike | None]],
    gallery_pids: ArrayLike,
    distinct_identities: bool,
    max_rank: int = 20,
) -> RankingMetrics:
    """Score the rankings of queries block by block, so that not all distances are in memory at once.

    Args:
        blocks: For each block of queries the distances to the gallery, the identities, and the mask of dropped images,
            as `rank_metrics` takes them.
        gallery_pids: As in `rank_metrics`.
        distinct_identities: As in `rank_metrics`.
        max_rank: As in `rank_metrics`.

    Raises:
        ValueError: As `rank_metrics`.
    """
    if max_rank < 1:
        raise ValueError(f"expected `max_rank` of at least 1, got {max_rank}")
    parts = [
        _score_rows(values, matches, np.asarray(gallery_pids), distinct_identities)
        for distances, query_pids, dropped in blocks
        for _, values, matches in _ranked(distances, query_pids, gallery_pids, dropped)
    ]
    precision, penalty, first_hit, place = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    valid = first_hit > 0
    num_valid = int(valid.sum())
    if not num_valid:
        raise ValueError(
            f"expected a match in the kept gallery of at least one query, got none for {len(valid)} queries"
        )
    hits = np.bincount(np.minimum(place[valid], max_rank + 1), minlength=max_rank + 2)[1:-1]
    means = float(precision[valid].mean()), float(penalty[valid].mean())
    return RankingMetrics(np.cumsum(hits) / num_valid, *means, num_valid, precision, penalty, first_hit)


@dataclass(frozen=True, eq=False)
class Places:
    """The place of every match in the kept gallery of its query: M matches, ascending by query, then by place.

    Attributes:
        query: Row of the query, int64, `(M,)`.
        gallery: Index of the match in the gallery, int64, `(M,)`.
        place: From 1, int64, `(M,)`.
        nth: Which match of its query it is, from 1, int64, `(M,)`.
    """

    query: NDArray[np.int64]
    gallery: NDArray[np.int64]
    place: NDArray[np.int64]
    nth: NDArray[np.int64]


def match_places(
    distances: ArrayLike, query_pids: ArrayLike, gallery_pids: ArrayLike, dropped: ArrayLike | None
) -> Places:
    """Find the place of every match, as `rank_metrics` counts them; a query may have none.

    Args:
        distances: Smaller is closer, real, `(Q, G)`.
        query_pids: Integers, `(Q,)`.
        gallery_pids: Integers, `(G,)`.
        dropped: Whether the protocol drops a gallery image for a query, bool, `(Q, G)`; `None` drops nothing.

    Raises:
        ValueError: Not of these shapes or types, empty, or not finite.
    """
    found = [
        (places.query + start, places.gallery, places.place, places.nth)
        for start, _, places in _ranked(distances, query_pids, gallery_pids, dropped)
    ]
    return Places(*(np.concatenate(columns) for columns in zip(*found, strict=True)))


def _ranked(
    distances: ArrayLike, query_pids: ArrayLike, gallery_pids: ArrayLike, dropped: ArrayLike | None
) -> Iterator[tuple[int, Floats, Places]]:
    """Check everything, then rank the queries block by block.

    Yields:
        The row of the block's first query; its distances, infinite for dropped images, and replaced by ranks by
        (distance, index) for a query with a tied match; and its matches, with queries counted from 0 in the block.
    """
    table = _floats("distances", distances)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"expected `distances` of shape (Q, G), neither of them 0, got {table.shape}")
    _check_finite(table)
    queries = integer_vector("query_pids", query_pids, table.shape[0])
    gallery = integer_vector("gallery_pids", gallery_pids, table.shape[1])
    mask, step = _mask(dropped, table.shape), max(1, CHUNK_ELEMENTS // table.shape[1])
    for start in range(0, len(table), step):
        part = slice(start, start + step)
        values, matches = table[part], gallery == queries[part, None]
        if mask is not None:
            values, matches = np.where(mask[part], np.inf, values), matches & ~mask[part]
        yield start, *_match_rows(values, matches)


def _mask(dropped: ArrayLike | None, shape: tuple[int, ...]) -> Booleans | None:
    """Check the mask of dropped images and return it; `None` where there is none."""
    if dropped is None:
        return None
    mask = np.asarray(dropped)
    if mask.shape != shape or mask.dtype != np.bool_:
        raise ValueError(f"expected `dropped` of shape {shape} and type bool, got {mask.shape} of {mask.dtype}")
    return mask


def _check_finite(distances: Floats) -> None:
    if not np.isfinite(distances).all():
        raise ValueError("expected finite `distances`, got NaN or infinity")


def _match_rows(values: Floats, matches: Booleans) -> tuple[Floats, Places]:
    """Find the place of every match, and replace the distances of a query by ranks where one of its matches is tied.

    Only the places of the matches are needed: they are looked up among sorted distances, which is several times as fast
    as sorting the indices.
    """
    size = values.shape[1]
    rows, columns = np.divmod(np.flatnonzero(matches), size)
    ordered = np.sort(values, axis=1)
    places = _places(ordered, rows, values[rows, columns])
    after = np.minimum(places + 1, size - 1)
    tied = np.unique(rows[(ordered[rows, after] == ordered[rows, places]) & (after > places)])
    if len(tied):
        ranks = np.argsort(np.argsort(values[tied], axis=1, kind="stable"), axis=1)
        values = values.astype(np.float64)
        values[tied] = ranks
        again = np.isin(rows, tied)
        places[again] = values[rows[again], columns[again]]
    order = np.argsort(rows * size + places)  # of each query, the closest match first
    counts = np.bincount(rows, minlength=len(values))
    nth = np.arange(1, len(rows) + 1) - (np.cumsum(counts) - counts)[rows]
    return values, Places(rows, columns[order], places[order] + 1, nth)


def _score_rows(
    values: Floats, matches: Places, gallery_pids: Integers, distinct_identities: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return AP, INP, first hit and the place that CMC counts, each `(Q,)`, from distances and matches."""
    counts = np.bincount(matches.query, minlength=len(values))  # m of each query
    valid, ends = counts > 0, np.cumsum(counts)
    first, last = (ends - counts)[valid], ends[valid] - 1
    sums = np.bincount(matches.query, weights=matches.nth / matches.place, minlength=len(values))
    precision, penalty = np.full(len(values), np.nan), np.full(len(values), np.nan)
    precision[valid] = sums[valid] / counts[valid]
    penalty[valid] = counts[valid] / matches.place[last]
    first_hit = np.zeros(len(values), np.int64)
    first_hit[valid] = matches.place[first]
    place = first_hit.copy()
    if distinct_identities:
        closest = values[valid, matches.gallery[first]]
        place[valid] = 1 + (_best_of_identities(values[valid], gallery_pids) < closest[:, None]).sum(axis=1)
    return precision, penalty, first_hit, place


def _places(ordered: Floats, rows: NDArray[np.intp], values: Floats) -> NDArray[np.intp]:
    """Count the smaller values in the sorted row of each value, `(M,)`, by one bisection for all values."""
    low, high = np.zeros(len(rows), np.intp), np.full(len(rows), ordered.shape[1], np.intp)
    for _ in range(ordered.shape[1].bit_length()):
        middle = np.minimum((low + high) // 2, ordered.shape[1] - 1)
        smaller = ordered[rows, middle] < values
        low, high = np.where(smaller, middle + 1, low), np.where(smaller, high, middle)
    return low


def _best_of_identities(values: Floats, gallery_pids: Integers) -> Floats:
    """Return the smallest distance to each identity of the gallery, `(Q, identities)`, in no particular order."""
    by_pid = np.argsort(gallery_pids, kind="stable")
    _, starts, counts = np.unique(gallery_pids[by_pid], return_index=True, return_counts=True)
    if counts.max() > FEW:
        return np.minimum.reduceat(np.take(values, by_pid, axis=1), starts, axis=1)
    best = np.take(values, by_pid[starts], axis=1)
    for nth in range(1, counts.max()):
        more = np.flatnonzero(counts > nth)
        best[:, more] = np.minimum(best[:, more], np.take(values, by_pid[starts[more] + nth], axis=1))
    return best
