"""The pieces of the tab "About" as HTML, without Gradio."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from app.actions.about.about import Request
from app.actions.about.method import choices, pictures
from app.actions.about.versions import BIBTEX, licence_text, versions
from app.cards import render, sentence
from app.library import Library
from app.library.checkpoints import budget_note

__all__ = ["AboutVisit", "choices_html", "drawing_html", "end_html", "first_visit", "intro_html", "menu_of"]
__all__ += ["passed_over_html", "read_link", "statement_html"]


@dataclass(frozen=True)
class AboutVisit:
    """What one visitor looks at; `turn` grows with every answer, so that the browser draws each anew.

    Attributes:
        known: Checkpoints that the menu has offered so far; none of them leaves it.
        turn: Number of the answer.
        drawn: Whether the drawing has its pictures.
    """

    known: tuple[str, ...] = ()
    turn: int = 0
    drawn: bool = False


def first_visit(library: Library) -> AboutVisit:
    """Return what a visitor sees who has chosen nothing yet."""
    return AboutVisit(tuple(library.usable))


def read_link(library: Library, values: Mapping[str, object]) -> str:
    """Return the checkpoint that an address names, the default where it names none.

    Raises:
        ValueError: There is no such checkpoint.
    """
    wanted: Any = values.get("checkpoint", "")  # checked like anything that a visitor sends
    return Request(wanted).checked(library).checkpoint


def menu_of(library: Library, known: Collection[str]) -> list[tuple[str, str]]:
    """List titles and names for the menu: those that it has offered, then the new ones; a lost one keeps its name."""
    entries, names = library.checkpoints, list(dict.fromkeys([*known, *library.usable]))
    return [(entries[name].title if name in entries else name, name) for name in names]


def intro_html() -> str:
    """Say what this is to somebody who has never heard of it."""
    return render("about_intro.html")


def drawing_html(library: Library, turn: int, *, plain: bool = False) -> str:
    """Draw the method.

    Args:
        library: Whose default pair and default generator give the pictures.
        turn: Number of the answer.
        plain: Draw people instead of pictures, which costs nothing.
    """
    made, problem = None, ""
    if not plain:
        try:
            made = pictures(library)
        except ValueError as error:
            problem = sentence(error)
    return render("about_drawing.html", pictures=made, problem=problem, turn=turn)


def statement_html(library: Library) -> str:
    """Say what this may be used for, what it must not, and whose images these are."""
    collection = library.collections[library.default_data]
    return render("about_statement.html", synthetic=collection.synthetic, title=collection.title)


def choices_html() -> str:
    """Set what the paper says beside what was chosen here."""
    return render("about_choices.html", choices=choices())


def end_html(library: Library) -> str:
    """Say how to cite, under which licence this stands, and what it runs on."""
    return render("about_end.html", bibtex=BIBTEX, versions=versions(library), licence=licence_text())


def passed_over_html(library: Library) -> str:
    """Say what holds for all checkpoints together, and which cannot be used."""
    entries = library.checkpoints.values()
    broken = [entry for entry in entries if entry.card is None]
    return render("about_passed_over.html", broken=broken, note=budget_note(entry for entry in entries if entry.card))
