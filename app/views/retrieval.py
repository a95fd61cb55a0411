"""What a visit sees: from choices to pieces of HTML, without Gradio."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from app import cards, links
from app.actions.retrieval import browse, compare, evaluate, retrieve
from app.library import Library
from app.library.thumbnails import CARD_HEIGHT, STRIP_HEIGHT
from app.visit import Visit

__all__ = [
    "PAGE_SIZE",
    "TAB",
    "asked_by",
    "asked_of",
    "first_visit",
    "offered",
    "open_link",
    "ready",
    "settle",
    "show_header",
    "show_queries",
    "show_results",
    "show_scores",
]

TAB = "retrieval"
PAGE_SIZE = 48  # thumbnails at once; SYSU-MM01 has 3,803 queries


def first_visit(library: Library) -> Visit:
    """Return what a visitor sees who has chosen nothing yet; the query is chosen when scores are there."""
    collection = library.collections[library.default_data]
    return Visit(library.default_checkpoint, library.default_data, collection.protocols[0])


def open_link(library: Library, values: Mapping[str, object]) -> Visit:
    """Return the visit of an address; a first visit with a plain sentence where the address makes no sense.

    An address that names another tab says nothing about this one.
    """
    if values.get("tab", TAB) != TAB:
        return first_visit(library)
    try:
        return links.read(library, values)
    except ValueError as error:
        words = f"This link cannot be opened as it is: {error}. The page shows its first view instead."
        return replace(first_visit(library), notice=words)


def offered(library: Library, visit: Visit) -> browse.Result:
    """List the queries that pass the visit's filters, in its order."""
    request = browse.Request(visit.checkpoint, visit.data, visit.terms, visit.order, visit.pid, visit.camid)
    return browse.run(library, request)


