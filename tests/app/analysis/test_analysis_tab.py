"""The Analysis tab and `/analyse`: what a press draws, work in the background, files, refusals."""

import json
import re
import threading
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pages import pressed, shown

from app.analysis import compute, export, tab
from app.analysis.compute import Analyse, View, analysis, answer
from app.analysis.export import MENUS, write
from app.analysis.tab import answer as press_answer
from app.library import Library, open_library
from app.library.background import Progress
from app.library.collection import Terms
from app.shared.export import Options
from app.shared.tab import Press
from mun.analysis.curves import KNOBS, Curve


def view(library: Library, **changes: Any) -> View:
    return View.read({"compare": "other-tiny", **changes}, library)


drawn = partial(pressed, press_answer)


def test_analyse_says_what_evaluate_says(two: Library) -> None:
    record = answer(two, Analyse.read({"compare": "other-tiny"}, two))
    assert record["models"] == ["mun-tiny", "other-tiny"]
    for name in record["models"]:
        mean = two.scores(name, "synvi", Terms("synvi-all")).mean()
        own = record["directions"][0]
        assert own["mean_ap"][name]["mean"] == pytest.approx(mean["mean_ap"], abs=1e-12)
        assert own["rank1"][name]["mean"] == pytest.approx(mean["rank1"], abs=1e-12)
    assert {one["axis"] for one in record["slices"]} >= {"cameras", "bag", "yaw difference"}
    json.dumps(record, allow_nan=False)


def test_one_person_and_nothing_to_slice_by(tiny_checkpoint: Path, make_sysu: Any) -> None:
    alone = open_library(make_sysu({1: (1, 3)}), tiny_checkpoint)
    with pytest.raises(ValueError, match="expected data of at least two people, got one"):
        Analyse.read({}, alone)


def test_other_data_are_sliced_by_camera(tiny_checkpoint: Path, make_sysu: Any) -> None:
    library = open_library(make_sysu(dict.fromkeys(range(1, 8), (1, 3))), tiny_checkpoint)
    answered = drawn(library, View.read({}, library))
    assert "There are no slices" in shown(answered, "body")
    assert "expected a match" in shown(answered, "summary"), "a direction that cannot be asked says why"
    assert "nothing else is known" in shown(answered, "body")


def test_columns_of_a_csv_are_slices(tiny_checkpoint: Path, make_sysu: Any) -> None:
    root = make_sysu(dict.fromkeys(range(1, 13), (1, 3)))
    lines = ["path,modality,pid,camid,split,coat"]
    for path in sorted(root.glob("cam*/*/*.png")):
        pid, camid = int(path.parent.name), int(path.parents[1].name[3:])
        coat, modality = ("blue", "red")[pid % 2], "infrared" if camid == 3 else "visible"
        lines.append(f"{path.relative_to(root)},{modality},{pid},{camid},test,{coat}")
    (root / "own.csv").write_text("\n".join(lines) + "\n")
    library = open_library(root / "own.csv", tiny_checkpoint)
    body = shown(drawn(library, View.read({}, library)), "body")
    assert 'data-axis="coat"' in body
    assert re.findall(r'data-slice="(red|blue)" data-count="(\d+)"', body) == [("blue", "6"), ("red", "6")]


def test_the_picture_has_a_point_for_each_query(two: Library) -> None:
    answered = drawn(two, view(two), do="open")
    made = analysis(two, view(two))
    picture = shown(answered, "picture")
    points = re.findall(r'class="mun-aps-(\w+)" cx="([\d.]+)" cy="([\d.]+)" r="1" data-row="(\d+)"', picture)
    assert len(points) == len(made.models[0].queries) == 24
    for kind, x, y, row in points:
        found = [one.rank1[int(row)] > 0.5 for one in made.models]
        assert kind == {(1, 1): "both", (1, 0): "first", (0, 1): "second", (0, 0): "neither"}[tuple(map(int, found))]
        assert float(x) == pytest.approx(100 * made.models[0].average_precision[int(row)], abs=0.01)
        assert 100 - float(y) == pytest.approx(100 * made.models[1].average_precision[int(row)], abs=0.01)
    single = re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', shown(drawn(two, view(two, compare="none")), "picture"))
    heights = [-y for _, y in sorted((float(x), float(y)) for x, y in single)]
    assert heights == sorted(heights), "one model's queries stand sorted"


