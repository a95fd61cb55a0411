"""Limits of the host: caps on training, from environment variables, and a GPU that is lent per call.

MUN_TRAIN          off, tiny or on; by default tiny on a hosted Space, on elsewhere
MUN_TRAIN_MINUTES  minutes that one run may train, about; after twice as many it is stopped
MUN_TRAIN_IMAGES   images that may be rendered for one run
MUN_TRAIN_RUNS     runs that are kept; the oldest ended runs are removed

A host that lends its GPU per call (`spaces`) runs the called function in a forked process. At the start it looks for a
function that requests the GPU, and stops the app where there is none; the request must come before CUDA is used.
"""

import importlib
import logging
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pydantic import AllowInfNan, TypeAdapter, ValidationError

__all__ = ["DUPLICATE", "LENT_SECONDS", "Limits", "lent", "on_lent_gpu", "read_limits"]

LENT_SECONDS = 45.0  # of training per call on a lent GPU
CALL_SECONDS = 60  # requested time, which includes opening and saving a chunk
NAME_OF_SPACE = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95}", re.ASCII)
DUPLICATE = "duplicate this Space, or start the app on your own machine, where there is no such limit"


@dataclass(frozen=True)
class Limits:
    """The caps of one app.

    Attributes:
        mode: `off`, `tiny` or `on`.
        minutes: Minutes that one run may train.
        images: Images that may be rendered for one run.
        runs: Runs that are kept.
        waiting: Runs that may wait in the queue.
        pixels: Most pixels of one training image.
        width: Highest width of the backbone.
        batch: Most images per batch and modality.
        num_bytes: Most bytes of all runs and the data rendered for them.
        starts: Runs that one visitor may start in ten minutes.
        space: Name of the hosted Space, OWNER/NAME; empty elsewhere.
    """

    mode: str
    minutes: float
    images: int
    runs: int
    waiting: int
    pixels: int
    width: float
    batch: int
    num_bytes: int
    starts: int
    space: str = ""

    @property
    def off(self) -> bool:
        """Whether nobody may train."""
        return self.mode == "off"

    def refusal(self, words: str) -> str:
        """Write the refusal of a request that exceeds a limit, with advice where the host has limits."""
        tail = f"; {DUPLICATE}" if self.mode != "on" else ""
        return f"{words}{tail}"


MODES = {
    "off": Limits("off", 1.0, 1, 0, 0, 1, 1.0, 1, 0, 0),
    "tiny": Limits("tiny", 3.0, 2_000, 8, 4, 128 * 64, 0.5, 64, 1_000_000_000, 6),
    "on": Limits("on", 1440.0, 60_000, 50, 16, 512 * 512, 2.0, 1024, 20_000_000_000, 60),
}


def read_limits(environment: Mapping[str, str] | None = None) -> Limits:
    """Read the limits.

    Args:
        environment: Variables by name; those of this process by default.

    Raises:
        ValueError: A variable has an invalid value.
    """
    values = os.environ if environment is None else environment
    mode = values.get("MUN_TRAIN", "").strip() or ("tiny" if values.get("SPACE_ID") else "on")
    if mode not in MODES:
        raise ValueError(f"expected MUN_TRAIN to be off, tiny or on, got {mode[:40]!r}")
    space = values.get("SPACE_ID", "")
    limits = replace(MODES[mode], space=space if NAME_OF_SPACE.fullmatch(space) else "")
    if limits.off:
        return limits
    return replace(
        limits,
        minutes=_number(values, "MUN_TRAIN_MINUTES", limits.minutes),
        images=int(_number(values, "MUN_TRAIN_IMAGES", limits.images)),
        runs=int(_number(values, "MUN_TRAIN_RUNS", limits.runs)),
    )


def _number(values: Mapping[str, str], name: str, default: float) -> float:
    """Read a positive number; whole ones are at least 1."""
    word, least = values.get(name, "").strip(), Ge(1) if isinstance(default, int) else Gt(0)
    try:
        return float(TypeAdapter(Annotated[float, least, AllowInfNan(False)]).validate_python(word or default))
    except ValidationError:
        raise ValueError(f"expected {name} to be a positive number, got {word[:40]!r}") from None


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
    """Make a function run with the lent GPU; only its files on disk and its return value come back."""
    wrapped: Callable[..., Any] = importlib.import_module("spaces").GPU(duration=CALL_SECONDS)(function)
    return wrapped
