"""The shipped tables: read as written by `experiment`, drawn with what was not run, broken files refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import gradio as gr
import pytest

from app.actions.results_figure import contrasts, knob_figure, lines
from app.figures.knob_curves import KnobLine, KnobPanel, draw_knob_curves
from app.results import FOLDER, grids_of, read_results
from app.tabs import results as results_tab
from app.views.results import results_tab_html

if TYPE_CHECKING:
    from app.library import Library

HEADER = "row,variant,seeds,validation_mean_ap,rank1,rank1_seed_sd,mean_ap,mean_ap_difference,mean_ap_low,mean_ap_high"


def write(folder: Path, text: str, **changes: object) -> Path:
    about = {
        "title": "A <table>",
        "reference": "none",
        "knobs": {},
        "protocol": "synvi-all",
        "train": {"level": "standard", "splits": {"train": {"identities": 1000}, "val": {"identities": 100}}},
        "test": {"seed": 4242, "splits": {"test": {"identities": 400}}},
        "rows": {"none": "none (two modalities)", "mun": "MUN", "x": "X"},
        "commands": ["python -m mun experiment rivals --data DATA"],
        "contrasts": [],
        **changes,
    }
    (folder / "rivals.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "rivals.csv").write_text(text, encoding="utf-8")
    return folder


def test_numbers_are_read_and_drawn(tmp_path) -> None:
    rows = ["none,own,2,0.31,0.25,0.01,0.3,,,", "mun,visible,2,0.33,0.28,0.02,0.33,0.03,0.011,0.049", "x,,,,,,,,,"]
    (table,) = read_results(write(tmp_path, "\n".join([HEADER, *rows])))
    assert [row.run for row in table.rows] == [True, True, False]
    assert table.rows[1].values["mean_ap_low"] == 0.011
    drawn = results_tab_html([table])
    assert "28.0 ± 2.0" in drawn
    assert "+3.0 [+1.1, +4.9]" in drawn
    assert "Not run yet: X." in drawn
    assert "A &lt;table&gt;" in drawn
    assert "python -m mun experiment rivals" in drawn


def test_knobs_stand_in_the_title(tmp_path) -> None:
    (table,) = read_results(write(tmp_path, HEADER, knobs={"misalignment": 0.5}))
    assert table.title == "A <table> (misalignment 0.5)"


def over_knobs(folder: Path) -> Path:
    """Write a grid of tables; mAP falls with misalignment, and X was run in one of them only."""
    for misalignment, correlation in ((0.0, 0.5), (1.0, 0.5), (1.0, 0.0)):
        knobs = {"misalignment": misalignment, "colour_infrared_correlation": correlation}
        mean = {"mean": 0.02 * misalignment, "low": -0.01, "high": 0.05}
        asked = [{"row": "mun", "against": "none", "mean_ap": mean}]
        last = "x,own,2,0.3,0.2,0.01,0.3,0.02," if misalignment == 0 else "x,,,,,,,,"
        text = f"""row,variant,seeds,validation_mean_ap,rank1,rank1_seed_sd,mean_ap,mean_ap_seed_sd,mean_ap_difference
