"""The demo: everything that a visitor sees; the only place that imports Gradio, and only when a page is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

    from app.library import Library

__all__ = ["build_demo"]


def build_demo(library: Library) -> gr.Blocks:
    """Build the page and the HTTP functions over a library."""
    from app.page import build  # here, so that `app.library` and `app.actions` stay free of Gradio

    return build(library)
