"""The tables that the project ships: scores of methods over seeds, each with the commands that make it again."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mun.experiments.statistics import Paired
from mun.experiments.tables import EXPERIMENTS
from mun.files import read_json

__all__ = ["FOLDER", "ResultGrid", "ResultRow", "ResultTable", "grids_of", "read_results"]

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
class Contrast:
    """The difference of two rows in mAP.

    Attributes:
        label: Both rows, in words.
        paired: What it is.
    """

    label: str
    paired: Paired


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

    @property
    def contrasts(self) -> list[Contrast]:
        """The differences of two rows that the experiment asks for, the main one first."""
        rows = self.about["rows"]
        return [
            Contrast(
                f"{quoted(rows[made['row']])} \N{MINUS SIGN} {quoted(rows[made['against']])}", Paired(**made["mean_ap"])
            )
            for made in self.about["contrasts"]
        ]


@dataclass(frozen=True)
class ResultGrid:
    """Tables of one experiment that differ in the knobs of their data.

    Attributes:
        name: Of the experiment.
        tables: Ascending by their knobs.
    """

    name: str
    tables: tuple[ResultTable, ...]

    @property
    def title(self) -> str:
        """The headline of all tables."""
        return str(self.tables[0].about["title"])

    @property
    def rows(self) -> list[ResultRow]:
        """The rows that were run somewhere, as they stand in the first table."""
        run = {row.name for table in self.tables for row in table.rows if row.run}
        return [row for row in self.tables[0].rows if row.name in run]

    def where(self, knob: str, **others: float) -> list[tuple[float, ResultTable]]:
        """List the tables along one knob, the others being fixed, with the value of the knob."""
        return [
            (table.about["knobs"][knob], table)
            for table in self.tables
            if all(table.about["knobs"].get(name) == value for name, value in others.items())
        ]


def quoted(label: str) -> str:
    """Put a row's label in quotation marks where it could not be told from what stands around it."""
    return f"\N{LEFT DOUBLE QUOTATION MARK}{label}\N{RIGHT DOUBLE QUOTATION MARK}" if {*",+:"} & {*label} else label


def read_results(folder: Path = FOLDER) -> list[ResultTable]:
    """Read every table of a folder, in the order of `EXPERIMENTS`; none where there is no folder.

    Raises:
        ValueError: A file is broken.
    """
    tables = []
    for path in sorted(folder.glob("*.json"), key=place):
        about = read_json(path)
        try:
            text = path.with_suffix(".csv").read_text(encoding="utf-8")
            rows = [read_row(about["rows"], line) for line in csv.DictReader(text.splitlines())]
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"expected a table of results in {path.stem}.csv, got: {error}") from None
        tables.append(ResultTable(path.stem, about, rows, text))
    return tables


def place(path: Path) -> tuple[int, str]:
    """Say where a table stands: by its experiment, then by name."""
    names = [*EXPERIMENTS]
    experiment = path.stem.partition("-")[0]
    return names.index(experiment) if experiment in names else len(names), path.stem


def read_row(labels: Mapping[str, str], line: Mapping[str, str]) -> ResultRow:
    """Read one line of the CSV file."""
    words = {"row", "variant", "device"}
    values = {name: float(value) for name, value in line.items() if name not in words and value}
    return ResultRow(line["row"], labels[line["row"]], values, line["variant"])


def grids_of(tables: Sequence[ResultTable]) -> tuple[list[ResultTable], list[ResultGrid]]:
    """Part tables that stand alone from those that belong together, by the name of their experiment."""
    alone = [table for table in tables if not table.about["knobs"]]
    together: dict[str, list[ResultTable]] = {}
    for table in tables:
        if table.about["knobs"]:
            together.setdefault(table.name.partition("-")[0], []).append(table)
    return alone, [
        ResultGrid(name, tuple(sorted(members, key=lambda table: tuple(table.about["knobs"].values()))))
        for name, members in sorted(together.items())
    ]
