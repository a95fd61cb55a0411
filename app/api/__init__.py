"""The public HTTP functions."""

from __future__ import annotations

from app.api.pictures import add_explain
from app.library import Library

__all__ = ["add_api"]


def add_api(library: Library) -> None:
    """Add the public functions to the page that is being built."""
    add_explain(library)
