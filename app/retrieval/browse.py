"""What the Retrieval tab shows: a query, whom it is ranked by, and the queries around it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from app.library import Library
from app.library.checkpoints import by_budget, fair_partner
from app.library.collection import Direction
from app.library.queries import Item, Order, list_queries, opening, ordered
from app.retrieval.rank import Retrieve
from app.shared.request import Choice, File, Switch, Text, Whole, one_of, option, some_of

__all__ = ["ANY", "PARTNER", "Browse", "disagreement", "listed", "pick"]

PARTNER, ANY = "partner", 0
MAX_OTHERS = 3
ORDERS = (
    Choice(Order.PERSON.value, "by person"),
    Choice(Order.CAMERA.value, "by camera"),
    Choice(Order.HARDEST.value, "hardest first"),
    Choice(Order.EASIEST.value, "easiest first"),
)


def comparable(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List whom a checkpoint can be compared with: its fair partner first, and what differs in the others' budgets."""
    mine = library.checkpoints[values["checkpoint"]]
    partner = fair_partner(library.checkpoints.values(), mine.name)
    fair = [Choice(PARTNER, f"fair partner: {partner}" if partner else "fair partner: there is none")]
    entries = [one for one in by_budget(library.checkpoints[name] for name in library.usable) if one.name != mine.name]
    return fair + [Choice(one.name, one.name + one.against(mine)) for one in entries]


def query_people(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the people whom the queries show."""
    asked = library.collections[values["data"]].asked(values["protocol"], Direction(values["direction"])).samples
    return [Choice(ANY, "any"), *(Choice(pid, str(pid)) for pid in sorted({sample.pid for sample in asked}))]


def query_cameras(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the cameras that took the queries."""
    asked = library.collections[values["data"]].asked(values["protocol"], Direction(values["direction"])).samples
    return [Choice(ANY, "any"), *(Choice(camid, str(camid)) for camid in sorted({sample.camid for sample in asked}))]


MADE_OF = (Choice("", "not said"), Choice("infrared", "infrared"), Choice("visible", "visible light"))


class Browse(Retrieve):
    """A ranking on the page: what `Retrieve` asks, by whom else, and how the queries are listed."""

    follows: ClassVar[tuple[str, ...]] = ("query",)

    top_k: Whole = option(5, "Top k", "How many ranked images to show.", ge=1, le=100, control="range")
    left_out: Switch = option(False, "Show images left out by the protocol")
    compare: Annotated[tuple[Text, ...], some_of(comparable, MAX_OTHERS)] = option(
        (PARTNER,), "Compare with (up to three)", "", control="many"
    )
    order: Annotated[Text, one_of(ORDERS)] = option(Order.PERSON.value, "Order")
    pid: Annotated[Whole, one_of(query_people)] = option(ANY, "Person")
    camid: Annotated[Whole, one_of(query_cameras)] = option(ANY, "Camera")

    own_image: File = option("", "Your image")
    own_modality: Annotated[Text, one_of(MADE_OF)] = option("", "Your image is", control="radio")

    def settle(self, library: Library) -> Self:
        """Fill in a query that the filters let through."""
        settled = super().settle(library)
        sample = library.collections[self.data].asked(self.protocol, Direction(self.direction))
        found = sample.samples[sample.rows[settled.query]]
        if (self.pid in (ANY, found.pid) and self.camid in (ANY, found.camid)) or not (items := listed(library, self)):
            return settled
        return settled.model_copy(update={"query": items[0].sample.key})

    def first_query(self, library: Library) -> str:
        """Choose a query of middling difficulty among those that the filters let through."""
        return opening(listed(library, self) or list_queries(library, self.checkpoint, self.data, self.terms))

    def others(self, library: Library) -> tuple[str, ...]:
        """Name the checkpoints that the first one is compared with."""
        partner = fair_partner(library.checkpoints.values(), self.checkpoint)
        names = (partner if name == PARTNER else name for name in self.compare)
        return tuple(dict.fromkeys(name for name in names if name and name != self.checkpoint))

    def retrieve_call(self, library: Library, url: str) -> str:
        """Write the line of Python that asks a running app for the same ranking; what decides it is always named."""
        asked = Retrieve.read(self.model_dump(include=set(Retrieve.model_fields)), library)
        return asked.call(library, "retrieve", url, ("checkpoint", "data", "query", "protocol", "top_k"))


def listed(library: Library, request: Browse) -> list[Item]:
    """List the queries that the filters let through, in their order."""
    items = list_queries(library, request.checkpoint, request.data, request.terms)
    kept = (
        item for item in items if request.pid in (ANY, item.sample.pid) and request.camid in (ANY, item.sample.camid)
    )
    return ordered(kept, Order(request.order))


def pick(library: Library, request: Browse, how: str) -> str:
    """Choose another query.

    Args:
        library: What all visitors share.
        request: What is shown now.
        how: `random`; `hard`, one of the hardest tenth; or `disagree`, one of those on which the first checkpoint and
            the one that it is compared with differ most.

    Returns:
        Its key; the query that is shown now where there is no other.
    """
    items = [item for item in listed(library, request) if item.sample.key != request.query]
    if how == "hard":
        scored = [item for item in items if item.average_precision is not None]
        items = ordered(scored, Order.HARDEST)[: max(3, len(scored) // 10)] or items
    elif how == "disagree" and (gaps := disagreement(library, request)):
        items = sorted(items, key=lambda item: -gaps.get(item.sample.key, 0.0))[: max(3, len(items) // 20)]
    return random.SystemRandom().choice(items).sample.key if items else request.query


def disagreement(library: Library, request: Browse) -> dict[str, float]:
    """Say by how much the average precision of each query differs between two checkpoints; nothing where there is one.

    Raises:
        ValueError: No query has a match.
    """
    names = request.others(library)
    if not names or not all(library.ready(n, request.data, request.terms.corruption) for n in names):
        return {}
    samples = library.collections[request.data].asked(request.protocol, request.terms.direction).samples
    first, second = (
        library.metrics(name, request.data, request.terms).average_precision for name in (request.checkpoint, names[0])
    )
    gaps = np.nan_to_num(np.abs(first - second))
    return {sample.key: float(gap) for sample, gap in zip(samples, gaps, strict=True)}
