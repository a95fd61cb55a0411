"""The tab "About": the method in a drawing, what it must not be used for, model cards, versions. Wiring only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from app.actions.checks import known
from app.cards import sentence
from app.errors import plain_errors
from app.library import Library
from app.theme import script
from app.views import about as views
from app.views.about import AboutVisit
from app.views.about_card import TAB, card_html

__all__ = ["AboutHandlers", "build_about"]

EVENT: dict[str, Any] = {
    "concurrency_limit": 2,
    "concurrency_id": "about",
    "api_visibility": "private",
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page; `None` leaves a piece as it is."""

    visit: AboutVisit
    drawing: str | None = None
    menu: Any = None
    card: str | None = None

    def outputs(self) -> list[Any]:
        """List the values of the components that the tab names."""
        return [self.visit, *(gr.skip() if piece is None else piece for piece in (self.drawing, self.menu, self.card))]


@dataclass(frozen=True)
class AboutHandlers:
    """What the tab's events do."""

    library: Library

    def choose(self, visit: AboutVisit, name: object) -> Answer:
        """Show the card of another checkpoint.

        Raises:
            gr.Error: What came is none that the menu has offered.
        """
        with plain_errors():
            checkpoint = known("checkpoint", name, visit.known)
        visit = replace(visit, turn=visit.turn + 1)
        return Answer(visit, card=card_html(self.library, checkpoint, visit.turn))

    def enter(self, visit: AboutVisit) -> Answer:
        """Draw the method with pictures at the first look, and offer the checkpoints that have come since."""
        menu = views.menu_of(self.library, visit.known)
        fresh = replace(visit, known=tuple(name for _, name in menu), turn=visit.turn + 1, drawn=True)
        drawing = None if visit.drawn else views.drawing_html(self.library, fresh.turn)
        return Answer(fresh, drawing, gr.update(choices=menu) if fresh.known != visit.known else None)

    def open(self, visit: AboutVisit, values: Mapping[str, object]) -> Answer:
        """Show the card that an address names; with a sentence where it names none, the first one."""
        if values.get("tab") != TAB:
            return Answer(visit)
        entered = self.enter(visit)
        notice, checkpoint = "", self.library.default_checkpoint
        try:
            checkpoint = views.read_link(self.library, values)
        except ValueError as error:
            notice = f"This link cannot be opened as it is. {sentence(error)} Here is the first card instead."
        menu = gr.update(choices=views.menu_of(self.library, entered.visit.known), value=checkpoint)
        card = card_html(
            self.library, checkpoint, entered.visit.turn, opened=bool(values.get("checkpoint")), notice=notice
        )
        return replace(entered, menu=menu, card=card)


def build_about(demo: gr.Blocks, library: Library, tab: gr.Tab) -> None:
    """Build the tab and its events.

    Args:
        demo: The page, whose load shows the card of an address.
        library: What all visitors share.
        tab: The pictures of the drawing are made when it is opened for the first time.
    """
    handlers, first = AboutHandlers(library), views.first_visit(library)
    state = gr.State(first)
    gr.HTML(views.intro_html(), apply_default_css=False)
    drawing = gr.HTML(views.drawing_html(library, 0, plain=True), elem_id="about-drawing", apply_default_css=False)
    gr.HTML(views.statement_html(library), apply_default_css=False)
    gr.HTML('<h2 id="mun-about-cards">Model cards</h2>', apply_default_css=False)
    with gr.Row(elem_classes="mun-filters"):
        choices = views.menu_of(library, first.known)
        menu = gr.Dropdown(choices, value=library.default_checkpoint, label="Model card of", elem_id="about-checkpoint")
    gr.HTML(views.passed_over_html(library), apply_default_css=False)
    bridge = script("address.js", "about.js")
    card = gr.HTML(
        card_html(library, library.default_checkpoint, 0),
        js_on_load=bridge,
        elem_id="about-card",
        apply_default_css=False,
    )
    gr.HTML(views.choices_html(), apply_default_css=False)
    gr.HTML(views.end_html(library), js_on_load=bridge, elem_id="about-end", apply_default_css=False)
    outputs: list[Any] = [state, drawing, menu, card]

    def opened(visit: AboutVisit, request: gr.Request) -> list[Any]:
        return handlers.open(visit, dict(request.query_params)).outputs()

    def entered(visit: AboutVisit) -> list[Any]:
        return handlers.enter(visit).outputs()

    def chosen(visit: AboutVisit, name: object) -> list[Any]:
        return handlers.choose(visit, name).outputs()

    demo.load(opened, [state], outputs, **EVENT)
    tab.select(entered, [state], outputs, **EVENT)
    menu.input(chosen, [state, menu], outputs, **EVENT)
