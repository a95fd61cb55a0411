"""Rank the visible gallery for one infrared query."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from app.actions.checks import known, shown, text, whole_number
from app.library import Library
from mun.evaluation.metrics import rank_metrics, ranking
from mun.evaluation.protocols import PROTOCOLS, dropped
from mun.structures import Sample

__all__ = ["MAX_TOP_K", "MAX_TRIAL", "ImageFacts", "Ranked", "Request", "Result", "run"]

MAX_TOP_K, MAX_TRIAL = 100, 9


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        query: Key of an infrared query image, as `cam3/0007/0001.jpg`.
        top_k: How many ranked images to return, 1 … 100.
        protocol: Name of a protocol that the data allow.
        trial: Number of the gallery, 0 … 9.
    """

    checkpoint: str = ""
    data: str = ""
    query: str = ""
    top_k: int = 10
    protocol: str = ""
    trial: int = 0

    def checked(self, library: Library) -> Request:
        """Return the request with every default filled in.

        Raises:
            ValueError: A value is out of bounds or names nothing; the message says what was expected and what came.
        """
        checkpoint = known("checkpoint", self.checkpoint, library.usable)
        data = known("data", self.data, library.collections)
        collection = library.collections[data]
        query = text("query", self.query) or collection.queries[0].key
        if query not in collection.query_rows:
            raise ValueError(
                f"expected query to be the key of an infrared image of {collection.title},"
                f" as {collection.queries[0].key!r}; got {shown(query)}"
            )
        return Request(
            checkpoint,
            data,
            query,
            whole_number("top_k", self.top_k, 1, MAX_TOP_K),
            known("protocol", self.protocol, collection.protocols),
            whole_number("trial", self.trial, 0, MAX_TRIAL),
        )


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
    """A gallery image at its rank, from 1; `distance` is the cosine distance 1 − cos, in [0, 2]."""

    rank: int
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

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/retrieve` answers."""
        return {**asdict(self), "results": [asdict(ranked) for ranked in self.results]}


def run(library: Library, request: Request) -> Result:
    """Rank the gallery by (distance, gallery index), the distances in float64.

    Raises:
        ValueError: The request is not valid, or the data set cannot be embedded.
    """
    request = request.checked(library)
    collection, protocol = library.collections[request.data], PROTOCOLS[request.protocol]
    row = collection.query_rows[request.query]
    sample = collection.queries[row]
    table = library.table(request.checkpoint, request.data, request.protocol, request.trial)
    distances = table.distances[row]  # (G,), −cos
    gallery_pids = np.array([image.pid for image in table.gallery])
    mask = dropped(protocol, [sample.pid], [sample.camid], gallery_pids, [image.camid for image in table.gallery])
    order = ranking(distances, mask[0])
    precision, first_hit = None, None
    if (gallery_pids[order] == sample.pid).any():
        metrics = rank_metrics(distances[None], [sample.pid], gallery_pids, mask, protocol.distinct_identities)
        precision, first_hit = float(metrics.average_precision[0]), int(metrics.first_hit[0])
    results = tuple(
        Ranked(rank, image.key, image.pid, image.camid, float(1 + distances[index]), image.pid == sample.pid)
        for rank, index in enumerate(order[: request.top_k], start=1)
        for image in (table.gallery[index],)
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
        len(table.gallery) - len(order),
    )
