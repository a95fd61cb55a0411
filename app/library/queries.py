"""The queries of a data set in an order to browse them: by person, by camera, by how well they are ranked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from app.library.collection import Terms
from app.library.library import Library
from mun.structures import Sample

__all__ = ["Item", "Order", "dealt", "list_queries", "opening", "ordered"]


class Order(StrEnum):
    """An order of queries."""

    PERSON = "person"
    CAMERA = "camera"
    HARDEST = "hardest"
    EASIEST = "easiest"

    @property
    def by_score(self) -> bool:
        """Whether the order needs a ranking of every query."""
        return self in (Order.HARDEST, Order.EASIEST)


@dataclass(frozen=True)
class Item:
    """A query, and how well it is ranked.

    Attributes:
        sample: The image.
        number: Counts the images of one person by one camera, from 1.
        average_precision: In [0, 1]; `None` where it is not known yet, or nobody in the gallery is this person.
        first_hit: Rank of the first match, from 1; `None` likewise.
    """

    sample: Sample
    number: int
    average_precision: float | None = None
    first_hit: int | None = None


def ordered(items: Iterable[Item], order: Order) -> list[Item]:
    """Put queries in an order; ties go by identity, camera, file name, and queries without a score come last."""
    by_person = sorted(items, key=lambda item: (item.sample.pid, item.sample.camid, item.sample.path.name))
    if order is Order.CAMERA:
        return sorted(by_person, key=lambda item: item.sample.camid)
    if order.by_score:
        sign = 1 if order is Order.HARDEST else -1
        return sorted(
            by_person,
            key=lambda item: math.inf if item.average_precision is None else sign * item.average_precision,
        )
    return by_person


def opening(items: Sequence[Item]) -> str:
    """Choose a query of middling difficulty, with the median average precision; the first where none is scored."""
    scored = ordered([item for item in items if item.average_precision is not None], Order.EASIEST)
    return scored[len(scored) // 2].sample.key if scored else items[0].sample.key


def list_queries(library: Library, checkpoint: str, data: str, terms: Terms) -> list[Item]:
    """List the queries on some terms, with their scores where the images are embedded already."""
    asked = library.collections[data].asked(terms.protocol, terms.direction)
    scores: dict[str, tuple[float | None, int | None]] = {}
    if library.ready(checkpoint, data, terms.corruption):
        with suppress(ValueError):  # no query has a match: there is nothing to order by
            metrics = library.metrics(checkpoint, data, terms)
            measured = zip(asked.samples, metrics.average_precision, metrics.first_hit, strict=True)
            scores = {sample.key: (float(ap), int(hit)) for sample, ap, hit in measured if hit > 0}
    return [Item(sample, asked.numbers[sample.key], *scores.get(sample.key, (None, None))) for sample in asked.samples]


def dealt(samples: Sequence[Sample], count: int, chosen: str = "") -> list[Sample]:
    """Take images round the cameras: the first of each, then the second of each, up to a number.

    Args:
        samples: Of one person.
        count: How many at most.
        chosen: Key of one that is taken first.

    Returns:
        By camera, within a camera in their order.
    """
    seen, turns = Counter[int](), dict[str, tuple[bool, int, int]]()
    for sample in samples:
        seen[sample.camid] += 1
        turns[sample.key] = (sample.key != chosen, seen[sample.camid], sample.camid)
    kept = set(sorted(turns, key=lambda key: turns[key])[:count])
    return sorted((sample for sample in samples if sample.key in kept), key=lambda sample: sample.camid)
