"""Tables: the same numbers in three formats, rows that were not run, and what LaTeX needs escaped."""

from __future__ import annotations

import csv
import io

import pytest

from mun.experiments.cost import Cost
from mun.experiments.report import to_csv, to_latex, to_markdown
from mun.experiments.results import RowResult
from mun.experiments.statistics import METRICS, Paired, Summary
from mun.experiments.tables import Row

NAN = float("nan")
ROWS = (Row("none", "none", {}), Row("mun", "MUN_100% & more", {}), Row("x", "X", {}))


def results() -> list[RowResult]:
    first = {metric: Summary(0.5, NAN, 0.01) for metric in METRICS}
    second = {metric: Summary(0.5123, 0.0214, 0.0105) for metric in METRICS}
    against = {metric: Paired(0.0123, -0.001, 0.0256, 0.0078) for metric in METRICS}
    return [
        RowResult(ROWS[0], "own", 0.51, 2, 1, first, {}),
        RowResult(ROWS[1], "visible", 0.52, 2, 3, second, against),
    ]


COSTS = {"mun": Cost(1_234_567, 5000, 0.1234, 456_000_000, 96)}


def test_markdown() -> None:
    lines = to_markdown(ROWS, results(), COSTS).splitlines()
    assert lines[2].startswith("| none | own | 1 | 51.0 | 50.0 | 50.0 | 50.0 | \N{EN DASH} | 1.0 |")
    assert "| visible | 3 | 52.0 | 51.2 ± 2.1 |" in lines[3]
    assert "| +1.2 ± 0.8 [-0.1, +2.6] | 1.1 | 1,234,567 | 123 | 456 MB |" in lines[3]
    assert lines[4].startswith("| X | not run |")
    assert len({line.count("|") for line in lines}) == 1


def test_latex_is_escaped() -> None:
    text = to_latex(ROWS, results(), COSTS)
    assert r"MUN\_100\% \& more" in text
    assert r"51.2 $\pm$ 2.1" in text
    assert text.count(r"\\") == 4
    assert text.startswith(r"\begin{tabular}{ll")
    assert "\N{EN DASH}" not in text


def test_csv_has_plain_numbers() -> None:
    lines = list(csv.DictReader(io.StringIO(to_csv(ROWS, results(), COSTS))))
    assert [line["row"] for line in lines] == ["none", "mun", "x"]
    assert float(lines[1]["mean_ap_seed_sd"]) == pytest.approx(0.0214)
    assert float(lines[1]["rank1_low"]) == pytest.approx(-0.001)
    assert float(lines[1]["rank1_difference_seed_sd"]) == pytest.approx(0.0078)
    assert lines[0]["mean_ap_seed_sd"] == ""
    assert lines[2]["rank1"] == ""
    assert int(lines[1]["images_per_step"]) == 96
