"""The demo: everything that a visitor sees; the only package that imports Gradio, and only when a page is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import gradio as gr

    from app.library import Library
    from app.train.queue import Queue

__all__ = ["build_demo"]


def build_demo(library: Library, queue: Queue | None = None) -> gr.Blocks:
    """Build the page and the HTTP functions over a library and a queue of training runs, by default a new queue."""
    from app.page import build  # imported here, so that code that needs no page does not load Gradio
    from app.train.queue import Queue

    return build(library, Queue() if queue is None else queue)
