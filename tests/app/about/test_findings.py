"""The shipped tables: read as `experiment` writes them, summarised, drawn and exported; broken files are refused."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pages import shown

from app.about import findings, tab
from app.about.figure import MAX_ROWS, draw_forest, plots_of
from app.about.findings import DASH, FOLDER, MINUS, TIMES, families, forest, grid, main_of, points, read_tables
from app.about.tab import Look, Options, answer, tables_of, write
from app.library import Library
from app.shared.tab import Press

HEADER = (
    "row,variant,seeds,validation_mean_ap,rank1,rank1_seed_sd,mean_ap,mean_ap_difference,mean_ap_low,mean_ap_high,"
    "mean_ap_difference_seed_sd"
)
NONE = "none,own,2,0.31,0.25,0.01,0.3,,,,"
MUN = "mun,visible,2,0.33,0.28,0.02,0.33,0.03,0.011,0.049,0.002"
X = "x" + "," * 10


def put(folder: Path, text: str, **changes: object) -> Path:
    about = {
        "title": "A <table>",
        "reference": "none (two modalities)",
        "knobs": {},
        "protocol": "synvi-all",
        "train": {
            "level": "standard",
            "splits": {"train": {"identities": 1000, "images": 12_000}, "val": {"identities": 100}},
        },
        "test": {"seed": 4242, "splits": {"test": {"identities": 400}}},
        "rows": {"none": "none (two modalities)", "mun": "MUN", "x": "X"},
        "commands": ["python -m mun experiment rivals --data DATA"],
        "contrasts": [],
        **changes,
    }
    (folder / "rivals.json").write_text(json.dumps(about), encoding="utf-8")
    (folder / "rivals.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def at(library: Library, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that draws the findings of a folder."""

    def draw(folder: Path, **values: object) -> str:
        monkeypatch.setattr(tab, "FOLDER", folder)
        request = Look.read({"section": "findings", **values}, library)
        return shown(answer(library, request, Press(do="again")), "about-body")

    return draw


def test_numbers_are_read_said_and_drawn(tmp_path, at) -> None:
    (table,) = read_tables(put(tmp_path, "\n".join([HEADER, NONE, MUN, X])))
    assert [row.score for row in table.rows] == [0.3, 0.33, None]
    assert table.rows[1].difference.low == 0.011
    first, second, third = table.sentences()
    assert first == (
        "MUN reaches 33.0 % mAP, 3.0 points more than two modalities (baseline) at 30.0 %;"
        " neither other people nor other seeds explain the difference."
    )
    assert second.startswith("Clearly better than two modalities (baseline): MUN. Clearly worse: none.")
    assert third.startswith("2 seeds, trained on 1,000 synthetic people, scored on 400 others")
    drawn = at(tmp_path)
    for words in ("28.0 ± 2.0", "+3.0 ± 0.2 [+1.1, +4.9]", "Not run: X.", "A &lt;table&gt;", "mun experiment"):
        assert words in drawn, words
    assert re.search(r'class="is-best" data-value="0.33">33.0', drawn)
    assert "reference</span>" in drawn


@pytest.mark.parametrize(
    ("seeds", "difference", "low", "sd", "clear"),
    [(2, 0.03, 0.011, 0.002, True), (2, 0.03, 0.011, 0.004, False), (5, 0.03, 0.011, 0.02, True),
     (5, 0.03, -0.001, 0.002, False), (1, 0.03, 0.011, "", False)],
)  # fmt: skip
def test_a_difference_is_clear_where_neither_people_nor_seeds_explain_it(tmp_path, seeds, difference, low, sd, clear):
    line = f"mun,own,{seeds},0.3,0.28,0.02,0.33,{difference},{low},0.049,{sd}"
    (table,) = read_tables(put(tmp_path, "\n".join([HEADER, NONE, line])))
    assert table.rows[1].clear is clear


@pytest.mark.parametrize(("corrected", "words"), [(0.01, "the difference is significant"), (0.2, "is not significant")])
def test_where_p_values_are_corrected_they_decide(tmp_path, corrected, words) -> None:
    numbers = {"mean": 0.03, "low": 0.011, "high": 0.049, "seed_sd": 0.002, "p_value": 0.01, "corrected": corrected}
    claim = {"role": "other", "first": "mun", "second": "none", "setting": "1200x12", "minus": "", "ran": True}
    (tmp_path / "people-claims.json").write_text(json.dumps({"claims": [claim | numbers]}), encoding="utf-8")
    for path in put(tmp_path, "\n".join([HEADER, NONE, MUN])).glob("rivals.*"):
        path.rename(tmp_path / f"people-1200x12{path.suffix}")
    (table,) = read_tables(tmp_path)
    assert table.rows[1].clear is (corrected < 0.05)
    assert f"{words} after correction for the number of comparisons." in table.sentences()[0]


