"""The tab "Results": the tables that the project ships, sortable, with their commands. Wiring only."""

from __future__ import annotations

import gradio as gr

from app.results import read_results
from app.theme import script
from app.views.results import results_tab_html

__all__ = ["build_results"]


def build_results() -> None:
    """Build the tab; its tables do not change while the app runs."""
    gr.HTML(
        results_tab_html(read_results()), js_on_load=script("sort.js"), elem_id="results-tab", apply_default_css=False
    )
