"""Rank the gallery for one query: visible images for an infrared one, or the other way round."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.actions import checks
from app.actions.checks import known, text, whole_number
from app.actions.terms import MAX_TRIAL, checked_terms, corruption_note, switch
from app.library import Library
from app.library.collection import SEVERITY, Direction, Terms, corruption_of, search
from app.library.distances import Table
from mun.evaluation.metrics import rank_metrics, ranking
from mun.evaluation.protocols import dropped
from mun.structures import Sample

__all__ = [
    "MAX_TOP_K",
    "MAX_TRIAL",
    "ImageFacts",
    "LeftOut",
    "Ranked",
    "Ranking",
    "Request",
    "Result",
    "describe",
    "rank",
    "run",
]

MAX_TOP_K = 100


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        query: Key of a query image, as `cam3/0007/0001.jpg`.
        top_k: How many ranked images to return, 1 … 100.
        protocol: Name of a protocol that the data allow.
        trial: Number of the gallery, 0 … 9.
        direction: `i2v`, infrared queries in a visible gallery, or `v2i`, which is no published protocol.
        shots: Gallery images per identity and camera, as many as the data allow.
        rerank: Whether distances are mixed with those of k-reciprocal neighbourhoods.
        with_left_out: Whether the images that the protocol leaves out are listed too.
        corruption: What is done to the visible images: one of the 20 corruptions; `mixed`, the field's protocol, which
            draws one of them and a severity for each image; or empty for nothing.
        severity: Of the corruption, 1 … 5; of no meaning without one and for `mixed`.
    """

    checkpoint: str = ""
    data: str = ""
    query: str = ""
    top_k: int = 10
    protocol: str = ""
    trial: int = 0
    direction: str = Direction.INFRARED_TO_VISIBLE.value
    shots: int = 1
    rerank: bool = False
    with_left_out: bool = False
    corruption: str = ""
    severity: int = SEVERITY

    def checked(self, library: Library) -> Request:
        """Return the request with every default filled in.

        Raises:
            ValueError: A value is out of bounds or names nothing; the message says what was expected and what came.
        """
        checkpoint = known("checkpoint", self.checkpoint, library.usable)
        data = known("data", self.data, library.collections)
        collection = library.collections[data]
        gallery = (self.protocol, self.trial, self.direction, self.shots, self.rerank)
        terms = checked_terms(collection, *gallery, self.corruption, self.severity)
        asked = collection.asked(terms.protocol, terms.direction)
        query = text("query", self.query) or asked.samples[0].key
        if query not in asked.rows:
            article = "an infrared" if terms.direction.published else "a visible"
            raise ValueError(
                f"expected query to be the key of {article} image of {collection.title},"
                f" as {asked.samples[0].key!r}; got {checks.shown(query)}"
            )
        return Request(
            checkpoint,
            data,
            query,
            whole_number("top_k", self.top_k, 1, MAX_TOP_K),
            terms.protocol,
            terms.trial,
            terms.direction.value,
            terms.shots,
            terms.rerank,
            switch("with_left_out", self.with_left_out),
            terms.corruption.name if terms.corruption else "",
            (terms.corruption and terms.corruption.severity) or SEVERITY,
        )

    @property
    def terms(self) -> Terms:
        """The terms of a checked request."""
        corruption = corruption_of(self.corruption, self.severity)
        return Terms(self.protocol, self.trial, Direction(self.direction), self.shots, self.rerank, corruption)


@dataclass(frozen=True)
class ImageFacts:
    """An image by its key, the person's number and the camera's."""

    image: str
    pid: int
    camid: int

    @classmethod
    def of(cls, sample: Sample) -> ImageFacts:
        """Describe a sample."""
        return cls(sample.key, sample.pid, sample.camid)


@dataclass(frozen=True)
class Ranked:
    """A gallery image at its rank, from 1; `distance` is 1 − cos, in [0, 2], or the re-ranked distance, in [0, 1]."""

    rank: int
    image: str
    pid: int
    camid: int
    distance: float
    match: bool


@dataclass(frozen=True)
class LeftOut:
    """A gallery image that the protocol leaves out for this query; it would follow rank `after`, 0 for none."""

    after: int
    image: str
    pid: int
    camid: int
    distance: float
    match: bool


