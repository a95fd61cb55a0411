"""The Auxiliary tab: one pair, every auxiliary modality, and MUN's generator taken apart. Wiring only."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.context import Context

from app.actions.auxiliary.request import COLLECTION, OWN, RENDERED
from app.cards import hint_html
from app.library import Library
from app.library.eye import generator_names
from app.tabs.auxiliary_answer import Held
from app.tabs.auxiliary_events import AuxiliaryHandlers
from app.tabs.auxiliary_take_home import build_take_home
from app.tabs.doors import Door, build_door
from app.tabs.events import answering, erase, sent
from app.theme import script
from app.views.auxiliary import TAB, AuxiliaryVisit, people_of
from mun.structures import Modality

__all__ = ["build_auxiliary_tab"]

HELD_SECONDS = 3600  # as long as Gradio holds what a closed page has left behind
POLL_SECONDS = 1.0
HINT = "One visible and one infrared image, and every third image that somebody has proposed to put between them."
SOURCES = [("Images of the data", COLLECTION), ("SynVI, rendered now", RENDERED), ("My own two images", OWN)]
OWN_NOTE = """<p class="mun-note">Two images of one person, each cropped to the person; any size. They are deleted as
soon as they are read; a small copy stays in memory until an hour after the last answer. A figure that you take home
lies in the app's temporary folder for an hour at most.</p>"""
RENDERED_NOTE = """<p class="mun-note">Cameras 2 and 3 share a site. At 0 they see one instant, pixel by pixel, which
no real data set has; at 1 yaw, gait, scale and shift differ as in the data.</p>"""
EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "auxiliary",
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}


@dataclass(frozen=True)
class Parts:
    """The components of the tab."""

    state: gr.State
    held: gr.State
    picker: gr.HTML
    panel: gr.HTML
    compare: gr.HTML
    bench: gr.HTML
    timer: gr.Timer
    door: Door
    controls: dict[str, Any]
    groups: dict[str, Any]
    buttons: dict[str, gr.Button]
    files: dict[Modality, gr.File]

    def outputs(self) -> list[Any]:
        """List the components in the order of `Answer.outputs`."""
        pieces = [self.picker, self.panel, self.compare, self.bench, self.door.chosen]
        return [self.state, *pieces, self.timer, *self.controls.values(), *self.groups.values()]


def build_auxiliary_tab(demo: gr.Blocks, library: Library) -> Door:
    """Build the tab and its events.

    Args:
        demo: The page, whose load shows the view of an address.
        library: What all visitors share.

    Returns:
        The tab's way to the others, and theirs to it.
    """
    tab = Context.block
    parts = lay_out(library)
    wire(demo, tab, AuxiliaryHandlers(library), parts)
    return parts.door


def lay_out(library: Library) -> Parts:
    """Build the components."""
    state, held = gr.State(AuxiliaryVisit()), gr.State(Held(), time_to_live=HELD_SECONDS)
    timer = gr.Timer(POLL_SECONDS, active=False)
    gr.HTML(hint_html("auxiliary", HINT), js_on_load=script("hint.js"), apply_default_css=False)
    controls: dict[str, Any] = {}
    groups: dict[str, Any] = {}
    buttons: dict[str, gr.Button] = {}
    with gr.Row(elem_classes="mun-columns"):
        with gr.Column(scale=3, min_width=300, elem_classes="mun-side"):
            names = [(library.checkpoints[name].title, name) for name in generator_names(library)]
            controls["checkpoint"] = gr.Dropdown(names, value=names[0][1] if names else None, label="Checkpoint of MUN")
            controls["source"] = gr.Radio(SOURCES, value=COLLECTION, label="The pair", elem_id="auxiliary-source")
            people = [str(pid) for pid in people_of(library.collections[library.default_data])]
            controls["person"] = gr.Dropdown(people, value=None, label="Person", elem_id="auxiliary-person")
            buttons["surprise"] = gr.Button("Somebody else", size="md", elem_id="auxiliary-surprise")
            with gr.Column(visible=True) as groups[COLLECTION]:
                picker = gr.HTML(
                    js_on_load=script("walk.js", "press.js", "auxiliary_picker.js"),
                    elem_id="auxiliary-picker",
                    apply_default_css=False,
                )
            with gr.Column(visible=False) as groups[RENDERED]:
                controls["misalignment"] = gr.Slider(
                    0, 1, 0, step=0.05, label="Misalignment of V and I", elem_id="auxiliary-misalignment"
                )
                gr.HTML(RENDERED_NOTE, apply_default_css=False)
            with gr.Column(visible=False) as groups[OWN]:
                files = {
                    modality: gr.File(
                        label=label, file_types=["image"], height=120, elem_id=f"auxiliary-own-{modality}"
                    )
                    for modality, label in (
                        (Modality.VISIBLE, "Your visible image"),
                        (Modality.INFRARED, "Your infrared image"),
                    )
                }
                gr.HTML(OWN_NOTE, apply_default_css=False)
                buttons["forget"] = gr.Button("Forget them", elem_id="auxiliary-forget")
        with gr.Column(scale=9, min_width=300, elem_classes="mun-main"):
            with gr.Row(elem_classes="mun-auxiliary-tools"):
                controls["mixup"] = gr.Slider(
                    0, 1, 0.5, step=0.01, label="λ of Mixup: share of the visible image", elem_id="auxiliary-mixup"
                )
                buttons["draw"] = gr.Button("Other rectangle and channel", elem_id="auxiliary-draw", min_width=120)
            panel = html("auxiliary-panel", "address.js", "auxiliary.js")
            with gr.Row(elem_classes="mun-auxiliary-lower"):
                with gr.Column(scale=3, min_width=230):
                    gr.HTML("<h2>MUN over pixel mean</h2>", apply_default_css=False)
                    compare = html("auxiliary-compare", "auxiliary_compare.js")
                with gr.Column(scale=9, min_width=300):
                    gr.HTML("<h2>MUN's generator, taken apart</h2>", apply_default_css=False)
                    with gr.Row(elem_classes="mun-auxiliary-tools"):
                        controls["share"] = gr.Slider(
                            0, 100, 50, step=1, label="IML's part of the layer scale, %", elem_id="auxiliary-share"
                        )
                        buttons["learned"] = gr.Button("As learned", elem_id="auxiliary-learned", min_width=90)
                    controls["step"] = gr.Slider(
                        0,
                        1,
                        1,
                        step=1,
                        label="Training, from kept step to kept step",
                        visible=False,
                        elem_id="auxiliary-step",
                    )
                    bench = html("auxiliary-bench", "address.js", "auxiliary.js")
            build_take_home(library, state, held)
            door = build_door("auxiliary")
    ordered = {
        name: controls[name] for name in ("checkpoint", "source", "person", "misalignment", "mixup", "share", "step")
    }
    return Parts(state, held, picker, panel, compare, bench, timer, door, ordered, groups, buttons, files)


