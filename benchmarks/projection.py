"""Time 2,000 points by t-SNE and UMAP in the warm process of the app: `python -m benchmarks.projection`.

The limit is 8 s on two cores, after the warm-up. The points are 100 people of 20 images each in 256 dimensions, as
embeddings are: unit length, people's centers at random, noise around them.
"""

from __future__ import annotations

import os
import sys
import time

import numpy as np
from numpy.typing import NDArray

from app.embeddings.projector import Projector
from app.start import prepare_environment
from mun.projection import Method, Settings

PEOPLE, IMAGES, SIZE = 100, 20, 256
REPEATS = 3
LIMIT = 8.0  # seconds
NOISE = 0.8  # standard deviation in each dimension; people's centers have 1


def people(count: int = PEOPLE) -> NDArray[np.float32]:
    """Draw points of unit length, `(20 · count, 256)`."""
    draws = np.random.default_rng(0)
    middles = draws.standard_normal((count, SIZE)).repeat(IMAGES, axis=0)
    rows = middles + NOISE * draws.standard_normal(middles.shape)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def main() -> int:
    """Print the seconds of each method, the fewest of three runs, and say whether the limit is kept."""
    prepare_environment()
    points, projector, slow = people(), Projector(), False
    print(f"{len(points)} points of {SIZE} dimensions, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for method in (Method.TSNE, Method.UMAP):
        settings = Settings(method)
        begun = time.perf_counter()
        projector.project(points[:200], settings)
        warm = time.perf_counter() - begun
        seconds = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            made = projector.project(points, settings)
            seconds.append(time.perf_counter() - begun)
        slow |= min(seconds) > LIMIT
        print(f"{method}: {min(seconds):.1f} s (warm-up {warm:.1f} s), {100 * made.kept:.0f} % of neighbors kept")
    projector.close()
    print(f"the limit is {LIMIT:g} s")
    return int(slow)


if __name__ == "__main__":
    sys.exit(main())
