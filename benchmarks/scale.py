"""Growth of time with gallery rows, training identities, points in a plane, and visitors at once."""

import asyncio
import resource
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.app import ask, people
from benchmarks.load.server import start
from benchmarks.measure import Row, growth, in_turn
from mun.config import ModelConfig
from mun.models.network import Network
from mun.projection import Method, Settings, project
from mun.search import Vectors
from mun.structures import Modality

DIMENSION = 512


def rows(short: bool) -> list[Row]:
    """Measure the rows of this suite."""
    return [
        *galleries((100, 1000) if short else (1_000, 10_000, 100_000, 1_000_000)),
        identities((10, 100) if short else (100, 1_000, 10_000)),
        points((100, 200) if short else (1_000, 10_000, 100_000)),
        visitors((1, 3) if short else (1, 10, 100)),
    ]


def galleries(sizes: Sequence[int]) -> list[Row]:
    """Time one query on galleries in a memory-mapped file."""
    draws, curve = np.random.default_rng(0), []
    query = draws.standard_normal(DIMENSION).astype(np.float32)
    query /= np.linalg.norm(query)
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            path = Path(folder) / f"{size}.npy"
            written = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(size, DIMENSION))
            for first in range(0, size, 10_000):
                block = written[first : first + 10_000]
                block[:] = draws.standard_normal(block.shape, dtype=np.float32)
            written.flush()
            del written
            vectors = Vectors(np.load(path, mmap_mode="r"))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            (seconds,) = in_turn(partial(vectors.similarities, query), repeats=5)
            held = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
            curve.append((size, seconds))
            if size == sizes[-1]:
                (plain,) = in_turn(partial(read_and_multiply, path, query), repeats=1)
    weight = 4 * DIMENSION * sizes[-1]
    return [
        growth("gallery rows", curve, most=1.1),
        Row(f"a query in {sizes[-1]:,} rows", 1e3 * curve[-1][1], "ms", 1e3 * plain, "read all and multiply"),
        Row("memory for that, more than before", max(held, 1) / 1e6, "MB", weight / 1e6, "the gallery", most=1.05),
    ]


def read_and_multiply(path: Path, query: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compute all similarities of a query without blocks."""
    similarities: NDArray[np.float32] = np.load(path) @ query
    return similarities


def identities(counts: Sequence[int]) -> Row:
    """Time a training step with more and more identities."""
    curve, images = [], torch.rand(16, 3, 96, 48)
    for count in counts:
        torch.manual_seed(0)
        network = Network(ModelConfig("none", width=0.25, height=96, image_width=48), num_classes=count).train()
        labels = torch.arange(16) % count

        def step(network: Network = network, labels: torch.Tensor = labels) -> None:
            logits = network({Modality.VISIBLE: images, Modality.INFRARED: images}).logits
            sum(torch.nn.functional.cross_entropy(one, labels) for one in logits.values()).backward()

        step()
        (seconds,) = in_turn(step, repeats=7)
        curve.append((count, seconds))
    return growth("training identities, a step", curve, most=0.3)


def points(counts: Sequence[int]) -> Row:
    """Time UMAP layouts of more and more points."""
    for few in (5, 250):  # compiles; 4,096 points and more use other code
        project(people(few, size=64), Settings(Method.UMAP))
    curve = []
    for count in counts:
        laid = people(count // 20, size=64)
        began = time.perf_counter()
        project(laid, Settings(Method.UMAP))
        curve.append((count, time.perf_counter() - began))
    return growth("points, UMAP", curve, most=1.3)


def visitors(counts: Sequence[int]) -> Row:
    """Time rankings for more and more visitors at the same moment."""
    curve = []
    with tempfile.TemporaryDirectory() as folder, start(Path(folder), []) as server:

        async def at_once(count: int) -> None:
            await asyncio.gather(*(ask(server, "retrieve") for _ in range(count)))

        asyncio.run(at_once(2))
        for count in counts:
            (seconds,) = in_turn(lambda count=count: asyncio.run(at_once(count)), repeats=3)
            curve.append((count, seconds))
    return growth("visitors who ask at once", curve, most=1.1)
