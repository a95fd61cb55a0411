"""Samples in the layout of SYSU-MM01, without files."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mun.structures import Modality, Sample

__all__ = ["sample", "samples"]


def sample(pid: int, camid: int, number: int = 1) -> Sample:
    modality = Modality.INFRARED if camid in (3, 6) else Modality.VISIBLE
    return Sample(Path(f"/data/cam{camid}/{pid:04d}/{number:04d}.jpg"), pid, camid, modality)


def samples(pids: Iterable[int], cameras: Iterable[int] = range(1, 7), count: int = 2) -> list[Sample]:
    """All images of some people by some cameras, in ascending order."""
    numbers = range(1, count + 1)
    return [sample(pid, camid, number) for pid in pids for camid in cameras for number in numbers]
