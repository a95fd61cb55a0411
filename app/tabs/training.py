"""The Training tab: choose a run, watch it, stop it, take its model home. Wiring only."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import gradio as gr

from app.actions.training.export import KINDS, curves
from app.actions.training.request import PRESETS, preset
from app.actions.training.status import status
from app.errors import plain_errors
from app.library import Library
from app.server.downloads import as_download
from app.tabs.take_home import take_home_button
from app.tabs.training_events import Answer, TrainHandlers, View
from app.tabs.training_form import NAMES, build_form, values_of
from app.tabs.training_tokens import KEEP, READ
from app.theme import script
from app.views import training as views

__all__ = ["build_training"]

POLL_SECONDS = 1.2
MODEL_BYTES = 256_000_000  # of a model that is handed out; ResNet-50 at width 2, the largest, has about 190 MB
EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "train",
    "api_visibility": "private",
    "show_progress": "hidden",
}
OWNER: dict[str, Any] = {**EVENT, "js": READ}  # of events that take the view and the visitor's tokens


def build_training(demo: gr.Blocks, library: Library) -> None:
    """Build the tab and its events; to be called after the tabs whose menus offer checkpoints.

    Args:
        demo: The page, whose load shows the visitor's run.
        library: What all visitors share.
    """
    if not library.jobs.limits.off:
        library.jobs.open()  # finished runs of the time before are offered from the start
    handlers, limits = TrainHandlers(library), library.jobs.limits
    state, tokens = gr.State(View()), gr.JSON({}, visible="hidden", elem_id="train-tokens")
    timer = gr.Timer(POLL_SECONDS, active=False)
    with gr.Row(elem_classes="mun-columns"):
        with gr.Column(scale=4, min_width=300, elem_classes="mun-side"):
            gr.HTML(views.terms_html(limits), apply_default_css=False)
            form = build_form(library)
            start = gr.Button("Start", variant="primary", elem_id="train-start", interactive=not limits.off)
        with gr.Column(scale=8, min_width=300, elem_classes="mun-main"):
            bridge, welcome = script("address.js", "press.js", "training.js"), views.welcome_html(limits)
            run = gr.HTML(welcome, elem_id="train-run", js_on_load=bridge, apply_default_css=False)
            with gr.Column(visible=False, elem_classes="mun-train-tools") as tools:
                with gr.Row(elem_classes="mun-train-buttons"):
                    buttons = {name: act(name) for name in ("stop", "resume", "delete", "download")}
                film = gr.HTML(elem_id="train-film", js_on_load=script("film.js"), apply_default_css=False)
                charts = gr.HTML(elem_id="train-curves", apply_default_css=False)
                with gr.Row(elem_classes="mun-train-buttons"):
                    takes = {kind: act(f"curves-{kind}", f"Curves {kind.upper()}", True) for kind in KINDS}
            runs = gr.HTML(elem_id="train-runs", js_on_load=bridge, apply_default_css=False)
            overlay = gr.HTML(elem_id="train-overlay", apply_default_css=False)
    menus = checkpoint_menus(demo, library)
    outputs: list[Any] = [state, run, film, charts, runs, overlay, timer, tokens, tools, *buttons.values(), *menus]

    def told(answer: Answer) -> list[Any]:
        return [
            *answer.outputs(),
            *(update_menu(library, menu, answer.view.known) if answer.menus else gr.skip() for menu in menus),
        ]

    def opened(_: View, kept: object, request: gr.Request) -> list[Any]:
        return told(handlers.open(dict(request.query_params), kept))

    def selected(view: View, kept: object, event: gr.EventData) -> list[Any]:
        return told(handlers.select(view, kept, event))

    def answer(handle: Callable[..., Answer]) -> Callable[..., list[Any]]:
        return lambda *values: told(handle(*values))

    demo.load(opened, [state, tokens], outputs, **OWNER)
    timer.tick(answer(handlers.poll), [state, tokens], outputs, **OWNER)
    started = start.click(answer(handlers.start), [state, tokens, *form.inputs()], outputs, **OWNER)
    pressed = {
        name: buttons[name].click(answer(getattr(handlers, name)), [state, tokens], outputs, **OWNER)
        for name in ("stop", "resume", "delete")
    }
    for event in (started, pressed["delete"]):
        event.success(None, [tokens], js=KEEP, api_visibility="private")
    runs.select(selected, [state, tokens], outputs, trigger_mode="always_last", **OWNER)
    chosen = form.components["preset"]
    chosen.input(fill, [chosen], form.inputs(), **EVENT)
    take_home_button(buttons["download"], "train-file", partial(model_file, handlers), [state, tokens], READ)
    for kind, button in takes.items():
        take_home_button(button, f"train-file-{kind}", partial(curves_file, library, kind), [state])


def act(name: str, label: str = "", able: bool = False) -> gr.Button:
    """Make a button of the row below a run."""
    return gr.Button(label or name.capitalize(), elem_id=f"train-{name}", size="md", min_width=90, interactive=able)


def fill(name: object) -> list[Any]:
    """Fill the form with a preset."""
    values = values_of(preset(name if isinstance(name, str) and name in PRESETS else "taste"))
    return [gr.skip() if field == "preset" else value for field, value in zip(NAMES, values, strict=True)]


def model_file(handlers: TrainHandlers, view: View, kept: object) -> str:
    """Write the visitor's model where the browser may fetch it.

    Raises:
        gr.Error: It is not finished, not the visitor's, or too large to be handed out.
    """
    with plain_errors():
        return as_download(*handlers.archive(view, kept), MODEL_BYTES)


def curves_file(library: Library, kind: str, view: View) -> str:
    """Write the curves on the page where the browser may fetch them.

    Raises:
        gr.Error: There are none.
    """
    names = view.compared if len(view.compared) > 1 else (view.run,) if view.run else ()
    with plain_errors():
        return as_download(*curves([status(library, name) for name in names], kind))


def checkpoint_menus(demo: gr.Blocks, library: Library) -> list[gr.Dropdown]:
    """Find the menus of all tabs built so far that offer every checkpoint which can be used."""
    wanted = set(library.usable)
    return [
        block
        for block in demo.blocks.values()
        if isinstance(block, gr.Dropdown) and wanted <= {value for _, value in block.choices}
    ]


def update_menu(library: Library, menu: gr.Dropdown, known: Collection[str]) -> Any:
    """Add to a menu the checkpoints that have come since it was built.

    What a page has offered stays, because a menu that was open once fails in the browser when its choices become fewer;
    a checkpoint that is gone says so when it is chosen.

    Args:
        library: What all visitors share.
        menu: As it was built.
        known: All checkpoints that the page has ever known.
    """
    built = [(str(label), value) for label, value in menu.choices]
    titled = any(label != value and value in library.checkpoints for label, value in built)
    offered, entries = {value for _, value in built}, library.checkpoints
    come = [(entries[name].title if titled and name in entries else name, name) for name in known]
    return gr.update(choices=[*built, *(choice for choice in come if choice[1] not in offered)])
