"""Buttons that take the pictures home, and the selected points as a table. Wiring only."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from app.actions.embeddings import project
from app.actions.embeddings.bundle import find
from app.actions.embeddings.export import KINDS, figure_file, file_stem, points_csv
from app.errors import plain_errors
from app.library import Library
from app.server.downloads import as_download
from app.tabs.take_home import take_home_button, take_home_row
from app.views.embeddings_visit import EmbeddingVisit

__all__ = ["build_selection_export", "build_take_home", "write", "write_selection"]

NOTE = """<h2>Take this view home</h2>
<p class="mun-note mun-take-note">A figure for a paper, with everything that must stand on it, or all points as a
table.</p>"""


def drawn(library: Library, visit: EmbeddingVisit) -> list[project.Result]:
    """Return the pictures of a visit.

    Raises:
        ValueError: They are not drawn yet, or cannot be.
    """
    found = [find(library, request) for request in visit.checked(library)]
    results = [result for result in found if result is not None]
    if len(results) < len(found):
        raise ValueError("expected pictures to take home, but they are not drawn yet")
    return results


def write(library: Library, visit: EmbeddingVisit, kind: str) -> str:
    """Write a visit's pictures as a file that the browser may fetch; its path.

    Args:
        library: What all visitors share.
        visit: Whose pictures.
        kind: One of `KINDS`.

    Raises:
        gr.Error: The pictures are not drawn yet.
    """
    with plain_errors():
        results = drawn(library, visit)
        if kind == "csv":
            data = points_csv(library, results).encode()
        else:
            looks: dict[str, Any] = {"colour": visit.colour, "lines": visit.lines, "prototypes": visit.prototypes}
            data = figure_file(library, results, kind, **looks)
        return as_download(f"{file_stem(results)}.{kind}", data)


def write_selection(library: Library, visit: EmbeddingVisit) -> str:
    """Write the selected points as a table; its path.

    Raises:
        gr.Error: Nothing is selected, or the pictures are not drawn yet.
    """
    with plain_errors():
        side, rows = visit.selected
        results = drawn(library, visit)
        if not rows or side >= len(results):
            raise ValueError("draw round some points first, with the lasso or the box above the picture")
        data = points_csv(library, [results[side]], rows).encode()
        return as_download(f"selected-{file_stem([results[side]])[:70]}.csv", data)


def build_selection_export(library: Library, state: gr.State) -> None:
    """Lay out the button that takes the selected points home.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """
    with gr.Row(elem_classes="mun-take-home"):
        button = gr.Button("Selected points as CSV", size="md", min_width=80, elem_id="embedding-take-selection")
        take_home_button(button, "embedding-file-selection", partial(write_selection, library), [state])


def build_take_home(library: Library, state: gr.State) -> None:
    """Lay out the buttons that take the pictures home.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """
    take_home_row("embedding-", NOTE, KINDS, partial(write, library), [state])
