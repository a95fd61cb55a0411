"""The page: header, tabs, HTTP functions."""

from __future__ import annotations

import gradio as gr

from app import views
from app.api import add_api
from app.library import Library
from app.tabs.retrieval import build_retrieval

__all__ = ["build"]

CACHE_SECONDS = 3600


def build(library: Library) -> gr.Blocks:
    """Build the page over a library."""
    demo: gr.Blocks = gr.Blocks(
        title="MUN: visible-infrared person re-identification",
        fill_width=True,
        delete_cache=(CACHE_SECONDS, CACHE_SECONDS),
    )
    with demo:
        header = gr.HTML(
            views.show_header(library, views.first_visit(library)), elem_id="header", apply_default_css=False
        )
        with gr.Tabs(), gr.Tab("Retrieval", id="retrieval"):
            build_retrieval(demo, library, header)
        add_api(library)
    return demo
