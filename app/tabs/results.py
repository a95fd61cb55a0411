"""The tab "Results": the tables that the project ships, sortable, with commands, and their figure. Wiring only."""

from __future__ import annotations

import gradio as gr

from app.actions.results_figure import KINDS, NAME, grid_to_draw, knob_figure
from app.cards import sentence
from app.errors import plain_errors
from app.library import Library
from app.results import read_results
from app.server.downloads import as_download
from app.tabs.take_home import take_home_row
from app.theme import script
from app.views.results import figure_html, results_tab_html

__all__ = ["build_results"]

NOTE = """<h2>Take this figure home</h2>
<p class="mun-note mun-take-note">300 dots per inch, or as vectors; the commands that make its numbers again stand
below it.</p>"""


def build_results(library: Library, tab: gr.Tab) -> None:
    """Build the tab; its tables do not change while the app runs.

    Args:
        library: What all visitors share.
        tab: Its figure is drawn when it is opened for the first time.
    """
    try:
        tables = read_results()
    except ValueError as error:
        gr.HTML(results_tab_html([], sentence(error)), elem_id="results-tab", apply_default_css=False)
        return
    gr.HTML(results_tab_html(tables), js_on_load=script("sort.js"), elem_id="results-tab", apply_default_css=False)
    grid = grid_to_draw(tables)
    if grid is None:
        return

    def drawn(kind: str) -> bytes:
        with plain_errors():
            return library.cache.get(("results-figure", kind), lambda: knob_figure(grid, kind), len)

    figure = gr.HTML(elem_id="results-figure", apply_default_css=False)
    tab.select(
        lambda: figure_html(drawn("svg")), None, [figure], concurrency_limit=1, concurrency_id="results",
        api_visibility="private", show_progress="minimal",
    )  # fmt: skip
    take_home_row("results-", NOTE, KINDS, lambda kind: as_download(f"{NAME}.{kind}", drawn(kind)), [])
