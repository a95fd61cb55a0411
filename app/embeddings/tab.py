"""The Embeddings tab: its pieces of HTML, and the answer to every press."""

import base64
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import gradio as gr
import numpy as np
from gradio.components.plot import PlotData

from app.embeddings import numbers
from app.embeddings.project import Mark, Point, Result, find, key_of, legend, method_words, numbered, project
from app.embeddings.projector import Report, shared_projector
from app.embeddings.request import COLOURED_BY, MARKS, MODALITIES, NOBODY, PALETTES, Project, View, select
from app.library import Library
from app.library.background import Progress
from app.library.thumbnails import CARD_HEIGHT, STRIP_HEIGHT
from app.shared.export import Options
from app.shared.html import draw_progress, html
from app.shared.tab import POLL, Answer, Export, File, Menu, Page, Piece, Press
from app.theme import script
from mun.evaluation.separation import BANDWIDTH, BINS, MAX_DISTANCE, Separation
from mun.structures import Modality

__all__ = ["answer", "build", "hovered", "write"]

MAX_SHOWN = 60  # selected images that are drawn; the table has them all
COLUMNS = {"x": "<f4", "y": "<f4", "pid": "<u4", "camid": "<u2"}  # of the points, as the page unpacks them
NAMES = ("progress", "tools", "picture", "chosen", "selected", "numbers")
SETTINGS = {
    "Picture": ("method", "compare", "space"),
    "Images": ("identities", "people", "images"),
    "Auxiliary points": ("auxiliary", "pairing", "untrained", "controls"),
    "Layout": ("perplexity", "neighbors", "min_dist", "metric", "seed"),
}
CHIPS = tuple(name for names in SETTINGS.values() for name in names)
MENUS = (
    Menu("Pictures", "pictures", ("png", "pdf", "svg")),
    Menu("Points", "points", ("csv",)),
    Menu("Selected points", "selected", ("csv",)),
    Menu("Numbers", "numbers", ("csv", "latex")),
)


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("embeddings", "Embeddings") as tab:
        with gr.Column(elem_id="embeddings"):
            codes = {"picture": script("embeddings.js")}
            pieces = {name: tab.piece(f"embeddings-{name}", script=codes.get(name, "")) for name in NAMES}
        gr.Plot(PlotData(type="plotly", plot='{"data": [], "layout": {}}'), visible="hidden")  # it loads Plotly
        tab.tip(View, hovered)
        tab.wire(View, answer, pieces, Export(MENUS, Options, write), SETTINGS, CHIPS)


Make = Callable[[Library, Project, Report], object]


def work(library: Library, press: Press, kind: str, make: Make, side: Project, *, fleeting: bool = True) -> Progress:
    """Compute a cached result in the background, one of each kind at a time, and return its progress."""
    key = numbers.name_in_cache(library, kind, side)
    run = partial(make, library, side, partial(library.background.report, key))
    return press.wait_for(library, key, run, kind=kind, fleeting=fleeting)


def answer(library: Library, request: View, press: Press) -> Answer:
    """Answer a press.

    Raises:
        ValueError: A checkpoint cannot show the projection, or an image is gone.
    """
    if press.do == "open":
        shared_projector().warm_up()
    if {*Project.model_fields, "compare"} & set(press.changed):
        request = request.model_copy(update={"point": NOBODY, "selected": ""})
    if press.do == "add":
        request = with_image(library, request, press.chosen)
    sides = request.sides(library)
    for side in sides:
        find(library, side)  # puts a bundled picture into the cache
    progress = [work(library, press, "project", project, side) for side in sides]
    if not all(one.ready for one in progress):
        late = [one for one in progress if not one.ready]
        seen = next((one for one in late if one.ended), next((one for one in late if one.total), late[0]))
        return Answer.late(request, seen, {"progress": progress_of(library, sides, progress, seen)})
    results = [project(library, one) for one in sides]
    request = with_point(request, results, press)
    at, row = min(request.side, len(results) - 1), request.point
    # A bundled picture comes without its points: embed them now, so that a click need not wait.
    embedded = [work(library, press, "points", numbers.points, one, fleeting=False) for one in sides]
    known = embedded[at] if row != NOBODY else Progress(ready=True)
    columns, missing, waiting = measured = numbers_of(library, request, results, press)
    point = results[at].points[row] if row != NOBODY else None
    absent = press.chosen if point is None and not rows_of(results[0], press.chosen) else ""
    rows = [one for one in request.rows() if one < len(results[at].points)]
    content = [key_of(library, one) for one in sides]
    chosen = (at, row, known, absent)
    looks = (content, request.colour, request.lines, request.prototypes, request.seed)
    pieces = {
        "progress": Piece("", str),
        "tools": Piece(looks, lambda: tools_of(request, results)),
        "picture": Piece(content, lambda: picture_of(library, results)),
        "chosen": Piece((content, chosen), lambda: chosen_of(library, results, *chosen)),
        "selected": Piece((content[at], rows), lambda: selected_of(library, results[at], at, rows)),
        "numbers": Piece((content, measured), lambda: numbers_html(results, columns, missing, waiting)),
    }
    return Answer(
        request,
        pieces,
        say="" if press.do == "again" else f"{method_words(sides[0])} of {len(results[0].points)} points is drawn",
        chosen=point.image if point and (press.do in ("open", "random") or "point" in press.changed) else "",
        again=0 if known.ended and not waiting else POLL,
    )


