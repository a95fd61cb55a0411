"""The Embeddings tab: features of every modality in one plane, to point at. Wiring only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from app.cards import hint_html
from app.library import Library
from app.tabs.doors import Door, build_door
from app.tabs.embeddings_answer import PIECES, SIDES
from app.tabs.embeddings_controls import NAMES, build_options, build_settings
from app.tabs.embeddings_events import EmbeddingHandlers
from app.tabs.embeddings_take_home import build_selection_export, build_take_home
from app.theme import script
from app.views.embeddings_visit import EmbeddingVisit, opening

__all__ = ["build_embeddings"]

POLL_SECONDS = 0.5
HINT = (
    "Every point is an image, or an auxiliary image between two. Hover to see it, click for its nearest points, draw "
    "round points to list them."
)
EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "embeddings",
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}


@dataclass(frozen=True)
class Parts:
    """The components of the tab; `pieces` are those that `Answer.outputs` names after the state."""

    state: gr.State
    pieces: dict[str, Any]
    controls: dict[str, Any]
    compared: gr.Checkbox
    timer: gr.Timer
    door: Door

    def outputs(self) -> list[Any]:
        """List the components in the order of `Answer.outputs`."""
        return [self.state, *self.pieces.values(), self.door.chosen, self.timer, *self.controls.values()]


def build_embeddings(demo: gr.Blocks, library: Library) -> Door:
    """Build the tab and its events.

    Args:
        demo: The page, whose load shows the view of an address.
        library: What all visitors share.

    Returns:
        The tab's way to the others, and theirs to it.
    """
    tab = Context.block
    parts = lay_out(library)
    wire(demo, tab, EmbeddingHandlers(library), parts)
    return parts.door


def html(name: str, *scripts: str) -> gr.HTML:
    """Make a piece of the page that is drawn elsewhere."""
    code = script(*scripts) if scripts else None
    return gr.HTML(js_on_load=code, elem_id=f"embedding-{name}", apply_default_css=False)


def lay_out(library: Library) -> Parts:
    """Lay out the tab."""
    visit = opening(library)
    state, timer = gr.State(visit), gr.Timer(POLL_SECONDS, active=False)
    pieces: dict[str, Any] = {}
    gr.HTML(hint_html("embeddings", HINT), js_on_load=script("hint.js"), apply_default_css=False)
    made = build_settings(library, visit)
    with gr.Column(elem_id="embeddings"):
        with gr.Row(elem_classes="mun-columns"):
            with gr.Column(scale=9, min_width=300):
                pieces["status"] = html("status", "address.js", "press.js", "scatter-status.js")
                with gr.Row(elem_classes="mun-embeddings-plots"):
                    for side in SIDES:
                        with gr.Column(min_width=300, visible=side == "left" or bool(visit.compare)) as column:
                            pieces[f"head-{side}"] = html(f"head-{side}")
                            pieces[side] = gr.Plot(show_label=False, elem_id=f"embedding-{side}")
                            pieces[f"words-{side}"] = html(f"words-{side}")
                        pieces[f"column-{side}"] = column
                pieces["selection"] = html("selection")
                build_selection_export(library, state)
            with gr.Column(scale=3, min_width=270):
                made |= build_options(visit)
                pieces["data"] = html("data", "press.js", "scatter.js")
                pieces["panel"] = html("chosen")
                door = build_door("embeddings")
        compared = gr.Checkbox(False, label="Numbers of the controls: mismatched pairs, untrained generator")
        pieces["numbers"] = html("numbers")
        build_take_home(library, state)
    controls = {name: made[name] for name in NAMES}
    return Parts(state, {name: pieces[name] for name in PIECES}, controls, compared, timer, door)


def wire(demo: gr.Blocks, tab: Any, handlers: EmbeddingHandlers, parts: Parts) -> None:
    """Connect the events of the tab."""
    state, outputs = parts.state, parts.outputs()

    def opened(visit: EmbeddingVisit, offer: str) -> Any:
        answer = handlers.open(visit, offer)
        return gr.skip() if answer is None else answer.outputs()

    def loaded(visit: EmbeddingVisit, request: gr.Request) -> Any:
        answer = handlers.load(visit, dict(request.query_params))
        return gr.skip() if answer is None else answer.outputs()

    def changed(visit: EmbeddingVisit, *values: object) -> list[Any]:
        return handlers.change(visit, *values).outputs()

    def acted(visit: EmbeddingVisit, event: gr.EventData) -> list[Any]:
        return handlers.act(visit, event).outputs()

    def picked(visit: EmbeddingVisit, event: gr.EventData) -> list[Any]:
        return handlers.picked(visit, event).outputs()

    def polled(visit: EmbeddingVisit) -> list[Any]:
        return handlers.poll(visit).outputs()

    def offered(visit: EmbeddingVisit, offer: str) -> list[Any]:
        return handlers.offered(visit, offer).outputs()

    def compared(visit: EmbeddingVisit, controls: bool) -> list[Any]:
        return handlers.compared(visit, controls).outputs()

    tab.select(opened, [state, parts.door.offered], outputs, **EVENT)
    demo.load(loaded, [state], outputs, **EVENT)
    changes = [changing(control) for control in parts.controls.values()]
    gr.on(changes, changed, [state, *parts.controls.values()], outputs, **EVENT)
    parts.pieces["status"].select(acted, [state], outputs, **EVENT)
    parts.pieces["data"].select(picked, [state], outputs, **EVENT)
    parts.timer.tick(polled, [state], outputs, **EVENT)
    parts.door.offered.change(offered, [state, parts.door.offered], outputs, **EVENT)
    parts.compared.input(compared, [state, parts.compared], outputs, **EVENT)


def changing(control: Any) -> Any:
    """Return the event of a control that has come to its end: a slider let go, words entered, anything else chosen."""
    if isinstance(control, gr.Slider):
        return control.release
    return control.submit if isinstance(control, gr.Textbox | gr.Number) else control.input
