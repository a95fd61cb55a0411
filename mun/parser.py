"""Command lines: errors of one line, and one flag for every field of the config."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from typing import Any, NoReturn, get_type_hints

from mun.config import Config

__all__ = ["OneLineParser", "add_config_flags", "config_from", "given_flags"]


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line: `mun: error: …`.

    Attributes:
        speaker: The first word of the line.
    """

    speaker = "mun"

    def error(self, message: str) -> NoReturn:
        """Print one line to stderr and exit with code 2."""
        self.exit(2, f"{self.speaker}: error: {message}\n")


def add_config_flags(parser: argparse.ArgumentParser, kind: type) -> None:
    """Add one flag for every field of a config class, at any depth."""
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[item.name]):
            add_config_flags(parser, hints[item.name])
            continue
        text = f"{item.metadata['text']} (default: {item.default})".replace("%", "%%")
        parser.add_argument(
            f"--{item.name.replace('_', '-')}",
            type=PARSERS[str(hints[item.name])],
            choices=item.metadata["choices"] or None,
            metavar=item.name.upper() if not item.metadata["choices"] else None,
            help=text,
        )


def switch(text: str) -> bool:
    """Read `on` or `off`."""
    if text not in {"on", "off"}:
        raise argparse.ArgumentTypeError(f"expected on or off, got {text!r}")
    return text == "on"


def sizes(text: str) -> tuple[int, ...]:
    """Read `3,5,7`."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected sizes such as 3,5,7, got {text!r}") from None


def grids(text: str) -> tuple[tuple[int, int], ...]:
    """Read `1x1,2x1,4x2`."""
    try:
        pairs = [tuple(int(number) for number in part.split("x")) for part in text.split(",")]
        return tuple((rows, columns) for rows, columns in pairs)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected grids such as 1x1,2x1, got {text!r}") from None


PARSERS: dict[str, Any] = {
    str(int): int,
    str(float): float,
    str(str): str,
    str(bool): switch,
    str(tuple[int, ...]): sizes,
    str(tuple[tuple[int, int], ...]): grids,
}


def config_from(options: argparse.Namespace, base: Any = None) -> Any:
    """Build a config from parsed flags; a flag not given keeps its value in `base`, the default config by default."""
    base = Config() if base is None else base
    hints = get_type_hints(type(base))
    values: dict[str, Any] = {}
    for item in dataclasses.fields(base):
        if dataclasses.is_dataclass(hints[item.name]):
            values[item.name] = config_from(options, getattr(base, item.name))
        elif (given := getattr(options, item.name)) is not None:
            values[item.name] = given
    return dataclasses.replace(base, **values)


def given_flags(options: argparse.Namespace, kind: type = Config) -> Iterator[str]:
    """Yield the flags of a config that were given on the command line."""
    hints = get_type_hints(kind)
    for item in dataclasses.fields(kind):
        if dataclasses.is_dataclass(hints[item.name]):
            yield from given_flags(options, hints[item.name])
        elif getattr(options, item.name) is not None:
            yield f"--{item.name.replace('_', '-')}"
