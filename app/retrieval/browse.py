"""What the Retrieval tab shows: a query, the checkpoints that rank it, and the list of queries."""

import random
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar

import numpy as np

from app.library import Library
from app.library.ranking import Item, Order, opening, ordered
from app.retrieval.rank import Retrieve, queries_of
from app.shared.export import Options as FigureOptions
from app.shared.request import PARTNER, Choice, File, Offer, Switch, Text, Whole, compared, one_of, option

__all__ = ["ANY", "ORDERS", "Browse", "Options", "disagreement", "listed", "pick"]

ANY = 0
MAX_OTHERS = 3
ORDERS = (
    Choice(Order.PERSON.value, "by person"),
    Choice(Order.CAMERA.value, "by camera"),
    Choice(Order.HARDEST.value, "hardest first"),
    Choice(Order.EASIEST.value, "easiest first"),
)


def comparable(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the checkpoints to compare with: the fair partner first, then the others with their budget differences."""
    mine, entries = values["checkpoint"], library.checkpoints
    kind = "the next features" if entries[mine].vectors else "fair partner"
    fair = Choice(PARTNER, f"{kind}: {entries.partners[mine] or 'none'}")
    others = (Choice(name, name + words) for name, words in entries.rivals[mine] if library.fits(name, values["data"]))
    return [fair, *others]


def any_of(field: str) -> Offer:
    """Offer "any", and then every person (`pids`) or camera (`camids`) of the queries."""
    return lambda library, values: [Choice(ANY, "any"), *getattr(queries_of(library, values), field)]


OWN_MODALITIES = (Choice("", "not chosen"), Choice("infrared", "infrared"), Choice("visible", "visible light"))


class Browse(Retrieve):
    """A ranking on the page: the fields of `Retrieve`, further checkpoints, and how the queries are listed."""

    follows: ClassVar[tuple[str, ...]] = ("query",)

    top_k: Whole = option(5, "Top k", "How many ranked images to show.", ge=1, le=100, control="range")
    left_out: Switch = option(False, "Show images left out by the protocol")
    compare: Annotated[tuple[Text, ...], one_of(comparable, most=MAX_OTHERS)] = option(
        (PARTNER,), "Compare with (up to three)", "", control="many"
    )
    order: Annotated[Text, one_of(ORDERS)] = option(Order.PERSON.value, "Order")
    pid: Annotated[Whole, one_of(any_of("pids"))] = option(ANY, "Person")
    camid: Annotated[Whole, one_of(any_of("camids"))] = option(ANY, "Camera")

    own_image: File = option("", "Your image")
    own_modality: Annotated[Text, one_of(OWN_MODALITIES)] = option("", "Modality of your image", control="radio")

    def first_query(self, library: Library) -> str:
        """Choose a query of medium difficulty among those that pass the filters."""
        return opening(listed(library, self) or library.queries(self.checkpoint, self.data, self.terms))


class Options(FigureOptions):
    """How a figure of this tab looks."""

    ranks: Whole = option(0, "Ranks in the figure (0: as many as on the page)", ge=0, le=100)
    distances: Switch = option(True, "Distances")
    queries: Whole = option(6, "Queries on the sheet", "From the current query on, in list order.", ge=1, le=24)


def listed(library: Library, request: Browse) -> Sequence[Item]:
    """List the queries that pass the filters, in the requested order."""
    items = library.queries(request.checkpoint, request.data, request.terms, Order(request.order))
    return [one for one in items if request.pid in (ANY, one.sample.pid) and request.camid in (ANY, one.sample.camid)]


def pick(library: Library, request: Browse, how: str) -> str:
    """Choose another query.

    Args:
        library: The app's library, shared by all visitors.
        request: The request that is shown now.
        how: `random`; `hard`, one of the hardest tenth; or `disagree`, one of those on which the first two checkpoints
            of the comparison differ most.

    Returns:
        The key of the query; the current one if no other query passes the filters.
    """
    items = [item for item in listed(library, request) if item.key != request.query]
    if how == "hard":
        scored = [item for item in items if item.average_precision is not None]
        items = ordered(scored, Order.HARDEST)[: max(3, len(scored) // 10)] or items
    elif how == "disagree" and (gaps := disagreement(library, request)):
        items = sorted(items, key=lambda item: -gaps.get(item.key, 0.0))[: max(3, len(items) // 20)]
    return random.SystemRandom().choice(items).sample.key if items else request.query


def disagreement(library: Library, request: Browse) -> dict[str, float]:
    """Return the absolute difference in average precision of two checkpoints per query; empty for one checkpoint.

    Raises:
        ValueError: No query has a match.
    """
    names = compared(library, request.checkpoint, *request.compare)[:2]
    if len(names) < 2 or not all(library.countable(name, request.data, request.terms) for name in names):
        return {}
    samples = queries_of(library, dict(request)).samples
    both = (library.metrics(name, request.data, request.terms) for name in names)
    first, second = (metrics.average_precision for metrics in both)
    gaps = np.nan_to_num(np.abs(first - second))
    return {sample.key: float(gap) for sample, gap in zip(samples, gaps, strict=True)}
