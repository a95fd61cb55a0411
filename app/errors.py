"""What goes wrong with a visitor's input, as the sentence that the visitor reads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import gradio as gr

__all__ = ["plain_errors"]


@contextmanager
def plain_errors() -> Iterator[None]:
    """Show the sentence of a `ValueError` to whoever asked, in the page or over HTTP, and print no traceback.

    Raises:
        gr.Error: The block raised a `ValueError`.
    """
    try:
        yield
    except ValueError as error:
        raise gr.Error(str(error), print_exception=False) from None
