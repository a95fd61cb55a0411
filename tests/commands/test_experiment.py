"""`python -m mun experiment`: from search to table on a tiny set, going on after a kill, and its refusals."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mun.__main__ import main
from mun.auxiliary.registry import AUXILIARIES
from mun.experiments.results import commit_of_code

TINY = ["--width", "0.125", "--height", "64", "--image-width", "32", "--ids-per-batch", "4", "--instances-per-id", "2"]
SHORT = [*TINY, "--epochs", "1", "--save-every", "2", "--recalibration", "2", "--optimizer", "sgd", "--lr", "0.01"]


@pytest.fixture(scope="module", autouse=True)
def one_thread_each():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


def words(data: Path, out: Path, *more: str) -> list[str]:
    return ["experiment", "ablation", "--data", str(data), "--out", str(out), "--seeds", "1", *SHORT, *more]


@pytest.fixture(scope="module")
def bench(tiny_synvi, tmp_path_factory) -> Path:
    """An experiment that was killed in its search and then went on."""
    out = tmp_path_factory.mktemp("experiments") / "ablation"
    rows = ["--rows", "base,all", "--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mun", *words(tiny_synvi, out, *rows)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not list((out / "runs").glob("*/metrics.jsonl")):
        assert process.poll() is None, process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not (out / "choice.json").exists(), "killed before the table was ready"
    assert main(words(tiny_synvi, out, *rows)) == 0
    return out


def test_code_that_was_copied_without_its_history_is_told_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUN_COMMIT", "0123456789ab")
    assert commit_of_code() == "0123456789ab"


@pytest.mark.slow
def test_table_and_ledger(bench) -> None:
    lines = {line["row"]: line for line in csv.DictReader((bench / "ablation.csv").open())}
    assert 0 <= float(lines["all"]["mean_ap"]) <= 1
    low, mean, high = (float(lines["base"][f"mean_ap_{name}"]) for name in ("low", "difference", "high"))
    assert low <= mean <= high
    assert mean == pytest.approx(float(lines["base"]["mean_ap"]) - float(lines["all"]["mean_ap"]))
    assert lines["mmd"]["mean_ap"] == ""
    assert "not run" in (bench / "ablation.md").read_text()
    assert (bench / "ablation.tex").read_text().startswith(r"\begin{tabular}")
    trials = [json.loads(line) for line in (bench / "ledger.jsonl").read_text().splitlines()]
    assert {(trial["row"], trial["seed"]) for trial in trials} == {("base", 0), ("all", 0)}
    about = json.loads((bench / "ablation.json").read_text())
    assert about["commands"][0].startswith("python -m mun synth DATA --level standard --train-ids 8")
    assert "--rows base,all --width 0.125" in about["commands"][1]
    assert about["versions"] == [json.loads(next((bench / "runs").glob("*/card.json")).read_text())["versions"]]
    assert lines["all"]["device"] == about["cost_device"] == f"CPU, {os.cpu_count()} threads"
    assert str(bench) not in json.dumps(about)
    choice = json.loads((bench / "choice.json").read_text())
    assert choice["all"]["commit"]
    assert int(lines["all"]["parameters"]) > int(lines["base"]["parameters"])


@pytest.mark.slow
def test_what_is_finished_is_not_made_again(bench, tiny_synvi, capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in bench.rglob("model.safetensors")}
    tests = {path: path.read_bytes() for path in bench.glob("tests/*.npz")}
    table = (bench / "ablation.csv").read_text()
    assert main(words(tiny_synvi, bench, "--rows", "base,all")) == 0
    assert "run 1" not in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in bench.rglob("model.safetensors")}
    assert tests == {path: path.read_bytes() for path in bench.glob("tests/*.npz")}
    assert (bench / "ablation.csv").read_text() == table


@pytest.mark.slow
def test_other_flags_are_refused(bench, tiny_synvi, capsys) -> None:
    assert main(words(tiny_synvi, bench, "--margin", "0.5")) == 2
    assert "to belong to this experiment and these flags" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rows", "base,magic"], "expected rows among base, generator"),
        (["--seeds", "0"], "1 to 100 seeds"),
        (["--jobs", "0"], "1 to 64 jobs"),
    ],
)
def test_bad_flags(more, message, tiny_synvi, tmp_path, capsys) -> None:
    assert main(words(tiny_synvi, tmp_path / "out", *more)) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_failed_run_says_so(tiny_synvi, tmp_path, capsys) -> None:
    """With a learning rate that blows up the run's own sentence reaches the user."""
    more = ["--rows", "base", "--lr", "10", "--optimizer", "sgd", "--ramp-end", "0", "--ramp-start", "0"]
    assert main(words(tiny_synvi, tmp_path / "out", *more)) == 2
    message = "expected the run base-only-s0 to finish, it ended with: mun: error: expected"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", AUXILIARIES)
def test_every_auxiliary_trains_for_a_few_steps(name, tiny_synvi, tmp_path) -> None:
    out = tmp_path / "run"
    flags = ["--data", str(tiny_synvi), "--auxiliary", name, "--out", str(out), "--quiet", "--until", "3"]
    assert main(["train", *flags, *SHORT, "--snapshots", "3"]) == 0
    assert (out / "step-000003").is_dir()