def rows_of(result: Result, key: str) -> list[int]:
    """List the rows of the points of an image."""
    return [row for row, point in enumerate(result.points) if point.image == key]


def with_point(request: View, results: Sequence[Result], press: Press) -> View:
    """Choose a point or select points if the press asks for it; drop a chosen point that does not exist."""
    drawn = results[min(request.side, len(results) - 1)].points
    if press.do == "open" and (rows := rows_of(results[0], press.chosen)):
        return request.model_copy(update={"side": 0, "point": rows[0]})
    if press.do == "random":
        pids = sorted({point.pid for point in drawn} - {drawn[request.point].pid if request.point != NOBODY else None})
        pid = random.SystemRandom().choice(pids or [drawn[0].pid])
        return request.model_copy(update={"point": next(row for row, point in enumerate(drawn) if point.pid == pid)})
    if press.do == "person" and request.point != NOBODY:
        return request.selecting(row for row, point in enumerate(drawn) if point.pid == drawn[request.point].pid)
    return request if request.point < len(drawn) else request.model_copy(update={"point": NOBODY})


def with_image(library: Library, request: View, key: str) -> View:
    """Request enough people and images that an image is among those shown, and choose its point.

    Raises:
        ValueError: The data do not hold the image.
    """
    collection = library.collections[request.data]
    if key not in collection.rows:
        raise ValueError("expected an image of the data that are shown here")
    sample, shown = collection.samples[collection.rows[key]], select(collection, request)
    pids = list(dict.fromkeys(one.pid for one in shown))
    if sample.pid not in pids:
        people = ", ".join(map(str, [sample.pid, *pids[: max(1, len(pids) - 1)]]))
        request = request.model_copy(update={"people": people})
    if not any(one.key == key for one in select(collection, request)):
        request = request.model_copy(update={"images": 50})
    keys = [one.key for one in select(collection, request)]
    return request.model_copy(update={"side": 0, "point": keys.index(key), "selected": ""})


def progress_of(library: Library, sides: Sequence[Project], progress: Sequence[Progress], seen: Progress) -> str:
    """Draw the progress of the pictures, with the bar of `seen`, or say that they were stopped or have failed."""
    words = "; ".join(
        f"{library.checkpoints[side.checkpoint].label}: {one.words or 'almost ready'}"
        for side, one in zip(sides, progress, strict=True)
        if not one.ready
    )
    stopped = ("The projection was stopped", "Nothing is kept.")
    return draw_progress(seen, "The points are being laid out", f"{words}.", "There is no picture", stopped)


def tools_of(request: View, results: Sequence[Result]) -> str:
    """Draw the legend, and the controls that change how points look without a new layout."""
    there = {point.modality for result in results for point in result.points}
    palette = dict(zip(MODALITIES, PALETTES["modality"], strict=True)) if request.colour == "modality" else {}
    shapes = [(MARKS[one], one.value, palette.get(one, "")) for one in MODALITIES if one in there]
    entries, people = legend(results[0].points, request.colour), {point.pid for point in results[0].points}
    more = len(people) - len(entries) if request.colour == "identity" else 0
    return html(
        "embeddings_tools.html", request=request, colours=COLOURED_BY, shapes=shapes, entries=entries, more=more
    )


def picture_of(library: Library, results: Sequence[Result]) -> str:
    """Draw the frames of the pictures, with the data that the page's script draws in them."""
    return html(
        "embeddings_picture.html",
        results=results,
        entries=library.checkpoints,
        condition=numbers.condition,
        method_words=method_words,
        columns_of=columns_of,
        palettes=PALETTES,
    )


def columns_of(result: Result) -> dict[str, Any]:
    """Pack the points for the page, 16 bytes each, as columns in base64, and the places of the marks."""

    def packed(values: Sequence[float], kind: str) -> str:
        return base64.b64encode(np.array(values, dtype=kind).tobytes()).decode()

    def place(mark: Mark) -> tuple[float, float, int]:
        return mark.x, mark.y, MODALITIES.index(Modality(mark.modality))

    return {
        **{name: packed([getattr(point, name) for point in result.points], kind) for name, kind in COLUMNS.items()},
        **{name: packed(numbered(result.points, name), "u1") for name in ("modality", "correct")},
        "centers": [[place(mark) for mark in line] for line in result.lines],
        "prototypes": [place(mark) for mark in result.prototypes],
        "axes": result.axes,
    }


def images_of(library: Library, result: Result, row: int, height: int) -> tuple[Point, list[str]]:
    """Return a point and the thumbnails of its image, or of its pair."""
    point = result.points[row]
    keys = [key for key in (point.image, point.partner) if key]
    return point, [library.thumbnail(result.request.data, key, height) for key in keys]