def test_seeds_that_were_added_later_are_told(library: Library) -> None:
    later = [table.setting for table in tables_of(library) if "Seeds 3 and 4 were added after both" in table.scope()]
    assert later == [f"300{TIMES}48"]


def test_the_forest_plot_places_every_difference(tmp_path) -> None:
    for table in read_tables(FOLDER):
        lines, ticks = forest(table)
        assert [line.row.difference.mean for line in lines] == sorted(
            (row.difference.mean for row in table.rows if row.difference), reverse=True
        )
        zero = next(place for place, words in ticks if words == "0")
        for line in lines:
            assert 0 <= min(line.low, line.left) <= line.at <= max(line.high, line.right) <= 100
            assert (line.at > zero) == (line.row.difference.mean > 0)
    assert forest(read_tables(put(tmp_path, "\n".join([HEADER, NONE])))[0]) == ([], [])


def test_the_page_opens_with_people_against_images_at_the_setting_with_the_most_seeds(library: Library) -> None:
    body = answer(library, Look.read({}, library), Press()).pieces["about-body"].draw()
    assert 'data-table="people-300x48"' in body
    assert "MUN as chosen reaches" in body


def test_the_picture_of_the_rivals_has_mun_marked(library: Library) -> None:
    body = answer(library, Look.read({"table": "rivals"}, library), Press()).pieces["about-body"].draw()
    assert 'data-table="rivals"' in body
    rows = re.findall(r'<li( class="is-ours")? data-row="([a-z-]+)"', body)
    assert {name for ours, name in rows if ours} == {"mun"}
    assert len(rows) == 13
    assert body.index("mun-forest-title") < body.index("MUN reaches") < body.index("<table ")
    assert "memory, MB</button>" in body


def test_validation_tables_and_claims_are_shown_where_they_are(tmp_path, at) -> None:
    text = "row,seeds,mean_ap,mean_ap_seed_sd,difference,low,high,difference_seed_sd,gap\nnone,3,0.3,0.01,,,,,0.1\n"
    text += "mun,3,0.2,0.01,-0.1,-0.2,-0.05,0.01,0.2"
    put(tmp_path, text)
    claims = [
        {"role": "primary", "first": "mun", "second": "none", "setting": "many", "minus": "few", "ran": True,
         "mean": 0.01, "low": 0.0, "high": 0.02, "seed_sd": 0.01, "p_value": 0.04},
        {"role": "other", "first": "x", "second": "none", "setting": "few", "minus": "", "ran": False},
    ]  # fmt: skip
    (tmp_path / "rivals-claims.json").write_text(json.dumps({"claims": claims}), encoding="utf-8")
    (table,) = read_tables(tmp_path)
    assert table.columns == ["mean_ap", "mean_ap_difference", "seeds", "gap"]
    assert "10.0 points less" in table.sentences()[0]
    assert "scored on 100 others" in table.sentences()[2]
    drawn = at(tmp_path)
    difference = f"{MINUS}10.0 ± 1.0 [{MINUS}20.0, {MINUS}5.0]"
    for words in (difference, "generalisation gap", "primary, p 0.040)", "not run"):
        assert words in drawn, words
    for again, words in (({"mean": 0.02}, "p 0.040: confirmed"), ({"p_value": 0.06}, "p 0.060: not confirmed")):
        second = json.dumps({"claims": [claims[0] | again, claims[1]]})
        (tmp_path / "rivals-second-claims.json").write_text(second, encoding="utf-8")
        assert read_tables(tmp_path)[0].claims[0].words.endswith(words)


