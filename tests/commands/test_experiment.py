"""`python -m mun experiment`: from search to table on a tiny set, going on after a kill, and its refusals."""

import csv
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from made import flags, until

from mun.__main__ import main
from mun.auxiliary.registry import AUXILIARIES
from mun.experiments import pipeline
from mun.experiments.cost import Cost
from mun.experiments.provenance import commit_of_code
from mun.experiments.tables import EXPERIMENTS, LABELS, Setting

SHORT = flags(width=0.125, height=64, image_width=32, ids_per_batch=4, instances_per_id=2, epochs=2, save_every=2)
SHORT += flags(recalibration=2, optimizer="sgd", lr=0.01, evaluate_every=2)
ROWS = ["none", "pixel-mean", "mun"]  # of the rivals; every one of them is trained for some steps below


@pytest.fixture(scope="module", autouse=True)
def one_thread_each():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OMP_NUM_THREADS", "1")
        yield


def words(data: Path, out: Path, *more: str) -> list[str]:
    flags = ["--data", str(data), "--out", str(out), "--seeds", "1", "--rows", ",".join(ROWS)]
    return ["experiment", "rivals", *flags, *SHORT, *more]


@pytest.fixture(scope="module")
def bench(tiny_synvi, tmp_path_factory) -> Path:
    """The table of rivals, killed in its search, and then gone on with."""
    out = tmp_path_factory.mktemp("experiments") / "rivals"
    jobs = ["--jobs", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "mun", *words(tiny_synvi, out, *jobs)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    until(lambda: list((out / "runs").glob("*/metrics.jsonl")) or process.poll() is not None, 120)
    assert process.poll() is None, process.stderr.read()
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stderr.close()
    assert not (out / "choice.json").exists(), "killed before the table was ready"
    assert main(words(tiny_synvi, out, *jobs)) == 0
    return out


def test_code_that_was_copied_without_its_history_is_told_its_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUN_COMMIT", "0123456789ab")
    assert commit_of_code() == "0123456789ab"


@pytest.mark.slow
def test_table_and_ledger(bench) -> None:
    lines = {line["row"]: line for line in csv.DictReader((bench / "rivals.csv").open())}
    assert list(lines) == [*LABELS, "chosen"], "every rival is a row"
    assert [name for name, line in lines.items() if line["mean_ap"]] == ROWS
    assert all(0 <= float(lines[name]["mean_ap"]) <= 1 for name in ROWS)
    assert {lines[name]["validation_trials"] for name in ROWS} == {"2"}
    low, mean, high = (float(lines["mun"][f"mean_ap_{name}"]) for name in ("low", "difference", "high"))
    assert low <= mean <= high
    assert mean == pytest.approx(float(lines["mun"]["mean_ap"]) - float(lines["none"]["mean_ap"]))
    assert (bench / "rivals.md").read_text().count("\n") == 2 + len(lines)
    assert (bench / "rivals.md").read_text().count("not run") == len(lines) - len(ROWS)
    assert (bench / "rivals.tex").read_text().startswith(r"\begin{tabular}")
    trials = [json.loads(line) for line in (bench / "ledger.jsonl").read_text().splitlines()]
    assert {(trial["row"], trial["seed"]) for trial in trials} == {(name, 0) for name in ROWS}
    assert len(trials) == 2 * len(ROWS)
    about = json.loads((bench / "rivals.json").read_text())
    assert about["commands"][0].startswith("python -m mun synth DATA --level standard --train-ids 8")
    assert f"--seeds 1 --rows {','.join(ROWS)} --width 0.125" in about["commands"][1]
    assert [(made["row"], made["against"]) for made in about["contrasts"]] == [("mun", "pixel-mean")]
    assert about["versions"] == [json.loads(next((bench / "runs").glob("*/card.json")).read_text())["versions"]]
    assert lines["mun"]["device"] == about["cost_device"] == f"CPU, {os.cpu_count()} threads"
    assert str(bench) not in json.dumps(about)
    choice = json.loads((bench / "choice.json").read_text())
    assert choice["mun"]["commit"]
    assert max(choice["mun"]["mean_ap"].values()) == float(lines["mun"]["validation_mean_ap"])
    assert int(lines["mun"]["parameters"]) > int(lines["none"]["parameters"])


@pytest.mark.slow
def test_what_is_finished_is_not_made_again(bench, tiny_synvi, capsys) -> None:
    before = {path: path.stat().st_mtime_ns for path in bench.rglob("model.safetensors")}
    tests = {path: path.read_bytes() for path in bench.glob("tests/*.npz")}
    table = (bench / "rivals.csv").read_text()
    assert main(words(tiny_synvi, bench)) == 0
    assert "run 1" not in capsys.readouterr().err
    assert before == {path: path.stat().st_mtime_ns for path in bench.rglob("model.safetensors")}
    assert tests == {path: path.read_bytes() for path in bench.glob("tests/*.npz")}
    assert (bench / "rivals.csv").read_text() == table


@pytest.mark.slow
def test_other_flags_are_refused(bench, tiny_synvi, capsys) -> None:
    assert main(words(tiny_synvi, bench, "--margin", "0.5")) == 2
    assert "to be of this table, flags and data, it has other flags\n" in capsys.readouterr().err


@pytest.mark.slow
def test_a_folder_from_before_a_field_came_goes_on(bench, tiny_synvi, tmp_path) -> None:
    out = tmp_path / "out"
    shutil.copytree(bench, out)
    record = json.loads((out / "experiment.json").read_text())
    del record["config"]["train"]["pretrained_rate"]
    record["train"]["title"] = "a label of later"
    (out / "experiment.json").write_text(json.dumps(record))
    assert main(words(tiny_synvi, out)) == 0


@pytest.mark.slow
def test_other_data_are_refused(bench, tiny_synvi, tmp_path, capsys) -> None:
    """Else the table of one data set would be written down as that of another."""
    other = tmp_path / "other"
    people = flags(train_ids=0, val_ids=0, test_ids=3, images=1, size="64x32", seed=9)
    assert main(["synth", str(other), *people]) == 0
    before = (bench / "rivals.json").read_bytes()
    assert main(words(tiny_synvi, bench, "--test", str(other))) == 2
    assert "it has other data for test\n" in capsys.readouterr().err
    assert (bench / "rivals.json").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--rows", "none,magic"], "expected rows among none, copy"),
        (
            ["--evaluate-every", "1"],
            "--evaluate-every to stay a whole number times 1.5, as a variant or a setting asks",
        ),
        (["--seeds", "0"], "1 to 100 seeds"),
        (["--jobs", "0"], "1 to 64 jobs"),
    ],
)
def test_bad_flags(more, message, tiny_synvi, tmp_path, refused) -> None:
    assert message in refused(*words(tiny_synvi, tmp_path / "out", *more))


