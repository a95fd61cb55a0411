import io
import json
import subprocess
import sys

import numpy as np
import pytest
from made import method
from reference import PARITY

from benchmarks.evaluation import features, regdb_layout, sysu_layout
from mun.__main__ import main
from mun.features import ARRAYS as FILE_ARRAYS

EYE = np.eye(3)
SIDES = ("query", "gallery")


def arrays():
    """Three identities, each found at once by cameras 3 and 6 in cameras 1 and 4."""
    return {
        "query_features": np.concatenate([EYE, EYE]),
        "query_pids": np.array([1, 2, 3, 1, 2, 3]),
        "query_camids": np.array([3, 3, 3, 6, 6, 6]),
        "gallery_features": np.concatenate([EYE, EYE]),
        "gallery_pids": np.array([1, 2, 3, 1, 2, 3]),
        "gallery_camids": np.array([1, 1, 1, 4, 4, 4]),
    }


def score(tmp_path, content, protocol="sysu-all"):
    np.savez(tmp_path / "features.npz", **content)
    target = tmp_path / "out" / "scores.json"
    code = main(["score", str(tmp_path / "features.npz"), "--protocol", protocol, "--json", str(target)])
    return code, target


@pytest.fixture
def refusal(tmp_path, refused):
    """The one line that a refusal prints; nothing is written."""

    def of(content, protocol="sysu-all"):
        if isinstance(content, dict):
            np.savez(tmp_path / "features.npz", **content)
        elif content is not None:
            (tmp_path / "features.npz").write_bytes(content)
        words = ["--protocol", protocol, "--json", tmp_path / "out" / "scores.json"]
        return refused("score", tmp_path / "features.npz", *words)

    return of


def content_of(protocol):
    """The arrays on which the published code was run."""
    layout = regdb_layout() if protocol.startswith("regdb") else sysu_layout(protocol)
    numbers = {f"{side}_{kind}": getattr(layout, f"{side}_{kind}") for side in SIDES for kind in ("pids", "camids")}
    return {**dict(zip(("query_features", "gallery_features"), features(layout), strict=True)), **numbers}


@pytest.mark.parametrize("protocol", ["sysu-all", "sysu-indoor", "regdb-v2i", "regdb-i2v"])
def test_parity_through_the_command(tmp_path, protocol):
    cmc, mean_ap, mean_inp, shape, num_valid = PARITY[protocol.replace("i2v", "v2i")]
    content = content_of(protocol)
    assert tuple(len(content[f"{side}_pids"]) for side in SIDES) == shape
    code, target = score(tmp_path, content, protocol)
    assert code == 0
    record = json.loads(target.read_text())
    assert list(record) == [
        *("protocol", "distance", "rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp", "num_valid")
    ]
    assert (record["protocol"], record["distance"], record["num_valid"]) == (protocol, "cosine", num_valid)
    assert [record[f"rank{k}"] for k in (1, 5, 10, 20)] == pytest.approx(cmc, abs=1e-6)
    assert record["mean_ap"] == pytest.approx(mean_ap, abs=1e-12)
    assert record["mean_inp"] == pytest.approx(mean_inp, abs=1e-12)


def test_one_line_is_printed_with_and_without_a_file(tmp_path, capsys):
    code, target = score(tmp_path, arrays())
    printed = capsys.readouterr()
    assert (code, printed.err) == (0, "")
    assert printed.out.count("\n") == 1
    assert printed.out.startswith("sysu-all (cosine distance): rank1 100.00 %")
    assert printed.out.endswith("over 6 valid of 6 queries\n")
    assert json.loads(target.read_text())["mean_inp"] == 1.0
    assert main(["score", str(tmp_path / "features.npz"), "--protocol", "sysu-all"]) == 0
    assert capsys.readouterr() == printed