none,own,2,0.3,0.2,0.01,{0.4 - 0.1 * misalignment},0.01,
mun,own,2,0.3,0.2,0.01,{0.4 - 0.08 * misalignment},0.01,0.02
{last}"""
        made = write(folder, text, knobs=knobs, contrasts=asked)
        for path in sorted(made.glob("rivals.*")):
            path.rename(folder / f"misalignment-m{misalignment:g}-c{correlation:g}{path.suffix}")
    return folder


def test_tables_over_knobs_are_one_grid(tmp_path) -> None:
    alone, (grid,) = grids_of(read_results(over_knobs(tmp_path)))
    assert alone == []
    assert [tuple(table.about["knobs"].values()) for table in grid.tables] == [(0.0, 0.5), (1.0, 0.0), (1.0, 0.5)]
    none, _, other = lines(grid, "misalignment", "colour_infrared_correlation")
    assert none.points[0] == pytest.approx((0.0, 0.4, 0.39, 0.41))
    assert none.points[1] == pytest.approx((1.0, 0.3, 0.29, 0.31))
    assert [point[0] for point in other.points] == [0.0]
    assert [point[0] for point in lines(grid, "colour_infrared_correlation", "misalignment")[1].points] == [0.0, 0.5]
    (answer,) = contrasts(grid)
    assert answer.label == "correlation 0.5"
    assert answer.points == ((0.0, 0.0, -0.01, 0.05), (1.0, 0.02, -0.01, 0.05))
    html = results_tab_html(read_results(tmp_path))
    assert html.count("<table>") == 1
    assert "m 0, c 0.5" in html
    assert "40.0 ± 1.0" in html
    assert "+2.0 [\N{MINUS SIGN}1.0, +5.0]" in html
    assert html.count('download="misalignment-m') == 3


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF-1."), ("svg", b"<?xml")])
def test_the_figure_of_a_grid_says_what_made_it(kind, start, tmp_path) -> None:
    _, (grid,) = grids_of(read_results(over_knobs(tmp_path)))
    made = knob_figure(grid, kind)
    assert made.startswith(start)
    assert knob_figure(grid, kind) == made
    if kind == "svg":
        for words in ("python -m mun experiment rivals", "no evidence about real streets", "MUN \N{MINUS SIGN} none"):
            assert words in " ".join(re.sub("<[^>]*>", " ", made.decode()).split())


def test_too_many_lines_and_another_kind_are_refused(tmp_path) -> None:
    _, (grid,) = grids_of(read_results(over_knobs(tmp_path)))
    with pytest.raises(ValueError, match="expected the kind of file"):
        knob_figure(grid, "gif")
    line = KnobLine("a", ((0.0, 0.1, 0.1, 0.1),))
    with pytest.raises(ValueError, match="expected 1 to 3 plots, got 0"):
        draw_knob_curves([], "", [])
    panel = KnobPanel("t", "k", "s", tuple(replace(line, label=str(number)) for number in range(7)))
    with pytest.raises(ValueError, match="at most 6 lines"):
        draw_knob_curves([panel], "", [])


def test_without_tables_the_page_says_how_to_make_one(tmp_path) -> None:
    assert read_results(tmp_path / "nothing") == []
    assert "python -m mun experiment rivals --help" in results_tab_html([])


@pytest.mark.parametrize(
    "text",
    ["row,variant,rank1\nnone,own,many", "row,variant,rank1\nmagic,own,0.1", "row,variant\nx,own,1,2", "nothing"],
)
def test_broken_tables_are_refused(tmp_path, text) -> None:
    if text == "nothing":
        write(tmp_path, HEADER)
        (tmp_path / "rivals.csv").unlink()
    else:
        write(tmp_path, text)
    with pytest.raises(ValueError, match=r"expected a table of results in rivals.csv"):
        read_results(tmp_path)


def test_a_broken_table_is_said_in_its_tab_and_the_app_starts(tmp_path, monkeypatch) -> None:
    write(tmp_path, "row,variant,rank1\nmagic,own,0.1")
    monkeypatch.setattr(results_tab, "read_results", lambda: read_results(tmp_path))
    with gr.Blocks() as page, gr.Tab("Results") as tab:
        results_tab.build_results(cast("Library", None), tab)
    (shown,) = [block.value for block in page.blocks.values() if isinstance(block, gr.HTML)]
    assert "The tables cannot be read. Expected a table of results in rivals.csv" in shown
    assert 'role="alert"' in shown


def test_the_main_table_stands_first() -> None:
    names = [table.name.partition("-")[0] for table in read_results(FOLDER)]
    assert list(dict.fromkeys(names)) == ["rivals", "ablation", "alignment", "misalignment"]


def test_the_shipped_tables_can_be_read_and_made_again() -> None:
    for table in read_results(FOLDER):
        assert any(row.run for row in table.rows)
        assert table.about["commands"][-1].startswith("python -m mun experiment ")
        assert table.about["commands"][0].startswith("python -m mun synth DATA")
        assert {row.name for row in table.rows} == set(table.about["rows"])
