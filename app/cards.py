"""Pieces of the page as HTML; every value is escaped by the templates' autoescaping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.actions import evaluate, retrieve
from app.library import Preparation

__all__ = ["QueryItem", "error_html", "header_html", "preparing_html", "queries_html", "results_html", "scores_html"]

TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class QueryItem:
    """One thumbnail of the query browser; `number` counts the images of one person by one camera, from 1."""

    key: str
    pid: int
    camid: int
    number: int
    uri: str


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


def render(name: str, **values: Any) -> str:
    """Fill one template."""
    return templates().get_template(name).render(**values)


def header_html(checkpoint: str, title: str, identities: int, queries: int, synthetic: bool) -> str:
    """Say what is loaded."""
    return render(
        "header.html",
        checkpoint=checkpoint,
        title=title,
        identities=identities,
        queries=queries,
        synthetic=synthetic,
    )


def queries_html(items: Sequence[QueryItem], *, page: int, first: int, total: int, selected: str, turn: int) -> str:
    """Draw one page of the query browser.

    Args:
        items: The thumbnails of this page.
        page: Number of the page, from 0.
        first: Position of its first query, from 0.
        total: Queries on all pages.
        selected: Key of the query that is ranked now.
        turn: Number of the answer.
    """
    return render("queries.html", items=items, page=page, first=first, total=total, selected=selected, turn=turn)


def results_html(result: retrieve.Result, query_uri: str, uris: Sequence[str], turn: int) -> str:
    """Draw the query and its ranked cards.

    Args:
        result: The ranking.
        query_uri: The query image as a data URI; empty where it cannot be read.
        uris: Likewise of each ranked image.
        turn: Number of the answer.
    """
    matches = sum(ranked.match for ranked in result.results)
    values = {name: getattr(result, name) for name in ("query", "results", "average_precision", "first_hit")}
    values |= {name: getattr(result, name) for name in ("gallery_size", "left_out", "protocol")}
    return render("results.html", query_uri=query_uri, uris=uris, matches=matches, turn=turn, **values)


def preparing_html(preparation: Preparation, turn: int) -> str:
    """Say that images are being embedded, and how far that is."""
    words = (
        f"The network looks at every image once: {preparation.done:,} of {preparation.total:,} so far. "
        "The ranking appears by itself."
    )
    values = {"done": preparation.done, "total": preparation.total}
    return render("message.html", state="loading", heading="Embedding the images", words=words, turn=turn, **values)


def error_html(words: str, turn: int) -> str:
    """Say in a plain sentence what went wrong."""
    return render("message.html", state="error", heading="That did not work", words=words, turn=turn, done=0, total=0)


def scores_html(scores: evaluate.Result | None, *, synthetic: bool, words: str = "") -> str:
    """Draw the scores of the whole set, or the words that stand for them."""
    return render("scores.html", scores=scores, synthetic=synthetic, words=words)
