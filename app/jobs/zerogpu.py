"""The one door to hosts that lend a GPU per call (`spaces`): what is called there runs in a forked process."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

__all__ = ["CHUNK_SECONDS", "lent", "on_lent_gpu"]

CHUNK_SECONDS = 45.0  # of training per call
CALL_SECONDS = 60  # asked for, so that a chunk can be opened and saved too


def lent() -> bool:
    """Say whether this host lends its GPU per call."""
    if not os.environ.get("SPACES_ZERO_GPU"):
        return False
    try:
        importlib.import_module("spaces")
    except ImportError:
        return False
    return True


def on_lent_gpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function run with the lent GPU; only what it leaves on disk, and its answer, come back."""
    wrapped: Callable[..., Any] = importlib.import_module("spaces").GPU(duration=CALL_SECONDS)(function)
    return wrapped
