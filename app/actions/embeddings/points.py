"""The points of a projection in their true space: images, auxiliary points of pairs, and who lies near whom."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from app.actions.embeddings.request import Request, auxiliary_count, select
from app.library import Library
from app.library.background import StoppedError
from mun.checkpoint import build_network
from mun.config import Config
from mun.data.pairing import Pair, pair_samples
from mun.embedding import Space, embed_pairs, embed_samples
from mun.evaluation.separation import Separation, separation
from mun.models.network import Network
from mun.projection import Metric, unit_length
from mun.structures import Modality, Sample

__all__ = ["Neighbor", "PointSet", "Watch", "neighbors", "numbers", "points", "with_untrained_generator"]

T = TypeVar("T")
WAIT_SECONDS = 0.1
CHUNK = 64  # images or pairs between two looks at the stop
Floats = NDArray[np.float32]


class Watch:
    """What whoever waits for a projection sees of it, and the way to stop it.

    Attributes:
        stopped: Set to end the work.
        words: What is being done.
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.words = "waiting for its turn"

    def say(self, words: str) -> None:
        """Say what is being done, and end it here where somebody has asked for that.

        Raises:
            StoppedError: `stopped` is set.
        """
        self.words = words
        if self.stopped.is_set():
            raise StoppedError("the projection was stopped")


