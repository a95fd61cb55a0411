"""The one door to hosts that lend a GPU per call (`spaces`): what is called there runs in a forked process.

Such a host looks at the start whether any function asks for its GPU, and gives the app up where none does; it must be
asked for before CUDA is used.
"""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Callable
from typing import Any

__all__ = ["CHUNK_SECONDS", "lent", "on_lent_gpu"]

CHUNK_SECONDS = 45.0  # of training per call
CALL_SECONDS = 60  # asked for, so that a chunk can be opened and saved too


def lent() -> bool:
    """Say whether this host lends its GPU per call."""
    if os.environ.get("SPACES_ZERO_GPU", "").lower() not in ("1", "t", "true"):
        return False
    try:
        importlib.import_module("spaces")
    except Exception as error:  # it fails in several ways where torch was built without CUDA
        logging.getLogger(__name__).warning("the GPU of this host cannot be used: %s: %s", type(error).__name__, error)
        return False
    return True


def on_lent_gpu(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let a function run with the lent GPU; only what it leaves on disk, and its answer, come back."""
    wrapped: Callable[..., Any] = importlib.import_module("spaces").GPU(duration=CALL_SECONDS)(function)
    return wrapped
