"""Buttons that take maps home: raw values as NPZ, the row as PNG or PDF. Wiring only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from app.actions import explain
from app.actions.explain_export import KINDS, maps_npz, row_figure, stem_of
from app.downloads import as_download
from app.explain_views import ExplainVisit
from app.library import Library
from app.tabs.take_home import DOWNLOAD

__all__ = ["build_take_home", "write"]

EVENT: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "export", "api_visibility": "private"}
NOTE = """<h2>Take these maps home</h2>
<p class="mun-note mun-take-note">The raw values as NPZ (float32, at the layer's resolution and enlarged), or the row as
a figure, 300 dots per inch; each file says what made it and how to make it again.</p>"""


def write(library: Library, visit: ExplainVisit, kind: str) -> str:
    """Write the maps of a visit as a file that the browser may fetch; its path.

    Raises:
        gr.Error: Nothing was drawn yet, or the maps cannot be made.
    """
    try:
        if not (visit.turn and visit.request.image and library.ready(visit.request.checkpoint, visit.request.data)):
            raise ValueError("expected maps to take home, but none are drawn yet")
        result = explain.run(library, visit.request)
        data = maps_npz(library, result) if kind == "npz" else row_figure(library, result, kind, visit.scale)
        return as_download(f"{stem_of(result)}.{kind}", data)
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None


def build_take_home(library: Library, state: gr.State) -> None:
    """Lay out the buttons and wire them.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """

    def writer(kind: str) -> Callable[[ExplainVisit], str]:
        return lambda visit: write(library, visit, kind)

    gr.HTML(NOTE, apply_default_css=False)
    with gr.Row(elem_classes="mun-take-home"):
        for kind in KINDS:
            button = gr.Button(kind.upper(), size="md", min_width=80, elem_id=f"explain-take-{kind}")
            file = gr.DownloadButton(visible="hidden", elem_id=f"explain-file-{kind}")
            written = button.click(writer(kind), [state], [file], show_progress_on=[button], **EVENT)
            written.success(None, js=DOWNLOAD.format(f"explain-file-{kind}"), api_visibility="private")
