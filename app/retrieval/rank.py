"""Rank the gallery for one query: visible images for an infrared one, or the other way round."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Self

import numpy as np

from app.library import Library
from app.library.checkpoints import budget_note
from app.library.collection import CORRUPTION_NAMES, SEVERITY, Collection, Direction, Terms, corruption_of
from app.library.ranking import ImageFacts, Ranked, Ranking
from app.shared.request import (
    Checkpoint,
    Choice,
    Data,
    RefusalError,
    Request,
    Switch,
    Text,
    Whole,
    one_of,
    option,
    shown,
)
from mun.evaluation.corrupted import MIXED
from mun.evaluation.metrics import rank_metrics

__all__ = ["LeftOut", "Move", "Result", "Retrieve", "Side", "answer", "compare", "retrieve"]

WAYS = (Choice("i2v", "infrared → visible"), Choice("v2i", "visible → infrared (not published)"))
PROTOCOLS = {"all": "all-search", "indoor": "indoor-search"}


def collection_of(library: Library, values: Mapping[str, Any]) -> Collection:
    """Find the data set that the fields before name."""
    return library.collections[values["data"]]


def protocols(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the protocols that the data allow."""
    names = collection_of(library, values).protocols
    return [Choice(name, PROTOCOLS.get(name.rpartition("-")[2], name)) for name in names]


