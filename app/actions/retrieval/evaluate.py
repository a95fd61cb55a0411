"""Score a checkpoint on a whole data set."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.actions.checks import known
from app.actions.terms import checked_terms, corruption_note
from app.library import Library
from app.library.collection import SEVERITY, Direction

__all__ = ["Request", "Result", "run"]


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        protocol: Name of a protocol that the data allow.
        direction: `i2v` or `v2i`.
        shots: Gallery images per identity and camera, as many as the data allow.
        rerank: Whether distances are re-ranked; then one gallery is scored, not ten.
        trial: Number of that one gallery, 0 … 9; of no meaning otherwise.
        corruption: What is done to the visible images, as for a ranking; empty for nothing.
        severity: Of the corruption, 1 … 5.
    """

    checkpoint: str = ""
    data: str = ""
    protocol: str = ""
    direction: str = Direction.INFRARED_TO_VISIBLE.value
    shots: int = 1
    rerank: bool = False
    trial: int = 0
    corruption: str = ""
    severity: int = SEVERITY


@dataclass(frozen=True)
class Result:
    """Scores over ten galleries, or over one where distances are re-ranked.

    Attributes:
        data: Name of the data set.
        protocol: Name of the protocol.
        mean: `rank1 … rank20, mean_ap, mean_inp`, fractions.
        sd: Standard deviation of each over the trials; 0 for a single one.
        trials: Number of galleries.
        num_queries: Queries asked.
        num_valid: Queries with a match, over which the means are taken.
        gallery_size: Images of the first trial's gallery.
        direction: As asked.
        shots: As asked.
        rerank: As asked.
        trial: As asked.
        cmc: Mean over the trials of the fraction of queries found within the first 1 … 20 places.
        checkpoint: Name of the checkpoint.
        record: What `python -m mun evaluate` writes.
        note: What was done to the visible images, in a sentence; empty for clean ones.
    """

    data: str
    protocol: str
    mean: dict[str, float]
    sd: dict[str, float]
    trials: int
    num_queries: int
    num_valid: int
    gallery_size: int
    direction: str = Direction.INFRARED_TO_VISIBLE.value
    shots: int = 1
    rerank: bool = False
    trial: int = 0
    cmc: tuple[float, ...] = ()
    checkpoint: str = ""
    record: dict[str, Any] = field(default_factory=dict)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/evaluate` answers."""
        return {
            "checkpoint": self.checkpoint,
            **self.record,
            "num_queries": self.num_queries,
            "gallery_size": self.gallery_size,
        }


def run(library: Library, request: Request) -> Result:
    """Score every query, once per checkpoint, data set and terms.

    Raises:
        ValueError: The request is not valid, the data set cannot be embedded, or no query has a match.
    """
    checkpoint = known("checkpoint", request.checkpoint, library.usable)
    data = known("data", request.data, library.collections)
    collection = library.collections[data]
    gallery = (request.protocol, request.trial, request.direction, request.shots, request.rerank)
    terms = checked_terms(collection, *gallery, request.corruption, request.severity)
    scores = library.scores(checkpoint, data, terms)
    return Result(
        data,
        terms.protocol,
        scores.mean(),
        scores.sd(),
        len(scores.per_trial),
        len(collection.asked(terms.protocol, terms.direction).samples),
        scores.num_valid,
        len(collection.gallery(terms.protocol, terms.trial, terms.direction, terms.shots)),
        terms.direction.value,
        terms.shots,
        terms.rerank,
        terms.trial,
        tuple(float(value) for value in np.mean([metrics.cmc for metrics in scores.per_trial], axis=0)),
        checkpoint,
        scores.to_json(),
        corruption_note(terms.corruption.name, terms.corruption.severity) if terms.corruption else "",
    )
