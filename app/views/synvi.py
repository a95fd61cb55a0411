"""The pieces of the tab "About the data" as HTML, without Gradio."""

from __future__ import annotations

from app.actions import synvi
from app.cards import render
from app.library import Library

__all__ = ["about_html", "knob_html", "sheet_html"]


def about_html(library: Library) -> str:
    """Say what SynVI can and cannot show."""
    collection = library.collections[library.default_data]
    return render("synvi_about.html", synthetic=collection.synthetic, title=collection.title)


def sheet_html(sheet: synvi.Sheet, turn: int) -> str:
    """Draw people by cameras; `turn` grows with every answer, so that the browser draws each anew."""
    return render("synvi_sheet.html", sheet=sheet, turn=turn)


def knob_html(row: synvi.KnobRow, turn: int) -> str:
    """Draw one person under a knob."""
    names = ("the person before", "the person") if row.name == "lookalikes" else ("visible", "infrared")
    return render("synvi_knob.html", row=row, turn=turn, left=names[0], right=names[1])