def over_knobs(folder: Path) -> Path:
    """Write a grid of tables; mAP falls with misalignment, and X was run in one of them only."""
    for misalignment, correlation in ((0.0, 0.5), (1.0, 0.5), (1.0, 0.0)):
        knobs = {"misalignment": misalignment, "colour_infrared_correlation": correlation}
        mean = {"mean": 0.02 * misalignment, "low": -0.01, "high": 0.05}
        asked = [{"row": "mun", "against": "none", "mean_ap": mean}]
        last = "x,own,2,0.3,0.2,0.01,0.3,0.02,0.02" if misalignment == 0 else "x,,,,,,,,"
        text = f"""row,variant,seeds,validation_mean_ap,rank1,rank1_seed_sd,mean_ap,mean_ap_seed_sd,mean_ap_difference
none,own,2,0.3,0.2,0.01,{0.4 - 0.1 * misalignment},0.01,
mun,own,2,0.3,0.2,0.01,{0.4 - 0.08 * misalignment},0.01,0.02
{last}"""
        made = put(folder, text, knobs=knobs, contrasts=asked)
        for path in sorted(made.glob("rivals.*")):
            path.rename(folder / f"misalignment-m{misalignment:g}-c{correlation:g}{path.suffix}")
    return folder


def test_tables_of_one_experiment_stand_side_by_side(tmp_path, at) -> None:
    tables = read_tables(over_knobs(tmp_path))
    assert families(tables) == {"misalignment": tables}
    assert main_of(tables).about["knobs"] == {"misalignment": 1.0, "colour_infrared_correlation": 0.5}
    assert [tuple(table.about["knobs"].values()) for table in tables] == [(0.0, 0.5), (1.0, 0.0), (1.0, 0.5)]
    lines = dict(grid(tables))
    assert [words for words, _ in lines["MUN"]] == ["40.0 ± 1.0", "32.0 ± 1.0", "32.0 ± 1.0"]
    assert [words for words, _ in lines["X"]] == ["30.0 ± 2.0", DASH, DASH]
    assert list(lines)[-1] == f"MUN {MINUS} two modalities (baseline)"
    along, across, contrast = plots_of(tables)
    assert along.curves[0].points == tuple(pytest.approx(one) for one in ((0.0, 40, 39, 41), (1.0, 30, 29, 31)))
    assert [point[0] for point in along.curves[2].points] == [0.0]
    assert [point[0] for point in across.curves[1].points] == [0.0, 0.5]
    assert contrast.curves[0].points == ((0.0, 0.0, -1.0, 5.0), (1.0, 2.0, -1.0, 5.0))
    drawn = at(tmp_path, table=tables[0].name)
    assert "misalignment 0, colour infrared correlation 0.5" in drawn
    assert "data:image/svg+xml;base64," in drawn
    assert drawn.count("<table ") == 2


def test_settings_without_knobs_are_told_by_people_and_images(tmp_path) -> None:
    for people, images in ((100, 144), (1200, 12)):
        splits = {"train": {"identities": people, "images": people * images}, "val": {"identities": 100}}
        for path in put(tmp_path, "\n".join([HEADER, NONE, MUN, X]), train={"splits": splits}).glob("rivals.*"):
            path.rename(tmp_path / f"people-{people}x{images}{path.suffix}")
    tables = read_tables(tmp_path)
    assert [table.setting for table in tables] == [f"100{TIMES}144", f"1,200{TIMES}12"]
    for plot in plots_of(tables):
        assert plot.ticks == ((0.0, f"100{TIMES}144"), (1.0, f"1,200{TIMES}12"))


def test_a_figure_has_the_rows_of_the_most_settings(tmp_path) -> None:
    names = [f"row{number}" for number in range(MAX_ROWS + 1)]
    lines = {name: f"{name},own,2,0.33,0.28,0.02,0.33,0.03,0.011,0.049,0.002" for name in names}
    for setting, run in (("a", names), ("b", names[1:])):
        text = "\n".join([HEADER, *(lines[name] for name in run)])
        for path in put(tmp_path, text, rows={name: name for name in names}).glob("rivals.*"):
            path.rename(tmp_path / f"people-{setting}{path.suffix}")
    assert [one.name for one in plots_of(read_tables(tmp_path))[0].curves] == names[1:]


