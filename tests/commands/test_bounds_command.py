"""`python -m mun bounds` tables every bound with what it may know, or says in one line why it cannot."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

from mun.__main__ import main
from mun.files import read_json, write_json

SEARCHES = ("synvi-all", "synvi-v2v", "synvi-i2i")
UNTRAINED = ("chance, exact", "chance, random features", "background only", "grey pixels", "HOG", "silhouette only")


@pytest.fixture
def data(tiny_synvi: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_synvi, tmp_path / "data"))


def bounds(*words: str) -> int:
    return main(["bounds", *words, "--quiet"])


@pytest.fixture(scope="module")
def report(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory):
    file = tmp_path_factory.mktemp("bounds") / "bounds.json"
    checkpoint = str(tiny_checkpoint / "mun-tiny")
    assert bounds(str(tiny_synvi), "--checkpoint", checkpoint, "--trials", "2", "--json", str(file)) == 0
    return json.loads(file.read_text())


def test_the_report_holds_every_bound_of_every_search(report) -> None:
    found = [(row["protocol"], row["bound"]) for row in report["rows"]]
    expected = {(search, bound) for search in SEARCHES for bound in UNTRAINED}
    expected |= {(search, f"{start}mun-tiny") for search in SEARCHES for start in ("", "background only, ")}
    assert set(found) == expected | {("synvi-all", "attribute oracle")}
    assert len(found) == len(set(found))
    assert [search for search, _ in found] == sorted((search for search, _ in found), key=SEARCHES.index)


def test_the_report_says_what_was_measured(report) -> None:
    assert (report["data"], report["level"], report["seed"]) == ("synvi", "standard", 7)
    assert (report["identities"], report["images_per_camera"]) == (6, 2)
    assert report["commands"][1] == "python -m mun bounds OUT --trials 2 --checkpoint CHECKPOINT"
    assert report["commands"][0].startswith("python -m mun synth OUT --level standard")
    assert "/tmp" not in json.dumps(report)


def test_every_row_has_its_scores(report) -> None:
    for row in report["rows"]:
        assert 0 <= row["mean"]["rank1"] <= 1
        assert 0 < row["mean"]["mean_ap"] <= 1
        assert row["knows"]
        if row["bound"] != "chance, exact":
            assert len(row["per_trial"]) == 2
            assert row["standard_error"].keys() == {"rank1", "mean_ap"}
    means = {(row["protocol"], row["bound"]): row["mean"]["rank1"] for row in report["rows"]}
    assert all(means[search, "chance, exact"] == pytest.approx(1 / 6) for search in SEARCHES)
    assert means["synvi-all", "attribute oracle"] > 0.9


def test_tables_as_text_and_as_markdown(tiny_synvi, capsys) -> None:
    assert bounds(str(tiny_synvi), "--trials", "1") == 0
    text = capsys.readouterr().out
    assert text.startswith("SynVI standard 1, seed 7, 6 test identities, 2 images per camera, single-shot; percent")
    assert "synvi-all, background only: rank-1 " in text
    assert bounds(str(tiny_synvi), "--trials", "1", "--markdown") == 0
    markdown = capsys.readouterr().out
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert rows[:2] == ["| search | bound | may know | rank-1 | mAP |", "| --- | --- | --- | --- | --- |"]
    assert rows[2].startswith("| synvi-all | chance, exact | nothing | 16.7 | ")
    assert len(rows) == 2 + 3 * len(UNTRAINED) + 1
    assert all(line.count("|") == 6 for line in rows)


def edit_manifest(**changes):
    return lambda root: write_json(root / "manifest.json", read_json(root / "manifest.json") | changes)


def add_an_image(root: Path) -> None:
    shutil.copy(root / "cam1/0013/0001.jpg", root / "cam1/0013/0003.jpg")


HARMS = {
    "no folder": (shutil.rmtree, "expected"),
    "no manifest": (lambda root: (root / "manifest.json").unlink(), "expected SynVI's manifest"),
    "another data set": (edit_manifest(data="sysu"), 'expected "data": "synvi"'),
    "another version": (edit_manifest(level_version=99), "expected a level of this version of SynVI"),
    "another seed": (edit_manifest(seed=8), "expected cam1/0013/0001.jpg to be the image that manifest.json describes"),
    "another size": (
        lambda root: Image.new("RGB", (64, 128)).save(root / "cam1/0013/0001.jpg"),
        "expected cam1/0013/0001.jpg to be the image that manifest.json describes",
    ),
    "no test people": (lambda root: (root / "exp/test_id.txt").write_text(""), "expected images in the test split"),
    "one image more": (add_an_image, "expected an image as cam3/0001/0001.jpg"),
    "a broken image": (lambda root: (root / "cam3/0014/0002.jpg").write_bytes(b"no image"), "to be one of JPEG, PNG"),
}


@pytest.mark.parametrize("case", HARMS)
def test_unsuitable_data_is_one_line_and_leaves_nothing(case, data, tmp_path, refused) -> None:
    harm, message = HARMS[case]
    harm(data)
    assert message in refused("bounds", data, "--json", tmp_path / "out.json", "--quiet")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials", "0"], "expected at least one trial, got 0"),
        (["--checkpoint", "nowhere"], "expected a checkpoint folder at nowhere, found none"),
        (["--device", "tpu"], "expected device to be auto, cpu or cuda, got 'tpu'"),
    ],
)
def test_bad_options_are_one_line(words, message, tiny_synvi, refused) -> None:
    assert refused("bounds", tiny_synvi, *words) == f"mun: error: {message}\n"


def test_without_scikit_image_it_says_what_to_install(tiny_synvi, monkeypatch, refused) -> None:
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    assert "expected scikit-image for the HOG bound: pip install" in refused("bounds", tiny_synvi, "--quiet")
