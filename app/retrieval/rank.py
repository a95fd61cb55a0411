"""Rank the gallery for one query: visible images for an infrared one, or the other way round."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Self

import numpy as np

from app.library import Library
from app.library.collection import CORRUPTION_NAMES, SEVERITY, Direction, Queries, Terms
from app.library.ranking import ImageFacts, Ranked, Table
from app.shared.request import Choice, OfModel, Protocol, RefusalError, Switch, Text, Whole, one_of, option, shown
from mun.evaluation.corrupted import MIXED, Corruption

__all__ = ["LeftOut", "Move", "Result", "Retrieve", "Side", "answer", "compare", "retrieve"]

CORRUPTION_TITLES = {
    "": "none",
    MIXED: f"mixed: any of the {len(CORRUPTION_NAMES) - 1} (the field's protocol)",
    "jpeg_compression": "JPEG",
}
CORRUPTIONS = [Choice(name, CORRUPTION_TITLES.get(name, name.replace("_", " "))) for name in ("", *CORRUPTION_NAMES)]


def queries_of(library: Library, values: Mapping[str, Any], way: Direction | None = None) -> Queries:
    """Return the queries of the data, protocol and direction in `values`; `way` replaces the direction."""
    return library.collections[values["data"]].query_sets[values["protocol"], way or values["direction"]]


def shots_of(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List how many gallery images per identity and camera the data allow."""
    counts = queries_of(library, values).shots
    return [Choice(count, f"{count} ({'single' if count == 1 else 'multi'}-shot)") for count in counts]


def as_allowed(library: Library, values: Mapping[str, Any]) -> str:
    """Name the data set that limits the shots, as the end of a refusal."""
    return f", as many as {library.collections[values['data']].title} allows"


def severity_idle(request: Any) -> str:
    """Return why the severity has no effect; empty if it has one."""
    if not request.corruption:
        return "Nothing is corrupted."
    return "Mixed draws a severity for each image." if request.corruption == MIXED else ""


class Retrieve(OfModel):
    """Rank the gallery for one query: visible images for an infrared one, or the other way round.

    Returns the names used, the query, the ranked images with their cosine distance 1 - cos (or the re-ranked one), the
    average precision and the rank of the first match over the whole ranked gallery (null where nobody matches), and the
    gallery's size.
    """

    query: Text = option("", "Query", "Key of a query image, as cam3/0007/0001.jpg; empty for the first.")
    top_k: Whole = option(10, "Top k", "How many ranked images to show.", ge=1, le=100, control="range")
    protocol: Protocol = ""
    trial: Whole = option(0, "Gallery", "Number of the random gallery (trial).", ge=0, le=9)
    direction: Annotated[
        Text,
        one_of(lambda library, values: [Choice(way.value, queries_of(library, values, way).way) for way in Direction]),
    ] = option("i2v", "Direction", "i2v (infrared queries) or v2i, which SYSU-MM01 and SynVI do not publish.")
    shots: Annotated[Whole, one_of(shots_of, as_allowed)] = option(
        1, "Gallery images per person and camera", "At most as many as the data allow.", ge=1, le=100
    )
    rerank: Switch = option(
        False, "Re-rank by k-reciprocal neighbours", "Combine the distance with that of neighbourhoods."
    )
    corruption: Annotated[Text, one_of(CORRUPTIONS)] = option(
        "", "Corrupt the visible images", "One of 20 corruptions, or mixed; empty for none. The draws have seed 0."
    )
    severity: Whole = option(
        SEVERITY, "Severity", "Of the corruption; ignored for clean images and for mixed.", ge=1, le=5, control="range",
        idle=severity_idle,
    )  # fmt: skip

    def settle(self, library: Library) -> Self:
        """Fill in the first query, or check that the requested one exists.

        Raises:
            RefusalError: There is no such query, or the data cannot be corrupted or re-ranked.
        """
        queries, terms = queries_of(library, dict(self)), self.terms
        if terms.corruption and library.checkpoints[self.checkpoint].vectors:
            words = f"expected no corruption, because {self.checkpoint} holds features of the clean images"
            raise RefusalError("corruption", words)
        if terms.rerank and not library.countable(self.checkpoint, self.data, terms):
            words = "expected fewer images for re-ranking, which compares all queries with the whole gallery"
            raise RefusalError("rerank", words)
        changes: dict[str, Any] = {} if terms.corruption and self.corruption != MIXED else {"severity": SEVERITY}
        if not self.query:
            changes["query"] = self.first_query(library)
        elif self.query not in queries.rows:
            article = "an infrared" if terms.direction.published else "a visible"
            known = f"{article} image of {library.collections[self.data].title}, as {queries.samples[0].key!r}"
            raise RefusalError("query", f"expected query to be the key of {known}; got {shown(self.query)}")
        return self.model_copy(update=changes)

    def first_query(self, library: Library) -> str:
        """Choose the query of a request that names none."""
        return queries_of(library, dict(self)).samples[0].key

    @property
    def terms(self) -> Terms:
        """The terms of the ranking."""
        severity = None if self.corruption == MIXED else self.severity  # `mixed` draws it for each image
        corruption = Corruption(self.corruption, severity) if self.corruption else None
        return Terms(self.protocol, self.trial, Direction(self.direction), self.shots, self.rerank, corruption)

    def retrieve_call(self, library: Library, url: str) -> str:
        """Return the Python line that reproduces the ranking on a running app; it names all fields that decide it."""
        asked = Retrieve.read(self.model_dump(include=set(Retrieve.model_fields)), library)
        return asked.call(library, "retrieve", url, ("checkpoint", "data", "query", "protocol", "top_k"))


