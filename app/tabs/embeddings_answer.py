"""What an event of the Embeddings tab changes on the page, and what the browser sent with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import gradio as gr
from gradio.components.plot import PlotData

from app.errors import plain_errors
from app.tabs.embeddings_controls import values_of
from app.views.embeddings_visit import EmbeddingVisit

__all__ = ["PIECES", "SIDES", "Answer", "plainly"]

SIDES = ("left", "right")
# The pieces of the page in the order of `Answer.outputs`, after the state.
PIECES = (
    "status",
    "head-left",
    "left",
    "words-left",
    "head-right",
    "right",
    "words-right",
    "column-right",
    "data",
    "panel",
    "selection",
    "numbers",
)


@dataclass(frozen=True)
class Answer:
    """What an event changes on the page; `None` leaves a piece as it is.

    Attributes:
        visit: The visit from now on.
        status: HTML above the pictures.
        heads: HTML above each picture, left and right.
        figures: JSON of each picture.
        words: HTML below each picture.
        beside: Whether there is a right picture.
        data: HTML with what the browser needs to know of the points.
        panel: HTML of the chosen point.
        selection: HTML of the selected points.
        numbers: HTML of the table and the histograms.
        key: Image that other tabs are offered.
        polling: Whether to ask again soon.
        controls: Whether the controls are set to the visit.
    """

    visit: EmbeddingVisit
    status: str | None = None
    heads: tuple[str | None, str | None] = (None, None)
    figures: tuple[str | None, str | None] = (None, None)
    words: tuple[str | None, str | None] = (None, None)
    beside: bool | None = None
    data: str | None = None
    panel: str | None = None
    selection: str | None = None
    numbers: str | None = None
    key: str | None = None
    polling: bool | None = None
    controls: bool = False

    def outputs(self) -> list[Any]:
        """List the values of the components that `build_embeddings` names."""

        def piece(value: Any) -> Any:
            return gr.skip() if value is None else value

        def plot(value: str | None) -> Any:
            return gr.skip() if value is None else PlotData(type="plotly", plot=value)

        column = gr.skip() if self.beside is None else gr.Column(visible=self.beside)
        timer = gr.skip() if self.polling is None else gr.Timer(active=self.polling)
        shown = values_of(self.visit)
        return [
            self.visit,
            piece(self.status),
            piece(self.heads[0]),
            plot(self.figures[0]),
            piece(self.words[0]),
            piece(self.heads[1]),
            plot(self.figures[1]),
            piece(self.words[1]),
            column,
            piece(self.data),
            piece(self.panel),
            piece(self.selection),
            piece(self.numbers),
            piece(self.key),
            timer,
            *(shown if self.controls else [gr.skip() for _ in shown]),
        ]


@contextmanager
def plainly() -> Iterator[None]:
    """Show a value that is not valid as one plain sentence."""
    with plain_errors():
        yield
