"""Buttons that take the ranked list home, and the CMC curves of the whole set. Wiring only."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import gradio as gr

from app import links
from app.actions.provenance import provenance
from app.actions.retrieval import evaluate, export, export_scores, retrieve
from app.errors import plain_errors
from app.library import Library
from app.server.downloads import as_download
from app.tabs.take_home import take_home_row
from app.views import retrieval as views
from app.visit import Visit

__all__ = ["FORMATS", "build_scores_take_home", "build_take_home", "write", "write_scores"]

FORMATS = ("png", "pdf", "csv")
NOTE = """<h2>Take this list home</h2>
<p class="mun-note mun-take-note">A figure for a paper, 300 dots per inch, or a table; both say what made them and
how to remake them. With checkpoints beside it, the lists of all stand below one another.</p>"""
SCORES_NOTE = """<h2>Take these scores home</h2>
<p class="mun-note mun-take-note">The CMC curves as a figure for a paper, 300 dots per inch or as vectors; they say
what made them. The buttons do something once the scores are there.</p>"""


def write(library: Library, visit: Visit, kind: str) -> str:
    """Write a visit's ranking as a file that the browser may fetch; its path.

    Args:
        library: What all visitors share.
        visit: Whose ranking.
        kind: One of `FORMATS`.

    Raises:
        gr.Error: The images are not embedded yet, or the ranking cannot be made.
    """
    with plain_errors():
        if not (visit.query and views.ready(library, visit)):
            raise ValueError("expected a ranking to take home, but the images are not embedded yet")
        request = replace(views.asked_by(visit), with_left_out=False)
        result, *others = (retrieve.run(library, replace(request, checkpoint=name)) for name in visit.checkpoints)
        if kind == "csv":
            table = (
                export.compared_csv(library, [result, *others])
                if others
                else export.ranked_csv(result, provenance(library, result))
            )
            data = table.encode()
        else:
            made = export.run(library, result, others)
            data = made.png if kind == "png" else made.pdf
        return as_download(f"{export.file_stem(result, others)}.{kind}", data)


def build_take_home(library: Library, state: gr.State) -> None:
    """Lay out the buttons and wire them.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """
    take_home_row("", NOTE, FORMATS, partial(write, library), [state])


def write_scores(library: Library, visit: Visit, kind: str) -> str:
    """Write the CMC curves of a visit's checkpoints as a file that the browser may fetch; its path.

    Args:
        library: What all visitors share.
        visit: Whose scores.
        kind: One of `export_scores.KINDS`.

    Raises:
        gr.Error: The images are not embedded yet, or the scores cannot be had.
    """
    with plain_errors():
        if not views.ready(library, visit):
            raise ValueError("expected scores to take home, but the images are not embedded yet")
        scores = [evaluate.run(library, request) for request in views.asked_of(visit)]
        data = export_scores.cmc_figure(library, scores, kind, links.write(visit))
        return as_download(f"{export_scores.file_stem(scores)}.{kind}", data)


def build_scores_take_home(library: Library, state: gr.State) -> None:
    """Lay out the buttons below the scores and wire them.

    Args:
        library: What all visitors share.
        state: Holds the visit.
    """
    take_home_row("scores-", SCORES_NOTE, export_scores.KINDS, partial(write_scores, library), [state])
