"""The pieces of the tab "About the data" as HTML, without Gradio."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from app.actions import synvi
from app.actions.checks import known, spelled, text, whole_number
from app.cards import render
from app.library import Library

__all__ = ["TAB", "DataVisit", "about_html", "checked", "knob_html", "read_link", "sheet_html"]

TAB = "data"


@dataclass(frozen=True)
class DataVisit:
    """What one visitor looks at; `turn` grows with every answer, so that the browser draws each anew.

    Attributes:
        level: Of the people by cameras.
        camera: Its number as text, or `all`.
        seed: Of those people.
        knob: Whose pictures are shown.
        person: Who is shown under the knob.
        turn: Number of the answer; 0 while nothing has been drawn.
    """

    level: str = synvi.LEVEL_NAMES[0]
    camera: str = synvi.ALL
    seed: int = 7
    knob: str = next(iter(synvi.KNOBS))
    person: int = 9
    turn: int = 0

    @property
    def link(self) -> str:
        """The query part of the address that leads here."""
        return f"?tab={TAB}&" + urlencode({name: getattr(self, name) for name in KEYS})


KEYS = tuple(field.name for field in fields(DataVisit) if field.name != "turn")


def read_link(values: Mapping[str, object]) -> DataVisit:
    """Return the visit that an address describes; names that are none of ours are passed over.

    Raises:
        ValueError: A value is out of bounds or names nothing.
    """
    said: dict[str, Any] = {name: text(name, values[name]) for name in KEYS if values.get(name)}
    said |= {name: spelled(said[name]) for name in ("seed", "person") if name in said}
    return checked(DataVisit(**said))


def checked(visit: DataVisit) -> DataVisit:
    """Return the visit as it was asked for.

    Raises:
        ValueError: A value is out of bounds or names nothing.
    """
    known("level", visit.level, synvi.LEVEL_NAMES)
    known("camera", visit.camera, synvi.CAMERA_NAMES)
    known("knob", visit.knob, synvi.KNOBS)
    seed = whole_number("seed", visit.seed, 0, synvi.MAX_SEED)
    return replace(visit, seed=seed, person=whole_number("person", visit.person, 1, synvi.MAX_PERSON))


def about_html(library: Library) -> str:
    """Say what SynVI can and cannot show."""
    collection = library.collections[library.default_data]
    return render("synvi_about.html", synthetic=collection.synthetic, title=collection.title)


def sheet_html(library: Library, visit: DataVisit, notice: str = "") -> str:
    """Draw people by cameras.

    Args:
        library: Its cache keeps the pictures.
        visit: What is looked at.
        notice: Said above them.
    """
    sheet = synvi.sheet(library, visit.level, visit.camera, visit.seed)
    return render("synvi_sheet.html", sheet=sheet, visit=visit, notice=notice)


def knob_html(library: Library, visit: DataVisit) -> str:
    """Draw one person under a knob."""
    row = synvi.knob(library, visit.knob, visit.person)
    names = ("the person before", "the person") if row.name == "lookalikes" else ("visible", "infrared")
    return render("synvi_knob.html", row=row, visit=visit, left=names[0], right=names[1])
