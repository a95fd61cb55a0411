"""Pieces of the page as HTML; every value is escaped by the templates' autoescaping."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.library import Library
from app.library.background import Progress
from app.library.thumbnails import encoded
from app.shared.request import Request, bounds

__all__ = ["as_sentence", "chips", "controls", "form", "how_far", "html", "prepared"]

TEMPLATES = Path(__file__).parents[1] / "templates"


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Open the templates once; a name that a template misspells is an error instead of an empty string."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters |= {"uri": encoded, "sentence": as_sentence, "grouped": "{:,}".format}
    environment.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    environment.filters["fixed"] = lambda value, digits=3: f"{value:.{digits}f}"
    return environment


def as_sentence(words: object) -> str:
    """Write words, or those of a refusal, as a sentence of the page."""
    plain = str(words).strip().rstrip(".")
    return f"{plain[:1].upper()}{plain[1:]}."


def html(template: str, /, **values: Any) -> str:
    """Fill one template."""
    return templates().get_template(template).render(**values)


def controls(request: Request, library: Library, names: Sequence[str]) -> list[dict[str, Any]]:
    """Describe the controls of some fields, as the template of a form draws them.

    Returns:
        For each field its `name`, `kind` (`select`, `radio`, `many`, `checkbox`, `range`, `number` or `text`), `title`,
        `text` (what it means), `value`, `choices`, bounds of a number (`low`, `high`), `idle` (why it has no effect
        now; empty where it has), and whether it is `numeric`.
    """
    values, made = request.model_dump(), []
    for name in names:
        field, offer = type(request).model_fields[name], request.offers.get(name)
        choices = offer.choices(library, values) if offer else []
        extra: dict[str, Any] = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        usual = "checkbox" if field.annotation is bool else "number" if field.annotation in (int, float) else "text"
        kind = str(extra.get("control") or ("select" if choices else usual))
        idle = extra["idle"](request) if callable(extra.get("idle")) else ""
        low, high = bounds(field)
        one = {"name": name, "kind": kind, "value": values[name], "choices": choices, "idle": idle}
        one |= {"title": field.title or name, "text": field.description or ""}
        one |= {"low": low, "high": high, "numeric": field.annotation in (int, float)}
        made.append(one)
    return made


def form(tab: str, request: Request, library: Library, groups: Mapping[str, Sequence[str]]) -> str:
    """Draw a form that changes a request.

    Args:
        tab: Of which tab; begins the ids of its controls.
        request: What the controls show.
        library: What choices depend on.
        groups: Names of fields by the heading that they stand under; an empty heading is left out.
    """
    drawn = [(title, controls(request, library, names)) for title, names in groups.items()]
    return html("form.html", tab=tab, groups=drawn)


def chips(request: Request, library: Library, names: Sequence[str]) -> list[dict[str, Any]]:
    """List the settings among some fields that are not as they are by default.

    Returns:
        For each its `name`, `words`, and the value that puts it back (`default`).
    """
    said = request.said(library)
    changed = [name for name in names if name in said]
    made = []
    for control in controls(request, library, changed) if changed else ():
        value, words, labels = control["value"], control["title"], dict[Any, str](control["choices"])
        if isinstance(value, bool):
            words += "" if value else ": off"
        elif isinstance(value, tuple):
            words += f": {', '.join(labels.get(one, str(one)) for one in value) or 'none'}"
        else:
            words += f": {labels.get(value, f'{value:g}' if isinstance(value, float) else value)}"
        made.append({"name": control["name"], "words": words, "default": said[control["name"]]})
    return made


def how_far(progress: Progress, heading: str, words: str, failed: str, stopped: tuple[str, str]) -> str:
    """Say how far background work is, or that it was stopped or failed, with a button that stops or starts it.

    Args:
        progress: Of the work.
        heading: While it is under way.
        words: Below that heading.
        failed: Heading where it has failed; the problem stands below.
        stopped: Heading and words where it was stopped.
    """
    state, action = "loading", "stop"
    if progress.problem:
        state, action, heading, words = "error", "start", failed, as_sentence(progress.problem)
    elif progress.stopped:
        state, action, (heading, words) = "stopped", "start", stopped
    total = 0 if progress.problem else progress.total
    return html(
        "message.html", state=state, heading=heading, words=words, action=action, done=progress.done, total=total
    )


def prepared(preparation: Progress, checkpoint: str) -> str:
    """Say how far the embedding of the images by a checkpoint is, or that it was stopped or failed."""
    seen = f"{preparation.done:,} of {preparation.total:,}"
    words = f"The network {checkpoint} embeds {preparation.words} once: {seen} so far. The page goes on by itself."
    stopped = f"The network {checkpoint} had embedded {seen} images. Nothing of it is kept; it can start again."
    ended = ("Embedding was stopped", stopped)
    return how_far(preparation, "Embedding the images", words, "The images cannot be embedded", ended)
