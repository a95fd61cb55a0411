"""Features files of made methods: each person a direction, planted as strong as asked for, under noise."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mun.structures import Modality, Sample

PEOPLE, CAMERAS, SIZE = 8, (1, 2, 4, 5, 3, 6), 16


def method(strength: float, seed: int = 0, samples: Sequence[Sample] | None = None) -> dict[str, Any]:
    """The arrays of a file; by default eight people by the six cameras of SYSU-MM01, two images each."""
    seen = [(pid, camid, number) for pid in range(1, PEOPLE + 1) for camid in CAMERAS for number in (1, 2)]
    if samples is None:
        keys = [f"cam{camid}/{pid:04d}/{number:04d}.jpg" for pid, camid, number in seen]
        pids, camids = np.array([one[0] for one in seen]), np.array([one[1] for one in seen])
        infrared = np.isin(camids, (3, 6))
    else:
        keys = [sample.key for sample in samples]
        pids, camids = (np.array([getattr(one, name) for one in samples]) for name in ("pid", "camid"))
        infrared = np.array([sample.modality is Modality.INFRARED for sample in samples])
    generator = np.random.default_rng(seed)
    directions = generator.standard_normal((pids.max() + 1, SIZE))
    features = strength * directions[pids] + generator.standard_normal((len(pids), SIZE))
    modalities = np.where(infrared, "infrared", "visible")
    return {"features": features, "pids": pids, "camids": camids, "modalities": modalities, "keys": np.array(keys)}


def write(path: Path, arrays: dict[str, Any], *, packed: bool = False) -> Path:
    (np.savez_compressed if packed else np.savez)(path, **arrays)
    return path


def content(arrays: dict[str, Any], *, packed: bool = False) -> io.BytesIO:
    file = io.BytesIO()
    (np.savez_compressed if packed else np.savez)(file, **arrays)
    file.seek(0)
    return file
