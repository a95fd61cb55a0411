"""Score a checkpoint on a whole data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from app.library import Library
from app.library.collection import Direction, Terms
from app.retrieval.rank import protocols
from app.shared.request import Checkpoint, Data, Request, Text, one_of, option
from mun.evaluation.benchmark import BenchmarkResult

__all__ = ["Evaluate", "Scores", "answer", "score"]


class Evaluate(Request):
    """Score a checkpoint over ten galleries with one image per identity and camera.

    Returns the checkpoint's name, what `python -m mun evaluate` writes (fractions), the number of queries, and the size
    of the first gallery.
    """

    checkpoint: Checkpoint = option("", "Checkpoint", "Name of a usable checkpoint of /status; empty for the first.")
    data: Data = option("", "Data", "Name of a data set of /status; empty for the first.")
    protocol: Annotated[Text, one_of(protocols)] = option("", "Protocol", "One of the data set's; empty for the first.")


@dataclass(frozen=True)
class Scores:
    """Scores over ten galleries, or over one where distances are re-ranked.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        terms: On which they were taken.
        result: Of every gallery.
        num_queries: Queries asked.
        gallery_size: Images of the gallery that `terms` names.
    """

    checkpoint: str
    data: str
    terms: Terms
    result: BenchmarkResult
    num_queries: int
    gallery_size: int

    @property
    def trials(self) -> int:
        """Number of galleries."""
        return len(self.result.per_trial)

    @property
    def cmc(self) -> list[float]:
        """Mean over the galleries of the fraction of queries found within the first 1 … 20 ranks."""
        return [float(value) for value in np.mean([metrics.cmc for metrics in self.result.per_trial], axis=0)]


def score(library: Library, checkpoint: str, data: str, terms: Terms) -> Scores:
    """Score every query, once per checkpoint, data set and terms.

    Raises:
        ValueError: The data set cannot be embedded, or no query has a match.
    """
    collection = library.collections[data]
    gallery = collection.gallery(terms.protocol, terms.trial, terms.direction, terms.shots)
    queries = len(collection.asked(terms.protocol, terms.direction).samples)
    return Scores(checkpoint, data, terms, library.scores(checkpoint, data, terms), queries, len(gallery))


def answer(library: Library, request: Evaluate) -> dict[str, Any]:
    """Answer `/evaluate`."""
    terms = Terms(request.protocol, 0, Direction.INFRARED_TO_VISIBLE)
    made = score(library, request.checkpoint, request.data, terms)
    sizes = {"num_queries": made.num_queries, "gallery_size": made.gallery_size}
    return {"checkpoint": request.checkpoint, **made.result.to_json(), **sizes}
