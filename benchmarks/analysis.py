"""Time an analysis on the shape of SYSU-MM01, 3,803 queries by 301 images: `python -m benchmarks.analysis`.

Two models with features from a formula and facts drawn at random, compared with a plain evaluation in the same run:
both models scored by the protocol. Times are medians of processor time.
"""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from mun.analysis.facts import Facts
from mun.analysis.report import analyse
from mun.evaluation.benchmark import benchmark
from mun.evaluation.protocols import get_protocol
from mun.structures import Modality, Sample

REPEATS = 5
LAST = {1: 56, 2: 56, 4: 94, 5: 95}  # last person that a visible camera saw, as in the test split of SYSU-MM01
WIDTH = 256


def samples() -> list[Sample]:
    """List 3,803 infrared images, and ten visible images for each person and camera of that gallery."""

    def one(pid: int, camid: int, number: int) -> Sample:
        modality = Modality.INFRARED if camid in (3, 6) else Modality.VISIBLE
        return Sample(Path(f"cam{camid}/{pid:04d}/{number:04d}.jpg"), pid, camid, modality)

    counts = {
        (pid, camid): 10 if camid in LAST else 20 + (camid == 3 and pid <= 23)
        for pid in range(1, 97)
        for camid in range(1, 7)
        if pid <= LAST.get(camid, 93 if camid == 3 else 96)
    }
    return [one(*group, number) for group, count in counts.items() for number in range(count)]


def timed(work: Callable[[], object]) -> float:
    """Return the median time of some runs, seconds."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return float(np.median(times))


def main() -> None:
    """Print the times and their ratio."""
    listed, draws, protocol = samples(), np.random.default_rng(0), get_protocol("sysu-all")
    centers = draws.standard_normal((97, WIDTH))
    models = {
        name: centers[[one.pid for one in listed]] + noise * draws.standard_normal((len(listed), WIDTH))
        for name, noise in (("one", 4.0), ("two", 5.0))
    }
    words = {name: tuple(draws.choice(["a", "b", "c"], len(listed))) for name in ("bag", "pattern", "fabric", "twin")}
    facts = Facts(words, {"yaw": draws.uniform(-np.pi, np.pi, len(listed))})
    for trials in (1, 10):
        how = {"data": "", "trials": trials}
        plain = timed(lambda how=how: [benchmark(protocol, listed, one, **how) for one in models.values()])
        whole = timed(lambda how=how: analyse(protocol, listed, facts, models, **how))
        count = f"{trials} galler{'y' if trials == 1 else 'ies'}"
        print(f"{count}: analysis of two models {whole:.2f} s, evaluation {plain:.2f} s, ratio {whole / plain:.1f}")


if __name__ == "__main__":
    main()
