"""The commands that train and evaluate, end to end, and their one-line errors; clean and corrupted side by side."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from made import flags, write_permutations

from mun.__main__ import main
from mun.commands import SUMMARIES
from mun.data.corruptions import CORRUPTIONS

FLAGS = [*flags(width=0.125, height=64, image_width=32, epochs=1, ids_per_batch=4, instances_per_id=2), "--quiet"]


@pytest.fixture(scope="module")
def run(tiny_synvi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("command") / "mun-run"
    assert main(["train", "--data", str(tiny_synvi), "--out", str(folder), "--recalibration", "2", *FLAGS]) == 0
    return folder


def test_train_then_evaluate(run, tiny_synvi, tmp_path, capsys) -> None:
    words = ["evaluate", str(run), "--data", str(tiny_synvi), "--json", str(tmp_path / "s.json"), "--quiet"]
    assert main([*words, "--dataset", "sysu", "--protocol", "synvi-all", "--trials", "3"]) == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    assert set(scores) == {
        "data", "protocol", "sampler", "shots", "trials", "flip", "rerank", "distance", "num_valid", "mean", "sd",
        "per_trial",
    }  # fmt: skip
    assert scores["data"] == "synvi"
    assert scores["num_valid"] == 6 * 2 * 2
    assert set(scores["mean"]) == {"rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp"}
    assert len(scores["per_trial"]) == 3
    assert "rank-1" in capsys.readouterr().out


def test_card_takes_scores_once(run, tiny_synvi, tmp_path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    words = ["evaluate", str(copy), "--data", str(tiny_synvi), "--card", "--trials", "2", "--quiet"]
    assert main(words) == main([*words, "--flip"]) == main(words) == 0
    text = (copy / "card.json").read_text()
    scores = json.loads(text)["scores"]
    assert [score["flip"] for score in scores] == [True, False]
    assert (copy / "README.md").read_text().count("| synvi-all, 1-shot, 2 trials (seeded) | ") == 2
    assert scores[0]["commands"][0].startswith("python -m mun synth OUT")
    assert str(tiny_synvi) not in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shots", "10"], "expected 10 images of identity"),
        (
            ["--protocol", "regdb-v2i"],
            "expected RegDB for regdb-v2i, got SynVI, used with synvi-all, synvi-indoor,",
        ),
        (["--protocol", "sysu-all"], "the rule of sysu-all: every infrared image by cameras 3 and 6 is a query"),
        (["--data", "WITHOUT3AND6"], "expected infrared queries for synvi-all, got none in"),
        (["--data", "ONLY3AND6"], "expected visible images in the gallery for synvi-all, got"),
        (["--gallery", "official", "--data", "OFFICIAL", "--trials", "3"], "for trial 2 in exp/rand_perm_cam.mat, fou"),
        (["--device", "tpu"], "auto, cpu or cuda"),
    ],
)
def test_impossible_requests_are_refused_before_anything_is_embedded(
    words, message, run, tiny_synvi, tmp_path, monkeypatch, refused
) -> None:
    monkeypatch.setattr("mun.commands.evaluate.embed_samples", lambda *_, **__: pytest.fail("embedded"))
    removed = {"WITHOUT3AND6": (3, 6), "ONLY3AND6": (1, 2, 4, 5), "OFFICIAL": ()}
    if (name := next((word for word in words if word in removed), None)) is not None:
        chosen = Path(shutil.copytree(tiny_synvi, tmp_path / name))
        for camera in removed[name]:
            shutil.rmtree(chosen / f"cam{camera}")
        if name == "OFFICIAL":
            pairs = {(camid, pid): [[1, 2], [2, 1]] for camid in range(1, 7) for pid in range(1, 21)}
            write_permutations(chosen, pairs)
        words = [chosen if word == name else word for word in words]
    assert message in refused("evaluate", run, "--data", tiny_synvi, "--quiet", *words)


def test_resume_of_a_finished_run_changes_nothing(run, tiny_synvi, tmp_path) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    words = ["evaluate", str(copy), "--data", str(tiny_synvi), "--card", "--trials", "2", "--quiet"]
    assert main(words) == 0

    def files() -> dict[str, tuple[int, bytes]]:
        return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in copy.iterdir() if path.is_file()}

    before = files()
    assert json.loads(before["card.json"][1])["scores"]
    assert main(["train", "--resume", "--out", str(copy), "--quiet"]) == 0
    assert files() == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train"], "--out"),
        (["train", "--out", "X"], "expected --data DIR"),
        (["train", "--out", "X", "--data", "DATA", "--width", "99"], "width between"),
        (["train", "--out", "X", "--data", "DATA", "--auxiliary", "magic"], "one of none, copy"),
        (["train", "--out", "X", "--data", "DATA", "--backbone", "vgg"], "invalid choice"),
        (["train", "--out", "X", "--data", "DATA", "--kernels", "a"], "sizes such as 3,5,7"),
        (["train", "--out", "X", "--data", "DATA", "--bins", "2"], "grids such as"),
        (["train", "--out", "X", "--data", "DATA", "--iml", "maybe"], "on or off"),
        (["train", "--out", "X", "--data", "DATA", "--dataset", "market"], "market"),
        (["train", "--out", "X", "--data", "DATA", "--seed", "-1"], "--seed between"),
        (["train", "--out", "X", "--data", "DATA", "--device", "tpu"], "auto, cpu or cuda"),
        (["train", "--out", "X", "--data", "DATA", "--until", "0"], "--until"),
        (["train", "--out", "X", "--data", "DATA", "--ids-per-batch", "500"], "at least 500 identities"),
        (["train", "--out", "X", "--data", "nowhere"], "nowhere"),
        (["train", "--out", "RUN", "--data", "DATA"], "new or empty folder"),
        (["train", "--out", "X", "--resume"], "expected a training run"),
        (["train", "--out", "RUN", "--resume", "--epochs", "9", "--lr", "5"], "--resume without --epochs, --lr: a run"),
        (["train", "--out", "RUN", "--resume", "--seed", "0"], "--resume without --seed: a run keeps the settings"),
        (["train", "--out", "RUN", "--resume", "--data", "DATA", "--dataset", "synvi"], "without --data, --layout:"),
        (["train", "--out", "RUN", "--resume", "--iml", "off", "--width", "1"], "without --width, --iml:"),
        (["evaluate", "nowhere", "--data", "DATA"], "expected a checkpoint folder"),
        (["evaluate", "RUN", "--data", "DATA", "--protocol", "x"], "synvi-all"),
        (["evaluate", "RUN", "--data", "DATA", "--trials", "0"], "at least one trial"),
        (["evaluate", "RUN", "--data", "DATA", "--gallery", "official"], "rand_perm_cam.mat"),
        (["evaluate", "RUN", "--data", "RUN"], "expected"),
        (["evaluate", "nowhere", "--data", "DATA", "--json", "DATA"], "expected a file name after --json, got"),
        (["evaluate", "RUN", "--data", "a=" + 300 * "x"], 300 * "x"),
        (["fly"], "one of the commands"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(words, message, run, tiny_synvi, tmp_path, refused) -> None:
    places = {"RUN": run, "DATA": tiny_synvi, "X": tmp_path / "X", "nowhere": tmp_path / "nowhere"}
    assert message in refused(*(places.get(word, word) for word in words))


def test_full_memory_is_one_line_and_other_errors_of_torch_are_not_hidden(run, monkeypatch, refused) -> None:
    def fail(error: Exception) -> None:
        def raise_it(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr("mun.commands.train.train", raise_it)

    words = ["train", "--resume", "--out", str(run)]
    fail(torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."))
    assert "the GPU's memory is full; in training a smaller batch may help" in refused(*words)
    for error in (MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes.")):
        fail(error)
        assert "the memory is full; in training a smaller batch may help" in refused(*words)
    fail(RuntimeError("an error of our own"))
    with pytest.raises(RuntimeError, match="an error of our own"):
        main(words)
    monkeypatch.setenv("MUN_DEBUG", "1")
    fail(torch.OutOfMemoryError("CUDA out of memory."))
    with pytest.raises(torch.OutOfMemoryError):
        main(words)


def test_overview_lists_every_command(capsys) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(name in shown for name in SUMMARIES)
    folder = Path(__file__).parents[2] / "mun" / "commands"
    assert {path.stem for path in folder.glob("[a-z]*.py")} == set(SUMMARIES)


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
