"""The tab "About the data": contact sheets per level and camera, the knobs by pictures. Wiring only."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from app.actions import synvi
from app.cards import sentence
from app.errors import plain_errors
from app.library import Library
from app.tabs.events import answering
from app.theme import script
from app.views import synvi as views
from app.views.synvi import TAB, DataVisit

__all__ = ["DataHandlers", "build_data"]

EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "synvi",
    "api_visibility": "private",
    "show_progress": "minimal",
    "trigger_mode": "always_last",
}


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page; `None` leaves a piece as it is."""

    visit: DataVisit
    sheet: str | None = None
    knob: str | None = None
    controls: bool = False

    def outputs(self) -> list[Any]:
        """List the values of state, sheet, knob's pictures and the controls."""
        visit = self.visit
        menus = [visit.level, visit.camera, visit.knob, visit.person] if self.controls else [gr.skip()] * 4
        return [visit, *(gr.skip() if piece is None else piece for piece in (self.sheet, self.knob)), *menus]


@dataclass(frozen=True)
class DataHandlers:
    """What the tab's events do: from the controls' values to HTML."""

    library: Library

    def enter(self, visit: DataVisit, values: Mapping[str, object]) -> Answer:
        """Draw what the address names at the first look; with a sentence where it makes no sense, what stands first."""
        if visit.turn:
            return Answer(visit)
        wanted, notice = visit, ""
        if values.get("tab") == TAB:
            try:
                wanted = views.read_link(values)
            except ValueError as error:
                notice = f"This link cannot be opened as it is. {sentence(error)} Here is the first view instead."
        wanted = replace(wanted, turn=1)
        sheet = views.sheet_html(self.library, wanted, notice)
        return Answer(wanted, sheet, views.knob_html(self.library, wanted), controls=True)

    def sheet(self, visit: DataVisit, *controls: Any) -> Answer:
        """Draw the people of a level by a camera, or all.

        Raises:
            gr.Error: What came is none of the menus.
        """
        visit = self._next(visit, controls)
        return Answer(visit, sheet=views.sheet_html(self.library, visit))

    def others(self, visit: DataVisit, *controls: Any) -> Answer:
        """Draw other people."""
        return self.sheet(replace(visit, seed=random.SystemRandom().randrange(synvi.MAX_SEED)), *controls)

    def knob(self, visit: DataVisit, *controls: Any) -> Answer:
        """Draw one person under a knob.

        Raises:
            gr.Error: What came is none of the menu, or no person.
        """
        visit = self._next(visit, controls)
        return Answer(visit, knob=views.knob_html(self.library, visit))

    @staticmethod
    def _next(visit: DataVisit, controls: tuple[Any, ...]) -> DataVisit:
        level, camera, knob, person = controls
        with plain_errors():
            return views.checked(
                replace(visit, level=level, camera=camera, knob=knob, person=person, turn=visit.turn + 1)
            )


def build_data(library: Library, tab: gr.Tab) -> None:
    """Build the tab and its events.

    Args:
        library: What all visitors share.
        tab: Its pictures are rendered when it is opened for the first time.
    """
    handlers, first, bridge = DataHandlers(library), DataVisit(), script("address.js", "data.js")
    state = gr.State(first)
    gr.HTML(views.about_html(library), apply_default_css=False)
    gr.HTML("<h2>People by cameras</h2>", apply_default_css=False)
    with gr.Row(elem_classes="mun-filters"):
        level = gr.Dropdown(list(synvi.LEVEL_NAMES), value=first.level, label="Level", min_width=120)
        camera = gr.Dropdown(list(synvi.CAMERA_NAMES), value=first.camera, label="Camera", min_width=120)
        others = gr.Button("Other people", elem_id="other-people", size="md", min_width=120)
    sheet = gr.HTML(js_on_load=bridge, elem_id="synvi-sheet", apply_default_css=False)
    gr.HTML("<h2>What each knob does</h2>", apply_default_css=False)
    with gr.Row(elem_classes="mun-filters"):
        names = [(name.replace("_", " "), name) for name in synvi.KNOBS]
        knob = gr.Dropdown(names, value=first.knob, label="Knob", min_width=160)
        person = gr.Slider(1, synvi.MAX_PERSON, first.person, step=1, label="Person", min_width=160)
    row = gr.HTML(js_on_load=bridge, elem_id="synvi-knob", apply_default_css=False)
    controls = [level, camera, knob, person]
    inputs, outputs = [state, *controls], [state, sheet, row, *controls]

    def entered(visit: DataVisit, request: gr.Request) -> list[Any]:
        return handlers.enter(visit, dict(request.query_params)).outputs()

    tab.select(entered, [state], outputs, show_progress_on=[sheet, row], **EVENT)
    for triggers, handler, drawn in (
        ([level.input, camera.input], handlers.sheet, sheet),
        ([others.click], handlers.others, sheet),
        ([knob.input, person.release], handlers.knob, row),
    ):
        gr.on(triggers, answering(handler), inputs, outputs, show_progress_on=[drawn], **EVENT)
