"""Pieces of the page that tabs not yet moved share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from app.library.background import Progress
from app.shared.html import html

__all__ = ["Frame", "error_html", "hint_html", "preparing_html", "render", "sentence"]

render = html


@dataclass(frozen=True)
class Frame:
    """What surrounds a message: number of the answer, link, notice."""

    turn: int
    link: str = ""
    notice: str = ""


def hint_html(name: str, words: str) -> str:
    """Draw a hint of one line."""
    return html("hint.html", name=name, words=words)


def preparing_html(preparation: Progress, frame: Frame, checkpoint: str) -> str:
    """Say how far the embedding of the images by a checkpoint is, or that it was stopped or failed."""
    if preparation.problem:
        return error_html(preparation.problem, frame, again=True)
    seen = f"{preparation.done:,} of {preparation.total:,}"
    return message(
        "stopped" if preparation.stopped else "loading",
        "Embedding was stopped" if preparation.stopped else "Embedding the images",
        f"The network {checkpoint} embeds {preparation.words} once: {seen} so far.",
        action="start" if preparation.stopped else "stop",
        done=preparation.done,
        total=preparation.total,
    )


def error_html(words: str, frame: Frame, *, again: bool = False) -> str:  # noqa: ARG001
    """Say in a plain sentence what went wrong, with a button to try again where that may help."""
    return message("error", "That did not work", words, action="start" if again else "")


def message(state: str, heading: str, words: str, action: str = "", done: int = 0, total: int = 0) -> str:
    """Draw a message."""
    values: dict[str, Any] = {"action": action, "done": done, "total": total}
    return html("message.html", state=state, heading=heading, words=words, **values)


def sentence(error: ValueError) -> str:
    """Write what an error says as a sentence, to be escaped where it is shown."""
    words = str(error).strip().rstrip(".")
    return f"{words[:1].upper()}{words[1:]}."
