"""Draw a contact sheet of SynVI: people by cameras at one level, or one person under each knob."""

import argparse
from pathlib import Path

from mun.files import whole_file
from mun.synvi import LEVELS, level_of
from mun.synvi.sheet import contact_sheet, knob_sheet

__all__ = ["add_arguments", "run"]

FORMATS = (".jpg", ".png")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `python -m mun sheet`."""
    parser.add_argument("out", metavar="OUT", type=Path, help="picture to write, .jpg or .png; it must not exist")
    parser.add_argument("--level", default="standard", help=f"one of {', '.join(LEVELS)} (default: standard)")
    parser.add_argument("--people", type=int, default=8, metavar="N", help="columns, 1 to 24 (default: 8)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="another seed makes other people (default: 0)")
    parser.add_argument("--knobs", action="store_true", help="one person under each knob instead of people by cameras")
    text = "number of the person under the knobs (default: 0)"
    parser.add_argument("--person", type=int, default=0, metavar="N", help=text)


def run(options: argparse.Namespace) -> None:
    """Write the picture.

    Raises:
        ValueError: An argument is out of bounds, or there is something at OUT.
        OSError: The picture cannot be written.
    """
    if options.out.suffix.lower() not in FORMATS:
        raise ValueError(f"expected a picture's name that ends in {' or '.join(FORMATS)}, got {options.out.name!r}")
    if options.out.exists():
        raise ValueError(f"expected a new file at {options.out}, found something there; choose another name")
    if not 1 <= options.people <= 24:
        raise ValueError(f"expected 1 to 24 people, got {options.people}")
    if not 0 <= options.person < 1000:
        raise ValueError(f"expected --person from 0 to 999, got {options.person}")
    if options.knobs:
        sheet = knob_sheet(options.person, options.seed)
    else:
        sheet = contact_sheet(level_of(options.level), options.people, options.seed)
    with whole_file(options.out) as partial:
        sheet.save(partial, "JPEG" if options.out.suffix.lower() == ".jpg" else "PNG", quality=88)
    print(f"{options.out}: {sheet.width} x {sheet.height} pixels")
