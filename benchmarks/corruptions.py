"""Milliseconds that each corruption takes for an image on one core, at two sizes, the mean over the severities.

Run with one thread: `OMP_NUM_THREADS=1 python -m benchmarks.corruptions`.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from mun.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from mun.images import resize
from mun.structures import Modality, Split
from mun.synvi import CAMERAS, Plan

PEOPLE = 5
LIMIT = 15.0  # milliseconds for 128×64


def measure(images: list[NDArray[np.uint8]], name: str) -> float:
    """Return the processor time of one image, in milliseconds."""
    corrupt(images[0], name, 1, 0)
    began = time.process_time()
    for seed, image in enumerate(images):
        for severity in SEVERITIES:
            corrupt(image, name, severity, seed)
    return 1000 * (time.process_time() - began) / (len(images) * len(SEVERITIES))


def main() -> None:
    """Print a line per corruption."""
    plan = Plan(train_ids=0, val_ids=0, test_ids=PEOPLE, images=1)
    cameras = [camid for camid, camera in CAMERAS.items() if camera.modality is Modality.VISIBLE]
    small = [plan.recipe(Split.TEST, number, camid, 0).image() for number in range(PEOPLE) for camid in cameras]
    large = [resize(image, 288, 144) for image in small]
    print(f"{'milliseconds an image':<22}  128x64  288x144")
    slowest = 0.0
    for name in CORRUPTIONS:
        times = measure(small, name), measure(large, name)
        slowest = max(slowest, times[0])
        print(f"{name:<22}  {times[0]:6.2f}  {times[1]:7.2f}")
    print(f"the slowest takes {slowest:.1f} ms at 128x64; the limit is {LIMIT:g} ms")


if __name__ == "__main__":
    main()
