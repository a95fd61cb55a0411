"""Re-rank a gallery by k-reciprocal neighbours: images that are among each other's nearest become closer."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from mun.features import unit_rows

__all__ = ["rerank"]

CHUNK_ELEMENTS = 2**22  # distances held at once: 32 MB in float64, and as much again while they are sorted

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def rerank(query: ArrayLike, gallery: ArrayLike, *, k1: int = 20, k2: int = 6, original_weight: float = 0.3) -> Floats:
    """Mix the cosine distance with the Jaccard distance of k-reciprocal neighbourhoods.

    Queries and gallery form one set of N = Q + G images, so the distance of one query depends on the other queries
    too, and on gallery images that a protocol later leaves out. With d(i, j) = (2 − 2 cos) / max over j, the
    neighbourhood R(i) holds the images that are among the first k1 + 1 of i and have i among theirs. A member's
    neighbourhood of half that size is added where more than two thirds of it lie in R(i). Image i becomes a row V(i)
    of weights exp(−d) over its neighbourhood, summing to 1, then averaged over the first k2 of i. The Jaccard distance
    is 1 − Σ min / Σ max, and the result (1 − w) · Jaccard + w · d.

    Memory grows with N · k1² (about 30 KB per image at the defaults) and with Q · G, not with N²; time grows with N².

    Args:
        query: Embeddings, normalised unless of unit length, real, `(Q, D)`.
        gallery: Likewise, `(G, D)`.
        k1: Size of a neighbourhood, at least 1.
        k2: Number of images that a row is averaged over, at least 1, the image itself included.
        original_weight: Share w of the original distance, in [0, 1].

    Returns:
        Distances in [0, 1], smaller is closer, float64, `(Q, G)`.

    Raises:
        ValueError: Not of these shapes, empty, not finite or with a zero row; or a number is out of bounds.

    Source: Zhong, Zheng, Cao, Li, CVPR 2017, arXiv:1701.08398, with the defaults of the paper and the distances squared
    and divided by the row's largest as in the authors' code. Departs from it in: ties go by index, and an image is at
    distance 0 from itself.
    """
    if k1 < 1 or k2 < 1:
        raise ValueError(f"expected `k1` and `k2` of at least 1, got {k1} and {k2}")
    if not 0 <= original_weight <= 1:
        raise ValueError(f"expected `original_weight` in [0, 1], got {original_weight}")
    query_rows, gallery_rows = unit_rows("query", query), unit_rows("gallery", gallery)
    if query_rows.shape[1] != gallery_rows.shape[1]:
        raise ValueError(f"expected `gallery` of shape (G, {query_rows.shape[1]}), got {gallery_rows.shape}")
    rows: Floats = np.concatenate([query_rows, gallery_rows]).astype(np.float64)
    nearest = _nearest(rows, min(len(rows), max(k1 + 1, k2)))
    encoded = _average(_encode(rows, _neighbourhoods(nearest, k1)), nearest[:, :k2])
    jaccard = _jaccard(encoded, len(query_rows))
    for part, distances in _distances(rows, len(query_rows)):
        jaccard[part] = (1 - original_weight) * jaccard[part] + original_weight * distances[:, len(query_rows) :]
    return jaccard


def _distances(rows: Floats, count: int) -> Iterator[tuple[slice, Floats]]:
    """Yield d of the first `count` images to all N, some rows at a time, each `(chunk, N)`."""
    chunk = max(1, CHUNK_ELEMENTS // len(rows))
    for start in range(0, count, chunk):
        part = slice(start, min(start + chunk, count))
        squared = np.maximum(2 - 2 * (rows[part] @ rows.T), 0)
        squared[np.arange(len(squared)), np.arange(part.start, part.stop)] = 0
        largest = squared.max(axis=1, keepdims=True)
        yield part, squared / np.where(largest > 0, largest, 1)


def _nearest(rows: Floats, count: int) -> Integers:
    """List the first `count` images by (distance, index) of every image, itself among them, `(N, count)`."""
    nearest = np.empty((len(rows), count), np.int64)
    for part, distances in _distances(rows, len(rows)):
        nearest[part] = np.argsort(distances, axis=1, kind="stable")[:, :count]
    return nearest


def _graph(nearest: Integers) -> csr_array[Any]:
    """Mark in each row the images that are listed, `(N, N)`, 0 or 1."""
    size, count = nearest.shape
    starts = np.arange(0, size * count + 1, count)
    return csr_array((np.ones(size * count), nearest.ravel(), starts), shape=(size, size))


def _reciprocal(nearest: Integers, k: int) -> csr_array[Any]:
    """Mark the pairs of images that are among each other's first k + 1, `(N, N)`, 0 or 1."""
    graph = _graph(nearest[:, : k + 1])
    return graph.multiply(graph.T).tocsr()


def _neighbourhoods(nearest: Integers, k1: int) -> csr_array[Any]:
    """Mark the expanded neighbourhood of every image, `(N, N)`; entries above 0 are members."""
    members, halves = _reciprocal(nearest, k1), _reciprocal(nearest, round(k1 / 2))
    shared = (members @ halves.T).multiply(members).tocoo()
    sizes = halves.sum(axis=1)
    taken = 3 * shared.data > 2 * sizes[shared.col]
    admitted = csr_array((np.ones(int(taken.sum())), (shared.row[taken], shared.col[taken])), shape=members.shape)
    return (members + admitted @ halves).tocsr()


def _encode(rows: Floats, members: csr_array[Any]) -> csr_array[Any]:
    """Weigh the members by exp(−d), each row summing to 1, `(N, N)`."""
    encoded = members.copy()
    for part, distances in _distances(rows, len(rows)):
        entries = slice(encoded.indptr[part.start], encoded.indptr[part.stop])
        row = np.repeat(np.arange(len(distances)), np.diff(encoded.indptr[part.start : part.stop + 1]))
        weights = np.exp(-distances[row, encoded.indices[entries]])
        encoded.data[entries] = weights / np.bincount(row, weights, len(distances))[row]
    return encoded


def _average(encoded: csr_array[Any], nearest: Integers) -> csr_array[Any]:
    """Average the rows of the listed images."""
    return (_graph(nearest) @ encoded / nearest.shape[1]).tocsr()


def _jaccard(encoded: csr_array[Any], num_queries: int) -> Floats:
    """Return 1 − Σ min / Σ max of the first `num_queries` rows to the others, `(Q, G)`; each row sums to 1."""
    shown = encoded[num_queries:].tocsc()
    overlap = np.empty((num_queries, shown.shape[0]))
    for query in range(num_queries):
        entries = slice(encoded.indptr[query], encoded.indptr[query + 1])
        others = shown[:, encoded.indices[entries]]
        mine = np.repeat(encoded.data[entries], np.diff(others.indptr))
        overlap[query] = np.bincount(others.indices, np.minimum(others.data, mine), shown.shape[0])
    return np.asarray(1 - overlap / (2 - overlap), dtype=np.float64)
