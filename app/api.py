"""The public HTTP functions: typed, checked, plain dictionaries out."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.events import api

from app.actions import retrieve as retrieve_action
from app.actions import status as status_action
from app.library import Library

__all__ = ["add_api"]


def add_api(library: Library) -> None:
    """Add `/status` and `/retrieve` to the page that is being built."""

    def status() -> dict[str, Any]:
        """Say which version runs on what device, and which checkpoints and data sets are loaded."""
        return status_action.run(library).to_json()

    def retrieve(
        checkpoint: str = "", data: str = "", query: str = "", top_k: int = 10, protocol: str = "", trial: int = 0
    ) -> dict[str, Any]:
        """Rank the visible gallery for one infrared query.

        Args:
            checkpoint: Name of a usable checkpoint of `/status`; empty for the first.
            data: Name of a data set of `/status`; empty for the first.
            query: Key of an infrared image, as cam3/0007/0001.jpg; empty for the first.
            top_k: How many ranked images to return, 1 to 100.
            protocol: Name of one of the data set's protocols; empty for the first.
            trial: Number of the gallery, 0 to 9.

        Returns:
            The names used, the query, the ranked images with their cosine distance 1 - cos, the average precision and
            the rank of the first match over the whole ranked gallery (null where nobody matches), and its size.
        """
        try:
            request = retrieve_action.Request(checkpoint, data, query, top_k, protocol, trial)
            return retrieve_action.run(library, request).to_json()
        except ValueError as error:
            raise gr.Error(str(error), print_exception=False) from None

    api(status, api_name="status", concurrency_limit=4)
    api(retrieve, api_name="retrieve", concurrency_limit=4, concurrency_id="retrieve")
