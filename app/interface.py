"""The page: header, tabs, HTTP functions."""

from __future__ import annotations

import gradio as gr

from app import views
from app.api import add_api
from app.library import Library
from app.tabs.data import build_data
from app.tabs.own_image import build_own_image
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
        with gr.Tabs():
            with gr.Tab("Retrieval", id="retrieval"):
                build_retrieval(demo, library, header)
            with gr.Tab("Your own image", id="own-image"):
                build_own_image(library)
            with gr.Tab("About the data", id="data") as tab:
                build_data(library, tab)
        add_api(library)
    return demo