def hovered(library: Library, request: View, press: Press) -> str:
    """Draw the image of the point under the mouse; empty if there is none."""
    sides, side, row = request.sides(library), press.detail.get("side"), press.detail.get("row")
    if not (isinstance(side, int) and isinstance(row, int) and 0 <= side < len(sides) and row >= 0):
        return ""
    result = find(library, sides[side])
    if result is None or row >= len(result.points):
        return ""
    point, uris = images_of(library, result, row, STRIP_HEIGHT)
    return html("embeddings_tip.html", point=point, mark=MARKS[point.modality], uris=uris, side=side, row=row)


def chosen_of(library: Library, results: Sequence[Result], side: int, row: int, known: Progress, absent: str) -> str:
    """Draw the chosen point: its image, its person, its nearest points before projection, and menus to choose."""
    result = results[side]
    point, uris = images_of(library, result, row, CARD_HEIGHT) if row != NOBODY else (None, [])
    near, made, problem = list[numbers.Neighbor](), "", known.problem
    if point and known.ready:
        try:
            near = numbers.neighbors(library, result.request, row)
            made = numbers.generated(library, result.request, row)
        except ValueError as error:  # the picture is bundled, and its points cannot be embedded now
            problem = str(error)
    collection = library.collections[result.request.data]
    people = {one.pid: number for number, one in reversed(list(enumerate(result.points)))}
    return html(
        "embeddings_chosen.html",
        names=list(enumerate(one.request.checkpoint for one in results)),
        request=result.request,
        side=side,
        row=row,
        point=point,
        marks=MARKS,
        uris=uris,
        made=made,
        near=[(one, *images_of(library, result, one.row, STRIP_HEIGHT)) for one in near],
        waiting=not known.ended,
        problem=problem,
        people=sorted((number, pid) for pid, number in people.items()),
        own=[(number, f"{one.modality}, {one.image}") for number, one in enumerate(result.points)
             if point and one.pid == point.pid],
        away=collection.samples[collection.rows[absent]].pid if absent in collection.rows else None,
    )  # fmt: skip


def selected_of(library: Library, result: Result, side: int, rows: Sequence[int]) -> str:
    """Draw the points inside a lasso: how many of each kind, and their images."""
    drawn = [result.points[row] for row in rows]
    shown = [(row, *images_of(library, result, row, STRIP_HEIGHT)) for row in rows[:MAX_SHOWN]]
    return html("embeddings_selected.html", drawn=drawn, shown=shown, side=side, marks=MARKS, request=result.request)


Columns = list[tuple[Project, Separation]]


def numbers_of(library: Library, request: View, results: Sequence[Result], press: Press) -> tuple[Columns, str, bool]:
    """Return the numbers of pictures and controls, why a control is missing, and whether one is being computed."""
    columns = [(result.request, result.separation) for result in results]
    if not request.controls:
        return columns, "", False
    controls, missing = numbers.controls_of(library, [result.request for result in results])
    progress = [work(library, press, "separation", numbers.measure, control) for control in controls]
    missing = next((one.problem for one in progress if one.problem), missing)
    ready = [control for control, one in zip(controls, progress, strict=True) if one.ready]
    columns += [(control, numbers.measure(library, control)) for control in ready]
    return columns, missing, not all(one.ended for one in progress)


def numbers_html(results: Sequence[Result], columns: Columns, missing: str, waiting: bool) -> str:
    """Draw the table of numbers and the histograms of distances, whose bins are cut at 14 % of the pairs."""
    return html(
        "embeddings_numbers.html",
        results=results,
        columns=[(request.checkpoint, numbers.condition(request)) for request, _ in columns],
        rows=[(name, words, [read(measured) for _, measured in columns]) for name, words, read in numbers.ROWS],
        missing=missing,
        waiting=waiting,
        bandwidth=BANDWIDTH,
        step=MAX_DISTANCE / BINS,
        people=len({point.pid for point in results[0].points}),
    )


def write(library: Library, request: View, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: The pictures are not drawn yet, or no points are selected.
    """
    from app.embeddings import figure  # here: Matplotlib takes a second to load

    sides = [find(library, side) for side in request.sides(library)]
    results = [one for one in sides if one is not None]
    if len(results) < len(sides):
        raise ValueError("expected pictures to export, but they are not drawn yet")
    stem = figure.stem_of(results)
    if what == "pictures":
        return File.of(stem, kind, figure.write_figure(library, request, results, kind, options.width, press.url))
    if what == "numbers":
        columns, _, waiting = numbers_of(library, request, results, replace(press, do=""))
        if waiting:
            raise ValueError("expected the numbers of the controls, but they are still being computed")
        table = figure.numbers_table(library, results, columns, kind, press.url)
        return File.of(f"numbers-{stem}", kind, table)
    if what == "points":
        return File.of(stem, kind, figure.points_csv(library, results, None, press.url))
    if not (rows := request.rows()):
        raise ValueError("expected selected points; draw a lasso round some first")
    chosen = results[min(request.side, len(results) - 1)]
    return File.of(f"selected-{stem}", kind, figure.points_csv(library, [chosen], rows, press.url))