def test_a_failed_run_says_so(tiny_synvi, tmp_path, capsys) -> None:
    """With a learning rate that blows up the run's own sentence reaches the user."""
    more = ["--rows", "none", "--lr", "10", "--optimizer", "sgd", "--ramp-end", "0", "--ramp-start", "0"]
    assert main(words(tiny_synvi, tmp_path / "out", *more)) == 2
    message = "expected the run none-own-s0 to finish, it ended with: mun: error: expected"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", AUXILIARIES)
def test_every_auxiliary_trains_for_a_few_steps(name, tiny_synvi, tmp_path) -> None:
    out = tmp_path / "run"
    flags = ["--data", str(tiny_synvi), "--auxiliary", name, "--out", str(out), "--quiet", "--until", "3"]
    assert main(["train", *flags, *SHORT, "--snapshots", "3"]) == 0
    assert (out / "step-000003").is_dir()


@pytest.mark.slow
def test_forms_are_looked_at_on_validation_people_alone(tiny_synvi, tmp_path) -> None:
    """No test is read; what is kept as records is enough to go on elsewhere."""
    out, rows = tmp_path / "out", "none,gate-unpaid"
    flags = ["--data", str(tiny_synvi), "--out", str(out), "--seeds", "1", "--rows", rows, *SHORT, "--log-every", "1"]
    assert main(["experiment", "forms", *flags, "--jobs", "2", "--records"]) == 0
    assert not (out / "tests").exists()
    assert not list(out.rglob("*.safetensors"))
    assert str(tiny_synvi) not in "".join(path.read_text() for path in out.rglob("*.json*"))
    lines = {line["row"]: line for line in csv.DictReader((out / "forms.csv").open())}
    assert [name for name, line in lines.items() if line["seeds"] == "1"] == rows.split(",")
    none, gate = (lines[name] for name in rows.split(","))
    low, mean, high = (float(gate[name]) for name in ("low", "difference", "high"))
    assert low <= mean <= high
    assert mean == pytest.approx(float(gate["mean_ap"]) - float(none["mean_ap"]), abs=1e-6)
    assert none["gap"]
    assert not none["identity_auxiliary"]
    assert float(gate["identity_auxiliary"]) > 0
    assert float(gate["gate_pattern"]) > 0
    assert (out / "forms.md").read_text().count("not run") == len(EXPERIMENTS["forms"].rows) - 2
    table = (out / "forms.csv").read_text()
    shutil.copytree(out, tmp_path / "elsewhere")
    moved = [str(tmp_path / "elsewhere") if word == str(out) else word for word in flags]
    assert main(["experiment", "forms", *moved]) == 0
    assert (tmp_path / "elsewhere" / "forms.csv").read_text() == table


