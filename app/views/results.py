"""The pieces of the tab "Results" as HTML, without Gradio."""

from __future__ import annotations

import base64
import math
from typing import Any

from app.cards import render
from app.results import ResultGrid, ResultRow, ResultTable, grids_of
from app.shared.export import csv_address
from mun.experiments.statistics import Paired

__all__ = ["figure_html", "results_tab_html"]

# Column: heading, what it means, the CSV's column that it is sorted by, and that of its spread.
COLUMNS = (
    ("rank-1", "percent, mean ± sd over seeds", "rank1", "rank1_seed_sd"),
    ("mAP", "percent, mean ± sd over seeds", "mean_ap", "mean_ap_seed_sd"),
    ("mINP", "percent, mean ± sd over seeds", "mean_inp", "mean_inp_seed_sd"),
    (
        "Δ mAP",
        "points against the reference, ± sd over seeds, with the 95 % interval over people",
        "mean_ap_difference",
        "",
    ),
    ("seeds", "runs that differ by their seed alone", "seeds", ""),
    ("galleries", "sd of mAP over galleries, points", "mean_ap_gallery_sd", ""),
    ("validation", "mAP of the chosen variant on validation identities, percent", "validation_mean_ap", ""),
    ("learned", "numbers learned, without the classifier", "parameters", ""),
    ("ms/step", "forward and backward, alone on the machine", "step_seconds", ""),
    ("memory", "most at once while training a step, MB", "peak_bytes", ""),
)


def cell(row: ResultRow, name: str, spread: str) -> str:
    """Write one number of a row."""
    value = row.values.get(name)
    if value is None:
        return "\N{EN DASH}"
    if name in {"seeds", "parameters"}:
        return f"{value:,.0f}"
    if name == "step_seconds":
        return f"{1000 * value:.0f}"
    if name == "peak_bytes":
        return f"{value / 1e6:.0f}"
    if name == "mean_ap_difference":
        low, high = row.values["mean_ap_low"], row.values["mean_ap_high"]
        return points(Paired(value, low, high, row.values.get("mean_ap_difference_seed_sd", math.nan)))
    around = f" ± {100 * row.values[spread]:.1f}" if spread in row.values else ""
    return f"{100 * value:.1f}{around}"


def table_lines(table: ResultTable) -> list[dict[str, object]]:
    """Write the rows that were run, and what each column is sorted by."""
    return [
        {
            "label": row.label,
            "variant": row.variant,
            "cells": [(cell(row, name, spread), row.values.get(name)) for _, _, name, spread in COLUMNS],
        }
        for row in table.rows
        if row.run
    ]


def results_tab_html(tables: list[ResultTable], broken: str = "") -> str:
    """Draw every table with its commands and its CSV file; those over knobs as one, mAP by setting.

    Args:
        tables: In their order.
        broken: Why they could not be read, one sentence; it is shown in their place.
    """
    alone, grids = grids_of(tables)
    drawn = [
        {
            "table": table,
            "lines": table_lines(table),
            "missing": [row.label for row in table.rows if not row.run],
            "file": csv_address(table.text),
            "answers": [(one.label, points(one.paired)) for one in table.contrasts],
        }
        for table in alone
    ]
    over_knobs = [{"grid": grid, "lines": grid_lines(grid), "files": grid_files(grid)} for grid in grids]
    return render("results_tab.html", tables=drawn, columns=COLUMNS, grids=over_knobs, broken=broken)


def points(paired: Paired) -> str:
    """Write a difference in points, with its spread over seeds and its interval over people."""
    return str(paired).replace("-", "\N{MINUS SIGN}")


def grid_lines(grid: ResultGrid) -> list[dict[str, Any]]:
    """Write the rows of a grid: mAP in every setting, then the main contrast where all settings have one."""
    lines = []
    for row in grid.rows:
        cells = []
        for table in grid.tables:
            there = next(other for other in table.rows if other.name == row.name)
            cells.append((cell(there, "mean_ap", "mean_ap_seed_sd"), there.values.get("mean_ap")))
        lines.append({"label": row.label, "cells": cells})
    asked = [table.contrasts[:1] for table in grid.tables]
    if all(asked):
        lines.append(
            {"label": asked[0][0].label, "cells": [(points(made.paired), made.paired.mean) for (made,) in asked]}
        )
    return lines


def grid_files(grid: ResultGrid) -> list[tuple[str, str, str]]:
    """List the CSV files of a grid: what it holds, its name, its address."""
    return [
        (", ".join(f"{value:g}" for value in table.about["knobs"].values()), table.name, csv_address(table.text))
        for table in grid.tables
    ]


def figure_html(svg: bytes) -> str:
    """Show the figure of an experiment over knobs, as a picture that runs no script."""
    return render("results_figure.html", picture="data:image/svg+xml;base64," + base64.b64encode(svg).decode())
