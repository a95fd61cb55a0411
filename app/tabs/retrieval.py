"""The Retrieval tab: pick an infrared query, see visible images ranked. Wiring only."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from app import views
from app.actions.checks import known, text, whole_number
from app.actions.retrieve import MAX_TOP_K, MAX_TRIAL
from app.library import Library
from app.theme import script
from app.visit import Visit

__all__ = ["Handlers", "build_retrieval"]

ANY = "any"
PROTOCOL_LABELS = {"all": "all-search", "indoor": "indoor-search"}
POLL_SECONDS = 0.7
RETRIEVE: dict[str, Any] = {
    "concurrency_limit": 4,
    "concurrency_id": "retrieve",
    "api_visibility": "private",
    "show_progress": "hidden",
}


@dataclass(frozen=True)
class Handlers:
    """What the tab's events do: from a visit and what came from the browser to the next visit and its HTML."""

    library: Library

    def chosen(
        self, visit: Visit, checkpoint: object, protocol: object, trial: object, top_k: object, pid: object, cam: object
    ) -> Visit:
        """Put the controls' values into a visit.

        Raises:
            gr.Error: A value is not one that the page offers.
        """
        collection = self.library.collections[visit.data]
        try:
            return replace(
                visit,
                checkpoint=known("checkpoint", checkpoint, self.library.usable),
                protocol=known("protocol", protocol, collection.protocols),
                trial=whole_number("gallery", trial, 0, MAX_TRIAL),
                top_k=whole_number("number of results", top_k, 1, MAX_TOP_K),
                pid=_number("person", pid, sorted({sample.pid for sample in collection.queries})),
                camid=_number("camera", cam, sorted({sample.camid for sample in collection.queries})),
                turn=visit.turn + 1,
            )
        except ValueError as error:
            raise gr.Error(str(error)) from None

    def everything(self, visit: Visit, *controls: object) -> tuple[Visit, str, str, str, gr.Timer]:
        """Answer a changed control: header, query browser, ranking."""
        visit = views.fit(self.library, self.chosen(visit, *controls))
        header, strip = views.show_header(self.library, visit), views.show_queries(self.library, visit)
        results, waiting = views.show_results(self.library, visit, retry=True)
        return visit, header, strip, results, gr.Timer(active=waiting)

    def surprise(self, visit: Visit, *controls: object) -> tuple[Visit, str, str]:
        """Pick a query at random among those that the filters let through."""
        visit = self.chosen(visit, *controls)
        if samples := views.offered(self.library, visit):
            visit = replace(visit, query=random.SystemRandom().choice(samples).key)
        visit = views.fit(self.library, visit)
        return visit, views.show_queries(self.library, visit), self.rank(visit)

    def select(self, visit: Visit, event: gr.EventData) -> tuple[Visit, Any, Any]:
        """Answer a click in the query browser: on a thumbnail, or on the pager."""
        visit = replace(visit, turn=visit.turn + 1)
        try:
            if (page := _sent(event, "page")) is not None:
                visit = replace(visit, page=whole_number("page", page, 0, 1_000_000))
                return visit, views.show_queries(self.library, visit), gr.skip()
            query = text("query", _sent(event, "query"))
        except ValueError as error:
            raise gr.Error(str(error)) from None
        if query not in self.library.collections[visit.data].query_rows:
            raise gr.Error("This image is not one of the queries; choose one from the list.")
        visit = replace(visit, query=query)
        return visit, gr.skip(), self.rank(visit)

    def rank(self, visit: Visit) -> str:
        """Draw the ranking."""
        return views.show_results(self.library, visit)[0]

    def poll(self, visit: Visit) -> tuple[str, str, gr.Timer]:
        """Look whether the embeddings are there; the timer stops when they are, or when they failed."""
        results, waiting = views.show_results(self.library, visit)
        return results, self.scores(visit), gr.Timer(active=waiting)

    def scores(self, visit: Visit) -> str:
        """Draw the scores of the whole set."""
        return views.show_scores(self.library, visit)


def _number(name: str, value: object, choices: list[int]) -> int | None:
    """Read a filter's value: a number among those offered, or none for `any`."""
    word = known(name, value, [ANY, *map(str, choices)])
    return None if word == ANY else int(word)


def _sent(event: gr.EventData, name: str) -> object:
    """Read one field of what the browser sent with an event; `None` where it is missing."""
    try:
        return getattr(event, name, None)
    except TypeError:  # what was sent is no object at all
        return None


