"""A visit as the query part of an address, and back: what somebody sends to a colleague."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from app.actions.checks import shown, text
from app.actions.retrieval import retrieve
from app.actions.retrieval.compare import MAX_OTHERS, known_others
from app.library import Library
from app.library.collection import SEVERITY, Direction
from app.visit import Visit
from mun.evaluation.corrupted import MIXED

__all__ = ["KEYS", "read", "write"]

KEYS = (
    "checkpoint",
    "data",
    "direction",
    "protocol",
    "shots",
    "trial",
    "top_k",
    "rerank",
    "left_out",
    "compare",
    "corruption",
    "severity",
    "query",
)
MAX_DIGITS = 6


def write(visit: Visit) -> str:
    """Return a visit as `?checkpoint=…&query=…`; empty while no query has been chosen."""
    if not visit.query:
        return ""
    values: dict[str, object] = {name: getattr(visit, name) for name in KEYS}
    values |= {"direction": visit.direction.value, "rerank": int(visit.rerank), "left_out": int(visit.left_out)}
    values["compare"] = ",".join(visit.compare)
    optional = {"rerank", "left_out", "compare", "corruption"}
    if visit.corruption in ("", MIXED):
        del values["severity"]  # it would mean nothing
    words = {name: value for name, value in values.items() if value or name not in optional}
    return "?" + urlencode(words, safe="/,")


def read(library: Library, values: Mapping[str, object]) -> Visit:
    """Return the visit that a link describes; what it does not say is as for a first visit.

    Args:
        library: What all visitors share.
        values: The address's values by name; names that are none of ours are passed over.

    Raises:
        ValueError: A value is out of bounds or names nothing.
    """
    said = {name: text(name, values[name]) for name in KEYS if values.get(name) and name != "compare"}
    request = retrieve.Request(
        said.get("checkpoint", ""),
        said.get("data", ""),
        said.get("query", ""),
        _number("top_k", said.get("top_k", "10")),
        said.get("protocol", ""),
        _number("trial", said.get("trial", "0")),
        said.get("direction", ""),
        _number("shots", said.get("shots", "1")),
        _switch("rerank", said.get("rerank", "0")),
        _switch("left_out", said.get("left_out", "0")),
        said.get("corruption", ""),
        _number("severity", said.get("severity", str(SEVERITY))),
    ).checked(library)
    return Visit(
        request.checkpoint,
        request.data,
        request.protocol,
        request.query if "query" in said else "",
        request.trial,
        request.top_k,
        Direction(request.direction),
        request.shots,
        request.rerank,
        request.with_left_out,
        known_others(library, request.checkpoint, _names("compare", values.get("compare") or "")),
        corruption=request.corruption,
        severity=request.severity,
    )


def _names(name: str, value: object) -> list[str]:
    """Read `a,b,c`; each name is checked later."""
    if not isinstance(value, str):
        raise ValueError(f"expected {name} to be text, got {shown(value)}")
    return [word for word in value.split(",", MAX_OTHERS + 1) if word]


def _number(name: str, word: str) -> int:
    if not (word.isascii() and word.isdigit() and len(word) <= MAX_DIGITS):
        raise ValueError(f"expected {name} to be a whole number, got {shown(word)}")
    return int(word)


def _switch(name: str, word: str) -> bool:
    if word not in ("0", "1"):
        raise ValueError(f"expected {name} to be 0 or 1, got {shown(word)}")
    return word == "1"
