"""Two processes of torchrun train, are killed, resume, embed and evaluate like one."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made import until
from safetensors.torch import load_file
from two_processes import end_of

from mun.__main__ import main
from mun.config import Config, LossConfig, ModelConfig, TrainConfig
from mun.distributed import own_part, share
from mun.training.run import FORMAT, MetricsFile, RunSettings, write_settings

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
TOGETHER = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
MODEL = ModelConfig(width=0.125, height=64, image_width=32)
TRAIN = TrainConfig(epochs=2, ids_per_batch=4, instances_per_id=2, save_every=2, log_every=1, evaluate_every=2,
                    recalibration=2, precision="float32")  # fmt: skip


def begun(folder: Path, data: Path, **changes) -> Path:
    loss = LossConfig(ramp_start=0.0, ramp_end=0.05, triplet=1.0)
    config = replace(Config(MODEL, loss, TRAIN), **changes)
    write_settings(folder, RunSettings(FORMAT, config, "synvi", str(data), 5))
    return folder


def together(*words: str | Path) -> subprocess.Popen[str]:
    """Start two processes in a group of their own."""
    paths = f"{ROOT}{os.pathsep}{ROOT / 'tests'}"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths}
    return subprocess.Popen(
        [*TOGETHER, *map(str, words)], env=environment, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def finished(*words: str | Path) -> str:
    process = together(*words)
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-3000:]
    return out


@pytest.fixture(scope="module")
def ended(tiny_synvi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes end with after a few steps of some runs, and the same runs for one process."""
    place = tmp_path_factory.mktemp("together")
    sharing = LossConfig(ramp_start=0.0, ramp_end=0.05, generator_identity=0.0, space="unit_features")
    changes = {
        "frozen": {},
        "moving": {},
        "shared": {"loss": sharing},
        "middle": {"model": replace(MODEL, auxiliary="middle", auxiliary_stem="visible")},
        "visible": {"model": replace(MODEL, auxiliary="none"), "train": replace(TRAIN, modalities="visible")},
    }
    runs = {name: begun(place / name, tiny_synvi, **change) for name, change in changes.items()}
    for name, change in changes.items():
        begun(place / "alone" / name, tiny_synvi, **change)
    finished(ROOT / "tests" / "training" / "two_processes.py", place, *runs.values())
    return place


@pytest.mark.parametrize("name", ["frozen", "moving", "shared", "middle", "visible"])
def test_two_processes_equal_one(ended, name) -> None:
    """Weights after four steps with frozen statistics; gradients and statistics after one step with shared ones.

    Adam makes a whole step of a gradient that is nothing but rounding, as that of a bias before a normalisation: after
    four steps single weights are apart, on some processors more than on others, and arrays are compared as a whole.
    """
    first, second = (load_file(ended / f"{name}-{rank}.safetensors") for rank in (0, 1))
    alone = end_of(ended / "alone" / name)
    assert first.keys() == second.keys() == alone.keys()
    gradients = {key for key in alone if key.startswith("gradient.")}
    learned = {key.replace("gradient.", "network.") for key in gradients}
    assert len(learned) > 30
    for key, value in alone.items():
        assert np.array_equal(first[key], second[key]), f"{key} differs between the processes"
        if name == "frozen" and key not in gradients:
            apart = (first[key].double() - value.double()).norm()
            assert apart <= 1e-3 * value.double().norm() + 1e-4, key
        elif name != "frozen" and key not in learned:
            np.testing.assert_allclose(first[key], value, rtol=1e-4, atol=1e-4, err_msg=key)
    assert float(alone["loss"]) > 0
    if name != "visible":
        assert float(first["criterion.modality_alignment.prototypes"].abs().sum()) > 0


def test_gathered_rows_keep_their_own_gradient_and_nothing_is_shared_twice(ended) -> None:
    made = [load_file(ended / f"parts-{rank}.safetensors") for rank in (0, 1)]
    assert [one["gradient"].tolist() for one in made] == [[[0.0, 1.0]], [[2.0, 3.0]]]
    assert [one["rows"].tolist() for one in made] == [[0, 2, 4], [1, 3]]


def test_alone_everything_is_ones_own_and_several_share_it_evenly(monkeypatch, capsys) -> None:
    assert share([3, 1, 2]) == [3, 1, 2]
    assert own_part(6) == slice(0, 6)
    monkeypatch.setattr("mun.distributed.processes", lambda: 4)
    with pytest.raises(ValueError, match="expected a multiple of 4 pairs per step for as many processes, got 6"):
        own_part(6)
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert main(["synth", "OUT"]) == 2
    assert "expected one of train, evaluate, embed under torchrun, got synth" in capsys.readouterr().err


@pytest.mark.timeout(600)
def test_a_killed_process_ends_all_and_resume_goes_on(tiny_synvi, tmp_path) -> None:
    """The killed and resumed run ends as the one that was never interrupted; evaluation and embedding as by one."""
    whole, killed = (begun(tmp_path / name, tiny_synvi) for name in ("whole", "killed"))
    train = ("-m", "mun", "train", "--resume", "--quiet", "--device", "cpu", "--out")
    finished(*train, whole)
    process = together(*train, killed)
    until(lambda: list(killed.glob("step-*[0-9]")), 200)
    os.kill(workers_of(process.pid)[-1], signal.SIGKILL)
    _, err = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "mun: error: another process of this job has ended, so this one ends too" in err
    assert not (killed / "card.json").exists()
    finished(*train, killed)
    for part in ("model.safetensors", "snapshots.safetensors"):
        assert (whole / part).exists() == (killed / part).exists()
    a, b = load_file(whole / "model.safetensors"), load_file(killed / "model.safetensors")
    assert all(np.array_equal(a[name], b[name]) for name in a)
    assert json.loads((whole / "card.json").read_text())["versions"]["processes"] == "2"
    lines = [line["step"] for line in MetricsFile.lines(killed / "metrics.jsonl") if "validation" not in line]
    assert lines == list(range(1, lines[-1] + 1))
    scored(whole, tiny_synvi, tmp_path)


def workers_of(parent: int) -> list[int]:
    """Find the processes that torchrun has started, ascending by number."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(parent)], capture_output=True, text=True, check=True)
    return sorted(map(int, found.stdout.split()))


def scored(run: Path, data: Path, place: Path) -> None:
    """Evaluate, also corrupted, and embed by two processes and by one: equal scores, every image once."""
    evaluate = ["evaluate", str(run), "--data", str(data), "--trials", "2", "--quiet", "--device", "cpu"]
    evaluate += ["--corrupt", "peer", "--passes", "1", "--json"]
    out = finished("-m", "mun", *evaluate, place / "two.json")
    assert out.count("synvi synvi-all") == 1
    assert main([*evaluate, str(place / "one.json")]) == 0
    two, one = (json.loads((place / f"{name}.json").read_text()) for name in ("two", "one"))
    assert two["num_valid"] == one["num_valid"]
    for side in (lambda scores: scores, lambda scores: scores["corrupted"]):
        assert side(two)["mean"] == pytest.approx(side(one)["mean"], abs=1e-12)
    embed = ["embed", str(run), str(data / "cam1"), "--modality", "visible", "--quiet", "--device", "cpu", "--out"]
    finished("-m", "mun", *embed, place / "two.npz")
    assert main([*embed, str(place / "one.npz")]) == 0
    with np.load(place / "two.npz") as two, np.load(place / "one.npz") as one:
        assert two["names"].tolist() == one["names"].tolist()
        np.testing.assert_allclose(two["embeddings"], one["embeddings"], atol=1e-6)
