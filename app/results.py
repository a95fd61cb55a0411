"""The tables that the project ships: scores of methods over seeds, each with the commands that make it again."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mun.files import read_json

__all__ = ["FOLDER", "ResultRow", "ResultTable", "read_results"]

FOLDER = Path(__file__).parents[1] / "assets" / "results"


@dataclass(frozen=True)
class ResultRow:
    """One line.

    Attributes:
        name: Of the row.
        label: As the table says it.
        values: Numbers by the names of the CSV's columns, fractions; empty where nothing was run.
        variant: Which variant was chosen on validation identities.
    """

    name: str
    label: str
    values: Mapping[str, float]
    variant: str = ""

    @property
    def run(self) -> bool:
        """Whether there are scores to show."""
        return "rank1" in self.values


@dataclass(frozen=True)
class ResultTable:
    """One table.

    Attributes:
        name: Of its files.
        about: What it is, as `experiment` writes it.
        rows: In the order of the file.
        text: The CSV file.
    """

    name: str
    about: Mapping[str, Any]
    rows: Sequence[ResultRow]
    text: str

    @property
    def title(self) -> str:
        """The headline, with the setting where there are several."""
        knobs = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in self.about["knobs"].items())
        return f"{self.about['title']}{f' ({knobs})' if knobs else ''}"


def read_results(folder: Path = FOLDER) -> list[ResultTable]:
    """Read every table of a folder, by name; none where there is no folder.

    Raises:
        ValueError: A file is broken.
    """
    tables = []
    for path in sorted(folder.glob("*.json")):
        about = read_json(path)
        try:
            text = path.with_suffix(".csv").read_text(encoding="utf-8")
            rows = [read_row(about["rows"], line) for line in csv.DictReader(text.splitlines())]
        except (OSError, KeyError, ValueError) as error:
            raise ValueError(f"expected a table of results in {path.stem}.csv, got: {error}") from None
        tables.append(ResultTable(path.stem, about, rows, text))
    return tables


def read_row(labels: Mapping[str, str], line: Mapping[str, str]) -> ResultRow:
    """Read one line of the CSV file."""
    words = {"row", "variant"}
    values = {name: float(value) for name, value in line.items() if name not in words and value}
    return ResultRow(line["row"], labels[line["row"]], values, line["variant"])
