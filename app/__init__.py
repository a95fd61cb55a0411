"""The demo: everything that a visitor sees; the only place that imports Gradio, and only when a page is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

    from app.library import Library
    from app.train.queue import Queue

__all__ = ["build_demo"]


def build_demo(library: Library, queue: Queue | None = None) -> gr.Blocks:
    """Build the page and the HTTP functions over a library and a queue of training runs, by default one of its own."""
    from app.page import build  # here, so that what needs no page stays free of Gradio
    from app.train.queue import Queue

    return build(library, Queue() if queue is None else queue)
