"""Speed of embedding image files, compared with the bare forward pass of the same images.

The files are JPEGs of 288×144, made from the bundled gallery. *Warm* files are in the system's cache; for *cold* ones
the system was asked to drop them from it, if it can be asked.
"""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.measure import Row, in_turn
from mun.config import ModelConfig
from mun.data.cache import decode_samples
from mun.embedding import embed_pixels, embed_samples
from mun.images import read_image, resize
from mun.models.network import Network
from mun.structures import Modality, Sample

ROOT = Path(__file__).resolve().parent.parent
SIZE = (288, 144)
NETWORKS = (
    ("ResNet-50", ModelConfig("none", "resnet50", 1.0, *SIZE), 48, 0.9),
    ("bundled network", ModelConfig(), 512, 0.7),
)


def files(folder: Path, count: int) -> list[Sample]:
    """Write `count` JPEG files of one modality."""
    sources = sorted((ROOT / "assets" / "synvi" / "cam1").rglob("*.jpg"))
    for number in range(count):
        image = Image.fromarray(resize(read_image(sources[number % len(sources)]), *SIZE))
        image.save(folder / f"{number:06d}.jpg", quality=90 - number % 5)
    return [Sample(path, 1, 1, Modality.VISIBLE) for path in sorted(folder.glob("*.jpg"))]


def forget(samples: Sequence[Sample]) -> None:
    """Ask the system to drop the files from its cache."""
    for sample in samples if hasattr(os, "posix_fadvise") else ():
        with sample.path.open("rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def rows(short: bool) -> list[Row]:
    """Measure the rows of this suite.

    Raises:
        ArithmeticError: Embeddings from files are not those of the decoded images.
    """
    found = []
    for name, config, count, least in NETWORKS:
        torch.manual_seed(0)
        network = Network(replace(config, width=0.25) if short else config, num_classes=10).eval()
        with tempfile.TemporaryDirectory() as folder:
            samples = files(Path(folder), 16 if short else count)
            pixels = decode_samples(samples, network.config.height, network.config.image_width)
            bare = partial(embed_pixels, network, pixels, Modality.VISIBLE)
            warm = partial(embed_samples, network, samples)
            if not np.allclose(bare(), warm(), rtol=0, atol=1e-6):
                raise ArithmeticError(f"{name}: the embeddings from files are not those of the decoded images")

            def cold(samples: Sequence[Sample] = samples, warm: partial[object] = warm) -> None:
                forget(samples)
                warm()

            plain, *both = in_turn(bare, warm, cold, repeats=1 if short else 3)
        for state, seconds in zip(("warm", "cold"), both, strict=True):
            goal = least if state == "warm" else None
            speed, limit = len(samples) / seconds, len(samples) / plain
            found.append(Row(f"{name}, {state} files", speed, "images/s", limit, "bare forward", least=goal))
    return found