def shot_counts(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List how many gallery images per identity and camera the data allow."""
    allowed = collection_of(library, values).shots(values["protocol"], Direction(values["direction"]))
    return [Choice(count, f"{count} ({'single' if count == 1 else 'multi'}-shot)") for count in allowed]


def shots_why(library: Library, values: Mapping[str, Any]) -> str:
    """Say why there are no other numbers."""
    return f", as many as {collection_of(library, values).title} allows"


def corruptions(library: Library, values: Mapping[str, Any]) -> list[Choice]:  # noqa: ARG001
    """List what can be done to the visible images."""
    count = len(CORRUPTION_NAMES) - 1
    labels = {"": "none", MIXED: f"mixed: any of the {count} (the field's protocol)", "jpeg_compression": "JPEG"}
    return [Choice(name, labels.get(name, name.replace("_", " "))) for name in ("", *CORRUPTION_NAMES)]


def severity_idle(request: Any) -> str:
    """Say why the severity has no effect; nothing where it has."""
    if not request.corruption:
        return "Nothing is corrupted."
    return "Mixed draws a severity for each image." if request.corruption == MIXED else ""


class Retrieve(Request):
    """Rank the gallery for one query: visible images for an infrared one, or the other way round.

    Returns the names used, the query, the ranked images with their cosine distance 1 - cos (or the re-ranked one), the
    average precision and the rank of the first match over the whole ranked gallery (null where nobody matches), and the
    gallery's size.
    """

    checkpoint: Checkpoint = option("", "Checkpoint", "Name of a usable checkpoint of /status; empty for the first.")
    data: Data = option("", "Data", "Name of a data set of /status; empty for the first.")
    query: Text = option("", "Query", "Key of a query image, as cam3/0007/0001.jpg; empty for the first.")
    top_k: Whole = option(10, "Top k", "How many ranked images to show.", ge=1, le=100, control="range")
    protocol: Annotated[Text, one_of(protocols)] = option("", "Protocol", "One of the data set's; empty for the first.")
    trial: Whole = option(0, "Gallery", "Number of the random gallery (trial).", ge=0, le=9)
    direction: Annotated[Text, one_of(WAYS)] = option(
        "i2v", "Direction", "Who asks whom; visible to infrared is no published protocol."
    )
    shots: Annotated[Whole, one_of(shot_counts, shots_why)] = option(
        1, "Gallery images per person and camera", "As many as the data allow.", ge=1, le=100
    )
    rerank: Switch = option(
        False, "Re-rank by k-reciprocal neighbours", "Mix the distance with that of neighbourhoods."
    )
    corruption: Annotated[Text, one_of(corruptions)] = option(
        "", "Corrupt the visible images", "One of 20 corruptions, or mixed; empty for none. The draws have seed 0."
    )
    severity: Whole = option(
        SEVERITY, "Severity", "Of the corruption; ignored for clean images and for mixed.", ge=1, le=5, control="range",
        idle=severity_idle,
    )  # fmt: skip

    def settle(self, library: Library) -> Self:
        """Fill in the first query, or check that there is the one asked for."""
        collection = library.collections[self.data]
        asked = collection.asked(self.protocol, Direction(self.direction))
        changes: dict[str, Any] = {} if self.terms.corruption and self.corruption != MIXED else {"severity": SEVERITY}
        if not self.query:
            changes["query"] = self.first_query(library)
        elif self.query not in asked.rows:
            article = "an infrared" if Direction(self.direction).published else "a visible"
            raise RefusalError(
                "query",
                f"expected query to be the key of {article} image of {collection.title},"
                f" as {asked.samples[0].key!r}; got {shown(self.query)}",
            )
        return self.model_copy(update=changes)

    def first_query(self, library: Library) -> str:
        """Choose the query of a request that names none."""
        return library.collections[self.data].asked(self.protocol, Direction(self.direction)).samples[0].key

    @property
    def terms(self) -> Terms:
        """The terms of the ranking."""
        corruption = corruption_of(self.corruption, self.severity)
        return Terms(self.protocol, self.trial, Direction(self.direction), self.shots, self.rerank, corruption)


@dataclass(frozen=True)
class LeftOut(ImageFacts):
    """A gallery image that the protocol leaves out for this query; it would follow rank `after`, 0 for none."""

    after: int
    distance: float
    match: bool


@dataclass(frozen=True)
class Result:
    """The ranking of one query.

    Attributes:
        request: What was asked.
        query: The query image.
        results: The closest `top_k` gallery images, or all where there are fewer.
        average_precision: Over the whole ranked gallery, in [0, 1]; `None` where nobody in it is the person asked for.
        first_hit: Rank of the first match, from 1; `None` likewise.
        gallery_size: Images that were ranked: the trial's gallery without those that the protocol leaves out.
        left_out: How many the protocol leaves out for this query.
        left_out_images: Those of them that are no further than the last of `results`, where asked for.
    """

    request: Retrieve
    query: ImageFacts
    results: tuple[Ranked, ...]
    average_precision: float | None
    first_hit: int | None
    gallery_size: int
    left_out: int
    left_out_images: tuple[LeftOut, ...] = ()

    @property
    def note(self) -> str:
        """What was done to the visible images, in a sentence; empty for clean ones."""
        corruption = self.request.terms.corruption
        return f"Visible images corrupted: {corruption.description}; not the clean protocol." if corruption else ""

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/retrieve` answers."""
        asked = self.request.model_dump(include=set(Retrieve.model_fields) - {"query", "top_k"})
        corruption = self.request.terms.corruption
        values = {name: value for name, value in asdict(self).items() if name != "request"}
        return {**asked, "severity": corruption.severity if corruption else None, **values}


def retrieve(library: Library, request: Retrieve, *, with_left_out: bool = False) -> Result:
    """Rank the gallery by (distance, gallery index), the distances in float64.

    Args:
        library: What all visitors share.
        request: What is asked.
        with_left_out: List the images that the protocol leaves out, too.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    return describe(
        request, library.rank(request.checkpoint, request.data, request.terms, request.query), with_left_out
    )


def answer(library: Library, request: Retrieve) -> dict[str, Any]:
    """Answer `/retrieve`."""
    return retrieve(library, request).to_json()


def describe(request: Retrieve, ranked: Ranking, with_left_out: bool = False) -> Result:
    """Describe the top of a ranking, and how good the whole of it is."""
    sample, gallery, order = ranked.sample, ranked.table.gallery, ranked.order
    pids = np.array([image.pid for image in gallery])
    precision, first_hit = None, None
    if (pids[order] == sample.pid).any():
        raw = ranked.table.distances[ranked.row][None]
        metrics = rank_metrics(raw, [sample.pid], pids, ranked.mask[None], distinct_identities=True)
        precision, first_hit = float(metrics.average_precision[0]), int(metrics.first_hit[0])
    results = ranked.top(request.top_k)
    left_out = left_out_images(ranked, len(results)) if with_left_out else ()
    hidden = len(gallery) - len(order)
    return Result(request, ImageFacts.of(sample), results, precision, first_hit, len(order), hidden, left_out)


def left_out_images(ranked: Ranking, count: int) -> tuple[LeftOut, ...]:
    """List the images left out that are no further than the last one shown, the closest first."""
    distances, kept = ranked.distances, ranked.distances[ranked.order[:count]]
    indices = np.flatnonzero(ranked.mask)
    indices = indices[np.argsort(distances[indices], kind="stable")]
    return tuple(
        LeftOut(
            image.key,
            image.pid,
            image.camid,
            int((kept <= distances[index]).sum()),
            float(distances[index]),
            image.pid == ranked.sample.pid,
        )
        for index in indices
        for image in (ranked.table.gallery[index],)
        if not len(kept) or distances[index] <= kept[-1]
    )


@dataclass(frozen=True)
class Move:
    """Where an image stands by the first checkpoint and by another; `None` where it is not ranked."""

    before: int | None
    after: int | None

    @property
    def step(self) -> int:
        """Places that the image has come nearer; negative where it has fallen back."""
        return 0 if self.before is None or self.after is None else self.before - self.after


@dataclass(frozen=True)
class Side:
    """A ranking by another checkpoint, against that by the first.

    Attributes:
        result: The ranking.
        moves: Of every image that either of the two shows, by its key.
        shared: How many images both show.
        gained: Matches that only this one shows.
        lost: Matches that only the first shows.
    """

    result: Result
    moves: Mapping[str, Move]
    shared: int
    gained: int
    lost: int


def compare(
    library: Library, request: Retrieve, others: Sequence[str], *, with_left_out: bool = False
) -> tuple[Result, list[Side], str]:
    """Rank a query by the request's checkpoint and by others, all over their whole gallery.

    Returns:
        The ranking by the first, those by the others, and a sentence where the checkpoints have different budgets.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    first = library.rank(request.checkpoint, request.data, request.terms, request.query)
    before, ranks = describe(request, first, with_left_out), first.ranks()
    sides = []
    for name in others:
        asked = request.model_copy(update={"checkpoint": name})
        ranking = library.rank(name, request.data, request.terms, request.query)
        after, places = describe(asked, ranking, with_left_out), ranking.ranks()
        mine, theirs = {one.image for one in after.results}, {one.image for one in before.results}
        sides.append(
            Side(
                after,
                {image: Move(ranks.get(image), places.get(image)) for image in sorted(mine | theirs)},
                len(mine & theirs),
                sum(one.match and one.image not in theirs for one in after.results),
                sum(one.match and one.image not in mine for one in before.results),
            )
        )
    return before, sides, budget_note(library.checkpoints[name] for name in (request.checkpoint, *others))
