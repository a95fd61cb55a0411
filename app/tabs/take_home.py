"""Buttons that make a file and hand it to the browser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.components import Component

__all__ = ["take_home_button", "take_home_row"]

EVENT: dict[str, Any] = {"concurrency_limit": 2, "concurrency_id": "export", "api_visibility": "private"}
# The browser downloads what a component holds; by then the answer has arrived, and one frame later it is in the page.
DOWNLOAD = "() => setTimeout(() => document.querySelector('#{0}, #{0} button, #{0} a').click(), 60)"


def take_home_button(
    button: gr.Button, name: str, write: Callable[..., str], inputs: Sequence[Component], js: str | None = None
) -> None:
    """Let a button write a file and the browser fetch it.

    Args:
        button: What is pressed.
        name: Of the hidden component that holds the file: its id in the page.
        write: From the values of `inputs` to the path of a file below the folder that is served.
        inputs: What the file is made from.
        js: What the browser does with their values first.
    """
    file = gr.DownloadButton(visible="hidden", elem_id=name)
    written = button.click(write, [*inputs], [file], js=js, show_progress_on=[button], **EVENT)
    written.success(None, js=DOWNLOAD.format(name), api_visibility="private")


def take_home_row(
    prefix: str, note: str, kinds: Sequence[str], write: Callable[..., str], inputs: Sequence[Component]
) -> None:
    """Lay out a row of buttons, one for each kind of file.

    Args:
        prefix: Of the ids in the page: of the buttons `PREFIXtake-KIND`, of the files `PREFIXfile-KIND`.
        note: HTML above the buttons.
        kinds: Endings of the files.
        write: From the values of `inputs` and the kind, given as `kind`, to the path of a file.
        inputs: What a file is made from.
    """

    def writer(kind: str) -> Callable[..., str]:
        return lambda *values: write(*values, kind=kind)

    gr.HTML(note, apply_default_css=False)
    with gr.Row(elem_classes="mun-take-home"):
        for kind in kinds:
            button = gr.Button(kind.upper(), size="md", min_width=80, elem_id=f"{prefix}take-{kind}")
            take_home_button(button, f"{prefix}file-{kind}", writer(kind), inputs)
