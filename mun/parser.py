"""Command lines: errors of one line, and one flag for every field of the config."""

import argparse
from typing import Any, NoReturn

from mun.config import Config, leaves, with_values

__all__ = ["OneLineParser", "add_config_flags", "config_from", "given_values"]


class OneLineParser(argparse.ArgumentParser):
    """An argument parser whose errors are one line: `mun: error: …`.

    Attributes:
        speaker: The first word of the line.
    """

    speaker = "mun"

    def error(self, message: str) -> NoReturn:
        """Print one line to stderr and exit with code 2."""
        self.exit(2, f"{self.speaker}: error: {message}\n")


def add_config_flags(parser: argparse.ArgumentParser) -> None:
    """Add one flag for every field of the config."""
    for item, _ in leaves(Config()):
        text = f"{item.metadata['text']} (default: {item.default})".replace("%", "%%")
        flag, kind, choices = f"--{item.name.replace('_', '-')}", PARSERS[item.type], item.metadata["choices"]
        metavar = None if choices else item.name.upper()
        parser.add_argument(flag, type=kind, choices=choices or None, metavar=metavar, help=text)


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


PARSERS: dict[Any, Any] = {  # by the type of the field
    int: int,
    float: float,
    str: str,
    bool: switch,
    tuple[int, ...]: sizes,
    tuple[tuple[int, int], ...]: grids,
}


def given_values(options: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of the config whose flags were given on the command line."""
    values = {item.name: getattr(options, item.name) for item, _ in leaves(Config())}
    return {name: value for name, value in values.items() if value is not None}


def config_from(options: argparse.Namespace, base: Config | None = None) -> Config:
    """Build a config from parsed flags; other fields keep their value in `base`, the default config if not given."""
    return with_values(base or Config(), given_values(options))
