"""The tab "About the data": contact sheets per level and camera, the knobs by pictures. Wiring only."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.actions import synvi
from app.errors import plain_errors
from app.library import Library
from app.views import synvi as synvi_views

__all__ = ["DataHandlers", "build_data"]

FIRST_SEED, FIRST_PERSON = 7, 9  # what a first visitor sees
EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "synvi",
    "api_visibility": "private",
    "show_progress": "minimal",
    "trigger_mode": "always_last",
}


@dataclass(frozen=True)
class DataHandlers:
    """What the tab's events do: from the controls' values to HTML."""

    library: Library

    def sheet(self, turn: int, level: object, camera: object, seed: object) -> tuple[int, str]:
        """Draw the people of a seed."""
        return self._answer(turn, lambda: synvi_views.sheet_html(synvi.sheet(self.library, level, camera, seed), turn))

    def others(self, turn: int, level: object, camera: object) -> tuple[int, str, int]:
        """Draw other people."""
        seed = random.SystemRandom().randrange(synvi.MAX_SEED)
        return (*self.sheet(turn, level, camera, seed), seed)

    def knob(self, turn: int, name: object, person: object) -> tuple[int, str]:
        """Draw one person under a knob."""
        return self._answer(turn, lambda: synvi_views.knob_html(synvi.knob(self.library, name, person), turn))

    @staticmethod
    def _answer(turn: int, draw: Callable[[], str]) -> tuple[int, str]:
        with plain_errors():
            return turn + 1, draw()


def build_data(library: Library, tab: gr.Tab) -> None:
    """Build the tab and its events.

    Args:
        library: What all visitors share.
        tab: Its pictures are rendered when it is opened for the first time.
    """
    handlers = DataHandlers(library)
    turn, seed = gr.State(0), gr.State(FIRST_SEED)
    gr.HTML(synvi_views.about_html(library), apply_default_css=False)
    gr.HTML("<h2>People by cameras</h2>", apply_default_css=False)
    with gr.Row(elem_classes="mun-filters"):
        level = gr.Dropdown(list(synvi.LEVEL_NAMES), value="standard", label="Level", min_width=120)
        camera = gr.Dropdown(list(synvi.CAMERA_NAMES), value=synvi.ALL, label="Camera", min_width=120)
        others = gr.Button("Other people", elem_id="other-people", size="md", min_width=120)
    sheet = gr.HTML(elem_id="synvi-sheet", apply_default_css=False)
    gr.HTML("<h2>What each knob does</h2>", apply_default_css=False)
    with gr.Row(elem_classes="mun-filters"):
        names = [(name.replace("_", " "), name) for name in synvi.KNOBS]
        knob = gr.Dropdown(names, value=names[0][1], label="Knob", min_width=160)
        person = gr.Slider(1, synvi.MAX_PERSON, FIRST_PERSON, step=1, label="Person", min_width=160)
    row = gr.HTML(elem_id="synvi-knob", apply_default_css=False)
    gr.on([tab.select, level.input, camera.input], handlers.sheet, [turn, level, camera, seed], [turn, sheet], **EVENT)
    others.click(handlers.others, [turn, level, camera], [turn, sheet, seed], **EVENT)
    gr.on([tab.select, knob.input, person.release], handlers.knob, [turn, knob, person], [turn, row], **EVENT)
