"""The Retrieval tab: its pieces of HTML, and the answer to every press."""

from collections.abc import Sequence

import gradio as gr

from app.library import Library
from app.library.background import Progress
from app.library.collection import Direction
from app.library.ranking import BY_SCORE, Ranked
from app.library.thumbnails import CARD_HEIGHT, STRIP_HEIGHT
from app.retrieval.browse import Browse, Options, listed, pick
from app.retrieval.own import chooser, news, own_answer
from app.retrieval.rank import LeftOut, Result, compare, queries_of, retrieve
from app.retrieval.scores import draw
from app.retrieval.why import why
from app.shared.html import html
from app.shared.request import compared
from app.shared.tab import SOON, Answer, Export, File, Menu, Page, Piece, Press

__all__ = ["MENUS", "answer", "build", "write"]

PAGE_SIZE = 48  # thumbnails at once; SYSU-MM01 has 3,803 queries
SETTINGS = {
    "Ranking": ("compare", "top_k", "protocol", "direction"),
    "Queries": ("order", "pid", "camid"),
    "Corruption": ("corruption", "severity"),
    "Gallery": ("shots", "trial", "rerank", "left_out"),
}
MENUS = (
    Menu("Ranked list", "list", ("png", "pdf", "svg", "csv", "latex")),
    Menu("Contact sheet", "sheet", ("pdf",)),
    Menu("CMC curves", "cmc", ("png", "pdf", "svg", "csv", "latex")),
)
CHIPS = tuple(name for names in SETTINGS.values() for name in names)
TURNED = "The query is now a visible image, and infrared images are ranked; this is not a published protocol."
GONE = "The requested image is not in this ranking; press “Why?” on an image that is shown."
PICKS = ("random", "hard", "disagree")


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("retrieval", "Retrieval", strip=False) as tab:
        pieces = {"retrieval-progress": tab.piece("retrieval-progress")}
        with gr.Column(elem_id="retrieval-board"):
            pieces |= {name: tab.piece(name) for name in ("ranking", "retrieval-scores")}
        pieces |= {name: tab.piece(name) for name in ("retrieval-own", "own-news", "query-browser")}
        tab.wire(Browse, answer, pieces, Export(MENUS, Options, write), SETTINGS, CHIPS, more_images=1)  # a gallery


