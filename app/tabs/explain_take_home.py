"""Buttons that take maps home: raw values as NPZ, the row as PNG or PDF. Wiring only."""

from __future__ import annotations

from functools import partial

import gradio as gr

from app.actions.explain import explain
from app.actions.explain.export import KINDS, maps_npz, row_figure, stem_of
from app.errors import plain_errors
from app.library import Library
from app.server.downloads import as_download
from app.tabs.take_home import take_home_row
from app.views.explain import ExplainVisit

__all__ = ["build_take_home", "write"]

NOTE = """<h2>Take these maps home</h2>
<p class="mun-note mun-take-note">The raw values as NPZ (float32, at the layer's resolution and enlarged), or the row as
a figure, 300 dots per inch; each file says what made it and how to make it again.</p>"""


def write(library: Library, visit: ExplainVisit, kind: str) -> str:
    """Write the maps of a visit as a file that the browser may fetch; its path.

    Raises:
        gr.Error: Nothing was drawn yet, or the maps cannot be made.
    """
    with plain_errors():
        if not (visit.turn and visit.request.image and library.ready(visit.request.checkpoint, visit.request.data)):
            raise ValueError("expected maps to take home, but none are drawn yet")
        result = explain.run(library, visit.request)
        data = maps_npz(library, result) if kind == "npz" else row_figure(library, result, kind, visit.scale)
        return as_download(f"{stem_of(result)}.{kind}", data)


def build_take_home(library: Library, state: gr.State) -> None:
    """Lay out the buttons and wire them.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """
    take_home_row("explain-", NOTE, KINDS, partial(write, library), [state])
