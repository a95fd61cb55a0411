"""The Retrieval tab: what a press draws, and the pieces it is drawn in."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from app.library import Library
from app.library.collection import Direction
from app.library.queries import Order
from app.library.ranking import Ranked
from app.library.thumbnails import CARD_HEIGHT, STRIP_HEIGHT
from app.retrieval.browse import Browse, listed, pick
from app.retrieval.export import MENUS, Options, write
from app.retrieval.own_page import chooser, news, own_answer
from app.retrieval.rank import LeftOut, Result, compare, retrieve
from app.retrieval.scores import Scores, score
from app.retrieval.why import why
from app.shared.html import form, html, prepared
from app.shared.tab import Answer, Export, Page, Piece, Press

__all__ = ["answer", "build"]

PAGE_SIZE = 48  # thumbnails at once; SYSU-MM01 has 3,803 queries
POLL, SOON = 500, 30  # milliseconds
SETTINGS = {
    "Ranking": ("compare", "top_k", "protocol", "direction"),
    "Queries": ("order", "pid", "camid"),
    "Corruption": ("corruption", "severity"),
    "Gallery": ("shots", "trial", "rerank", "left_out"),
}
CHIPS = tuple(name for names in SETTINGS.values() for name in names)
PIECES = ("retrieval-progress", "ranking", "retrieval-own", "own-news", "query-browser")
TURNED = "You search with a visible image now, and infrared images are ranked: no published protocol."
PICKS = ("random", "hard", "disagree")


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("retrieval", "Retrieval") as tab:
        pieces = {
            name: tab.piece(name)
            for name in ("retrieval-progress", "ranking", "retrieval-own", "own-news", "query-browser")
        }
        pieces["settings"] = tab.settings()
        tab.wire(Browse, answer, pieces, CHIPS, Export(MENUS, Options, write), more_images=1)  # a gallery


def answer(library: Library, request: Browse, press: Press) -> Answer:
    """Draw what a press asks for.

    Raises:
        ValueError: A checkpoint or an image is gone.
    """
    if press.do == "own-add":
        return Answer(request, {"own-news": news(library, press.detail.get("file"))})
    names = (request.checkpoint, *request.others(library))
    if (waiting := embedding(library, request, names, press)) is not None:
        return waiting
    if (own := own_answer(library, request, press)) is not None:
        return own
    if press.do in PICKS:
        request = request.model_copy(update={"query": pick(library, request, press.do)})
    elif press.do == "open" and press.chosen and press.chosen != request.query:
        request = handed(library, request, press.chosen)
    keys = [item.sample.key for item in listed(library, request)]
    shown = keys.index(request.query) // PAGE_SIZE if request.query in keys else 0
    if press.do != "page":
        return ranking(library, request, names, shown, press)
    wanted = press.detail.get("page")
    if isinstance(wanted, int):
        shown = min(max(wanted, 0), (len(keys) - 1) // PAGE_SIZE)
    return Answer(request, {"query-browser": queries(library, request, shown)})


def embedding(library: Library, request: Browse, names: Sequence[str], press: Press) -> Answer | None:
    """Say how far the embedding of the images is; nothing where every checkpoint has embedded them."""
    corruption = request.terms.corruption
    if press.do == "stop":
        for name in names:
            library.stop(name, request.data, corruption)
    for name in names:
        progress = library.prepare(name, request.data, retry=press.do == "start", corruption=corruption)
        if progress.ready:
            continue
        if not (press.values.get("query") or "query=" in press.address):  # it is chosen when scores are there
            request = request.model_copy(update={"query": ""})
        again = 0 if progress.problem or progress.stopped else POLL
        return Answer(request, {"retrieval-progress": prepared(progress, name)}, again=again)
    return None


def ranking(library: Library, request: Browse, names: Sequence[str], shown: int, press: Press) -> Answer:
    """Draw the ranking by every checkpoint, and the page of queries that shows the query."""
    asked = request.model_dump(exclude={"query"})
    scored = all(library.scored(name, request.data, request.terms) for name in names)
    scores = (
        [score(library, name, request.data, request.terms) for name in names]
        if scored or press.do in ("again", "why")
        else []
    )
    result, sides, note = compare(library, request, names[1:], with_left_out=request.left_out)
    clean = request.model_copy(update={"corruption": ""}) if request.corruption else None
    clean_scores = [score(library, one.checkpoint, one.data, clean.terms) for one in scores] if clean else []
    reason = why(library, request, names, press.detail) if press.do == "why" else None
    drawn = html(
        "ranking.html",
        why=reason,
        result=result,
        query=result.query,
        first=row_of(result),
        sides=[(side, row_of(side.result)) for side in sides],
        direction=request.terms.direction,
        other=request.terms.direction.other.value,
        names={name: library.checkpoints[name].label for name in names},
        uris=thumbnails(library, request, [result, *(side.result for side in sides)]),
        scores=scores,
        verdict=verdict(library, scores),
        note=note,
        synthetic=library.collections[request.data].synthetic,
        clean_result=retrieve(library, clean) if clean else None,
        clean=clean_scores,
        curves=[cmc_points(one.cmc) for one in scores],
        box=CMC_BOX,
    )
    turned = {"direction", "query"} <= set(press.changed) and not request.terms.direction.published
    return Answer(
        request,
        {
            "retrieval-progress": Piece("", str),
            "ranking": drawn,
            "retrieval-own": chooser(request),
            "query-browser": Piece((asked, shown), lambda: queries(library, request, shown)),
            "settings": Piece(asked, lambda: form("retrieval", request, library, SETTINGS)),
        },
        say=f"Maps are laid over the query and {reason.image}." if reason else summary(result),
        chosen=request.query,
        notice=TURNED if turned else "",
        again=0 if scores else SOON,
    )


def handed(library: Library, request: Browse, key: str) -> Browse:
    """Ask with an image that another tab looks at, in the direction that its modality allows.

    Raises:
        ValueError: It is no image that a protocol of these data asks with.
    """
    collection = library.collections[request.data]
    for name in dict.fromkeys((request.protocol, *collection.protocols)):
        for way in Direction:
            if key in collection.asked(name, way).rows:
                changes = {"query": key, "direction": way.value, "protocol": name, "pid": 0, "camid": 0}
                return Browse.repair({**request.model_dump(), **changes}, library)[0]
    return request


def queries(library: Library, request: Browse, page: int) -> str:
    """Draw one page of the query browser."""
    items, order = listed(library, request), Order(request.order)
    shown = items[page * PAGE_SIZE : (page + 1) * PAGE_SIZE]
    corruption = request.terms.corruption
    return html(
        "queries.html",
        items=shown,
        uris={
            item.sample.key: library.thumbnail(request.data, item.sample, STRIP_HEIGHT, corruption) for item in shown
        },
        page=page,
        first=page * PAGE_SIZE,
        total=len(items),
        selected=request.query,
        here=any(item.sample.key == request.query for item in shown),
        modality=request.terms.direction.query_modality.value,
        scored=order.by_score,
        waiting=order.by_score and not library.ready(request.checkpoint, request.data, corruption),
    )


def thumbnails(library: Library, request: Browse, results: Iterable[Result]) -> dict[str, str]:
    """Make the pictures of everything that some results show, by key."""
    collection, keys = library.collections[request.data], set[str]()
    for result in results:
        keys |= {one.image for one in (result.query, *result.results, *result.left_out_images)}
    samples = (collection.samples[collection.rows[key]] for key in keys)
    corruption = request.terms.corruption
    return {one.key: library.thumbnail(request.data, one, CARD_HEIGHT, corruption) for one in samples}


def row_of(result: Result) -> list[Ranked | LeftOut]:
    """Put the images that were left out where they would stand among the ranked ones."""
    before: dict[int, list[LeftOut]] = {}
    for image in result.left_out_images:
        before.setdefault(image.after, []).append(image)
    row: list[Ranked | LeftOut] = [*before.get(0, [])]
    for ranked in result.results:
        row += [ranked, *before.get(ranked.rank, [])]
    return row


def summary(result: Result) -> str:
    """Say a ranking in a sentence, for a screen reader."""
    note = f"{result.note} " if result.note else ""
    if result.first_hit is None or result.average_precision is None:
        return f"{note}The gallery holds no image of person {result.query.pid}."
    return (
        f"{note}Ranked for person {result.query.pid}: first match at rank {result.first_hit},"
        f" average precision {100 * result.average_precision:.1f} percent."
    )


def verdict(library: Library, scores: Sequence[Scores]) -> str:
    """Say which of two checkpoints is ahead on the whole set, and by how much; nothing for other numbers of them."""
    if len(scores) != 2:
        return ""
    first, second = (100 * one.result.mean()["mean_ap"] for one in scores)
    ahead = scores[0] if first >= second else scores[1]
    return f"{library.checkpoints[ahead.checkpoint].label} is ahead by {abs(first - second):.1f} points of mAP."


CMC_BOX = (40, 12, 372, 168)  # left, top, right, bottom of the curve's field in the drawing


def cmc_points(cmc: list[float]) -> list[tuple[float, float]]:
    """Place a CMC curve's values in the drawing: rank 1 … R from left to right, 0 … 1 from bottom to top."""
    left, top, right, bottom = CMC_BOX
    step = (right - left) / max(1, len(cmc) - 1)
    return [(round(left + step * k, 2), round(bottom - (bottom - top) * value, 2)) for k, value in enumerate(cmc)]
