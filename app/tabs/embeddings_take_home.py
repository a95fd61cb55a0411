"""Buttons that take the pictures home, and the selected points as a table. Wiring only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from app.actions import project
from app.actions.project_bundle import find
from app.actions.project_export import KINDS, figure_file, file_stem, points_csv
from app.downloads import as_download
from app.embedding_visit import EmbeddingVisit
from app.library import Library

__all__ = ["build_selection_export", "build_take_home", "write", "write_selection"]

EVENT: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "export", "api_visibility": "private"}
NOTE = """<h2>Take this view home</h2>
<p class="mun-note mun-take-note">A figure for a paper, with everything that must stand on it, or all points as a
table.</p>"""
# The browser downloads what a component holds; by then the answer has arrived, and one frame later it is in the page.
DOWNLOAD = "() => setTimeout(() => document.querySelector('#{0}, #{0} button, #{0} a').click(), 60)"


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
    try:
        results = drawn(library, visit)
        if kind == "csv":
            data = points_csv(library, results).encode()
        else:
            looks: dict[str, Any] = {"colour": visit.colour, "lines": visit.lines, "prototypes": visit.prototypes}
            data = figure_file(library, results, kind, **looks)
        return as_download(f"{file_stem(results)}.{kind}", data)
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None


def write_selection(library: Library, visit: EmbeddingVisit) -> str:
    """Write the selected points as a table; its path.

    Raises:
        gr.Error: Nothing is selected, or the pictures are not drawn yet.
    """
    try:
        side, rows = visit.selected
        results = drawn(library, visit)
        if not rows or side >= len(results):
            raise ValueError("draw round some points first, with the lasso or the box above the picture")
        data = points_csv(library, [results[side]], rows).encode()
        return as_download(f"selected-{file_stem([results[side]])[:70]}.csv", data)
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None


def button_for(words: str, name: str, write_file: Callable[[EmbeddingVisit], str], state: gr.State) -> None:
    """Make a button that writes a file and hands it to the browser."""
    button = gr.Button(words, size="md", min_width=80, elem_id=f"embedding-take-{name}")
    file = gr.DownloadButton(visible="hidden", elem_id=f"embedding-file-{name}")
    written = button.click(write_file, [state], [file], show_progress_on=[button], **EVENT)
    written.success(None, js=DOWNLOAD.format(f"embedding-file-{name}"), api_visibility="private")


def build_selection_export(library: Library, state: gr.State) -> None:
    """Lay out the button that takes the selected points home.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """
    with gr.Row(elem_classes="mun-take-home"):
        button_for("Selected points as CSV", "selection", lambda visit: write_selection(library, visit), state)


def build_take_home(library: Library, state: gr.State) -> None:
    """Lay out the buttons that take the pictures home.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """

    def writer(kind: str) -> Callable[[EmbeddingVisit], str]:
        return lambda visit: write(library, visit, kind)

    gr.HTML(NOTE, apply_default_css=False)
    with gr.Row(elem_classes="mun-take-home"):
        for kind in KINDS:
            button_for(kind.upper(), kind, writer(kind), state)