def settle(library: Library, visit: Visit, *, fresh: bool = False) -> Visit:
    """Replace what the data do not offer, and find a query and the page that shows it.

    Args:
        library: What all visitors share.
        visit: What was chosen.
        fresh: Go to the first query of the list, as after a change of its order.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    collection = library.collections[visit.data]
    protocol = visit.protocol if visit.protocol in collection.protocols else collection.protocols[0]
    shots = visit.shots if visit.shots in collection.shots(protocol, visit.direction) else 1
    asked = collection.asked(protocol, visit.direction).samples
    wanted = visit
    visit = replace(
        visit,
        protocol=protocol,
        shots=shots,
        pid=visit.pid if any(visit.pid == sample.pid for sample in asked) else None,
        camid=visit.camid if any(visit.camid == sample.camid for sample in asked) else None,
    )
    visit = replace(visit, notice=visit.notice or _replaced(wanted, visit))
    listed = offered(library, visit)
    keys = [item.sample.key for item in listed.items]
    if not keys:
        return replace(visit, page=0)
    if fresh or visit.query not in keys:
        free = visit.pid is None and visit.camid is None and not fresh
        if free and not library.ready(visit.checkpoint, visit.data, visit.terms.corruption):
            return replace(visit, query="", page=0)
        query = browse.opening(listed.items) if free else keys[0]
        visit = visit.go(query)
    return replace(visit, page=keys.index(visit.query) // PAGE_SIZE)


def _replaced(wanted: Visit, got: Visit) -> str:
    """Say what could not be had, in a sentence; nothing where everything could."""
    modality = got.direction.query_modality
    if wanted.shots != got.shots:
        return f"These data do not have {wanted.shots} gallery images of everybody by every camera; it is 1 now."
    if wanted.camid != got.camid:
        return f"No {modality} query is by camera {wanted.camid}; queries of any camera are listed."
    if wanted.pid != got.pid:
        return f"No {modality} query shows person {wanted.pid}; queries of anybody are listed."
    return ""


def show_header(library: Library, visit: Visit) -> str:
    """Say what is loaded."""
    collection = library.collections[visit.data]
    return cards.header_html(
        visit.checkpoint,
        collection.title,
        collection.num_identities,
        len(collection.asked(visit.protocol, visit.direction).samples),
        collection.synthetic,
        compare=", ".join(visit.compare),
    )


def show_queries(library: Library, visit: Visit) -> str:
    """Draw the query browser."""
    listed = offered(library, visit)
    last = max(0, (len(listed.items) - 1) // PAGE_SIZE)
    page = min(max(visit.page, 0), last)
    first = page * PAGE_SIZE
    items = [
        cards.QueryItem(
            item.sample.key,
            item.sample.pid,
            item.sample.camid,
            item.number,
            library.thumbnail(visit.data, item.sample, STRIP_HEIGHT, visit.terms.corruption),
            item.average_precision,
        )
        for item in listed.items[first : first + PAGE_SIZE]
    ]
    return cards.queries_html(
        items,
        page=page,
        first=first,
        total=len(listed.items),
        selected=visit.query,
        turn=visit.turn,
        modality=visit.direction.query_modality.value,
        scored=browse.Order(visit.order).by_score,
        waiting=listed.waiting,
    )


def show_results(library: Library, visit: Visit, *, retry: bool = False) -> tuple[str, bool]:
    """Draw the ranking, or how far the embedding is, or what went wrong.

    Args:
        library: What all visitors share.
        visit: What this one has chosen.
        retry: Embed anew where that has failed or was stopped before.

    Returns:
        The HTML, and whether it is worth asking again soon.
    """
    frame = cards.Frame(visit.turn, links.write(visit), visit.notice, back=bool(visit.past), forward=bool(visit.future))
    try:
        for checkpoint in visit.checkpoints:
            corruption = visit.terms.corruption
            preparation = library.prepare(checkpoint, visit.data, retry=retry, corruption=corruption)
            if not preparation.ready:
                waiting = not (preparation.problem or preparation.stopped)
                return cards.preparing_html(preparation, frame, checkpoint), waiting
        if not visit.query:  # the images became ready a moment ago; a query is chosen at the next look
            return cards.preparing_html(replace(preparation, done=preparation.total), frame, visit.checkpoint), True
        return _ranked(library, visit, frame), False
    except ValueError as error:
        return cards.error_html(str(error), frame), False


def asked_by(visit: Visit) -> retrieve.Request:
    """Return the request that a visit stands for."""
    return retrieve.Request(
        visit.checkpoint,
        visit.data,
        visit.query,
        visit.top_k,
        visit.protocol,
        visit.trial,
        visit.direction.value,
        visit.shots,
        visit.rerank,
        visit.left_out,
        visit.corruption,
        visit.severity,
    )


def _ranked(library: Library, visit: Visit, frame: cards.Frame) -> str:
    request = asked_by(visit)
    if visit.compare:
        comparison = compare.run(library, request, visit.compare)
        return cards.comparison_html(comparison, _uris(library, visit, comparison.results), frame)
    result = retrieve.run(library, request)
    clean = retrieve.run(library, replace(request, corruption="", top_k=1)) if visit.corruption else None
    return cards.results_html(result, _uris(library, visit, [result]), frame, clean)


def _uris(library: Library, visit: Visit, results: Iterable[retrieve.Result]) -> dict[str, str]:
    """Make the thumbnails of everything that some results show, by key."""
    collection = library.collections[visit.data]
    keys: set[str] = set()
    for result in results:
        keys |= {result.query.image, *(ranked.image for ranked in result.results)}
        keys |= {image.image for image in result.left_out_images}
    return {
        key: library.thumbnail(
            visit.data, collection.samples[collection.rows[key]], CARD_HEIGHT, visit.terms.corruption
        )
        for key in keys
    }


def ready(library: Library, visit: Visit) -> bool:
    """Say whether everything that a visit shows is embedded.

    Raises:
        ValueError: A checkpoint is not there any more.
    """
    return all(library.ready(name, visit.data, visit.terms.corruption) for name in visit.checkpoints)


def asked_of(visit: Visit) -> list[evaluate.Request]:
    """Return the request for the scores of each of a visit's checkpoints."""
    terms = visit.terms
    return [
        evaluate.Request(
            name,
            visit.data,
            terms.protocol,
            terms.direction.value,
            terms.shots,
            terms.rerank,
            terms.trial,
            visit.corruption,
            visit.severity,
        )
        for name in visit.checkpoints
    ]


def show_scores(library: Library, visit: Visit) -> str:
    """Draw the scores of the whole set as soon as they can be had."""
    synthetic = library.collections[visit.data].synthetic
    try:
        if not ready(library, visit):
            return cards.scores_html([], synthetic=synthetic, words="The scores follow when every image is embedded.")
        asked = asked_of(visit)
        scores = [evaluate.run(library, request) for request in asked]
        clean = [evaluate.run(library, replace(request, corruption="")) for request in asked if visit.corruption]
    except ValueError as error:
        return cards.scores_html([], synthetic=synthetic, words=str(error))
    return cards.scores_html(scores, synthetic=synthetic, clean=clean)
