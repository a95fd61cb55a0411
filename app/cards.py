"""Pieces of the page as HTML; every value is escaped by the templates' autoescaping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.actions.retrieval import compare, evaluate, retrieve
from app.library.collection import Direction
from app.library.preparing import Preparation

__all__ = [
    "Frame",
    "QueryItem",
    "comparison_html",
    "error_html",
    "header_html",
    "hint_html",
    "preparing_html",
    "queries_html",
    "results_html",
    "scores_html",
    "sentence",
]

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class QueryItem:
    """One thumbnail of the query browser.

    Attributes:
        key: Of the image.
        pid: Of the person.
        camid: Of the camera.
        number: Counts the images of one person by one camera, from 1.
        uri: The image; empty where it cannot be read.
        average_precision: In [0, 1]; `None` where it is not known or nobody in the gallery is this person.
    """

    key: str
    pid: int
    camid: int
    number: int
    uri: str
    average_precision: float | None = None


@dataclass(frozen=True)
class Frame:
    """What surrounds a ranking or a message.

    Attributes:
        turn: Number of the answer.
        link: The address of this view, as `?query=…`; empty where there is none.
        notice: A sentence to say first.
        back: Whether there is a query to go back to.
        forward: Whether there is one to go forward to.
    """

    turn: int
    link: str = ""
    notice: str = ""
    back: bool = False
    forward: bool = False


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Open the templates once; a name that a template misspells is an error instead of an empty string."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, /, **values: Any) -> str:
    """Fill one template."""
    return templates().get_template(template).render(**values)


def header_html(
    checkpoint: str, title: str, identities: int, queries: int, synthetic: bool, *, compare: str = ""
) -> str:
    """Say what is loaded."""
    return render(
        "header.html",
        checkpoint=checkpoint,
        compare=compare,
        title=title,
        identities=identities,
        queries=queries,
        synthetic=synthetic,
    )


def hint_html(name: str, words: str) -> str:
    """Draw a hint of one line, which the browser hides for who has put it away.

    Args:
        name: What the browser remembers it by.
        words: What it says.
    """
    return render("hint.html", name=name, words=words)


def queries_html(
    items: Sequence[QueryItem],
    *,
    page: int,
    first: int,
    total: int,
    selected: str,
    turn: int,
    modality: str = "infrared",
    scored: bool = False,
    waiting: bool = False,
) -> str:
    """Draw one page of the query browser.

    Args:
        items: The thumbnails of this page.
        page: Number of the page, from 0.
        first: Position of its first query, from 0.
        total: Queries on all pages.
        selected: Key of the query that is ranked now.
        turn: Number of the answer.
        modality: What the queries are.
        scored: Write the average precision below each.
        waiting: Say that the order follows when scores are there.
    """
    return render(
        "queries.html",
        items=items,
        page=page,
        first=first,
        total=total,
        selected=selected,
        turn=turn,
        modality=modality,
        scored=scored,
        waiting=waiting,
    )


def results_html(
    result: retrieve.Result, uris: Mapping[str, str], frame: Frame, clean: retrieve.Result | None = None
) -> str:
    """Draw the query and its ranked cards.

    Args:
        result: The ranking.
        uris: Data URIs by key; an empty one, or none, where an image cannot be read.
        frame: What surrounds it.
        clean: The ranking of the same query without corruption, where `result` has one.
    """
    matches = sum(ranked.match for ranked in result.results)
    return render(
        "results.html",
        result=result,
        query=result.query,
        row=row_of(result),
        uris=uris,
        matches=matches,
        clean=clean,
        direction=Direction(result.direction),
        frame=frame,
        say=summary(result),
    )


def comparison_html(comparison: compare.Result, uris: Mapping[str, str], frame: Frame) -> str:
    """Draw one query ranked by two to four checkpoints; arguments as `results_html`."""
    return render(
        "comparison.html",
        comparison=comparison,
        first=row_of(comparison.before),
        moves_of=lambda image: [side.moves[image] for side in comparison.sides if image in side.moves],
        sides=[(side, row_of(side.result)) for side in comparison.sides],
        result=comparison.before,
        query=comparison.before.query,
        uris=uris,
        direction=Direction(comparison.before.direction),
        frame=frame,
        say=" ".join(f"{result.checkpoint}: {summary(result)}" for result in comparison.results),
    )


def row_of(result: retrieve.Result) -> list[retrieve.Ranked | retrieve.LeftOut]:
    """Put the images that were left out where they would stand among the ranked ones."""
    before: dict[int, list[retrieve.LeftOut]] = {}
    for image in result.left_out_images:
        before.setdefault(image.after, []).append(image)
    row: list[retrieve.Ranked | retrieve.LeftOut] = [*before.get(0, [])]
    for ranked in result.results:
        row += [ranked, *before.get(ranked.rank, [])]
    return row


def summary(result: retrieve.Result) -> str:
    """Say a ranking in a sentence, for who does not see it."""
    if result.note:
        return f"{result.note} {summary(replace(result, corruption=''))}"
    if result.first_hit is None or result.average_precision is None:
        return f"The gallery holds no image of person {result.query.pid}."
    return (
        f"Ranked for person {result.query.pid}: first match at rank {result.first_hit},"
        f" average precision {100 * result.average_precision:.1f} percent."
    )


def preparing_html(preparation: Preparation, frame: Frame, checkpoint: str) -> str:
    """Say how far the embedding of the images by a checkpoint is, or that it was stopped or failed."""
    if preparation.problem:
        return error_html(preparation.problem, frame, again=True)
    seen = f"{preparation.done:,} of {preparation.total:,}"
    words = f"The network {checkpoint} looks at {preparation.what} once: {seen} so far. The ranking appears by itself."
    if preparation.stopped:
        words = f"The network {checkpoint} had seen {seen} images. Nothing of it is kept; it can start again."
    return render(
        "message.html",
        state="stopped" if preparation.stopped else "loading",
        heading="Embedding was stopped" if preparation.stopped else "Embedding the images",
        words=words,
        action="start" if preparation.stopped else "stop",
        done=preparation.done,
        total=preparation.total,
        frame=frame,
    )


def error_html(words: str, frame: Frame, *, again: bool = False) -> str:
    """Say in a plain sentence what went wrong, with a button to try again where that may help."""
    return render(
        "message.html",
        state="error",
        heading="That did not work",
        words=words,
        action="start" if again else "",
        done=0,
        total=0,
        frame=frame,
    )


CMC_BOX = (40, 12, 372, 168)  # left, top, right, bottom of the curve's field in the drawing


def cmc_points(cmc: Sequence[float]) -> list[tuple[float, float]]:
    """Place a CMC curve's values in the drawing: rank 1 … R from left to right, 0 … 1 from bottom to top."""
    left, top, right, bottom = CMC_BOX
    step = (right - left) / max(1, len(cmc) - 1)
    return [(round(left + step * k, 2), round(bottom - (bottom - top) * value, 2)) for k, value in enumerate(cmc)]


def scores_html(
    scores: Sequence[evaluate.Result], *, synthetic: bool, words: str = "", clean: Sequence[evaluate.Result] = ()
) -> str:
    """Draw the scores of the whole set by one checkpoint or more, or the words that stand for them.

    Args:
        scores: One per checkpoint.
        synthetic: Whether the images were rendered.
        words: What to say instead of scores.
        clean: The scores on clean images, where `scores` are on corrupted ones.
    """
    return render(
        "scores.html",
        scores=scores,
        curves=[cmc_points(result.cmc) for result in scores],
        box=CMC_BOX,
        synthetic=synthetic,
        words=words,
        clean=clean,
    )


def sentence(error: ValueError) -> str:
    """Write what an error says as a sentence, to be escaped where it is shown."""
    words = str(error).strip().rstrip(".")
    return f"{words[:1].upper()}{words[1:]}."
