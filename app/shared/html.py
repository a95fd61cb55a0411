"""Pieces of the page as HTML; every value is escaped by the templates' autoescaping."""

import json
import secrets
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.library import Library
from app.library.background import Progress
from app.library.thumbnails import encoded
from app.shared.request import Request, bounds

__all__ = ["as_sentence", "chips", "controls", "draw_progress", "form", "html", "prepared"]

TEMPLATES = Path(__file__).parents[1] / "templates"


@lru_cache(maxsize=1)
def templates() -> Environment:
    """Open the templates once; an unknown name in a template is an error instead of an empty string."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["once"] = lambda: secrets.token_hex(4)  # Gradio passes on only a value that differs
    environment.filters["json"] = lambda value: json.dumps(value, ensure_ascii=False)
    environment.filters |= {"uri": encoded, "sentence": as_sentence, "grouped": "{:,}".format}
    environment.filters["percent"] = lambda value, digits=1: f"{100 * value:.{digits}f} %"
    environment.filters["fixed"] = lambda value, digits=3: f"{value:.{digits}f}"
    return environment


def as_sentence(words: object) -> str:
    """Write text, or the message of a refusal, as a sentence of the page."""
    plain = str(words).strip().rstrip(".")
    return f"{plain[:1].upper()}{plain[1:]}."


def html(template: str, /, **values: Any) -> str:
    """Fill one template."""
    return templates().get_template(template).render(**values)


def controls(request: Request, library: Library, names: Sequence[str]) -> list[dict[str, Any]]:
    """Describe the controls of some fields, for the template of a form.

    Returns:
        For each field its `name`, `kind` (`select`, `radio`, `many`, `checkbox`, `range`, `number` or `text`), `title`,
        `text` (what it means), `value`, `choices`, bounds of a number (`low`, `high`), `idle` (why it has no effect
        now; empty if it has one), and whether it is `numeric`.
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
        tab: Name of the tab; the ids of the controls begin with it.
        request: The values of the controls.
        library: The choices depend on it.
        groups: Names of fields by their heading; an empty heading is left out.
    """
    drawn = [(title, controls(request, library, names)) for title, names in groups.items()]
    return html("form.html", tab=tab, groups=drawn)


def chips(request: Request, library: Library, names: Sequence[str]) -> list[dict[str, Any]]:
    """List the fields among `names` that are not at their default.

    Returns:
        For each its `name`, `words`, and the value that resets it (`default`).
    """
    defaults = request.changed_fields(library)
    changed = [name for name in names if name in defaults]
    made = []
    for control in controls(request, library, changed) if changed else ():
        value, words, labels = control["value"], control["title"], dict[Any, str](control["choices"])
        if isinstance(value, bool):
            words += "" if value else ": off"
        elif isinstance(value, tuple):
            words += f": {', '.join(labels.get(one, str(one)) for one in value) or 'none'}"
        else:
            words += f": {labels.get(value, f'{value:g}' if isinstance(value, float) else value)}"
        made.append({"name": control["name"], "words": words, "default": defaults[control["name"]]})
    return made


def draw_progress(progress: Progress, heading: str, words: str, failed: str, stopped: tuple[str, str]) -> str:
    """Draw the progress of background work, or its stop or failure, with a button that stops or starts it.

    Args:
        progress: Progress of the work.
        heading: Heading while it runs.
        words: Text below that heading.
        failed: Heading if it has failed; the problem is shown below.
        stopped: Heading and text if it was stopped.
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
    """Draw the progress of embedding the images with a checkpoint, or its stop or failure."""
    seen = f"{preparation.done:,} of {preparation.total:,}"
    words = f"The network {checkpoint} embeds {preparation.words} once: {seen} so far. The page updates by itself."
    stopped = f"The network {checkpoint} had embedded {seen} images. Nothing is kept; it can start again."
    ended = ("Embedding was stopped", stopped)
    return draw_progress(preparation, "Embedding the images", words, "The images cannot be embedded", ended)
