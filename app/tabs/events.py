"""What the events of several tabs have in common."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import gradio as gr

__all__ = ["answering", "erase", "sent"]


class Outputs(Protocol):
    """An answer of a tab's handler."""

    def outputs(self) -> list[Any]:
        """List the values of the components that the tab names."""


def sent(event: gr.EventData, name: str) -> Any:
    """Read one field of what the browser sent with an event; `None` where it is missing."""
    try:
        return getattr(event, name, None)
    except TypeError:  # what was sent is no object at all
        return None


def answering(handler: Callable[..., Outputs]) -> Callable[..., list[Any]]:
    """Turn a handler into a function that returns what the components take."""
    return lambda *values: handler(*values).outputs()


def erase(event: Any, pieces: Sequence[gr.HTML]) -> None:
    """Make Gradio forget pieces of the page that the browser has drawn.

    It remembers the last value of every component for each visit, and would so keep a visitor's picture: an event that
    claims the pieces to be empty overwrites that, and changes nothing on the page.
    """
    js = f"() => {[''] * len(pieces)}"
    event.then(lambda *_: None, [*pieces], None, js=js, queue=False, api_visibility="private")
