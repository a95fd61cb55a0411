"""What goes wrong with a visitor's input, as the sentence that the visitor reads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gradio as gr

__all__ = ["plain_errors"]


@contextmanager
def plain_errors(words: Callable[[ValueError], str] = str) -> Iterator[None]:
    """Show the sentence of a `ValueError` to whoever asked, in the page or over HTTP, and print no traceback.

    Args:
        words: Writes the sentence.

    Raises:
        gr.Error: The block raised a `ValueError`.
    """
    try:
        yield
    except ValueError as error:
        raise gr.Error(words(error), print_exception=False) from None