def html(name: str, *scripts: str) -> gr.HTML:
    """Make a place for HTML with our own scripts."""
    return gr.HTML(js_on_load=script(*scripts), elem_id=name, apply_default_css=False)


def wire(demo: gr.Blocks, tab: Any, handlers: AuxiliaryHandlers, parts: Parts) -> None:
    """Connect the events of the tab."""
    base, outputs = [parts.state, parts.held], parts.outputs()

    def opened(own: Held, request: gr.Request) -> Any:
        values = dict(request.query_params)
        return handlers.open(values, own).outputs() if values.get("tab") == TAB else gr.skip()

    def selected(visit: AuxiliaryVisit, own: Held, offer: str, request: gr.Request) -> Any:
        return gr.skip() if visit.turn or offer else handlers.open(dict(request.query_params), own).outputs()

    demo.load(opened, [parts.held], outputs, **EVENT)
    if isinstance(tab, gr.Tab):
        tab.select(selected, [*base, parts.door.offered], outputs, **EVENT)
    for event in [*wire_choice(handlers, parts), *wire_sliders(handlers, parts), *wire_own(handlers, parts)]:
        erase(event, [parts.panel, parts.compare, parts.bench])


def wire_choice(handlers: AuxiliaryHandlers, parts: Parts) -> list[Any]:
    """Connect what decides about the pair and about who looks at it."""
    base, outputs, controls = [parts.state, parts.held], parts.outputs(), parts.controls

    def picked(visit: AuxiliaryVisit, own: Held, event: gr.EventData) -> list[Any]:
        return handlers.pick(visit, own, sent(event, "image")).outputs()

    def offered(visit: AuxiliaryVisit, own: Held, key: object) -> Any:
        return handlers.pick(visit, own, key).outputs() if key else gr.skip()

    chosen = [controls[name] for name in ("checkpoint", "source", "person")]
    changed = answering(handlers.change)
    return [
        gr.on([control.input for control in chosen], changed, [*base, *chosen], outputs, **EVENT),
        parts.picker.select(picked, base, outputs, **EVENT),
        parts.door.offered.change(offered, [*base, parts.door.offered], outputs, **EVENT),
        parts.timer.tick(answering(handlers.poll), base, outputs, **EVENT),
        parts.buttons["surprise"].click(answering(handlers.surprise), base, outputs, **EVENT),
    ]


def wire_sliders(handlers: AuxiliaryHandlers, parts: Parts) -> list[Any]:
    """Connect what is turned by hand; of quick changes the last one counts."""
    base, outputs = [parts.state, parts.held], parts.outputs()
    sliders = {
        "misalignment": handlers.misalign,
        "mixup": handlers.mix,
        "share": handlers.turn,
        "step": handlers.replay,
    }
    buttons = {"draw": handlers.other_draw, "learned": handlers.learned}
    return [
        *(
            parts.controls[name].input(answering(handler), [*base, parts.controls[name]], outputs, **EVENT)
            for name, handler in sliders.items()
        ),
        *(parts.buttons[name].click(answering(handler), base, outputs, **EVENT) for name, handler in buttons.items()),
    ]


def wire_own(handlers: AuxiliaryHandlers, parts: Parts) -> list[Any]:
    """Connect the visitor's own images."""
    outputs = parts.outputs()

    def taker(modality: Modality) -> Callable[..., list[Any]]:
        def took(visit: AuxiliaryVisit, own: Held, payload: object) -> list[Any]:
            own, file, answer = handlers.take(visit, own, payload, modality)
            return [own, file, *answer.outputs()]

        return took

    def forgot(visit: AuxiliaryVisit) -> list[Any]:
        own, answer = handlers.forget(visit)
        return [own, *answer.outputs()]

    state, held = parts.state, parts.held
    events = [
        file.upload(taker(modality), [state, held, file], [held, file, *outputs], preprocess=False, **EVENT)
        for modality, file in parts.files.items()
    ]
    return [*events, parts.buttons["forget"].click(forgot, [state], [held, *outputs], **EVENT)]
