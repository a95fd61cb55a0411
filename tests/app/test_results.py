"""The shipped tables: read as written by `experiment`, drawn with what was not run, broken files refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from app.results import FOLDER, read_results
from app.views.results import results_tab_html

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


def test_without_tables_the_page_says_how_to_make_one(tmp_path) -> None:
    assert read_results(tmp_path / "nothing") == []
    assert "python -m mun experiment rivals --help" in results_tab_html([])


@pytest.mark.parametrize("text", ["row,variant,rank1\nnone,own,many", "row,variant,rank1\nmagic,own,0.1", "nothing"])
def test_broken_tables_are_refused(tmp_path, text) -> None:
    if text == "nothing":
        write(tmp_path, HEADER)
        (tmp_path / "rivals.csv").unlink()
    else:
        write(tmp_path, text)
    with pytest.raises(ValueError, match=r"expected a table of results in rivals.csv"):
        read_results(tmp_path)


def test_the_shipped_tables_can_be_read_and_made_again() -> None:
    for table in read_results(FOLDER):
        assert any(row.run for row in table.rows)
        assert table.about["commands"][-1].startswith("python -m mun experiment ")
        assert table.about["commands"][0].startswith("python -m mun synth DATA")
        assert {row.name for row in table.rows} == set(table.about["rows"])
