"""The Explain tab: where a network looks, and how far that can be believed. Wiring only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from app.actions.explain.request import AGAINST, MAX_SEED
from app.cards import hint_html
from app.library import Library
from app.tabs.doors import Door, build_door
from app.tabs.events import answering, sent
from app.tabs.explain_events import ANY, CONTROLS, SAME, ExplainHandlers
from app.tabs.explain_take_home import build_take_home
from app.theme import script
from app.views.explain import MENUS, TAB, ExplainVisit

__all__ = ["build_explain"]

POLL_SECONDS = 1.0
HINT = "The maps show which pixels make an image alike to what it is compared with. Click a map to check it below."
CHECKS = """<h2>Check the chosen map</h2>
<p class="mun-note">The map with the frame. A check takes seconds, shows itself step by step, and can be stopped.</p>"""
EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "explain",
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}
CHECK_EVENT: dict[str, Any] = {
    **EVENT,
    "concurrency_limit": 1,
    "concurrency_id": "explain-checks",
    "show_progress": "minimal",  # others' checks may come first
    "trigger_mode": "multiple",
}
AT_ONCE: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}


@dataclass(frozen=True)
class Parts:
    """The components of the tab."""

    state: gr.State
    images: gr.HTML
    targets: gr.HTML
    row: gr.HTML
    truth: gr.HTML
    checks: gr.HTML
    timer: gr.Timer
    door: Door
    controls: dict[str, Any]
    buttons: dict[str, gr.Button]

    def outputs(self) -> list[Any]:
        """List the components in the order of `Answer.outputs`."""
        pieces = [self.images, self.targets, self.row, self.truth, self.checks, self.door.chosen]
        return [self.state, *pieces, self.timer, *self.inputs()]

    def inputs(self) -> list[Any]:
        """List the controls in the order of `CONTROLS`."""
        return [self.controls[name] for name in CONTROLS]


def build_explain(demo: gr.Blocks, library: Library) -> Door:
    """Build the tab and its events.

    Args:
        demo: The page, whose load shows the view of an address.
        library: What all visitors share.

    Returns:
        The tab's way to the others, and theirs to it.
    """
    tab = Context.block
    parts = lay_out(library)
    wire(demo, tab, ExplainHandlers(library), parts)
    return parts.door


def lay_out(library: Library) -> Parts:
    """Build the components."""
    state, timer = gr.State(ExplainVisit()), gr.Timer(POLL_SECONDS, active=False)
    gr.HTML(hint_html(TAB, HINT), js_on_load=script("hint.js"), apply_default_css=False)
    controls = settings(library)
    with gr.Row(elem_classes="mun-explain-choice"):
        with gr.Column(scale=5, min_width=300):
            gr.HTML("<h2>Image</h2>", apply_default_css=False)
            with gr.Row(elem_classes="mun-filters"):
                samples = library.collections[library.default_data].samples
                people = [str(pid) for pid in sorted({sample.pid for sample in samples})]
                cameras = [ANY, *map(str, sorted({sample.camid for sample in samples}))]
                controls["person"] = gr.Dropdown(people, value=None, label="Person", min_width=100)
                controls["camera"] = gr.Dropdown(cameras, value=ANY, label="Camera", min_width=100)
            images = html("explain-images", "walk.js", "press.js", "explain.js")
        with gr.Column(scale=5, min_width=300):
            gr.HTML("<h2>Target: why is it alike to …</h2>", apply_default_css=False)
            with gr.Row(elem_classes="mun-filters"):
                choices = [("another image", AGAINST[0]), ("an identity's center", AGAINST[1])]
                controls["against"] = gr.Dropdown(choices, value=AGAINST[0], label="Target", min_width=150)
                controls["center"] = gr.Dropdown([SAME, *people], value=SAME, label="Center of person", min_width=130)
            targets = html("explain-targets", "walk.js", "press.js", "explain.js")
    row = html("explain-row", "walk.js", "address.js", "press.js", "explain.js")
    build_take_home(library, state)
    gr.HTML("<h2>Checked against the truth</h2>", apply_default_css=False)
    with gr.Row(elem_classes="mun-explain-buttons"):
        controls["change"] = menu("change", "What is changed", elem_id="explain-change")
    truth = html("explain-truth")
    gr.HTML(CHECKS, apply_default_css=False)
    buttons = {}
    with gr.Row(elem_classes="mun-explain-buttons"):
        for name, label in (
            ("randomise", "Randomise layers"),
            ("delete", "Delete and insert pixels"),
            ("stop", "Stop"),
        ):
            buttons[name] = gr.Button(label, size="md", elem_id=f"explain-{name}", min_width=120)
    checks = html("explain-checks")
    return Parts(state, images, targets, row, truth, checks, timer, build_door(TAB), controls, buttons)


def settings(library: Library) -> dict[str, Any]:
    """Lay out who is explained, and how."""
    controls: dict[str, Any] = {}
    with gr.Row(elem_classes="mun-settings"):
        names = [(library.checkpoints[name].title, name) for name in library.usable]
        controls["checkpoint"] = gr.Dropdown(
            names, value=library.default_checkpoint, label="Checkpoint", scale=3, min_width=220
        )
        controls["method"] = menu("method", "Method", scale=2, min_width=150)
        controls["layers"] = menu("layers", "Layers", scale=2, min_width=170)
        controls["scale"] = menu("scale", "Colours", scale=2, min_width=170)
        controls["seed"] = gr.Slider(0, min(MAX_SEED, 99), 0, step=1, label="Seed", scale=2, min_width=150)
    return controls


def menu(name: str, label: str, **options: Any) -> gr.Dropdown:
    """Make a menu of what the views name."""
    return gr.Dropdown([*MENUS[name]], value=MENUS[name][0][1], label=label, **options)


def html(name: str, *scripts: str) -> gr.HTML:
    """Make a place for HTML with our own scripts."""
    return gr.HTML(js_on_load=script(*scripts) if scripts else None, elem_id=name, apply_default_css=False)


def wire(demo: gr.Blocks, tab: Any, handlers: ExplainHandlers, parts: Parts) -> None:
    """Connect the events of the tab."""
    base, outputs = [parts.state], parts.outputs()
    wire_checks(handlers, parts)

    def opened(request: gr.Request) -> Any:
        values = dict(request.query_params)
        return handlers.open(values).outputs() if values.get("tab") == TAB else gr.skip()

    def selected(visit: ExplainVisit, offer: str, request: gr.Request) -> Any:
        return gr.skip() if visit.turn or offer else handlers.open(dict(request.query_params)).outputs()

    def leave(request: gr.Request) -> None:
        handlers.runs.end(request.session_hash or "", "")

    def offered(visit: ExplainVisit, key: object) -> Any:
        return handlers.pick(visit, key).outputs() if key else gr.skip()

    def picked(visit: ExplainVisit, event: gr.EventData) -> list[Any]:
        return handlers.pick(visit, sent(event, "image")).outputs()

    def aimed(visit: ExplainVisit, event: gr.EventData) -> list[Any]:
        return handlers.aim(visit, sent(event, "aim")).outputs()  # Gradio calls the component `target`

    def acted(visit: ExplainVisit, event: gr.EventData) -> list[Any]:
        return handlers.act(visit, sent(event, "map"), sent(event, "action")).outputs()

    demo.load(opened, None, outputs, **EVENT)
    if isinstance(tab, gr.Tab):
        tab.select(selected, [*base, parts.door.offered], outputs, **EVENT)
    changes = [control.input for name, control in parts.controls.items() if name != "seed"]
    changes.append(parts.controls["seed"].release)
    changed = answering(handlers.change)
    gr.on(changes, changed, [*base, *parts.inputs()], outputs, **EVENT)
    parts.images.select(picked, base, outputs, **EVENT)
    parts.targets.select(aimed, base, outputs, **EVENT)
    parts.row.select(acted, base, outputs, **EVENT)
    gr.on(
        [*changes, parts.images.select, parts.targets.select, parts.row.select],
        leave,
        None,
        None,
        **AT_ONCE,
    )
    parts.door.offered.change(offered, [*base, parts.door.offered], outputs, **EVENT)
    parts.timer.tick(answering(handlers.poll), base, outputs, **EVENT)


def wire_checks(handlers: ExplainHandlers, parts: Parts) -> None:
    """Connect the checks; what runs ends after the step in hand when it is stopped, or when the view changes.

    A press is noted at once and waits for its turn, so that a stop in between counts too.
    """

    def connect(name: str, check: Callable[[ExplainVisit, str], Iterator[str]]) -> None:
        def asked(request: gr.Request) -> None:
            handlers.runs.ask(request.session_hash or "", name)

        def run(visit: ExplainVisit, request: gr.Request) -> Iterator[Any]:
            for words in check(visit, request.session_hash or ""):
                yield words or gr.skip()  # of a run that never began, what is shown stays

        pressed = parts.buttons[name].click(asked, None, None, **AT_ONCE)
        pressed.then(run, [parts.state], [parts.checks], **CHECK_EVENT)

    def stopped(request: gr.Request) -> Any:
        return handlers.stop(request.session_hash or "") or gr.skip()

    connect("randomise", handlers.randomise)
    connect("delete", handlers.delete)
    parts.buttons["stop"].click(stopped, None, [parts.checks], **AT_ONCE)
