"""Buttons that take the auxiliary images of a pair home: a figure as PNG or PDF, the numbers as CSV. Wiring only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from app.actions import auxiliary
from app.actions.auxiliary_export import KINDS, panel_csv, panel_figure, stem_of
from app.auxiliary_views import AuxiliaryVisit
from app.downloads import as_download
from app.library import Library
from app.tabs.auxiliary_events import Held
from app.tabs.take_home import DOWNLOAD

__all__ = ["build_take_home", "write"]

EVENT: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "export", "api_visibility": "private"}
NOTE = """<h2>Take this panel home</h2>
<p class="mun-note mun-take-note">Every image, number and setting above, 300 dots per inch; each file says which
checkpoints, pair and seed made it and how to make it again.</p>"""


def write(library: Library, visit: AuxiliaryVisit, held: Held, kind: str) -> str:
    """Write the panel of a visit as a file that the browser may fetch; its path.

    Ranks of a checkpoint whose galleries are not embedded yet are left out.

    Raises:
        gr.Error: The panel cannot be made.
    """
    try:
        if not visit.turn:
            raise ValueError("expected a panel to take home, but nothing was drawn yet")
        own = (held.visible, held.infrared)
        result = auxiliary.run(library, visit.request, own, wait=False)
        data = panel_csv(library, result).encode() if kind == "csv" else panel_figure(library, result, kind)
        return as_download(f"{stem_of(result)}.{kind}", data)
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None


def build_take_home(library: Library, state: gr.State, held: gr.State) -> None:
    """Lay out the buttons and wire them.

    Args:
        library: What all visitors share.
        state: Holds the visit.
        held: Holds the visitor's own images.
    """

    def writer(kind: str) -> Callable[[AuxiliaryVisit, Held], str]:
        return lambda visit, own: write(library, visit, own, kind)

    gr.HTML(NOTE, apply_default_css=False)
    with gr.Row(elem_classes="mun-take-home"):
        for kind in KINDS:
            button = gr.Button(kind.upper(), size="md", min_width=80, elem_id=f"auxiliary-take-{kind}")
            file = gr.DownloadButton(visible="hidden", elem_id=f"auxiliary-file-{kind}")
            written = button.click(writer(kind), [state, held], [file], show_progress_on=[button], **EVENT)
            written.success(None, js=DOWNLOAD.format(f"auxiliary-file-{kind}"), api_visibility="private")
