"""`python -m mun analyse`: what it writes, by checkpoints and by features, and every refusal."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from mun.__main__ import main
from mun.checkpoint import load_checkpoint
from mun.data.sources import read_source
from mun.embedding import embed_samples


@pytest.fixture(scope="module")
def features(tiny_synvi: Path, two_checkpoints: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Features of the test images by `other-tiny`, in another order."""
    samples = read_source("synvi", tiny_synvi).test[::-1]
    rows = embed_samples(load_checkpoint(two_checkpoints / "other-tiny")[0], samples)
    path = tmp_path_factory.mktemp("features") / "other-tiny.npz"
    np.savez(path, features=rows, keys=[one.key for one in samples])
    return path


def words(model: Path, data: Path, out: Path, *more: object) -> list[str]:
    return ["analyse", *map(str, (model, "--data", data, "--protocol", "synvi-all", "--out", out, *more)), "--quiet"]


def test_it_writes_json_tables_and_figures(two_checkpoints, features, tiny_synvi, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    model = two_checkpoints / "mun-tiny"
    assert main(words(model, tiny_synvi, out, "--against", features, "--probes", "--trials", 2)) == 0
    shown = capsys.readouterr().out
    record = json.loads((out / "analysis.json").read_text())
    assert record["models"] == ["mun-tiny", "other-tiny"]
    score = ["evaluate", str(model), "--data", str(tiny_synvi), "--trials", "2", "--json", str(tmp_path / "s.json")]
    assert main([*score, "--quiet"]) == 0
    expected = json.loads((tmp_path / "s.json").read_text())["mean"]
    own = record["directions"][0]
    assert own["mean_ap"]["mun-tiny"]["mean"] == pytest.approx(expected["mean_ap"], abs=1e-9)
    assert own["rank1"]["mun-tiny"]["mean"] == pytest.approx(expected["rank1"], abs=1e-9)
    assert f"mAP {100 * expected['mean_ap']:.1f} %" in shown
    tables = {path.stem for path in out.glob("*.csv")}
    assert tables >= {"queries", "slices", "directions", "people", "confused", "distances", "probes-mun-tiny"}
    assert {path.stem for path in out.glob("*.pdf")} == {
        "queries",
        "slices",
        "distances",
        "probes-mun-tiny",
        "probes-other-tiny",
    }
    with (out / "queries.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(record["queries"]) == 24
    sources = {one["source"] for one in record["probes"]["mun-tiny"]}
    assert sources == {"both", "both pixels", "visible", "visible pixels", "infrared", "infrared pixels", "auxiliary"}


def test_two_checkpoints_are_the_same_as_their_features(two_checkpoints, features, tiny_synvi, tmp_path) -> None:
    for name, second in (("one", features), ("two", two_checkpoints / "other-tiny")):
        assert main(words(two_checkpoints / "mun-tiny", tiny_synvi, tmp_path / name, "--against", second)) == 0
    one, two = (json.loads((tmp_path / name / "analysis.json").read_text()) for name in ("one", "two"))
    assert one["slices"] == two["slices"]


def test_curves_of_a_corruption(two_checkpoints, tiny_synvi, tmp_path) -> None:
    out = tmp_path / "out"
    assert main(words(two_checkpoints / "mun-tiny", tiny_synvi, out, "--corruptions", "fog", "--trials", 1)) == 0
    (curve,) = json.loads((out / "analysis.json").read_text())["corruptions"]
    assert (curve["name"], curve["model"], len(curve["mean_ap"])) == ("fog", "mun-tiny", 6)
    assert (out / "corruptions.png").is_file()


@pytest.mark.parametrize(
    ("arrays", "more", "sentence"),
    [
        ({"features": np.ones((3, 2))}, (), "expected the arrays features and keys"),
        ({"features": np.ones((3, 2)), "keys": ["a", "b", "c"]}, (), "expected features of all 72 images"),
        ({"features": np.ones((3, 2)), "keys": ["a"]}, (), "expected features (N, D) and N keys"),
        (None, ("--corruptions", "hail"), "expected some of"),
        (None, ("--knobs", "speed"), "expected some of colour_infrared_correlation"),
        (None, ("--knobs", "noise"), "expected checkpoints for curves, got features"),
        (None, ("--protocol", "mine"), "expected one of the protocols"),
        (None, ("--trials", "0"), "expected at least one trial"),
        (None, ("--against", "SELF"), "expected two models of different names"),
        (None, ("--against", "nowhere"), "expected"),
        (None, ("--against", "nowhere", "--out", "DATA"), "expected a new or empty folder"),
    ],
)
def test_bad_input_is_one_line(arrays, more, sentence, features, tiny_synvi, tmp_path, refused) -> None:
    path = features
    if arrays is not None:
        path = tmp_path / "odd.npz"
        np.savez(path, **arrays)
    told = [{"SELF": features, "DATA": tiny_synvi}.get(word, word) for word in more]
    assert sentence in refused(*words(path, tiny_synvi, tmp_path / "out", *told))
