"""What one visitor has chosen."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Visit"]


@dataclass(frozen=True)
class Visit:
    """One visitor's choices: names and numbers only; everything heavy is in the library.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        protocol: Name of the protocol.
        query: Key of the query image, as `cam3/0007/0001.jpg`.
        trial: Number of the gallery, from 0.
        top_k: How many ranked images to show.
        pid: Only queries of this identity are offered; `None` offers all.
        camid: Only queries of this camera are offered; `None` offers all.
        page: Page of the query browser, from 0.
        turn: Grows with every answer, so that no two pieces of the page are alike and the browser draws each anew.
    """

    checkpoint: str
    data: str
    protocol: str
    query: str
    trial: int = 0
    top_k: int = 10
    pid: int | None = None
    camid: int | None = None
    page: int = 0
    turn: int = 0
