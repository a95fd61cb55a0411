"""The points before projection: nearest points of a point, and the numbers that a picture only suggests."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from app.embeddings.projector import Report, unwatched
from app.embeddings.request import Project, auxiliary_count, select
from app.library import Library
from app.library.thumbnails import encoded
from mun.checkpoint import build_network
from mun.config import Config
from mun.data.pairing import Pair, Pairing, pair_samples
from mun.embedding import Space, auxiliary_images, embed_pairs, embed_samples
from mun.evaluation.separation import Separation, separation
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["ROWS", "PointSet", "condition", "controls_of", "generated", "measure", "name_in_cache", "neighbors"]
__all__ += ["points", "with_untrained_generator"]

T = TypeVar("T")
WAIT_SECONDS = 0.1
CHUNK = 64  # images or pairs between two reports
Floats = NDArray[np.float32]
Value = Callable[[Separation], float | None]

# The table of numbers: name, meaning, and the function that reads the number.
ROWS: tuple[tuple[str, str, Value], ...] = (
    ("d(V, I)", "visible center to infrared center of a person, mean over people", lambda s: s.visible_infrared),
    ("d(V, A)", "visible center to auxiliary center", lambda s: s.visible_auxiliary),
    ("d(I, A)", "infrared center to auxiliary center", lambda s: s.infrared_auxiliary),
    ("between people", "visible centers of two people, mean; a scale for the others", lambda s: s.between_identities),
    ("MMD²(V, I)", "maximum mean discrepancy of the modalities", lambda s: s.mmd_visible_infrared),
    ("MMD²(V, A)", "visible and auxiliary", lambda s: s.mmd_visible_auxiliary),
    ("MMD²(I, A)", "infrared and auxiliary", lambda s: s.mmd_infrared_auxiliary),
    ("silhouette by person", "visible and infrared points; 1: people apart, 0: mixed", lambda s: s.silhouette_identity),
    ("silhouette by modality", "0: the modalities cannot be told apart", lambda s: s.silhouette_modality),
    ("overlap", "of the two histograms; 0: no confusion, 1: no information", lambda s: s.histograms.overlap),
)


@dataclass(frozen=True, eq=False)
class PointSet:
    """N points in one space: the images first, then the auxiliary points, A per pair.

    Attributes:
        samples: The images, by person, modality, camera.
        pairs: One per visible image where auxiliary points are shown, in the order of the visible images.
        values: Float32, `(N, D)`.
        modalities: Of each point.
        pids: Of each point; an auxiliary point has the person of its visible image.
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
        """Return the pair from which an auxiliary point was made; `None` for an image."""
        if row < len(self.samples):
            return None
        per_pair = (len(self.values) - len(self.samples)) // len(self.pairs)
        return self.pairs[(row - len(self.samples)) // per_pair]


class Neighbor(NamedTuple):
    """A point near another one: its row, and their distance before projection."""

    row: int
    distance: float


def name_in_cache(library: Library, kind: str, request: Project) -> tuple[object, ...]:
    """Return the cache key, by content, of a request's `points`, `separation` or `project` (the layout)."""
    content = library.checkpoints[request.checkpoint].content, library.collections[request.data].content
    return (kind, *content, request if kind == "project" else request.drawn)


def points(library: Library, request: Project, report: Report = unwatched) -> PointSet:
    """Return the points of a checked request; computed once for all visitors.

    Raises:
        ValueError: An image is broken or gone, or the network gives values that are not finite.
        StoppedError: The work was stopped.
    """
    key = name_in_cache(library, "points", request)
    return library.cache.get(key, lambda: gather(library, request, report), lambda made: made.values.nbytes)


def gather(library: Library, request: Project, report: Report) -> PointSet:
    """Embed the images of a request and the auxiliary images of its pairs."""
    collection, space = library.collections[request.data], Space(request.space)
    samples, pairs = select(collection, request), tuple[Pair, ...]()
    await_embeddings(library, request, report)
    if space is Space.EMBEDDING:
        rows = [collection.rows[sample.key] for sample in samples]
        values = [library.rows(request.checkpoint, request.data, rows)]
    else:
        network = library.network(request.checkpoint)
        with collection.readable():
            values = [in_chunks(samples, lambda part: embed_samples(network, part, space=space), report, "images")]
    modalities, pids = [sample.modality for sample in samples], [sample.pid for sample in samples]
    if request.auxiliary and (count := auxiliary_count(library, request.checkpoint)):
        pairs, maker = tuple(pair_samples(samples, request.pairing, request.seed)), maker_of(library, request)
        with collection.readable():
            made = in_chunks(pairs, lambda part: embed_pairs(maker, part, space=space), report, "pairs")
        values.append(made.reshape(len(pairs) * count, -1))
        modalities += [Modality.AUXILIARY] * (len(pairs) * count)
        pids += [pair.visible.pid for pair in pairs for _ in range(count)]
    whole = np.concatenate(values).astype(np.float32)
    whole.setflags(write=False)
    return PointSet(samples, pairs, whole, tuple(modalities), np.array(pids, dtype=np.int64))


def maker_of(library: Library, request: Project) -> Network:
    """Return the network that makes the auxiliary points of a request."""
    network = library.network(request.checkpoint)
    return with_untrained_generator(network, request.seed) if request.untrained else network


def await_embeddings(library: Library, request: Project, report: Report) -> None:
    """Wait for the embedding of the whole data set, on which rank 1 of every query depends, and report its progress.

    Raises:
        ValueError: The data set cannot be embedded, or a visitor has stopped the embedding.
        StoppedError: The work was stopped.
    """
    progress = library.prepare(request.checkpoint, request.data, retry=True)
    while not progress.ready:
        report(progress.done, total=progress.total, words="embedding images")
        if progress.ended:
            raise ValueError(progress.problem or "the embedding of the images was stopped; start it again")
        time.sleep(WAIT_SECONDS)
        progress = library.prepare(request.checkpoint, request.data)


def in_chunks(items: tuple[T, ...], embed: Callable[[tuple[T, ...]], Floats], report: Report, what: str) -> Floats:
    """Embed in parts, and report the progress before each part."""
    parts = []
    for start in range(0, len(items), CHUNK):
        report(start, total=len(items), words=f"embedding {what}")
        parts.append(embed(items[start : start + CHUNK]))
    return np.concatenate(parts)


def with_untrained_generator(network: Network, seed: int) -> Network:
    """Return a copy of a network whose generator has the initial weights of a seed; everything else stays trained."""
    changed = copy.deepcopy(network)  # the shared network must not change
    fresh = build_network(Config(model=network.config), 0, seed)
    changed.auxiliary = fresh.auxiliary.to(changed.mean.device).eval()
    return changed


def measure(library: Library, request: Project, report: Report = unwatched) -> Separation:
    """Measure the separation of a checked request's points; computed once for all visitors.

    Raises:
        ValueError: As `points`.
    """

    def separate() -> Separation:
        made = points(library, request, report)
        report(words="measuring distances")
        rows = {modality: index for modality in Modality if len(index := made.rows(modality))}
        pids = {modality: made.pids[index] for modality, index in rows.items()}
        return separation({modality: made.values[index] for modality, index in rows.items()}, pids)

    return library.cache.get(name_in_cache(library, "separation", request), separate, lambda _: 4000)


def controls_of(library: Library, sides: Sequence[Project]) -> tuple[list[Project], str]:
    """Return the controls of some requests (mismatched pairs, an untrained generator), and why one is missing."""
    found, missing, kinds = [], "", ((Pairing.MISMATCHED.value, False), (Pairing.MATCHED.value, True))
    for side in (one for one in sides if one.auxiliary):
        for pairing, untrained in kinds:
            try:
                found.append(side.model_copy(update={"pairing": pairing, "untrained": untrained}).settle(library))
            except ValueError as error:
                missing = str(error)
    return [one for one in found if one not in sides], missing


def condition(request: Project) -> str:
    """Say where the auxiliary points come from."""
    if not request.auxiliary:
        return "no auxiliary points"
    return f"{request.pairing} pairs" + (", untrained generator" if request.untrained else "")


def neighbors(library: Library, request: Project, row: int, count: int = 8) -> list[Neighbor]:
    """List the nearest points of a point before projection, the closest first, ties by row.

    Args:
        library: The app's library, shared by all visitors.
        request: A checked request; distances are by its metric: 1 − cos, or the Euclidean distance.
        row: Of the point.
        count: Largest number of neighbors.

    Raises:
        ValueError: There is no such point, or as `points`.
    """
    values = points(library, request).values.astype(np.float64)
    if not 0 <= row < len(values):
        raise ValueError(f"expected a point from 0 to {len(values) - 1}, got {row}")
    distances = cdist(values, values[[row]], request.metric)[:, 0]
    order = [index for index in np.argsort(distances, kind="stable") if index != row][:count]
    return [Neighbor(int(index), float(distances[index])) for index in order]


def generated(library: Library, request: Project, row: int) -> str:
    """Return the auxiliary image of a point as a data URI, values beyond [0, 1] clipped; empty for other points.

    Raises:
        ValueError: An image is broken.
    """
    made = points(library, request)
    if (pair := made.pair_of(row)) is None:
        return ""
    number = (row - len(made.samples)) % auxiliary_count(library, request.checkpoint)
    image = auxiliary_images(maker_of(library, request), [pair])[0, number]
    return encoded((255 * np.clip(image, 0, 1)).round().astype(np.uint8).transpose(1, 2, 0))
