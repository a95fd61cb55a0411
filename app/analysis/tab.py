"""The Analysis tab: what a press draws, and the pieces it is drawn in."""

from __future__ import annotations

from functools import partial

import gradio as gr

from app.analysis.compute import analysis, task
from app.analysis.export import MENUS, Options, write
from app.analysis.request import PARTS, View
from app.analysis.view import body_of, hovered, message, picture_of, summary_of
from app.library import Library
from app.shared.html import form, html, prepared
from app.shared.tab import Answer, Export, Page, Piece, Press
from app.theme import script

__all__ = ["answer", "build"]

POLL = 700  # milliseconds
SETTINGS = {"Analysis": ("compare", "protocol"), "Curves": ("corruption", "knob")}
CHIPS = ("compare", "protocol")
NAMES = ("progress", "picture", "summary", "parts", "body")
TIP = (
    "mun.analysisTip = { frame: element.closest('#analysis-tip'), trigger };"
    "watch('value', () => mun.analysisTip.placed?.());"
)


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("analysis", "Analysis") as tab:
        with gr.Column(elem_id="analysis"):
            codes = {"picture": script("analysis.js")}
            pieces = {name: tab.piece(f"analysis-{name}", script=codes.get(name, "")) for name in NAMES}
            tip = tab.piece("analysis-tip", script=TIP)
        pieces["settings"] = tab.settings()
        tab.ask_aside(tip, View, hovered)
        tab.wire(View, answer, pieces, CHIPS, Export(MENUS, Options, write))


def answer(library: Library, request: View, press: Press) -> Answer:
    """Draw what a press asks for.

    Raises:
        ValueError: A model is gone, or has embedded other images.
    """
    settings = Piece(request.model_dump(), partial(form, "analysis", request, library, SETTINGS))
    for name in request.names(library):
        progress = library.prepare(name, request.data, retry=press.do == "start")
        if press.do == "stop" and not progress.ready:
            library.stop(name, request.data)
        if not progress.ready:
            again = 0 if progress.problem or progress.stopped else POLL
            return Answer(request, {"progress": prepared(progress, name), "settings": settings}, again=again)
    work = task(library, request)
    progress = library.background.ask(work.key, work.job, who=press.visitor, retry=press.do == "start")
    if not progress.ready:
        waited = message(progress, "Every query is being asked")
        return Answer(request, {"progress": waited, "settings": settings}, again=0 if progress.ended else POLL)
    made = analysis(library, request)
    body, waiting = body_of(library, request, made, press)
    pieces: dict[str, str | Piece] = {
        "progress": Piece("", str),
        "settings": settings,
        "picture": Piece(work.key, lambda: picture_of(library, request, made)),
        "summary": Piece(work.key, lambda: html("analysis_summary.html", **summary_of(library, made))),
        "parts": Piece(request.part, lambda: html("analysis_parts.html", parts=PARTS, part=request.part)),
        "body": Piece((work.key, *body.key) if isinstance(body.key, tuple) else body.key, body.draw),
    }
    say = "" if press.do == "again" else f"Analysis of {int(made.models[0].valid.sum())} queries"
    return Answer(request, pieces, say=say, again=POLL if waiting else 0)