def test_every_number_of_the_slices_is_the_reports(two: Library) -> None:
    body = shown(drawn(two, view(two)), "body")
    made = analysis(two, view(two))
    numbers = re.findall(r'data-map="([\d.]+)"', body)
    assert numbers == [f"{one.mean:.6f}" for each in made.slices for one in each.mean_ap]
    assert all(f'data-axis="{one.axis}"' in body for one in made.slices)


def test_people_and_distances(two: Library) -> None:
    request = view(two, part="people")
    made, body = analysis(two, request), shown(drawn(two, request), "body")
    assert len(re.findall(r"data-only", body)) == 2
    worst = body.split("data-worst")[1].split("</div>")[0]
    assert re.findall(r'data-query="([^"]+)"', worst)[0] in {one.key for one in two.collections["synvi"].queries}
    assert re.findall(r'data-pair="([^"]+)"', body) == [
        f"{one.first},{one.second}" for each in made.confused for one in each[:12]
    ]
    link = re.findall(r'href="([^"]+)" data-query', body)[0].replace("&amp;", "&")
    assert link.startswith("?tab=retrieval&query=cam")
    assert "compare=other-tiny" in link
    pair = made.distances[0].pairs[2]
    body = shown(drawn(two, view(two, part="distances", pair=2)), "body")
    assert f'data-pair="{pair.query} → {pair.gallery}"' in body
    for one in made.distances:
        assert all(f'data-detected="{point.detected:.6f}"' in body for point in one.open_set)
    assert drawn(two, view(two, part="distances", pair=9999)).pieces["body"]


def test_probes_are_offered_then_measured(two: Library) -> None:
    request = view(two, part="probes")
    drawn(two, view(two))
    before = drawn(two, request, do="open")
    assert 'data-do="start"' in shown(before, "body")
    assert not before.again
    with pytest.raises(ValueError, match="expected probes to export; start them"):
        write(two, request, Options.read({}, two), "probes", "csv", Press())
    body = shown(drawn(two, request, do="start"), "body")
    assert 'data-probe="camera/visible"' in body
    assert 'data-probe="bag/auxiliary"' in body
    file = write(two, request, Options.read({}, two), "probes", "csv", Press())
    assert b"body height" in file.data


def test_features_of_another_method(tiny_synvi: Path, two_checkpoints: Path, two: Library, tmp_path: Path) -> None:
    samples = two.collections["synvi"].samples
    facts = {name: [getattr(one, name) for one in samples] for name in ("pid", "camid", "modality", "key")}
    arrays = {"pids": facts["pid"], "camids": facts["camid"], "modalities": facts["modality"], "keys": facts["key"]}
    np.savez(tmp_path / "f.npz", features=two.embeddings("other-tiny", "synvi"), **arrays)
    library = open_library(tiny_synvi, two_checkpoints, features=[("theirs", tmp_path / "f.npz")])
    request = View.read({"checkpoint": "mun-tiny", "compare": "theirs"}, library)
    bodies = [shown(drawn(*each), "body") for each in ((library, request), (two, view(two)))]
    assert len({tuple(re.findall(r'data-map="([^"]+)"', body)) for body in bodies}) == 1
    for part in ("knobs", "corruptions"):
        told = shown(drawn(library, request.model_copy(update={"part": part}), do="start"), "body")
        assert "A features file cannot embed other images" in told
    probes = shown(drawn(library, request.model_copy(update={"part": "probes"}), do="start"), "body")
    assert 'data-probe="bag/visible"' in probes


