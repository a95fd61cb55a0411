"""What a visitor sees in the Embeddings tab: from results to pieces of HTML, without Gradio."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.actions.embeddings.jobs import Status
from app.actions.embeddings.points import Neighbor
from app.actions.embeddings.project import Point, Request, Result
from app.actions.embeddings.words import METHODS
from app.cards import render
from app.figures.embedding_palette import MODALITIES, NEUTRAL, legend_of
from app.library import Library
from app.library.thumbnails import CARD_HEIGHT, STRIP_HEIGHT, encoded
from app.views.embeddings_visit import EmbeddingVisit, write
from mun.images import read_image, resize

__all__ = [
    "MAX_SHOWN",
    "chosen_html",
    "data_html",
    "error_html",
    "head_html",
    "selection_html",
    "status_html",
    "words_html",
    "working_html",
]

MAX_SHOWN = 60  # selected images that are drawn; the table has them all
COLUMNS = 40  # thumbnails in a row of the sheet
TALL, SMALL, MANY = 96, 56, 600  # pixels of a thumbnail, and with how many images it becomes small
SHAPES = {"visible": "●", "auxiliary": "▲", "infrared": "■"}


@dataclass(frozen=True)
class Sheet:
    """All thumbnails in one image: its URI, the place of each key, and the pixels of one."""

    uri: str
    cells: dict[str, int]
    width: int
    height: int


def sheet(library: Library, result: Result) -> Sheet:
    """Put the shown images into one JPEG, once for everybody; a broken image leaves its place dark."""
    collection = library.collections[result.request.data]
    keys = list(dict.fromkeys(point.image for point in result.points if point.modality != "auxiliary"))

    def draw() -> Sheet:
        height = TALL if len(keys) <= MANY else SMALL
        width, rows = height // 2, -(-len(keys) // COLUMNS)
        canvas: NDArray[np.uint8] = np.zeros((rows * height, min(COLUMNS, len(keys)) * width, 3), dtype=np.uint8)
        for cell, key in enumerate(keys):
            row, column = divmod(cell, COLUMNS)
            try:
                image = resize(read_image(collection.samples[collection.rows[key]].path), height, width)
            except (ValueError, OSError):
                continue
            canvas[row * height : (row + 1) * height, column * width : (column + 1) * width] = image
        return Sheet(encoded(canvas), {key: cell for cell, key in enumerate(keys)}, width, height)

    key = ("sheet", collection.content, tuple(keys))
    return library.cache.get(key, draw, lambda made: len(made.uri) + 100 * len(keys))


def data_html(library: Library, results: Sequence[Result], turn: int) -> str:
    """Hand the browser what it needs to show images at points, and the menus that choose a point without a mouse."""
    drawn = sheet(library, results[0])

    def facts(point: Point) -> list[object]:
        return [
            point.modality,
            point.pid,
            point.camid,
            point.image,
            drawn.cells.get(point.image, -1),
            drawn.cells.get(point.partner, -1),
            point.x,
            point.y,
        ]

    value = {
        "sheet": {"uri": drawn.uri, "columns": COLUMNS, "width": drawn.width, "height": drawn.height},
        "sides": [[facts(point) for point in result.points] for result in results],
        "names": [result.request.checkpoint for result in results],
    }
    people = list(dict.fromkeys(point.pid for point in results[0].points))
    return render("embedding_data.html", data=json.dumps(value), people=people, names=value["names"], turn=turn)


def status_html(results: Sequence[Result], visit: EmbeddingVisit) -> str:
    """Say what is shown, with the legend."""
    colours = legend_of(results[0].points, visit.colour)
    modalities = list(dict.fromkeys(point.modality for result in results for point in result.points))
    shapes = [
        (SHAPES[name], name, MODALITIES[name] if visit.colour == "modality" else NEUTRAL)
        for name in MODALITIES
        if name in modalities
    ]
    people = len({point.pid for point in results[0].points})
    say = f"{METHODS[visit.request.method]} of {len(results[0].points)} points is drawn"
    return render(
        "embedding_status.html",
        state="ready",
        visit=visit,
        link=write(visit),
        say=say,
        shapes=shapes,
        colours=colours,
        more=people - len(colours) if visit.colour == "identity" else 0,
        words="",
        action="",
    )


def working_html(statuses: Sequence[Status], visit: EmbeddingVisit) -> str:
    """Say how far the pictures are, or that they were stopped."""
    stopped = any(status.stopped for status in statuses)
    words = "; ".join(status.words for status in statuses if status.words) or "almost ready"
    return render(
        "embedding_status.html",
        state="stopped" if stopped else "working",
        visit=visit,
        link="",
        say="The projection was stopped" if stopped else "",
        shapes=(),
        colours=(),
        more=0,
        words="The projection was stopped." if stopped else f"Working: {words}.",
        action="start" if stopped else "stop",
    )


def error_html(words: str, visit: EmbeddingVisit) -> str:
    """Say in a sentence why there is no picture."""
    plain = words.strip().rstrip(".")
    return render(
        "embedding_status.html",
        state="error",
        visit=visit,
        link="",
        say="",
        shapes=(),
        colours=(),
        more=0,
        words=f"{plain[:1].upper()}{plain[1:]}.",
        action="",
    )


def head_html(result: Result, turn: int) -> str:
    """Head one picture with the checkpoint's name."""
    return render("embedding_head.html", name=result.request.checkpoint, turn=turn)


