"""Check what came from outside, in one sentence: what was expected, what came."""

from __future__ import annotations

import math
from collections.abc import Iterable

__all__ = ["MAX_TEXT", "known", "shown", "spelled", "switch", "text", "whole_number"]

MAX_TEXT = 200
MAX_DIGITS = 18  # of a number in an address
SHOWN = 60  # characters of a bad value that a message repeats


def shown(value: object) -> str:
    """Repeat a value in a message: short, on one line, and still to be escaped where it is shown."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**18:
        return "a very large number"
    words = repr(value) if isinstance(value, (str, int, float, bool)) or value is None else f"a {type(value).__name__}"
    return words if len(words) <= SHOWN else f"{words[:SHOWN]}…"


def text(name: str, value: object) -> str:
    """Return a short string.

    Raises:
        ValueError: It is no string, or longer than 200 characters.
    """
    if not isinstance(value, str):
        raise ValueError(f"expected {name} to be text, got {shown(value)}")
    if len(value) > MAX_TEXT:
        raise ValueError(f"expected {name} to have at most {MAX_TEXT} characters, got {len(value)}")
    return value


def whole_number(name: str, value: object, low: int, high: int) -> int:
    """Return a whole number; 10.0 counts as one, because JSON does not tell it from 10.

    Raises:
        ValueError: It is no whole number (NaN, a boolean, text) or out of bounds.
    """
    number = int(value) if isinstance(value, float) and math.isfinite(value) and value.is_integer() else value
    if not isinstance(number, int) or isinstance(number, bool) or not low <= number <= high:
        raise ValueError(f"expected {name} to be a whole number from {low} to {high}, got {shown(value)}")
    return number


def spelled(word: str) -> int | str:
    """Read a number of an address; what is none is returned as it came, for `whole_number` to refuse."""
    return int(word) if word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS else word


def known(name: str, value: object, names: Iterable[str]) -> str:
    """Return one of some names; an empty string stands for the first.

    Raises:
        ValueError: It is none of them, or there are none.
    """
    word, choices = text(name, value), list(names)
    if not choices:
        raise ValueError(f"expected a {name}, but there is none to choose from")
    if not word:
        return choices[0]
    if word not in choices:
        listed = ", ".join(choices[:8]) + (", …" if len(choices) > 8 else "")
        raise ValueError(f"expected {name} to be one of {listed}; got {shown(word)}")
    return word


def switch(name: str, value: object) -> bool:
    """Return a switch's position.

    Raises:
        ValueError: It is neither true nor false.
    """
    if not isinstance(value, bool):
        raise ValueError(f"expected {name} to be true or false, got {shown(value)}")
    return value