def test_work_that_is_stopped_is_offered_again(two: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def held(name: str, networks: Any, folder: Path, report: Any) -> list[Curve]:
        while not gate.wait(0.01):
            report(3, 12)
        return [Curve(name, model, KNOBS[name], (0.5,) * 5, (0.1,) * 5) for model in networks]

    monkeypatch.setattr(compute, "knob_curves", held)
    request = view(two, part="knobs", knob="noise")
    drawn(two, view(two))
    begun = press_answer(two, request, Press(do="start"))
    assert begun.again
    assert 'data-do="stop"' in shown(begun, "body")
    stopped = press_answer(two, request, Press(do="stop"))
    assert "It was stopped" in shown(stopped, "body")
    gate.set()
    body = shown(drawn(two, request, do="start"), "body")
    assert 'data-name="noise"' in body
    assert body.count("<polyline") == 2


def test_curves_of_a_knob_that_are_bundled_are_shown_at_once(two, tmp_path, monkeypatch) -> None:
    listed = [
        {"name": "occlusion", "content": two.checkpoints[name].content, "values": [0.0, 1.0], "mean_ap": [score, 0.25],
         "sd": [0.0, 0.0]} for name, score in (("mun-tiny", 0.5), ("other-tiny", 0.75))
    ]  # fmt: skip
    (tmp_path / "curves.json").write_text(json.dumps({"curves": listed}))
    monkeypatch.setattr(compute, "BUNDLED", tmp_path / "curves.json")
    body = shown(drawn(two, view(two, part="knobs", knob="occlusion")), "body")
    assert re.findall(r"<td>([\d.]+)</td>", body) == ["50.0", "25.0", "75.0", "25.0"]
    assert 'data-do="start"' in shown(drawn(two, view(two, part="knobs", knob="resolution")), "body")


def test_bundled_curves_are_of_known_knobs() -> None:
    curves = json.loads(compute.BUNDLED.read_text())["curves"]
    assert len(curves) >= 12
    for one in curves:
        assert tuple(one["values"]) == KNOBS[one["name"]]
        assert all(0 < score < 1 for score in one["mean_ap"])


def test_curves_of_a_corruption_are_scores(two: Library) -> None:
    request = view(two, part="corruptions", corruption="fog", compare="none")
    drawn(two, request)
    body = shown(drawn(two, request, do="start"), "body")
    curves, progress = compute.corruption_curves(two, request, "")
    assert progress.ready
    assert curves[0].mean_ap[0] == two.scores("mun-tiny", "synvi", Terms("synvi-all")).mean()["mean_ap"]
    assert [f"{100 * value:.1f}" for value in curves[0].mean_ap] == re.findall(r"<td>([\d.]+)</td>", body)


@pytest.mark.parametrize(("what", "kind"), [(menu.name, kind) for menu in MENUS for kind in menu.kinds])
def test_every_file_of_the_menu(two: Library, what: str, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    curves = [Curve("fog", name, (0.0, 1.0), (0.5, 0.4), (0.1, 0.1)) for name in ("mun-tiny", "other-tiny")]
    request = view(two)
    drawn(two, request)
    if what == "probes":
        drawn(two, view(two, part="probes"), do="start")
    if what in ("corruptions", "knobs"):
        monkeypatch.setattr(export, "measured", lambda *_: (curves, Progress(ready=True)))
    file = write(two, request, Options.read({}, two), what, kind, Press(url="http://demo.example/"))
    starts = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml", "csv": b"# check", "latex": b"% check", "json": b"{"}
    assert file.data.startswith(starts[kind])
    if kind in ("csv", "latex", "svg"):
        assert b"mun-tiny" in file.data
    if kind == "csv":
        assert b"http://demo.example/?tab=analysis" in file.data
        assert (b"40 people at each value" in file.data) == (what == "knobs"), "curves of knobs have data of their own"


def test_a_file_before_the_analysis_is_refused(tiny_synvi: Path, two_checkpoints: Path) -> None:
    fresh = open_library(tiny_synvi, two_checkpoints)
    with pytest.raises(ValueError, match="expected an analysis to export"):
        write(fresh, view(fresh), Options.read({}, fresh), "slices", "csv", Press())


def test_many_queries_are_thinned_out(two: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tab, "MOST_POINTS", 10)
    picture = tab.picture_of(two, view(two), analysis(two, view(two)))
    rows = re.findall(r'data-row="(\d+)"', picture)
    assert (len(rows), rows[0], rows[-1]) == (10, "0", "23")
    assert "14 more queries are not drawn" in picture
