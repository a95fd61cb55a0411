"""Put the queries of a data set in an order to browse them: by person, by camera, by how well they are ranked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from app.actions.checks import known
from app.library import Library
from app.library.collection import Terms
from mun.structures import Sample

__all__ = ["Item", "Order", "Request", "Result", "opening", "ordered", "run"]


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
class Request:
    """What is asked.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        terms: The terms of the ranking that the scores come from.
        order: As `Order`.
        pid: Only queries of this identity; `None` for all.
        camid: Only queries of this camera; `None` for all.
    """

    checkpoint: str
    data: str
    terms: Terms
    order: str = Order.PERSON.value
    pid: int | None = None
    camid: int | None = None


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


@dataclass(frozen=True)
class Result:
    """Queries in the order asked for; `waiting` where it needs scores that are not there yet, and persons stand in."""

    items: tuple[Item, ...]
    waiting: bool = False


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
    """Choose a query that shows the model as it mostly is when it works; the key.

    Among the queries whose first match stands at rank 1 it is the one with the median average precision; where there
    are none, the one with the best; where nothing is scored, the first.
    """
    scored = ordered([item for item in items if item.average_precision is not None], Order.EASIEST)
    hits = [item for item in scored if item.first_hit == 1]
    if hits:
        return hits[len(hits) // 2].sample.key
    return (scored or list(items))[0].sample.key


def run(library: Library, request: Request) -> Result:
    """List queries in an order, with their scores where the images are embedded already.

    Raises:
        ValueError: The order is not one of them.
    """
    order = Order(known("order", request.order, list(Order)))
    terms = request.terms
    asked = library.collections[request.data].asked(terms.protocol, terms.direction)
    scores: dict[str, tuple[float | None, int | None]] = {}
    if ready := library.ready(request.checkpoint, request.data, terms.corruption):
        with suppress(ValueError):  # nobody in the gallery is anybody who asks: there is nothing to order by
            metrics = library.metrics(request.checkpoint, request.data, terms)
            scores = {
                sample.key: (float(precision), int(hit))
                for sample, precision, hit in zip(
                    asked.samples, metrics.average_precision, metrics.first_hit, strict=True
                )
                if hit > 0
            }
    items = [
        Item(sample, asked.numbers[sample.key], *scores.get(sample.key, (None, None)))
        for sample in asked.samples
        if request.pid in (None, sample.pid) and request.camid in (None, sample.camid)
    ]
    return Result(tuple(ordered(items, order)), waiting=order.by_score and not ready)
