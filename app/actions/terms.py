"""Check the terms of a ranking, which several requests have in common."""

from __future__ import annotations

from app.actions.checks import known, shown, whole_number
from app.collection import Collection, Direction, Terms

__all__ = ["MAX_TRIAL", "checked_terms", "switch"]

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
    collection: Collection, protocol: object, trial: object, direction: object, shots: object, rerank: object
) -> Terms:
    """Return the terms with every default filled in.

    Args:
        collection: What is searched.
        protocol: Name of a protocol that the data allow; empty for the first.
        trial: Number of the gallery, 0 … 9.
        direction: `i2v` or `v2i`; empty for the first.
        shots: Gallery images per identity and camera, as many as the data allow.
        rerank: True or false.

    Raises:
        ValueError: A value is out of bounds or names nothing.
    """
    name = known("protocol", protocol, collection.protocols)
    way = Direction(known("direction", direction, list(Direction)))
    number, allowed = whole_number("shots", shots, 1, 100), collection.shots(name, way)
    if number not in allowed:
        words = ", ".join(map(str, allowed))
        raise ValueError(f"expected shots to be one of {words}, as many as {collection.title} allows; got {number}")
    return Terms(name, whole_number("trial", trial, 0, MAX_TRIAL), way, number, switch("rerank", rerank))
