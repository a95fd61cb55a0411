"""What a ranking gets for free: nearest neighbour on grey pixels, and chance, by the protocol of the checkpoints.

Run: `python -m benchmarks.grey_pixels DATA`, DATA being a folder in the layout of SYSU-MM01.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mun.data.cache import decode_samples
from mun.data.sources import Source, read_sysu
from mun.evaluation.benchmark import BenchmarkResult, benchmark
from mun.evaluation.protocols import get_protocol

HEIGHT, WIDTH = 128, 64
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601


def grey_features(source: Source) -> NDArray[np.float32]:
    """Grey pixels of the test images, each image less its mean, float32, `(N, H·W)`."""
    grey = (decode_samples(source.test, HEIGHT, WIDTH) @ LUMA).reshape(len(source.test), -1)
    centered: NDArray[np.float32] = grey - grey.mean(axis=1, keepdims=True)
    return centered


def score(source: Source, features: NDArray[np.float32]) -> BenchmarkResult:
    """Score features of the test images by all-search, single-shot, ten trials."""
    return benchmark(get_protocol("synvi-all"), source.test, features, data=source.name)


def main(root: Path) -> None:
    """Print both bounds."""
    source = read_sysu(root)
    noise = np.random.default_rng(0).standard_normal((len(source.test), 64)).astype(np.float32)
    for name, features in (("grey pixels", grey_features(source)), ("chance (random features)", noise)):
        mean, sd = (values() for values in (score(source, features).mean, score(source, features).sd))
        parts = (f"{key} {100 * mean[key]:.1f} ± {100 * sd[key]:.1f} %" for key in ("rank1", "rank10", "mean_ap"))
        print(f"{name}: {', '.join(parts)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
