"""The pieces of the tab "Results" as HTML, without Gradio."""

from __future__ import annotations

import base64

from app.cards import render
from app.results import ResultRow, ResultTable

__all__ = ["results_tab_html"]

# Column: heading, what it means, the CSV's column that it is sorted by, and that of its spread.
COLUMNS = (
    ("seeds", "runs that differ by their seed alone", "seeds", ""),
    ("rank-1", "percent, mean ± sd over seeds", "rank1", "rank1_seed_sd"),
    ("mAP", "percent, mean ± sd over seeds", "mean_ap", "mean_ap_seed_sd"),
    ("mINP", "percent, mean ± sd over seeds", "mean_inp", "mean_inp_seed_sd"),
    ("Δ mAP", "points against the reference, with the 95 % interval over people", "mean_ap_difference", ""),
    ("galleries", "sd of mAP over galleries, points", "mean_ap_gallery_sd", ""),
    ("validation", "mAP of the chosen variant on validation identities, percent", "validation_mean_ap", ""),
    ("learned", "numbers learned, without the classifier", "parameters", ""),
    ("ms/step", "forward and backward, alone on the machine", "step_seconds", ""),
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
    if name == "mean_ap_difference":
        low, high = row.values["mean_ap_low"], row.values["mean_ap_high"]
        return f"{100 * value:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"
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


def results_tab_html(tables: list[ResultTable]) -> str:
    """Draw every table with its commands and its CSV file."""
    drawn = [
        {
            "table": table,
            "lines": table_lines(table),
            "missing": [row.label for row in table.rows if not row.run],
            "file": "data:text/csv;base64," + base64.b64encode(table.text.encode()).decode(),
        }
        for table in tables
    ]
    return render("results_tab.html", tables=drawn, columns=COLUMNS)
