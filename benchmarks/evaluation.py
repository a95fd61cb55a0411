"""Speed of the metrics on the shapes of SYSU-MM01 and RegDB.

The inputs come from a formula, not from images, so that anybody can rebuild them: centers, an offset per modality, and
noise. The references are the plain loop over queries, and one `argsort` of the whole matrix.
"""

import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import Row, in_turn
from mun.evaluation.metrics import cosine_distances, rank_metrics
from mun.evaluation.protocols import dropped, get_protocol

DIMENSION = 64

Integers = NDArray[np.integer[Any]]
Booleans = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Layout:
    """Identities and cameras of queries and gallery, int64, `(Q,)` and `(G,)`, and the seed of the features."""

    protocol: str
    seed: int
    query_pids: Integers
    query_camids: Integers
    gallery_pids: Integers
    gallery_camids: Integers


def sysu_layout(protocol: str) -> Layout:
    """Lay out 3,803 queries and 301 (`sysu-all`) or 112 (`sysu-indoor`) gallery images, one per identity and camera."""
    last_pid = {1: 56, 2: 56, 4: 94, 5: 95}
    cameras = get_protocol(protocol).gallery_cameras
    gallery = [(pid, camera) for pid in range(1, 97) for camera in cameras if pid <= last_pid[camera]]
    queries = []
    for pid in range(1, 97):
        queries += [(pid, 3)] * ((21 if pid <= 23 else 20) if pid <= 93 else 0)
        queries += [(pid, 6)] * 20
    return Layout(protocol, 20240601, *np.array(queries).T, *np.array(gallery).T)


def regdb_layout() -> Layout:
    """Lay out 206 identities with ten images in each modality."""
    pids = np.repeat(np.arange(206), 10)
    return Layout("regdb-v2i", 20240602, pids, np.ones_like(pids), pids, np.full_like(pids, 2))


def features(layout: Layout) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw unit features of the queries and the gallery, float64, `(Q, 64)` and `(G, 64)`."""
    random = np.random.RandomState(layout.seed)
    pids = np.unique(np.concatenate([layout.query_pids, layout.gallery_pids]))
    centers = random.standard_normal((len(pids), DIMENSION))
    offsets = [random.standard_normal((1, DIMENSION)) for _ in range(2)]
    sides = []
    for offset, side in zip(offsets, (layout.query_pids, layout.gallery_pids), strict=True):
        noise = random.standard_normal((len(side), DIMENSION))
        rows = 0.5 * centers[np.searchsorted(pids, side)] + 0.5 * offset + noise
        sides.append(rows / np.linalg.norm(rows, axis=1, keepdims=True))
    return sides[0], sides[1]


def task(layout: Layout) -> tuple[Floats, Integers, Integers, Booleans | None, bool]:
    """Prepare the arguments of `rank_metrics`."""
    protocol = get_protocol(layout.protocol)
    people = layout.query_pids, layout.gallery_pids
    mask = dropped(protocol, layout.query_pids, layout.query_camids, layout.gallery_pids, layout.gallery_camids)
    return cosine_distances(*features(layout)), *people, mask, protocol.distinct_identities


def plain_loop(
    distances: Floats, query_pids: Integers, gallery_pids: Integers, mask: Booleans | None, distinct: bool
) -> tuple[float, float]:
    """Compute rank-1 and mAP in a simple loop over queries; the input has no ties."""
    hits, precisions = [], []
    for query, row in enumerate(distances):
        order = np.argsort(row)
        if mask is not None:
            order = order[~mask[query, order]]
        ranked = gallery_pids[order]
        places = np.flatnonzero(ranked == query_pids[query]) + 1
        if not len(places):
            continue
        people = ranked[np.sort(np.unique(ranked, return_index=True)[1])] if distinct else ranked
        hits.append(people[0] == query_pids[query])
        precisions.append(float(np.mean(np.arange(1, len(places) + 1) / places)))
    return float(np.mean(hits)), float(np.mean(precisions))


def rows(short: bool) -> list[Row]:
    """Measure the rows of this suite.

    Raises:
        ArithmeticError: The scores are not those of the plain loop.
    """
    one_shot = sysu_layout("sysu-all")
    ten_shot = replace(
        one_shot,
        gallery_pids=one_shot.gallery_pids.repeat(10),
        gallery_camids=one_shot.gallery_camids.repeat(10),
        query_pids=one_shot.query_pids[:: 10 if short else 1],
        query_camids=one_shot.query_camids[:: 10 if short else 1],
    )
    repeats = 1 if short else 7
    found = []
    for name, layout in (("1-shot", one_shot), ("10-shot", ten_shot), ("RegDB", regdb_layout())):
        given = task(layout)
        metrics, expected = rank_metrics(*given), plain_loop(*given)
        if not np.allclose((metrics.rank(1), metrics.mean_ap), expected, rtol=0, atol=1e-12):
            raise ArithmeticError(f"{name}: rank-1 and mAP are not those of the plain loop")
        shape = f"{given[0].shape[0]:,} x {given[0].shape[1]:,}"
        ours, sort = in_turn(partial(rank_metrics, *given), partial(np.argsort, given[0], axis=1), repeats=repeats)
        if name == "1-shot":
            loop, again = in_turn(partial(plain_loop, *given), partial(rank_metrics, *given), repeats=min(repeats, 3))
            found.append(Row(f"SYSU all 1-shot, {shape}", 1 / again, "per s", 1 / loop, "plain loop", least=30))
            continue
        title = "SYSU all 10-shot" if name == "10-shot" else name
        most = 3.0 if name == "10-shot" else 2.0
        found.append(Row(f"{title}, {shape}", 1e3 * ours, "ms", 1e3 * sort, "one argsort of the matrix", most=most))
        if name == "10-shot":
            peak = traced_peak(partial(rank_metrics, *given)) + given[0].nbytes
            found.append(Row("memory beside it", peak / 1e6, "MB", given[0].nbytes / 1e6, "the matrix", most=2))
    return found


def traced_peak(work: Callable[[], object]) -> int:
    """Return the most bytes that Python and NumPy held for some work."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