@pytest.mark.slow
def test_people_against_images_on_a_small_size(tiny_synvi, tmp_path, monkeypatch, capsys) -> None:
    """Two small points instead of four, one trial instead of three; every claim is answered or said not to have run."""
    points = (Setting("100x144", counts={"train_ids": 4, "images": 4}), Setting("1200x12", counts={"train_ids": 8}))
    whole = EXPERIMENTS["people"]
    rows = tuple(dataclasses.replace(row, variants=row.variants[:1]) for row in whole.rows)
    monkeypatch.setitem(EXPERIMENTS, "people", dataclasses.replace(whole, settings=points, rows=rows))
    price = Cost(parameters=1, generator_parameters=1, step_seconds=0.1, peak_bytes=1, images=1)
    monkeypatch.setattr(pipeline, "measure", lambda configs, *_: [(name, price) for name in configs])
    out = tmp_path / "out"
    flags = ["--data", str(tiny_synvi), "--out", str(out), "--seeds", "1", "--rows", "none,chosen", "--jobs", "2"]
    assert main(["experiment", "people", *flags, *SHORT]) == 0
    for point in points:
        with (out / f"people-{point.name}.csv").open() as file:
            lines = {line["row"]: line for line in csv.DictReader(file)}
        assert lines["chosen"]["seeds"] == "1"
        manifest = json.loads((out / "data" / point.name / "manifest.json").read_text())
        assert manifest["train_ids"] == point.counts["train_ids"]
        assert manifest["held_images_per_camera"] == 2
    claims = json.loads((out / "people-claims.json").read_text())["claims"]
    primary, secondary = claims[:2]
    assert primary["low"] <= primary["mean"] <= primary["high"]
    assert secondary["ran"] is False
    assert "| primary | chosen minus none | 1200x12 minus 100x144 | " in capsys.readouterr().out
    assert main(["experiment", "people", *flags, *SHORT, "--rows", "none", "--settings", "100x144"]) == 0
    trials = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    assert {(one["row"], one["setting"]) for one in trials} == {
        (row, point.name) for row in ("none", "chosen") for point in points
    }, "the ledger keeps what other rows and settings have tried"
    assert main(["experiment", "people", *flags, *SHORT, "--settings", "no"]) == 2
    assert "expected settings among 100x144, 1200x12; got 'no'" in capsys.readouterr().err
