"""Score a checkpoint on a whole data set."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.library import Library
from app.library.collection import Direction, Terms
from app.shared.html import html
from app.shared.request import OfModel, Protocol
from mun.evaluation.benchmark import BenchmarkResult

__all__ = ["Evaluate", "Scores", "answer", "draw", "score"]


class Evaluate(OfModel):
    """Score a checkpoint over ten galleries with one image per identity and camera.

    Returns the checkpoint's name, what `python -m mun evaluate` writes (fractions), the number of queries, and the size
    of the first gallery.
    """

    protocol: Protocol = ""


@dataclass(frozen=True)
class Scores:
    """Scores over ten galleries, or over one where distances are re-ranked.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        terms: The terms of the rankings.
        result: The scores of every gallery.
        num_queries: Number of queries.
        gallery_size: Number of images in the gallery that `terms` names.
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

    @property
    def in_words(self) -> str:
        """The checkpoint with rank-1 and mAP, each with its standard deviation if there are several galleries."""
        mean, sd = self.result.mean(), self.result.sd()
        spread = {name: f" ± {100 * sd[name]:.1f}" if self.trials > 1 else "" for name in mean}
        found, precision = (f"{100 * mean[name]:.1f}{spread[name]} %" for name in ("rank1", "mean_ap"))
        return f"{self.checkpoint}: rank-1 {found}, mAP {precision}"


def score(library: Library, checkpoint: str, data: str, terms: Terms) -> Scores:
    """Score all queries; computed once per checkpoint, data set and terms.

    Raises:
        ValueError: The data set cannot be embedded, or no query has a match.
    """
    collection = library.collections[data]
    queries, gallery = collection.query_sets[terms.protocol, terms.direction].samples, collection.gallery(terms)
    return Scores(checkpoint, data, terms, library.scores(checkpoint, data, terms), len(queries), len(gallery))


def answer(library: Library, request: Evaluate) -> dict[str, Any]:
    """Answer `/evaluate`."""
    terms = Terms(request.protocol, 0, Direction.INFRARED_TO_VISIBLE)
    scores = score(library, request.checkpoint, request.data, terms)
    sizes = {"num_queries": scores.num_queries, "gallery_size": scores.gallery_size}
    return {"checkpoint": request.checkpoint, **scores.result.to_json(), **sizes}


def draw(library: Library, names: Sequence[str], data: str, terms: Terms, countable: bool) -> str:
    """Draw the scores of checkpoints on the whole set; for corrupted images also the scores on clean ones.

    Raises:
        ValueError: As `score`.
    """
    scores = [score(library, name, data, terms) for name in names]
    clean = [score(library, name, data, replace(terms, corruption=None)) for name in names] if terms.corruption else []
    return html(
        "scores.html",
        scores=scores,
        countable=countable,
        clean=clean,
        entries=library.checkpoints,
        verdict=verdict(library, scores),
        synthetic=library.collections[data].synthetic,
        protocol=library.collections[data].search(terms.protocol, terms.direction),
    )


def verdict(library: Library, scores: Sequence[Scores]) -> str:
    """Say which of two checkpoints is ahead on the whole set, and by how much; empty unless there are two."""
    if len(scores) != 2:
        return ""
    first, second = (100 * one.result.mean()["mean_ap"] for one in scores)
    ahead = scores[0] if first >= second else scores[1]
    return f"{library.checkpoints[ahead.checkpoint].label}: {abs(first - second):.1f} points of mAP ahead."
