"""What the controls of the Retrieval tab offer, and what a visit becomes when they are used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from app.actions.checks import known, whole_number
from app.actions.retrieval.browse import Order
from app.actions.retrieval.compare import known_others
from app.actions.retrieval.retrieve import MAX_TOP_K, MAX_TRIAL
from app.actions.terms import switch
from app.library import Library
from app.library.checkpoints import by_budget
from app.library.collection import CORRUPTION_NAMES, SHOTS, Direction
from app.visit import Visit
from mun.data.corruptions import SEVERITIES
from mun.evaluation.corrupted import MIXED

__all__ = ["ANY", "NONE", "Menu", "choose", "menus"]

ANY, NONE = "any", "none"
PROTOCOL_LABELS = {"all": "all-search", "indoor": "indoor-search"}
DIRECTION_LABELS = {"i2v": "infrared → visible", "v2i": "visible → infrared (not published)"}
ORDER_LABELS = {"person": "by person", "camera": "by camera", "hardest": "hardest first", "easiest": "easiest first"}


@dataclass(frozen=True)
class Menu:
    """What a control shows: its value, and (label, value) of each choice where it has choices."""

    value: Any
    choices: tuple[tuple[str, str], ...] = ()


def menus(library: Library, visit: Visit) -> dict[str, Menu]:
    """Describe every control of a visit, by name.

    Choices are those of all data sets and directions wherever that makes sense: a menu of Gradio's that was open once
    fails in the browser when its choices become fewer. `views.settle` replaces what is not to be had.
    """
    collections = library.collections.values()
    samples = [sample for collection in collections for sample in collection.samples]
    shots = sorted({n for c in collections for p in c.protocols for way in Direction for n in c.shots(p, way)})
    checkpoints = by_budget(library.checkpoints[name] for name in library.usable)
    return {
        "checkpoint": Menu(visit.checkpoint, tuple((entry.title, entry.name) for entry in checkpoints)),
        "compare": Menu([*visit.compare], tuple((entry.short_title, entry.name) for entry in checkpoints)),
        "data": Menu(visit.data, tuple((entry.title, name) for name, entry in library.collections.items())),
        "direction": Menu(visit.direction.value, tuple((label, name) for name, label in DIRECTION_LABELS.items())),
        "protocol": Menu(
            visit.protocol,
            tuple(
                (PROTOCOL_LABELS.get(name.rpartition("-")[2], name), name)
                for name in library.collections[visit.data].protocols
            ),
        ),
        "top_k": Menu(visit.top_k),
        "shots": Menu(
            str(visit.shots),
            tuple(("1 (single-shot)" if number == 1 else f"{number} (multi-shot)", str(number)) for number in shots),
        ),
        "trial": Menu(visit.trial),
        "rerank": Menu(visit.rerank),
        "left_out": Menu(visit.left_out),
        "corruption": Menu(visit.corruption or NONE, corruption_choices()),
        "severity": Menu(str(visit.severity), tuple((str(number), str(number)) for number in SEVERITIES)),
        "order": Menu(visit.order, tuple((ORDER_LABELS[name], name.value) for name in Order)),
        "pid": _filter(visit.pid, {sample.pid for sample in samples}),
        "camid": _filter(visit.camid, {sample.camid for sample in samples}),
    }


def corruption_choices() -> tuple[tuple[str, str], ...]:
    """List what can be done to the visible images, (label, value)."""
    names = {name: name.replace("_", " ").replace("jpeg", "JPEG") for name in CORRUPTION_NAMES if name != MIXED}
    mixed = (f"mixed: any of the {len(names)} (the field's protocol)", MIXED)
    return (NONE, NONE), mixed, *((label, name) for name, label in names.items())


def _filter(value: int | None, numbers: set[int]) -> Menu:
    names = [ANY, *map(str, sorted(numbers))]
    return Menu(ANY if value is None else str(value), tuple((name, name) for name in names))


def choose(library: Library, visit: Visit, values: Mapping[str, object]) -> Visit:
    """Put the controls' values into a visit.

    A value that another data set or direction offers is let through, because a control may not have heard of the change
    yet; `views.settle` replaces it.

    Args:
        library: What all visitors share.
        visit: What was chosen before.
        values: Of every control, by name.

    Raises:
        ValueError: A value is not one that the page ever offers.
    """
    collections = library.collections.values()
    samples = [sample for collection in collections for sample in collection.samples]
    corruption = known("corruption", values["corruption"], [NONE, *CORRUPTION_NAMES])
    checkpoint = known("checkpoint", values["checkpoint"], library.usable)
    return replace(
        visit,
        checkpoint=checkpoint,
        compare=known_others(library, checkpoint, values["compare"] or []),
        data=known("data", values["data"], library.collections),
        direction=Direction(known("direction", values["direction"], list(Direction))),
        protocol=known("protocol", values["protocol"], [name for entry in collections for name in entry.protocols]),
        top_k=whole_number("number of results", values["top_k"], 1, MAX_TOP_K),
        shots=int(known("shots", values["shots"], [str(shots) for shots in SHOTS])),
        trial=whole_number("gallery", values["trial"], 0, MAX_TRIAL),
        rerank=switch("re-ranking", values["rerank"]),
        left_out=switch("left-out images", values["left_out"]),
        corruption="" if corruption == NONE else corruption,
        severity=int(known("severity", values["severity"], [str(number) for number in SEVERITIES])),
        order=known("order", values["order"], list(Order)),
        pid=_number("person", values["pid"], {sample.pid for sample in samples}),
        camid=_number("camera", values["camid"], {sample.camid for sample in samples}),
    )


def _number(name: str, value: object, choices: set[int]) -> int | None:
    """Read a filter's value: a number among those offered, or none for `any`."""
    word = known(name, value, [ANY, *map(str, sorted(choices))])
    return None if word == ANY else int(word)