def words_html(result: Result, turn: int) -> str:
    """Write what must stand on a picture, below it."""
    return render("embedding_words.html", sentence=result.sentence, kept=result.kept, turn=turn)


def picture(library: Library, request: Request, key: str, height: int) -> str:
    """Return a thumbnail by its key; empty where there is none."""
    collection = library.collections[request.data]
    return library.thumbnail(request.data, collection.samples[collection.rows[key]], height) if key else ""


def chosen_html(
    library: Library, result: Result, side: int, row: int, near: Sequence[Neighbor], made: str, turn: int
) -> str:
    """Show a point: its image, whom it shows, and its nearest points in the true space.

    Args:
        library: What all visitors share.
        result: The picture.
        side: 0 for the left picture, 1 for the right one.
        row: Of the point.
        near: Its neighbours.
        made: The generated image of an auxiliary point as a data URI, or an empty string.
        turn: Number of the answer.
    """
    request, point = result.request, result.points[row]

    def uri(key: str, height: int) -> str:
        return picture(library, request, key, height)

    neighbors = [
        {
            "point": result.points[one.row],
            "row": one.row,
            "distance": one.distance,
            "uri": uri(result.points[one.row].image, STRIP_HEIGHT),
            "partner": uri(result.points[one.row].partner, STRIP_HEIGHT),
            "same": result.points[one.row].pid == point.pid,
        }
        for one in near
    ]
    return render(
        "embedding_chosen.html",
        point=point,
        side=side,
        row=row,
        shape=SHAPES[point.modality],
        shapes=SHAPES,
        uri=uri(point.image, CARD_HEIGHT),
        partner=uri(point.partner, CARD_HEIGHT),
        made=made,
        neighbors=neighbors,
        measure="cosine distance, 1 - cos," if request.metric == "cosine" else "Euclidean distance",
        space="embeddings" if request.space == "embedding" else "features",
        name=request.checkpoint,
        turn=turn,
    )


def selection_html(library: Library, result: Result, rows: Sequence[int], turn: int) -> str:
    """Show the points inside a lasso: how many of what, and their images."""
    points = [result.points[row] for row in rows]
    counts = {name: sum(point.modality == name for point in points) for name in SHAPES}
    shown = [
        (point, row, picture(library, result.request, point.image, STRIP_HEIGHT))
        for point, row in zip(points[:MAX_SHOWN], rows, strict=False)
    ]
    return render(
        "embedding_selection.html",
        total=len(points),
        people=len({point.pid for point in points}),
        counts=counts,
        shown=shown,
        shapes=SHAPES,
        name=result.request.checkpoint,
        turn=turn,
    )