@dataclass(frozen=True)
class LeftOut(ImageFacts):
    """A gallery image that the protocol leaves out for this query; it would follow rank `after`, 0 if it were first."""

    after: int
    distance: float
    match: bool


@dataclass(frozen=True)
class Result:
    """The ranking of one query.

    Attributes:
        request: The request.
        query: The query image.
        results: The closest `top_k` gallery images, or all if there are fewer.
        average_precision: Over the whole ranked gallery, in [0, 1]; `None` if the gallery has no match.
        first_hit: Rank of the first match, from 1; `None` if the gallery has no match.
        gallery_size: Images that were ranked: the trial's gallery without those that the protocol leaves out.
        left_out: Number of images that the protocol leaves out for this query.
        left_out_images: The left-out images that are no further than the last of `results`; empty unless requested.
        rank: From a gallery image's key to its rank; `None` if it is not ranked.
        note: A sentence about the corruption of the visible images; empty for clean ones.
    """

    request: Retrieve
    query: ImageFacts
    results: tuple[Ranked, ...]
    average_precision: float | None
    first_hit: int | None
    gallery_size: int
    left_out: int
    left_out_images: tuple[LeftOut, ...] = ()
    rank: Callable[[str], int | None] = field(default=lambda _: None, compare=False)
    note: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/retrieve` answers."""
        asked = self.request.model_dump(include=set(Retrieve.model_fields) - {"query", "top_k"})
        corruption = self.request.terms.corruption
        values = {name: value for name, value in asdict(self).items() if name not in ("request", "rank", "note")}
        return {**asked, "severity": corruption.severity if corruption else None, **values}


def retrieve(library: Library, request: Retrieve, *, with_left_out: bool = False) -> Result:
    """Rank the gallery by (distance, gallery index), the distances in float64.

    Args:
        library: The app's library, shared by all visitors.
        request: A checked request.
        with_left_out: Also list the images that the protocol leaves out.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    table, corruption = library.table(request.checkpoint, request.data, request.terms), request.terms.corruption
    row = queries_of(library, dict(request)).rows[request.query]
    sample, order, (precision, hit) = table.queries[row], table.orders[row], table.found(row) or (None, None)
    results = table.top(row, request.top_k)
    return Result(
        request,
        ImageFacts(request.query, sample.pid, sample.camid),
        results,
        precision,
        hit,
        len(order),
        len(table.gallery) - len(order),
        left_out_images(table, row, len(results)) if with_left_out else (),
        lambda key: table.rank(row, key),
        f"Visible images corrupted: {corruption.description}; not the clean protocol." if corruption else "",
    )


def answer(library: Library, request: Retrieve) -> dict[str, Any]:
    """Answer `/retrieve`."""
    return retrieve(library, request).to_json()


def left_out_images(table: Table, row: int, count: int) -> tuple[LeftOut, ...]:
    """List the left-out images that are no further than the last ranked one shown, the closest first."""
    distances, order, pid = table.distances[row], table.orders[row], table.queries[row].pid
    kept, indices = distances[order[:count]], np.setdiff1d(np.arange(len(distances)), order)
    left_out = []
    for index in indices[np.argsort(distances[indices], kind="stable")]:
        image, distance = table.gallery[index], float(distances[index])
        if not len(kept) or distance <= kept[-1]:
            after = int((kept <= distance).sum())
            left_out.append(LeftOut(image.key, image.pid, image.camid, after, distance, image.pid == pid))
    return tuple(left_out)


@dataclass(frozen=True)
class Move:
    """Ranks of an image by the first checkpoint and by another; `None` if it is not ranked.

    Attributes:
        before: Rank by the first.
        after: Rank by the other.
        step: Number of ranks that the image moves up; negative if it moves down.
    """

    before: int | None
    after: int | None
    step: int


@dataclass(frozen=True)
class Side:
    """A ranking by another checkpoint, compared with the ranking by the first.

    Attributes:
        result: The ranking.
        moves: For every image that either ranking shows, by its key.
        shared: Number of images that both show.
        gained: Number of matches that only this ranking shows.
        lost: Number of matches that only the first shows.
    """

    result: Result
    moves: Mapping[str, Move]
    shared: int
    gained: int
    lost: int


def compare(
    library: Library, request: Retrieve, others: Sequence[str], *, with_left_out: bool = False
) -> tuple[Result, list[Side]]:
    """Rank a query by the request's checkpoint and by others, each over its whole gallery.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    before = retrieve(library, request, with_left_out=with_left_out)
    images_before, sides = {one.image for one in before.results}, []
    for name in others:
        after = retrieve(library, request.model_copy(update={"checkpoint": name}), with_left_out=with_left_out)
        images_after, moves = {one.image for one in after.results}, {}
        for image in sorted(images_after | images_before):
            first, second = before.rank(image), after.rank(image)
            moves[image] = Move(first, second, first - second if first and second else 0)
        gained = sum(one.match and one.image not in images_before for one in after.results)
        lost = sum(one.match and one.image not in images_after for one in before.results)
        sides.append(Side(after, moves, len(images_after & images_before), gained, lost))
    return before, sides
