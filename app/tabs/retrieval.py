"""The Retrieval tab: pick a query, see the other modality's images ranked. Wiring only."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.cards import hint_html
from app.library import Library
from app.menus import menus
from app.tabs.doors import Door, build_door
from app.tabs.retrieval_controls import Controls, build_browser, build_settings
from app.tabs.retrieval_events import Handlers
from app.tabs.retrieval_take_home import build_scores_take_home, build_take_home
from app.theme import script
from app.views import retrieval as views
from app.visit import Visit

__all__ = ["build_retrieval"]

HINT = "Pick a query and the gallery is ranked at once; click a ranked image to search with it."
POLL_SECONDS = 0.7
RETRIEVE: dict[str, Any] = {
    "concurrency_limit": 4,
    "concurrency_id": "retrieve",
    "api_visibility": "private",
    "show_progress": "hidden",
}


def build_retrieval(demo: gr.Blocks, library: Library, header: gr.HTML) -> Door:
    """Build the tab and its events.

    Args:
        demo: The page, whose load shows the first ranking.
        library: What all visitors share.
        header: Told which checkpoint was chosen.

    Returns:
        The tab's way to the others, and theirs to it.
    """
    visit = views.first_visit(library)
    offered = menus(library, visit)
    state, timer = gr.State(visit), gr.Timer(POLL_SECONDS, active=False)
    gr.HTML(hint_html("retrieval", HINT), js_on_load=script("hint.js"), apply_default_css=False)
    settings = build_settings(offered)
    with gr.Row(elem_classes="mun-columns"):
        with gr.Column(scale=3, min_width=300, elem_classes="mun-side"):
            filters = build_browser(offered)
            surprise = gr.Button("Random query", elem_id="random-query", size="md")
            strip = gr.HTML(
                js_on_load=script("walk.js", "press.js", "queries.js"), elem_id="query-browser", apply_default_css=False
            )
        with gr.Column(scale=9, min_width=300, elem_classes="mun-main"):
            results = gr.HTML(
                js_on_load=script("walk.js", "address.js", "press.js", "ranking.js"),
                elem_id="ranking",
                apply_default_css=False,
            )
            build_take_home(library, state)
            door = build_door(views.TAB)
            scores = gr.HTML(elem_id="scores", apply_default_css=False)
            build_scores_take_home(library, state)
    controls = Controls({**settings, **filters})
    outputs: list[Any] = [state, header, strip, results, timer, door.chosen, *controls.inputs()]
    wire(demo, Handlers(library), controls, outputs, surprise, scores, door)
    return door


def wire(
    demo: gr.Blocks,
    handlers: Handlers,
    controls: Controls,
    outputs: list[Any],
    surprise: gr.Button,
    scores: gr.HTML,
    door: Door,
) -> None:
    """Connect the events of the tab.

    Args:
        demo: The page.
        handlers: What the events do.
        controls: What visitors choose with.
        outputs: State, header, query browser, ranking, timer, key for other tabs, then the controls.
        surprise: The button for a random query.
        scores: Drawn after everything else.
        door: Where other tabs hand an image over.
    """
    state, _, strip, results, timer = outputs[:5]
    inputs: list[Any] = [state, *controls.inputs()]

    def opened(request: gr.Request) -> list[Any]:
        return handlers.open(dict(request.query_params)).outputs()

    def changed(visit: Visit, *values: object) -> list[Any]:
        return handlers.change(visit, *values).outputs()

    def surprised(visit: Visit, *values: object) -> list[Any]:
        return handlers.surprise(visit, *values).outputs()

    def selected(visit: Visit, event: gr.EventData) -> list[Any]:
        return handlers.select(visit, event).outputs()

    def acted(visit: Visit, event: gr.EventData) -> list[Any]:
        return handlers.act(visit, event).outputs()

    def handed(visit: Visit, offer: object) -> list[Any]:
        return handlers.offered(visit, offer).outputs()

    def polled(visit: Visit) -> list[Any]:
        return handlers.poll(visit).outputs()

    inputs_of_controls = [control.input for control in controls.inputs()]
    events = [
        demo.load(opened, None, outputs, **RETRIEVE),
        gr.on(inputs_of_controls, changed, inputs, outputs, trigger_mode="always_last", **RETRIEVE),
        results.select(acted, [state], outputs, trigger_mode="always_last", **RETRIEVE),
        door.offered.change(handed, [state, door.offered], outputs, **RETRIEVE),
        timer.tick(polled, [state], outputs, **RETRIEVE),
    ]
    for event in events:
        event.success(handlers.scores, [state], [scores], **RETRIEVE)
    surprise.click(surprised, inputs, outputs, **RETRIEVE)
    strip.select(selected, [state], outputs, trigger_mode="always_last", **RETRIEVE)
