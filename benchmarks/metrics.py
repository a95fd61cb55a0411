"""Time the metrics on the shapes of SYSU-MM01 and RegDB: `python -m benchmarks.metrics`.

The inputs come from a formula, not from images, so that anybody can rebuild them: centers, an offset per modality, and
noise.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mun.evaluation.metrics import RankingMetrics, cosine_distances, rank_metrics
from mun.evaluation.protocols import dropped, get_protocol

REPEATS = 5
DIMENSION = 64

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Layout:
    """Who is in query and gallery: identities and cameras, int64, `(Q,)` and `(G,)`, and the seed of the features."""

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


def evaluate(layout: Layout) -> tuple[RankingMetrics, float]:
    """Return the metrics of a layout and the fewest seconds that ranking and scoring took."""
    protocol = get_protocol(layout.protocol)
    distances = cosine_distances(*features(layout))
    mask = dropped(protocol, layout.query_pids, layout.query_camids, layout.gallery_pids, layout.gallery_camids)
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        metrics = rank_metrics(distances, layout.query_pids, layout.gallery_pids, mask, protocol.distinct_identities)
        seconds.append(time.perf_counter() - start)
    return metrics, min(seconds)


def main() -> None:
    """Print the seconds of the three layouts."""
    for layout in (sysu_layout("sysu-all"), sysu_layout("sysu-indoor"), regdb_layout()):
        metrics, seconds = evaluate(layout)
        shape = f"{len(layout.query_pids)} x {len(layout.gallery_pids)}"
        scores = f"rank-1 {metrics.rank(1):.6f}  mAP {metrics.mean_ap:.12f}"
        print(f"{layout.protocol:<12} {shape:<12} {seconds:6.3f} s  {scores}")


if __name__ == "__main__":
    main()
