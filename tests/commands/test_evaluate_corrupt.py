"""`evaluate --corrupt`: clean and corrupted side by side, the clean scores untouched."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from mun.__main__ import main
from mun.data.corruptions import CORRUPTIONS


@pytest.fixture
def words(tiny_synvi: Path, tiny_checkpoint: Path) -> list[str]:
    return ["evaluate", str(tiny_checkpoint / "mun-tiny"), "--data", str(tiny_synvi), "--trials", "2", "--quiet"]


def scores(words: list[str], path: Path) -> dict[str, Any]:
    assert main([*words, "--json", str(path)]) == 0
    return json.loads(path.read_text())


@pytest.mark.parametrize("order", ["peer", "native"])
def test_clean_and_corrupted_side_by_side(
    words: list[str], order: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clean = scores(words, tmp_path / "clean.json")
    said = capsys.readouterr().out
    assert "corrupted" not in said
    both = scores([*words, "--corrupt", order, "--passes", "2"], tmp_path / "both.json")
    first, second = capsys.readouterr().out.splitlines()
    corrupted = both.pop("corrupted")
    assert both == clean
    assert first == said.rstrip("\n")
    assert f"visible images corrupted ({order}" in second
    assert "severity uniform 1-5, 2 passes, seed 0" in second
    assert f"rank-1 {100 * corrupted['mean']['rank1']:.1f}" in second
    assert (corrupted["size"], corrupted["modality"], corrupted["passes"]) == ([64, 32], "visible", 2)
    assert len(corrupted["per_pass"]) == 2
    assert corrupted["per_corruption"] == {}
    assert corrupted["mean"] != clean["mean"]
    again = scores([*words, "--corrupt", order, "--passes", "2"], tmp_path / "again.json")
    assert again["corrupted"] == corrupted
    other = scores([*words, "--corrupt", order, "--passes", "2", "--corrupt-seed", "1"], tmp_path / "other.json")
    assert other["corrupted"]["mean"] != corrupted["mean"]


def test_each_corruption_alone_at_one_severity(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--corrupt", "peer", "--passes", "1", "--per-corruption", "--severity", "5"]
    result = scores([*words, *flags], tmp_path / "each.json")["corrupted"]
    assert set(result["per_corruption"]) == set(CORRUPTIONS)
    assert result["severity"] == 5
    assert all(set(spread) == {"mean", "sd"} for spread in result["per_corruption"].values())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[2:]] == list(CORRUPTIONS)


def test_a_card_takes_corrupted_scores_inside_the_clean_record(words: list[str], tmp_path: Path) -> None:
    copy = Path(shutil.copytree(words[1], tmp_path / "copy"))
    words = ["evaluate", str(copy), *words[2:], "--card"]
    corrupting = ["--corrupt", "native", "--passes", "1", "--severity", "2"]
    assert main(words) == main([*words, *corrupting]) == 0
    (record,) = json.loads((copy / "card.json").read_text())["scores"]
    assert "--corrupt" not in record["commands"][-1]
    assert (
        record["corrupted"]["command"]
        == f"{record['commands'][-1]} --corrupt native --passes 1 --corrupt-seed 0 --severity 2"
    )
    assert main(words) == 0
    (record,) = json.loads((copy / "card.json").read_text())["scores"]
    assert "corrupted" not in record


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--corrupt", "both"], "invalid choice"),
        (["--corrupt", "peer", "--passes", "0"], "at least one pass, got 0"),
        (["--corrupt", "peer", "--severity", "6"], "severity from 1 to 5, got 6"),
        (["--corrupt", "peer", "--corrupt-seed", "-1"], "seed and pass from 0"),
        (["--per-corruption"], "expected --corrupt with --passes"),
        (["--severity", "3"], "expected --corrupt with --passes"),
    ],
)
def test_bad_flags_are_one_line(words: list[str], flags: list[str], message: str, refused) -> None:
    assert message in refused(*words, *flags)
