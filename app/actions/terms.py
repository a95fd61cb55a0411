"""Check the terms of a ranking, which several requests have in common."""

from __future__ import annotations

from app.actions.checks import known, shown, text, whole_number
from app.library.collection import CORRUPTION_NAMES, SEVERITY, Collection, Direction, Terms, corruption_of

__all__ = ["MAX_TRIAL", "checked_terms", "corruption_note", "switch"]

MAX_TRIAL = 9


def switch(name: str, value: object) -> bool:
    """Return a switch's position.

    Raises:
        ValueError: It is neither true nor false.
    """
    if not isinstance(value, bool):
        raise ValueError(f"expected {name} to be true or false, got {shown(value)}")
    return value


def checked_terms(
    collection: Collection,
    protocol: object,
    trial: object,
    direction: object,
    shots: object,
    rerank: object,
    corruption: object = "",
    severity: object = SEVERITY,
) -> Terms:
    """Return the terms with every default filled in.

    Args:
        collection: What is searched.
        protocol: Name of a protocol that the data allow; empty for the first.
        trial: Number of the gallery, 0 … 9.
        direction: `i2v` or `v2i`; empty for the first.
        shots: Gallery images per identity and camera, as many as the data allow.
        rerank: True or false.
        corruption: Name of what is done to the visible images; empty for nothing.
        severity: How strongly, 1 … 5; of no meaning without a corruption and for `mixed`, which draws it.

    Raises:
        ValueError: A value is out of bounds or names nothing.
    """
    name = known("protocol", protocol, collection.protocols)
    way = Direction(known("direction", direction, list(Direction)))
    number, allowed = whole_number("shots", shots, 1, 100), collection.shots(name, way)
    if number not in allowed:
        words = ", ".join(map(str, allowed))
        raise ValueError(f"expected shots to be one of {words}, as many as {collection.title} allows; got {number}")
    word, strength = text("corruption", corruption), whole_number("severity", severity, 1, 5)
    if word:
        word = known("corruption", word, CORRUPTION_NAMES)
    gallery = whole_number("trial", trial, 0, MAX_TRIAL)
    return Terms(name, gallery, way, number, switch("rerank", rerank), corruption_of(word, strength))


def corruption_note(name: str, severity: int | None) -> str:
    """Say in a sentence what was done to the visible images; nothing where nothing was."""
    corruption = corruption_of(name, severity or SEVERITY)
    return f"Visible images corrupted: {corruption.words}; not the clean protocol." if corruption else ""
