"""Render an image of a SynVI data set again, with one thing changed."""

import argparse
import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mun.files import read_json, whole_folder, write_json
from mun.synvi import REMOVABLE, Change, Pattern, Plan, counterfactual

__all__ = ["add_arguments", "run"]

PATTERNS = ", ".join(Pattern)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m mun counterfactual`."""
    parser.add_argument("data", metavar="DATA", type=Path, help="folder of a SynVI data set; its manifest is read")
    parser.add_argument("image", metavar="IMAGE", help="the image, such as cam3/0007/0001.jpg")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write; new or empty")
    text = f"thing to remove: {', '.join(REMOVABLE)}"
    parser.add_argument("--without", action="append", default=[], metavar="THING", help=text)
    for name in ("upper", "lower"):
        parser.add_argument(f"--{name}-pattern", metavar="NAME", help=f"one of {PATTERNS}")
    for name in ("upper", "lower", "bag"):
        parser.add_argument(f"--{name}-colour", metavar="#RRGGBB", help="in visible light; infrared is not changed")
        parser.add_argument(f"--{name}-infrared", type=float, metavar="R", help="reflectance at 850 nm, 0 to 1")
    parser.add_argument("--yaw", type=float, metavar="DEGREES", help="direction of the person; 0 faces the camera")


def run(options: argparse.Namespace) -> None:
    """Write `before.png`, `after.png`, `mask.png` and `counterfactual.json`.

    Raises:
        FileNotFoundError: There is no manifest.
        ValueError: The data set is not SynVI of this version, there is no such image, or a change makes no sense.
        OSError: The folder cannot be written.
    """
    wanted = {field.name: getattr(options, field.name) for field in fields(Change)}
    given = {name: value for name, value in wanted.items() if value not in (None, [])}
    change = Change(**{name: READ.get(name.split("_")[-1], float)(value) for name, value in given.items()})
    plan = Plan.from_manifest(read_json(options.data / "manifest.json"))
    result = counterfactual(plan.recipe_of(options.image), change)
    different = (result.before != result.after).any(2)
    with whole_folder(options.out) as folder:
        mask = np.where(result.mask, np.uint8(255), np.uint8(0))
        for name, image in (("before", result.before), ("after", result.after), ("mask", mask)):
            Image.fromarray(image).save(folder / f"{name}.png")
        facts = {
            "image": options.image,
            "dataset": plan.command,
            "change": given,
            "changed_pixels": int(different.sum()),
            "mask_pixels": int(result.mask.sum()),
        }
        write_json(folder / "counterfactual.json", facts)
    seen = f"{different.sum()} of {different.size} pixels changed" if different.any() else "this image does not show it"
    print(f"{options.out}: {seen}")


def _pattern(name: str) -> Pattern:
    if name not in list(Pattern):
        raise ValueError(f"expected one of the patterns {PATTERNS}; got {name!r}")
    return Pattern(name)


def _colour(text: str) -> tuple[float, ...]:
    if not re.fullmatch(r"#?[0-9a-fA-F]{6}", text):
        raise ValueError(f"expected a colour as #rrggbb, got {text[:40]!r}")
    return tuple(part / 255 for part in bytes.fromhex(text.removeprefix("#")))


# How a flag becomes a field of `Change`, by the last word of its name; others are numbers.
READ: dict[str, Callable[[Any], Any]] = {"without": tuple, "pattern": _pattern, "colour": _colour, "yaw": math.radians}