@dataclass(frozen=True)
class Controls:
    """The components that visitors choose with, in the order that `Handlers.chosen` takes them."""

    checkpoint: gr.Dropdown
    protocol: gr.Dropdown
    trial: gr.Slider
    top_k: gr.Slider
    pid: gr.Dropdown
    camid: gr.Dropdown

    def inputs(self) -> list[Any]:
        """List the components."""
        return [self.checkpoint, self.protocol, self.trial, self.top_k, self.pid, self.camid]


def build_settings(library: Library, visit: Visit) -> tuple[gr.Dropdown, gr.Dropdown, gr.Slider, gr.Slider]:
    """Lay out who ranks, and what is ranked."""
    collection = library.collections[visit.data]
    protocols = [(PROTOCOL_LABELS.get(name.rpartition("-")[2], name), name) for name in collection.protocols]
    with gr.Row(elem_classes="mun-settings"):
        checkpoint = gr.Dropdown(
            [(library.checkpoints[name].title, name) for name in library.usable],
            value=visit.checkpoint,
            label="Checkpoint",
            scale=3,
            min_width=260,
        )
        protocol = gr.Dropdown(protocols, value=visit.protocol, label="Protocol", scale=2, min_width=150)
        trial = gr.Slider(0, MAX_TRIAL, visit.trial, step=1, label="Gallery (trial)", scale=2, min_width=150)
        top_k = gr.Slider(1, MAX_TOP_K, visit.top_k, step=1, label="Ranked images shown", scale=2, min_width=150)
    return checkpoint, protocol, trial, top_k


def build_browser(library: Library, visit: Visit) -> tuple[gr.Dropdown, gr.Dropdown, gr.Button, gr.HTML]:
    """Lay out the query browser."""
    samples = library.collections[visit.data].queries
    pids, camids = sorted({sample.pid for sample in samples}), sorted({sample.camid for sample in samples})
    gr.HTML(
        "<h2>Infrared queries</h2><p>Pick one, by mouse or with Tab and Enter; the gallery is ranked at once.</p>",
        elem_classes="mun-hint",
        apply_default_css=False,
    )
    with gr.Row(elem_classes="mun-filters"):
        pid = gr.Dropdown([(f"{name}", str(name)) for name in [ANY, *pids]], value=ANY, label="Person", min_width=100)
        camid = gr.Dropdown(
            [(f"{name}", str(name)) for name in [ANY, *camids]], value=ANY, label="Camera", min_width=90
        )
    surprise = gr.Button("Random query", elem_id="random-query", size="md")
    strip = gr.HTML(js_on_load=script("queries.js"), elem_id="query-browser", apply_default_css=False)
    return pid, camid, surprise, strip


def build_retrieval(demo: gr.Blocks, library: Library, header: gr.HTML) -> None:
    """Build the tab and its events.

    Args:
        demo: The page, whose load shows the first ranking.
        library: What all visitors share.
        header: Told which checkpoint was chosen.
    """
    handlers, visit = Handlers(library), views.first_visit(library)
    state, timer = gr.State(visit), gr.Timer(POLL_SECONDS, active=False)
    settings = build_settings(library, visit)
    with gr.Row(elem_classes="mun-columns"):
        with gr.Column(scale=3, min_width=300, elem_classes="mun-side"):
            pid, camid, surprise, strip = build_browser(library, visit)
        with gr.Column(scale=9, min_width=300, elem_classes="mun-main"):
            scores = gr.HTML(elem_id="scores", apply_default_css=False)
            results = gr.HTML(elem_id="ranking", apply_default_css=False)
    controls = Controls(*settings, pid, camid)
    inputs: list[Any] = [state, *controls.inputs()]
    changed = gr.on(
        [demo.load, *(control.input for control in controls.inputs())],
        handlers.everything,
        inputs,
        [state, header, strip, results, timer],
        trigger_mode="always_last",
        **RETRIEVE,
    )
    changed.then(handlers.scores, [state], [scores], **RETRIEVE)
    surprise.click(handlers.surprise, inputs, [state, strip, results], **RETRIEVE)
    strip.select(handlers.select, [state], [state, strip, results], trigger_mode="always_last", **RETRIEVE)
    timer.tick(handlers.poll, [state], [results, scores, timer], **RETRIEVE)
