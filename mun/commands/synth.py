"""Write SynVI, the synthetic visible-infrared person data set, in the layout of SYSU-MM01."""

import argparse
import os
import re
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

from mun.progress import run_through
from mun.synvi import LEVELS, SHAPES, Knobs, Plan, level_of, write

__all__ = ["add_arguments", "run"]


COUNTS = {  # fields of the plan, and what they count
    "train_ids": "training identities",
    "val_ids": "validation identities",
    "test_ids": "test identities",
    "images": "images per identity and camera",
    "held_images": "the same for validation and test identities, 0 for as many",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m mun synth`."""
    parser.add_argument("out", metavar="OUT", type=Path, help="folder to write; it must not exist, or be empty")
    parser.add_argument("--level", default="standard", help=f"difficulty: {', '.join(LEVELS)} (default: standard)")
    text = f"set one knob of the level, may be repeated: {', '.join(field.name for field in fields(Knobs))}"
    parser.add_argument("--knob", action="append", default=[], metavar="NAME=VALUE", help=text)
    shapes = "; ".join(f"{shape.name}: {shape.text}" for shape in SHAPES.values())
    text = f"counts of people, images and cameras, unless other flags change them; {shapes}"
    parser.add_argument("--shape", choices=list(SHAPES), help=text)
    defaults = {field.name: field.default for field in fields(Plan)}
    for name, text in COUNTS.items():
        flag = f"--{name.replace('_', '-')}"
        parser.add_argument(flag, type=int, metavar="N", help=f"{text} (default: {defaults[name]})")
    text = "cameras that take pictures (default: 1,2,3,4,5,6)"
    parser.add_argument("--cameras", type=_cameras, metavar="A,B", help=text)
    parser.add_argument("--size", default="128x64", metavar="HxW", help="pixels, 32 to 512 each (default: 128x64)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another seed makes other people (default: 0)")
    text = "also write the ground truth: parts, depth, place on the body, attributes"
    parser.add_argument("--truth", action="store_true", help=text)
    text = "number of processes; it changes no byte of the output (default: all cores)"
    parser.add_argument("--workers", type=int, metavar="N", help=text)


def run(options: argparse.Namespace) -> None:
    """Write the data set, with a progress bar on stderr.

    Raises:
        ValueError: An argument is out of bounds, or there is something at OUT.
        OSError: OUT cannot be written, or the disk is full.
    """
    shape = SHAPES.get(options.shape)
    given = {name: getattr(options, name) for name in (*COUNTS, "cameras")}
    counts: dict[str, Any] = {} if shape is None else dict(shape.counts)
    counts |= {name: value for name, value in given.items() if value is not None}
    level = level_of(options.level, {**(shape.knobs if shape else {}), **dict(map(_knob, options.knob))})
    plan = Plan(level, size=_size(options.size), seed=options.seed, truth=options.truth, **counts)
    workers = (os.cpu_count() or 1) if options.workers is None else options.workers
    with _terminate_as_interrupt():
        run_through(write(plan, options.out, workers), plan.total, "synvi", "image")
    print(f"{options.out}: {plan.total} images of {sum(plan.counts.values())} identities")


def _knob(text: str) -> tuple[str, float]:
    """Read the name and the value of a knob.

    Raises:
        ValueError: The text is not NAME=VALUE.
    """
    name, _, value = text.partition("=")
    try:
        return name, float(value)
    except ValueError:
        raise ValueError(f"expected --knob as NAME=VALUE, for example noise=2, got {text[:60]!r}") from None


def _cameras(text: str) -> tuple[int, ...]:
    """Read numbers of cameras."""
    if re.fullmatch(r"\d(,\d)*", text, re.ASCII) is None:
        raise argparse.ArgumentTypeError(f"expected A,B, for example 1,3, got {text[:60]!r}")
    return tuple(int(word) for word in text.split(","))


def _size(text: str) -> tuple[int, int]:
    """Read rows and columns.

    Raises:
        ValueError: The text is not HxW.
    """
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text, re.ASCII)
    if match is None:
        raise ValueError(f"expected --size as HxW, for example 128x64, got {text!r}")
    return int(match[1]), int(match[2])


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    """Clean up after SIGTERM as after Ctrl-C; only in the main thread, which alone can handle signals."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