@dataclass(frozen=True)
class Result:
    """The ranking of one query.

    Attributes:
        checkpoint: As asked, or the default; likewise the next three.
        data: See `checkpoint`.
        protocol: See `checkpoint`.
        trial: See `checkpoint`.
        query: The query image.
        results: The closest `top_k` gallery images, or all where there are fewer.
        average_precision: Over the whole ranked gallery, in [0, 1]; `None` where nobody in it is the person asked for.
        first_hit: Rank of the first match, from 1; `None` likewise.
        gallery_size: Images that were ranked: the trial's gallery without those from the site of the query's camera.
        left_out: Images of the trial's gallery that the protocol's rule left out for this query.
        direction: As asked: `i2v` or `v2i`.
        shots: As asked: gallery images per identity and camera.
        rerank: As asked: whether the distances are re-ranked.
        left_out_images: Those of the images left out that are no further than the last of `results`, where asked for.
        corruption: As asked; empty for clean images.
        severity: As asked; `None` for clean images and where it is drawn for each image.
    """

    checkpoint: str
    data: str
    protocol: str
    trial: int
    query: ImageFacts
    results: tuple[Ranked, ...]
    average_precision: float | None
    first_hit: int | None
    gallery_size: int
    left_out: int
    direction: str = Direction.INFRARED_TO_VISIBLE.value
    shots: int = 1
    rerank: bool = False
    left_out_images: tuple[LeftOut, ...] = ()
    corruption: str = ""
    severity: int | None = None

    @property
    def note(self) -> str:
        """What was done to the visible images, in a sentence; empty for clean ones."""
        return corruption_note(self.corruption, self.severity)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/retrieve` answers."""
        values = asdict(self)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}


@dataclass(frozen=True, eq=False)
class Ranking:
    """One query against the whole gallery.

    Attributes:
        sample: The query.
        table: The distances that it was taken from.
        row: The query's row in the table.
        mask: Whether the protocol leaves a gallery image out, bool, `(G,)`.
        order: Gallery indices, the closest first, without those left out.
    """

    sample: Sample
    table: Table
    row: int
    mask: NDArray[np.bool_]
    order: NDArray[np.int64]

    @property
    def distances(self) -> NDArray[np.float64]:
        """The query's distances as they are shown, `(G,)`."""
        shown: NDArray[np.float64] = self.table.distances[self.row] + self.table.offset
        return shown

    def ranks(self) -> dict[str, int]:
        """Give the rank of every image by its key, from 1."""
        return {self.table.gallery[index].key: rank for rank, index in enumerate(self.order, start=1)}


def rank(library: Library, request: Request) -> Ranking:
    """Rank the whole gallery of a checked request by (distance, gallery index), the distances in float64.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    terms = request.terms
    asked = library.collections[request.data].asked(terms.protocol, terms.direction)
    row = asked.rows[request.query]
    sample, table = asked.samples[row], library.table(request.checkpoint, request.data, terms)
    pids, camids = [image.pid for image in table.gallery], [image.camid for image in table.gallery]
    mask = dropped(search(terms.protocol, terms.direction), [sample.pid], [sample.camid], pids, camids)[0]
    return Ranking(sample, table, row, mask, ranking(table.distances[row], mask))


def describe(request: Request, ranked: Ranking) -> Result:
    """Describe the top of a ranking, and how good the whole of it is."""
    sample, gallery, order, distances = ranked.sample, ranked.table.gallery, ranked.order, ranked.distances
    pids = np.array([image.pid for image in gallery])
    precision, first_hit = None, None
    if (pids[order] == sample.pid).any():
        raw = ranked.table.distances[ranked.row][None]
        metrics = rank_metrics(raw, [sample.pid], pids, ranked.mask[None], distinct_identities=True)
        precision, first_hit = float(metrics.average_precision[0]), int(metrics.first_hit[0])
    results = tuple(
        Ranked(place, image.key, image.pid, image.camid, float(distances[index]), image.pid == sample.pid)
        for place, index in enumerate(order[: request.top_k], start=1)
        for image in (gallery[index],)
    )
    return Result(
        request.checkpoint,
        request.data,
        request.protocol,
        request.trial,
        ImageFacts.of(sample),
        results,
        precision,
        first_hit,
        len(order),
        len(gallery) - len(order),
        request.direction,
        request.shots,
        request.rerank,
        left_out(ranked, len(results)) if request.with_left_out else (),
        request.corruption,
        request.terms.corruption.severity if request.terms.corruption else None,
    )


def left_out(ranked: Ranking, count: int) -> tuple[LeftOut, ...]:
    """List the images left out that are no further than the last one shown, the closest first."""
    distances, order = ranked.distances, ranked.order[:count]
    indices = np.flatnonzero(ranked.mask)
    indices = indices[np.argsort(distances[indices], kind="stable")]
    kept = distances[order]
    return tuple(
        LeftOut(int((kept <= distances[index]).sum()), image.key, image.pid, image.camid, float(distances[index]), same)
        for index in indices
        for image in (ranked.table.gallery[index],)
        for same in (image.pid == ranked.sample.pid,)
        if not len(kept) or distances[index] <= kept[-1]
    )


def run(library: Library, request: Request) -> Result:
    """Rank the gallery by (distance, gallery index), the distances in float64.

    Raises:
        ValueError: The request is not valid, or the data set cannot be embedded.
    """
    request = request.checked(library)
    return describe(request, rank(library, request))
