"""The command for all speed measurements: its table, and the short form, which compares results but not times."""

import json
import math
import sys
from pathlib import Path

import pytest

from benchmarks import __main__ as command
from benchmarks import evaluation
from benchmarks.measure import Row, draw, growth, in_turn, table


@pytest.mark.parametrize(
    ("goal", "text", "met"),
    [({}, "none", True), ({"most": 2}, "≤ 2", True), ({"most": 1.9}, "≤ 1.9", False), ({"least": 2.1}, "≥ 2.1", False)],
)
def test_a_row_is_a_ratio_and_its_goal(goal: dict[str, float], text: str, met: bool) -> None:
    row = Row("sorting", 1234.0, "ms", 617.0, "one argsort", **goal)
    assert (row.ratio, row.goal, row.met) == (2.0, text, met)
    mark = {"none": ""}.get(text, "met" if met else "**missed**")
    assert (
        table([("a", row)]).splitlines()[-1]
        == f"| a | sorting | 1,234 ms | one argsort: 617 ms | 2 | {text} | {mark} |"
    )


def test_tasks_take_turns_and_the_median_counts() -> None:
    ticks, order = iter([0, 1, 1, 11, 20, 23, 30, 70, 80, 82, 90, 95]), []
    seconds = in_turn(lambda: order.append("a"), lambda: order.append("b"), repeats=3, clock=lambda: float(next(ticks)))
    assert order == ["a", "b"] * 3
    assert seconds == [2.0, 10.0]


def test_growth_is_the_exponent_and_is_drawn(tmp_path: Path) -> None:
    row = growth("rows", [(size, 3e-6 * size**1.5) for size in (10, 100, 1000)], most=1.1)
    assert row.value == pytest.approx(1.5)
    assert not row.met
    draw([row, Row("other", 1, "s", 1, "limit")], tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "suite", ["evaluation", "rendering", pytest.param("training", marks=pytest.mark.slow), "embedding"]
)
def test_the_short_form_runs_and_its_results_are_right(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", "--short", "--suite", suite, "--json", str(tmp_path / "rows.json")])
    command.main()
    rows, printed = json.loads((tmp_path / "rows.json").read_text())["rows"], capsys.readouterr().out
    assert rows
    assert all(row["suite"] == suite and math.isfinite(row["ratio"]) for row in rows)
    assert all(f"| {row['what']} |" in printed for row in rows)


def test_a_wrong_result_ends_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "plain_loop", lambda *_: (0.0, 0.0))
    with pytest.raises(ArithmeticError, match="not those of the plain loop"):
        evaluation.rows(short=True)
