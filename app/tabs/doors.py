"""The ways from one tab to another: what is looked at here can be opened there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

__all__ = ["TABS", "Door", "build_door", "connect"]

# The tabs that can be opened on an image, by their id.
TABS = {"retrieval": "Retrieval", "embeddings": "Embeddings", "auxiliary": "Auxiliary", "explain": "Explain"}
EVENT: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}


@dataclass(frozen=True)
class Door:
    """One tab's way out and in.

    Attributes:
        chosen: Key of the image that this tab is about, as `cam3/0007/0001.jpg`; the tab keeps it true.
        offered: Key that another tab hands over, with a number behind a `#` so that the same key counts again; the tab
            listens to its change. Checked like anything that a visitor sends.
        buttons: By the id of the tab they open.
    """

    chosen: gr.Textbox
    offered: gr.Textbox
    buttons: Mapping[str, gr.Button]


def build_door(here: str, *, also: tuple[str, ...] = ()) -> Door:
    """Build a row of buttons that open the chosen image in the other tabs.

    Args:
        here: Id of this tab.
        also: Further tabs to leave out.
    """
    with gr.Row(elem_classes="mun-doors"):
        buttons = {
            tab: gr.Button(f"Open in {title}", elem_id=f"{here}-to-{tab}", size="sm")
            for tab, title in TABS.items()
            if tab != here and tab not in also
        }
    chosen = gr.Textbox(visible="hidden", elem_id=f"{here}-chosen", show_label=False)
    offered = gr.Textbox(visible="hidden", elem_id=f"{here}-offered", show_label=False)
    return Door(chosen, offered, buttons)


def connect(tabs: gr.Tabs, doors: Mapping[str, Door]) -> None:
    """Wire every door: a click hands the key over and turns to the other tab.

    Args:
        tabs: The page's tabs, whose ids are those of `doors`.
        doors: By the id of the tab.
    """
    count = gr.State(0)
    for door in doors.values():
        for target, button in door.buttons.items():
            if target not in doors:
                continue

            def hand_over(key: str, turn: int, target: str = target) -> tuple[str, int, Any]:
                return f"{key}#{turn + 1}" if key else "", turn + 1, gr.Tabs(selected=target)

            button.click(hand_over, [door.chosen, count], [doors[target].offered, count, tabs], **EVENT)