def answer(library: Library, request: Browse, press: Press) -> Answer:
    """Answer a press.

    Raises:
        ValueError: A checkpoint or an image is gone.
    """
    if press.address and not request.own_modality:  # an address names no image, so it shows the data's query
        request = request.model_copy(update={"own_image": ""})
    if press.do == "own-add":
        return Answer(request, {"own-news": news(library, press.detail.get("file"))})
    names, corruption = compared(library, request.checkpoint, *request.compare), request.terms.corruption
    ready = all(library.ready(name, request.data, corruption) for name in names)
    if not ready and (late := press.wait_for_embeddings(library, names, request.data, corruption)):
        return embedding(request, press, *late)
    own = bool(request.own_image or press.detail.get("gallery"))
    if press.do in PICKS and not own:
        request = request.model_copy(update={"query": pick(library, request, press.do)})
    elif press.do == "open" and press.chosen and press.chosen != request.query and not own:
        request = with_query(library, request, press.chosen)
    keys = [item.key for item in listed(library, request)]
    if keys and request.query not in keys:  # the filters exclude it
        request = request.model_copy(update={"query": keys[0]})
    if own:
        return own_answer(library, request, names, press)
    shown = keys.index(request.query) // PAGE_SIZE if keys else 0
    if press.do != "page":
        return ranking(library, request, names, shown, press)
    wanted = press.detail.get("page")
    if isinstance(wanted, int):
        shown = min(max(wanted, 0), (len(keys) - 1) // PAGE_SIZE)
    return Answer(request, {"query-browser": queries(library, request, shown)})


def embedding(request: Browse, press: Press, progress: Progress, words: str) -> Answer:
    """Answer with the progress of the embedding."""
    if not (press.values.get("query") or "query=" in press.address):  # a query is chosen once scores are there
        request = request.model_copy(update={"query": ""})
    pieces: dict[str, str | Piece] = {
        "retrieval-progress": words,
        "retrieval-own": Piece((request.own_image, request.own_modality), lambda: chooser(request)),
    }
    undone = press.do if press.do in (*PICKS, "why") else ""
    return Answer.late(request, progress, pieces, undone)


def ranking(library: Library, request: Browse, names: Sequence[str], shown: int, press: Press) -> Answer:
    """Draw the ranking by every checkpoint, the scores, and the page of queries that holds the query."""
    data, terms, fields = request.data, request.terms, request.model_dump(exclude={"query"})
    protocol = queries_of(library, dict(request)).rule
    countable = all(library.countable(name, data, terms) for name in names)
    scored = countable and (press.do in ("again", "why") or all(library.scored(name, data, terms) for name in names))
    result, sides = compare(library, request, names[1:], with_left_out=request.left_out)
    clean = request.model_copy(update={"corruption": ""}) if request.corruption else None
    reason = why(library, request, names, press.detail) if press.do == "why" else None
    results = [result, *(side.result for side in sides)]
    images = {one.image for each in results for one in (each.query, *each.results, *each.left_out_images)}
    drawn = html(
        "ranking.html",
        why=reason,
        result=result,
        rows=[(each, row_of(each) if each.left_out_images else each.results) for each in results],
        sides=sides,
        direction=terms.direction,
        entries={name: library.checkpoints[name] for name in names},
        protocol=protocol,
        uris={key: library.thumbnail(data, key, CARD_HEIGHT, terms.corruption) for key in images},
        note=library.budget_note(names),
        partner=library.checkpoints.partners[request.checkpoint],
        clean_result=retrieve(library, clean) if clean else None,
    )
    turned = {"direction", "query"} <= set(press.changed) and not protocol.published and not terms.direction.published
    notices = [TURNED] * turned + [GONE] * (press.do == "why" and reason is None)
    return Answer(
        request,
        {
            "retrieval-progress": Piece("", str),
            "ranking": drawn,
            "retrieval-scores": Piece(
                (names, data, terms, scored), lambda: draw(library, names if scored else (), data, terms, countable)
            ),
            "retrieval-own": Piece((request.own_image, request.own_modality), lambda: chooser(request)),
            "query-browser": Piece((fields, shown), lambda: queries(library, request, shown)),
        },
        say=f"Maps are laid over the query and {reason['image']}." if reason else summary(result),
        chosen=request.query,
        notice=" ".join(notices),
        again=0 if scored or not countable else SOON,
    )


def with_query(library: Library, request: Browse, key: str) -> Browse:
    """Make an image from another tab the query, in the direction that fits its modality.

    Raises:
        ValueError: No protocol of these data has the image as a query.
    """
    collection = library.collections[request.data]
    for name in dict.fromkeys((request.protocol, *collection.protocols)):
        for way in Direction:
            if key in collection.query_sets[name, way].rows:
                changes = {"query": key, "direction": way.value, "protocol": name, "pid": 0, "camid": 0}
                return Browse.repair({**request.model_dump(), **changes}, library)[0]
    return request


def queries(library: Library, request: Browse, page: int) -> str:
    """Draw one page of the query browser."""
    items, corruption = listed(library, request), request.terms.corruption
    shown, scored = items[page * PAGE_SIZE : (page + 1) * PAGE_SIZE], request.order in BY_SCORE
    return html(
        "queries.html",
        items=shown,
        uris={one.key: library.thumbnail(request.data, one.key, STRIP_HEIGHT, corruption) for one in shown},
        page=page,
        first=page * PAGE_SIZE,
        total=len(items),
        selected=request.query,
        here=any(one.key == request.query for one in shown),
        modality=request.terms.direction.query_modality.value,
        scored=scored,
    )


def row_of(result: Result) -> list[Ranked | LeftOut]:
    """Merge the left-out images into the ranked ones, each where it would be ranked."""

    def place(one: Ranked | LeftOut) -> float:
        return one.after + 0.5 if isinstance(one, LeftOut) else one.rank

    return sorted([*result.results, *result.left_out_images], key=place)


def summary(result: Result) -> str:
    """Describe a ranking in a sentence for screen readers."""
    note = f"{result.note} " if result.note else ""
    if result.first_hit is None or result.average_precision is None:
        return f"{note}The gallery holds no image of person {result.query.pid}."
    return (
        f"{note}Ranked for person {result.query.pid}: first match at rank {result.first_hit},"
        f" average precision {100 * result.average_precision:.1f} percent."
    )


def write(library: Library, request: Browse, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: As `app.retrieval.export.write`.
    """
    from app.retrieval import export  # here: Matplotlib takes a second to load

    return export.write(library, request, options, what, kind, press)
