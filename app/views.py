"""What a visit sees: from choices to pieces of HTML, without Gradio."""

from __future__ import annotations

from dataclasses import replace

from app.actions import evaluate, retrieve
from app.cards import QueryItem, error_html, header_html, preparing_html, queries_html, results_html, scores_html
from app.library import Library
from app.thumbnails import CARD_HEIGHT, STRIP_HEIGHT
from app.visit import Visit
from mun.structures import Sample

__all__ = ["PAGE_SIZE", "first_visit", "fit", "offered", "show_header", "show_queries", "show_results", "show_scores"]

PAGE_SIZE = 48  # thumbnails at once; SYSU-MM01 has 3,803 queries


def first_visit(library: Library) -> Visit:
    """Return what a visitor sees who has chosen nothing yet."""
    collection = library.collections[library.default_data]
    return Visit(library.default_checkpoint, library.default_data, collection.protocols[0], collection.queries[0].key)


def offered(library: Library, visit: Visit) -> list[Sample]:
    """List the queries that pass the visit's filters."""
    return [
        sample
        for sample in library.collections[visit.data].queries
        if visit.pid in (None, sample.pid) and visit.camid in (None, sample.camid)
    ]


def fit(library: Library, visit: Visit) -> Visit:
    """Move a visit whose filters have changed to a query that they let through, and to the page that shows it."""
    keys = [sample.key for sample in offered(library, visit)]
    if not keys:
        return replace(visit, page=0)
    query = visit.query if visit.query in keys else keys[0]
    return replace(visit, query=query, page=keys.index(query) // PAGE_SIZE)


def show_header(library: Library, visit: Visit) -> str:
    """Say what is loaded."""
    collection = library.collections[visit.data]
    return header_html(
        visit.checkpoint, collection.title, collection.num_identities, len(collection.queries), collection.synthetic
    )


def show_queries(library: Library, visit: Visit) -> str:
    """Draw the query browser."""
    samples = offered(library, visit)
    last = max(0, (len(samples) - 1) // PAGE_SIZE)
    page = min(max(visit.page, 0), last)
    first = page * PAGE_SIZE
    items = [
        QueryItem(
            sample.key,
            sample.pid,
            sample.camid,
            1 + sum(other.pid == sample.pid and other.camid == sample.camid for other in samples[:row]),
            library.thumbnail(visit.data, sample, STRIP_HEIGHT),
        )
        for row, sample in enumerate(samples[first : first + PAGE_SIZE], start=first)
    ]
    return queries_html(items, page=page, first=first, total=len(samples), selected=visit.query, turn=visit.turn)


def show_results(library: Library, visit: Visit, *, retry: bool = False) -> tuple[str, bool]:
    """Draw the ranking, or how far the embedding is, or what went wrong.

    Args:
        library: What all visitors share.
        visit: What this one has chosen.
        retry: Embed anew where that has failed before.

    Returns:
        The HTML, and whether it is worth asking again soon.
    """
    try:
        asked = retrieve.Request(
            visit.checkpoint, visit.data, visit.query, visit.top_k, visit.protocol, visit.trial
        ).checked(library)
        preparation = library.prepare(asked.checkpoint, asked.data, retry=retry)
        if preparation.problem:
            return error_html(preparation.problem, visit.turn), False
        if not preparation.ready:
            return preparing_html(preparation, visit.turn), True
        result = retrieve.run(library, asked)
    except ValueError as error:
        return error_html(str(error), visit.turn), False
    samples, rows = library.collections[visit.data].samples, library.collections[visit.data].rows
    uris = [
        library.thumbnail(visit.data, samples[rows[key]], CARD_HEIGHT)
        for key in (result.query.image, *(ranked.image for ranked in result.results))
    ]
    return results_html(result, uris[0], uris[1:], visit.turn), False


def show_scores(library: Library, visit: Visit) -> str:
    """Draw the scores of the whole set as soon as they can be had."""
    synthetic = library.collections[visit.data].synthetic
    if not library.ready(visit.checkpoint, visit.data):
        return scores_html(None, synthetic=synthetic, words="The scores follow when every image is embedded.")
    try:
        scores = evaluate.run(library, evaluate.Request(visit.checkpoint, visit.data, visit.protocol))
    except ValueError as error:
        return scores_html(None, synthetic=synthetic, words=str(error))
    return scores_html(scores, synthetic=synthetic)