def test_rows_of_other_lengths_are_normalised(tmp_path):
    generator = np.random.default_rng(3)
    content = {**arrays(), "query_features": generator.random((6, 3)), "gallery_features": generator.random((6, 3))}
    _, target = score(tmp_path, content)
    expected = json.loads(target.read_text())
    assert 0 < expected["mean_ap"] < 1
    for name in ("query_features", "gallery_features"):
        lengths = np.array([[1], [40], [0.1], [1], [9], [3]])
        _, target = score(tmp_path, {**content, name: content[name] * lengths})
        assert json.loads(target.read_text()) == expected


def test_cameras_that_the_protocol_does_not_search_are_noted(tmp_path, capsys):
    code, _ = score(tmp_path, arrays(), "sysu-indoor")
    assert code == 0
    assert "sysu-indoor has gallery cameras [1, 2]; the arrays also hold [4]" in capsys.readouterr().err
    code, _ = score(tmp_path, arrays(), "llcm-i2v")
    assert code == 0
    assert "llcm-i2v has query cameras [1, 2, 4, 5, 6, 7, 8, 9]; the arrays also hold [3]" in capsys.readouterr().err
    code, _ = score(tmp_path, arrays(), "regdb-i2v")
    assert (code, capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"query_features": np.full((6, 3), np.nan)}, "expected finite `query_features`"),
        ({"query_features": np.zeros((6, 3))}, "expected `query_features` without a zero row"),
        ({"query_features": np.ones(6)}, "expected `query_features` of shape (N, D)"),
        ({"query_features": np.ones((0, 3))}, "got (0, 3)"),
        ({"query_features": np.zeros((6, 0))}, "neither of them 0, got (6, 0)"),
        ({"query_features": np.ones((5, 3))}, "expected `query_pids` of shape (5,), got (6,)"),
        ({"gallery_features": np.ones((6, 2))}, "expected `gallery_features` of shape (G, 3), got (6, 2)"),
        ({"gallery_features": np.ones((0, 3))}, "got (0, 3)"),
        ({"gallery_pids": np.full(6, 0.5)}, "expected `gallery_pids` of whole numbers from 0 to 2147483647, got 0.5"),
        ({"gallery_pids": np.array(["1"] * 6)}, "expected `gallery_pids` of whole numbers, got <U1"),
        ({"gallery_pids": np.full(6, 77)}, "expected a match in the kept gallery"),
        ({"query_camids": np.full(6, 9)}, "expected `query_camids` in [1, 6] for sysu-all, got 9"),
        ({"query_camids": np.array([3])}, "expected `query_camids` of shape (6,), got (1,)"),
        ({"gallery_camids": np.full(6, 0)}, "expected `gallery_camids` in [1, 6] for sysu-all, got 0"),
        ({"gallery_camids": np.array([1])}, "expected `gallery_camids` of shape (6,), got (1,)"),
        ({"query_features": np.full((6, 3), {}, dtype=object)}, "expected `query_features` in"),
    ],
)
def test_bad_arrays_are_refused(refusal, change, message):
    assert message in refusal({**arrays(), **change})


def test_missing_arrays_and_unknown_protocols_are_named(refusal):
    content = arrays()
    assert "expected one of the protocols synvi-all" in refusal(content, "market")
    del content["query_camids"], content["gallery_pids"]
    assert "missing: query_camids, gallery_pids" in refusal(content)
    content = method(1.0)
    del content["camids"]
    for protocol in ("sysu-all", "llcm-v2i", "cross-i2v", "mixed-infrared"):
        assert f"expected `camids` for {protocol} in" in refusal(content, protocol)


@pytest.mark.parametrize("content", [None, b"", b"text", b"PK\x03\x04 and no more", "single"])
def test_other_files_are_refused(refusal, content):
    if content == "single":
        file = io.BytesIO()
        np.save(file, EYE)
        content = file.getvalue()
    assert refusal(content).startswith("mun: error: expected an .npz file")


