"""The page: header, tabs, HTTP functions."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.api import add_api
from app.library import Library
from app.server.limits import KEEP_SECONDS
from app.server.sessions import keep_sessions_light
from app.tabs.about import build_about
from app.tabs.auxiliary import build_auxiliary_tab
from app.tabs.data import build_data
from app.tabs.doors import Door, connect
from app.tabs.embeddings import build_embeddings
from app.tabs.explain import build_explain
from app.tabs.own_image import build_own_image
from app.tabs.results import build_results
from app.tabs.retrieval import build_retrieval
from app.tabs.training import build_training
from app.theme import script
from app.views import retrieval as views

__all__ = ["build"]

CLEAN_SECONDS = 300  # between two looks for temporary files that are old


def build(library: Library) -> gr.Blocks:
    """Build the page over a library."""
    keep_sessions_light()
    demo: gr.Blocks = gr.Blocks(
        title="MUN: visible-infrared person re-identification",
        fill_width=True,
        delete_cache=(CLEAN_SECONDS, KEEP_SECONDS - CLEAN_SECONDS),
    )
    with demo:
        header = gr.HTML(
            views.show_header(library, views.first_visit(library)), elem_id="header", apply_default_css=False
        )
        doors: dict[str, Door] = {}
        with gr.Tabs() as tabs:
            with gr.Tab("Retrieval", id="retrieval"):
                doors["retrieval"] = build_retrieval(demo, library, header)
            with gr.Tab("Embeddings", id="embeddings"):
                doors["embeddings"] = build_embeddings(demo, library)
            with gr.Tab("Auxiliary", id="auxiliary"):
                doors["auxiliary"] = build_auxiliary_tab(demo, library)
            with gr.Tab("Explain", id="explain"):
                doors["explain"] = build_explain(demo, library)
            with gr.Tab("Your own image", id="own-image"):
                build_own_image(library)
            with gr.Tab("Train", id="train"):
                build_training(demo, library)
            with gr.Tab("Results", id="results") as tab:
                build_results(library, tab)
            with gr.Tab("About the data", id="data") as tab:
                build_data(library, tab)
            with gr.Tab("About", id="about") as tab:
                build_about(demo, library, tab)
        connect(tabs, doors)
        open_tab(demo, tabs)
        name_tabs(tabs)
        add_api(library)
    return demo


def open_tab(demo: gr.Blocks, tabs: gr.Tabs) -> None:
    """Turn to the tab that the address names as `?tab=…`, where there is one of that name."""
    names = {tab.id for tab in tabs.children if isinstance(tab, gr.Tab)}

    def opened(request: gr.Request) -> Any:
        name = request.query_params.get("tab")
        return gr.Tabs(selected=name) if name in names else gr.skip()

    demo.load(opened, None, [tabs], queue=False, api_visibility="private", show_progress="hidden")


def name_tabs(tabs: gr.Tabs) -> None:
    """Let the address bar name the tab that is turned to, and what is shown there."""
    code = script("address.js", "turned.js")
    for tab in tabs.children:
        if isinstance(tab, gr.Tab):
            tab.select(None, js=f"() => {{\n{code}\nturned({tab.id!r});\n}}", api_visibility="private")
