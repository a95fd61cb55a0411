"""Buttons that take the auxiliary images of a pair home: a figure as PNG or PDF, the numbers as CSV. Wiring only."""

from __future__ import annotations

from functools import partial

import gradio as gr

from app.actions.auxiliary import auxiliary
from app.actions.auxiliary.export import KINDS, panel_csv, panel_figure, stem_of
from app.errors import plain_errors
from app.library import Library
from app.server.downloads import as_download
from app.tabs.auxiliary_answer import Held
from app.tabs.take_home import take_home_row
from app.views.auxiliary import AuxiliaryVisit

__all__ = ["build_take_home", "write"]

NOTE = """<h2>Take this panel home</h2>
<p class="mun-note mun-take-note">Every image, number and setting above, 300 dots per inch; each file says which
checkpoints, pair and seed made it and how to make it again.</p>"""


def write(library: Library, visit: AuxiliaryVisit, held: Held, kind: str) -> str:
    """Write the panel of a visit as a file that the browser may fetch; its path.

    Ranks of a checkpoint whose galleries are not embedded yet are left out.

    Raises:
        gr.Error: The panel cannot be made.
    """
    with plain_errors():
        if not visit.turn:
            raise ValueError("expected a panel to take home, but nothing was drawn yet")
        own = (held.visible, held.infrared)
        result = auxiliary.run(library, visit.request, own, wait=False)
        data = panel_csv(library, result).encode() if kind == "csv" else panel_figure(library, result, kind)
        return as_download(f"{stem_of(result)}.{kind}", data)


def build_take_home(library: Library, state: gr.State, held: gr.State) -> None:
    """Lay out the buttons and wire them.

    Args:
        library: What all visitors share.
        state: Holds the visit.
        held: Holds the visitor's own images.
    """
    take_home_row("auxiliary-", NOTE, KINDS, partial(write, library), [state, held])