@dataclass(frozen=True, eq=False)
class PointSet:
    """N points in one space: the images first, then the auxiliary points, A per pair.

    Attributes:
        samples: The images, by person, modality, camera.
        pairs: One per visible image where auxiliary points are shown, in the order of the visible images.
        values: Float32, `(N, D)`.
        modalities: Of each point.
        pids: Of each point; an auxiliary point has its visible image's.
    """

    samples: tuple[Sample, ...]
    pairs: tuple[Pair, ...]
    values: Floats
    modalities: tuple[Modality, ...]
    pids: NDArray[np.int64]

    def rows(self, modality: Modality) -> NDArray[np.int64]:
        """Return the rows of a modality."""
        return np.flatnonzero(np.array([one is modality for one in self.modalities]))

    def pair_of(self, row: int) -> Pair | None:
        """Return the pair that an auxiliary point was made of; `None` for an image."""
        if row < len(self.samples):
            return None
        per_pair = (len(self.values) - len(self.samples)) // len(self.pairs)
        return self.pairs[(row - len(self.samples)) // per_pair]


@dataclass(frozen=True)
class Neighbor:
    """A point near another one: its row, and their distance in the true space."""

    row: int
    distance: float


def points(library: Library, request: Request, watch: Watch | None = None) -> PointSet:
    """Return the points of a checked request, made once for everybody.

    Raises:
        ValueError: An image is broken or gone, or the network gives values that are not finite.
        StoppedError: The watch was stopped.
    """
    entry, collection = library.checkpoints[request.checkpoint], library.collections[request.data]
    key = ("points", entry.content, collection.content, astuple(request.drawn)[2:])
    return library.cache.get(key, lambda: gather(library, request, watch or Watch()), lambda made: made.values.nbytes)


def gather(library: Library, request: Request, watch: Watch) -> PointSet:
    """Embed the images of a request and the auxiliary images of its pairs."""
    samples = select(library.collections[request.data], request)
    network, space = library.network(request.checkpoint), Space(request.space)
    await_embeddings(library, request, watch)
    if space is Space.EMBEDDING:
        rows = library.collections[request.data].rows
        images = library.embeddings(request.checkpoint, request.data)[[rows[sample.key] for sample in samples]]
    else:
        images = in_chunks(samples, lambda part: embed_samples(network, part, space=space), watch, "images embedded")
    pairs: tuple[Pair, ...] = ()
    values, modalities = [images], [sample.modality for sample in samples]
    pids = [sample.pid for sample in samples]
    if request.auxiliary and (count := auxiliary_count(library, request.checkpoint)):
        pairs = tuple(pair_samples(samples, request.pairing, request.seed))
        if request.untrained:
            network = with_untrained_generator(network, request.seed)
        made = in_chunks(pairs, lambda part: embed_pairs(network, part, space=space), watch, "pairs embedded")
        values.append(made.reshape(len(pairs) * count, -1))
        modalities += [Modality.AUXILIARY] * (len(pairs) * count)
        pids += [pair.visible.pid for pair in pairs for _ in range(count)]
    whole = np.concatenate(values).astype(np.float32)
    whole.setflags(write=False)
    return PointSet(samples, pairs, whole, tuple(modalities), np.array(pids, dtype=np.int64))


def await_embeddings(library: Library, request: Request, watch: Watch) -> None:
    """Have the whole data set embedded, saying how far it is: who is right at rank 1 depends on all of it.

    Raises:
        ValueError: It cannot be embedded.
        StoppedError: The watch was stopped, or somebody has stopped the embedding.
    """
    preparation = library.prepare(request.checkpoint, request.data, retry=True)
    while not preparation.ready:
        watch.say(f"{preparation.done:,} of {preparation.total:,} images embedded")
        if preparation.problem:
            raise ValueError(preparation.problem)
        if preparation.stopped:
            raise ValueError("the embedding of the images was stopped; start it again")
        time.sleep(WAIT_SECONDS)
        preparation = library.prepare(request.checkpoint, request.data)


def in_chunks(items: tuple[T, ...], embed: Callable[[tuple[T, ...]], Floats], watch: Watch, words: str) -> Floats:
    """Embed in parts, saying between them how far it is."""
    parts = []
    for start in range(0, len(items), CHUNK):
        watch.say(f"{start} of {len(items)} {words}")
        try:
            parts.append(embed(items[start : start + CHUNK]))
        except OSError:  # its message names a folder of the machine
            raise ValueError("an image is gone from the disk; start the app again") from None
    return np.concatenate(parts)


def with_untrained_generator(network: Network, seed: int) -> Network:
    """Return a copy of a network whose generator has the first weights of a seed; everything else is as trained."""
    changed = copy.deepcopy(network)  # the shared one is never touched
    fresh = build_network(Config(model=network.config), 0, seed)
    changed.auxiliary = fresh.auxiliary.to(changed.mean.device).eval()
    return changed


def numbers(library: Library, request: Request, watch: Watch | None = None) -> Separation:
    """Measure the points of a checked request; once for everybody.

    Raises:
        ValueError: As `points`.
    """
    entry, collection = library.checkpoints[request.checkpoint], library.collections[request.data]
    key = ("separation", entry.content, collection.content, astuple(request.drawn)[2:])

    def measure() -> Separation:
        made = points(library, request, watch)
        rows = {modality: made.rows(modality) for modality in Modality}
        return separation(
            {modality: made.values[index] for modality, index in rows.items() if len(index)},
            {modality: made.pids[index] for modality, index in rows.items() if len(index)},
        )

    return library.cache.get(key, measure, lambda _: 4000)


def neighbors(library: Library, request: Request, row: int, count: int = 8) -> list[Neighbor]:
    """List the nearest points of a point in the true space, the closest first, ties by row.

    Args:
        library: What all visitors share.
        request: A checked request; its metric measures: 1 − cos, or the Euclidean distance.
        row: Of the point.
        count: How many.

    Raises:
        ValueError: There is no such point, or as `points`.
    """
    values = points(library, request).values.astype(np.float64)
    if not 0 <= row < len(values):
        raise ValueError(f"expected a point from 0 to {len(values) - 1}, got {row}")
    if request.metric == Metric.COSINE:
        values = unit_length(values)
        distances = 1 - values @ values[row]
    else:
        distances = np.linalg.norm(values - values[row], axis=1)
    order = [index for index in np.argsort(distances, kind="stable") if index != row][:count]
    return [Neighbor(int(index), float(distances[index])) for index in order]
