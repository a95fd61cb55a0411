"""The tab "Results": the tables that the project ships, sortable, with commands, and their figure. Wiring only."""

from __future__ import annotations

import gradio as gr

from app.actions.results_figure import KINDS, NAME, figure_of, shipped_figure
from app.downloads import as_download
from app.errors import plain_errors
from app.results import read_results
from app.tabs.take_home import take_home_row
from app.theme import script
from app.views.results import figure_html, results_tab_html

__all__ = ["build_results"]

NOTE = """<h2>Take this figure home</h2>
<p class="mun-note mun-take-note">300 dots per inch, or as vectors; the commands that make its numbers again stand
below it.</p>"""


def write(kind: str) -> str:
    """Write the figure as a file that the browser may fetch; its path.

    Raises:
        gr.Error: There are no tables to draw.
    """
    with plain_errors():
        return as_download(f"{NAME}.{kind}", shipped_figure(kind))


def draw() -> str:
    """Draw the figure for the page."""
    with plain_errors():
        return figure_html(shipped_figure("svg"))


def build_results(tab: gr.Tab) -> None:
    """Build the tab; its tables do not change while the app runs.

    Args:
        tab: Its figure is drawn when it is opened for the first time.
    """
    gr.HTML(
        results_tab_html(read_results()), js_on_load=script("sort.js"), elem_id="results-tab", apply_default_css=False
    )
    if figure_of() is None:
        return
    figure = gr.HTML(elem_id="results-figure", apply_default_css=False)
    tab.select(
        draw, None, [figure], concurrency_limit=1, concurrency_id="results", api_visibility="private",
        show_progress="minimal",
    )  # fmt: skip
    take_home_row("results-", NOTE, KINDS, write, [])