@pytest.mark.parametrize(("kind", "start"), [("png", b"\x89PNG"), ("pdf", b"%PDF-1."), ("svg", b"<?xml")])
@pytest.mark.parametrize("what", ["forest", "curves"])
def test_a_figure_says_what_made_it(library: Library, what, kind, start) -> None:
    request = Look.read({"table": "misalignment-m1-c0.5"}, library)
    press = Press(url="http://127.0.0.1:9999/")
    file = write(library, request, Options.read({}, library), what, kind, press)
    assert file.data.startswith(start)
    assert write(library, request, Options.read({}, library), what, kind, press).data == file.data
    narrow = write(library, request, Options.read({"width": "one-column"}, library), what, kind, press)
    assert narrow.data != file.data
    if kind == "svg":
        words = " ".join(re.sub("<[^>]*>", " ", file.data.decode()).split())
        for said in ("python -m mun experiment misalignment", "real streets", "http://127.0.0.1:9999/?tab=about"):
            assert said in words.replace(" &amp; ", "&"), said


def test_a_table_is_exported_with_where_it_comes_from(library: Library) -> None:
    request, press = Look.read({"table": "rivals"}, library), Press(url="http://127.0.0.1:9999/")
    csv, latex = (write(library, request, Options.read({}, library), "table", kind, press) for kind in ("csv", "latex"))
    assert (csv.name, latex.name) == ("rivals.csv", "rivals.tex")
    shipped = (FOLDER / "rivals.csv").read_text(encoding="utf-8")
    assert csv.data.decode().endswith(shipped)
    assert csv.data.decode().startswith(f'# table,"MUN against other auxiliary modalities (2,000{TIMES}12)"\r\n')
    text = latex.data.decode()
    assert r"MUN & 23.0 ± 1.0 & 24.4 ± 1.0" in text
    assert "% made by: python -m mun experiment rivals" in text


def test_what_cannot_be_drawn_is_refused(library: Library, tmp_path) -> None:
    (alone,) = read_tables(put(tmp_path, "\n".join([HEADER, NONE])))
    with pytest.raises(ValueError, match="expected rows with a difference"):
        draw_forest(alone, "", "two-column")
    with pytest.raises(ValueError, match="expected an experiment over several settings"):
        write(library, Look.read({"table": "ablation"}, library), Options.read({}, library), "curves", "png", Press())


def test_without_tables_the_page_says_how_to_make_one(library: Library, tmp_path, at) -> None:
    assert read_tables(tmp_path / "nothing") == []
    assert "python -m mun experiment rivals --help" in at(tmp_path / "nothing")
    with pytest.raises(ValueError, match="expected a table of results, found none"):
        write(library, Look.read({}, library), Options.read({}, library), "table", "csv", Press())


@pytest.mark.parametrize(
    "text",
    ["row,variant,rank1\nnone,own,many", "row,variant,rank1\nmagic,own,0.1", "row,variant\nx,own,1,2", "nothing"],
)
def test_broken_tables_are_refused_and_said_on_the_page(tmp_path, text, at) -> None:
    put(tmp_path, HEADER if text == "nothing" else text)
    if text == "nothing":
        (tmp_path / "rivals.csv").unlink()
    with pytest.raises(ValueError, match=r"expected a table of results in rivals.csv"):
        read_tables(tmp_path)
    drawn = at(tmp_path)
    assert "The tables cannot be read: expected a table of results in rivals.csv" in drawn
    assert 'role="alert"' in drawn


def test_the_shipped_tables_can_be_read_and_made_again(library: Library) -> None:
    names = [table.experiment for table in tables_of(library)]
    order = [name for name in findings.EXPERIMENTS if name in names]
    assert list(dict.fromkeys(names)) == order
    for table in read_tables(FOLDER):
        assert table.run
        assert len(table.sentences()) == 3
        assert ("after correction" in table.sentences()[0]) == table.corrected == (table.experiment == "people")
        assert table.about["commands"][-1].startswith("python -m mun experiment ")
        assert table.about["commands"][0].startswith("python -m mun synth DATA")
        assert {row.name for row in table.rows} == set(table.about["rows"])
        for claim in table.claims:
            assert claim.paired is None or points(claim.paired)


def test_along_settings_the_gain_over_two_modalities_is_drawn() -> None:
    tables = [table for table in read_tables(FOLDER) if table.experiment == "people"]
    across, gain = plots_of(tables)
    assert gain.title == f"MUN as chosen {MINUS} two modalities (baseline)"
    chosen, none = (next(one for one in across.curves if one.name == row) for row in gain.title.split(f" {MINUS} "))
    for difference, ours, theirs in zip(gain.curves[0].points, chosen.points, none.points, strict=True):
        assert difference[1] == pytest.approx(ours[1] - theirs[1])
    assert gain.title not in dict(grid(tables))