def test_a_damaged_archive_is_refused(refusal):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays())
    data = bytearray(file.getvalue())
    data[60:120] = bytes(60)
    assert refusal(bytes(data)).startswith("mun: error: expected `query_features` in")


def test_score_needs_no_torch(tmp_path):
    np.savez(tmp_path / "features.npz", **arrays())
    code = (
        "import sys; from mun.__main__ import main; code = main(sys.argv[1:]);"
        "sys.exit(code or any(name.split('.')[0] in ('torch', 'scipy') for name in sys.modules))"
    )
    words = ["score", str(tmp_path / "features.npz"), "--protocol", "synvi-all"]
    assert subprocess.run([sys.executable, "-c", code, *words], check=False).returncode == 0


def test_a_features_file_is_scored_as_evaluate_scores_its_checkpoint(tmp_path, tiny_checkpoint, tiny_synvi, capsys):
    model, file = str(tiny_checkpoint / "mun-tiny"), str(tmp_path / "f.npz")
    assert main(["embed", model, str(tiny_synvi), "--out", file, "--quiet"]) == 0
    with np.load(file) as archive:
        assert set(archive) == {*FILE_ARRAYS, "checkpoint", "weights_sha256", "flip"}
    assert main(["score", file, "--protocol", "synvi-all", "--json", str(tmp_path / "s.json")]) == 0
    assert "10 galleries" in capsys.readouterr().out
    assert main(["evaluate", model, "--data", str(tiny_synvi), "--json", str(tmp_path / "e.json"), "--quiet"]) == 0
    ours, theirs = (json.loads((tmp_path / name).read_text()) for name in ("s.json", "e.json"))
    assert {**ours, "data": "synvi"} == theirs


def test_regdb_is_scored_without_cameras_and_with_labels_of_matlab(tmp_path):
    plain = {name: value for name, value in arrays().items() if "camids" not in name}
    code, target = score(tmp_path, plain, "regdb-v2i")
    expected = json.loads(target.read_text())
    assert (code, expected["rank1"]) == (0, 1.0)
    for kind in (np.float64, np.uint8, np.int16):
        rows = {name: value.astype(kind)[None] if "pids" in name else value for name, value in plain.items()}
        score(tmp_path, rows, "regdb-v2i")
        assert json.loads(target.read_text()) == expected


@pytest.mark.parametrize("protocol", ["whole", "regdb-v2i", "regdb-i2v"])
def test_a_features_file_is_split_by_modality(tmp_path, protocol):
    whole = method(1.0)
    _, target = score(tmp_path, whole, protocol)
    made = json.loads(target.read_text())
    asked = (whole["modalities"] == "visible") == (protocol == "regdb-v2i")
    sides = {"query": asked, "gallery": ~asked}
    apart = {f"{side}_{name}": whole[name][rows] for side, rows in sides.items() for name in FILE_ARRAYS[:3]}
    score(tmp_path, apart, protocol)
    assert json.loads(target.read_text()) == made


@pytest.mark.parametrize("protocol", ["sysu-all", "regdb-v2i"])
def test_blocks_of_queries_score_as_all_of_them(tmp_path, monkeypatch, protocol):
    content = content_of(protocol)
    query, gallery = content["query_features"], content["gallery_features"]
    nobody = np.arange(len(query)) < 40  # so that whole blocks find none
    content["query_pids"] = np.where(nobody, 9999, content["query_pids"])
    _, target = score(tmp_path, content, protocol)
    expected = json.loads(target.read_text())
    monkeypatch.setattr("mun.commands.score.BLOCK", 16 * len(gallery))
    score(tmp_path, content, protocol)
    made = json.loads(target.read_text())
    assert made["num_valid"] == expected["num_valid"] < len(query) - 39
    for name in ("rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp"):
        assert made[name] == pytest.approx(expected[name], abs=1e-12)
    assert score(tmp_path, {**content, "query_pids": np.full(len(query), 9999)}, protocol)[0] == 2
