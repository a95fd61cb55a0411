"""Score a checkpoint on a whole data set."""

from __future__ import annotations

from dataclasses import dataclass

from app.actions.checks import known
from app.library import Library

__all__ = ["Request", "Result", "run"]


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        protocol: Name of a protocol that the data allow.
    """

    checkpoint: str = ""
    data: str = ""
    protocol: str = ""


@dataclass(frozen=True)
class Result:
    """Scores over ten galleries with one image per identity and camera.

    Attributes:
        data: Name of the data set.
        protocol: Name of the protocol.
        mean: `rank1 … rank20, mean_ap, mean_inp`, fractions.
        sd: Standard deviation of each over the trials.
        trials: Number of galleries.
        num_queries: Queries asked.
        num_valid: Queries with a match, over which the means are taken.
        gallery_size: Images of the first trial's gallery.
    """

    data: str
    protocol: str
    mean: dict[str, float]
    sd: dict[str, float]
    trials: int
    num_queries: int
    num_valid: int
    gallery_size: int


def run(library: Library, request: Request) -> Result:
    """Score every query, once per checkpoint, data set and protocol.

    Raises:
        ValueError: The request is not valid, the data set cannot be embedded, or no query has a match.
    """
    checkpoint = known("checkpoint", request.checkpoint, library.usable)
    data = known("data", request.data, library.collections)
    collection = library.collections[data]
    protocol = known("protocol", request.protocol, collection.protocols)
    scores = library.scores(checkpoint, data, protocol)
    return Result(
        data,
        protocol,
        scores.mean(),
        scores.sd(),
        len(scores.per_trial),
        len(collection.queries),
        scores.num_valid,
        len(library.table(checkpoint, data, protocol, 0).gallery),
    )
