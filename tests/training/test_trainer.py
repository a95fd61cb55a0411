"""Training: exact resume after SIGKILL, learning, selection on validation, metrics, errors."""

import json
import math
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from made import flags, until
from safetensors.torch import load_file

from mun.__main__ import main
from mun.checkpoint import load_checkpoint
from mun.config import Config, LossConfig, ModelConfig, TrainConfig
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.evaluation.metrics import cosine_distances, rank_metrics
from mun.structures import Modality
from mun.training.card import describe_data, make_card
from mun.training.run import FORMAT, MetricsFile, RunSettings, read_settings, write_settings
from mun.training.trainer import Trainer, train
from mun.training.validation import like_validation

CPU = torch.device("cpu")
MODEL = ModelConfig(width=0.125, height=64, image_width=32)
SHORT = TrainConfig(epochs=2, ids_per_batch=4, instances_per_id=2, save_every=4, log_every=3, recalibration=2)


def start(folder: Path, data: Path, train_config: TrainConfig = SHORT, **changes) -> Path:
    config = Config(MODEL, LossConfig(ramp_start=0.0, ramp_end=0.3), train_config)
    config = Config(**{**vars(config), **changes})
    write_settings(folder, RunSettings(FORMAT, config, "synvi", str(data), 5))
    return folder


@pytest.fixture(scope="module")
def whole(tiny_synvi: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 16 steps that was never interrupted."""
    folder = start(tmp_path_factory.mktemp("runs") / "whole", tiny_synvi)
    assert train(folder, progress=False)
    return folder


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    """Weights, batch statistics, prototypes and momentum at the end, and the finished checkpoint."""
    (state,) = folder.glob("step-*")
    parts = ["network", "criterion", "optimizer"]
    tensors = {f"{p}.{k}": v for p in parts for k, v in load_file(state / f"{p}.safetensors").items()}
    return tensors | {f"final.{k}": v for k, v in load_file(folder / "model.safetensors").items()}


def assert_same(first: Path, second: Path) -> None:
    a, b = final_state(first), final_state(second)
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert any(name.startswith("criterion.modality_alignment.prototypes") for name in a)


def test_cut_into_calls_ends_the_same(whole, tiny_synvi, tmp_path) -> None:
    folder = start(tmp_path / "cut", tiny_synvi)
    assert [train(folder, until, progress=False) for until in (1, 7, 10)] == [False] * 3
    assert train(folder, progress=False)
    assert_same(whole, folder)


@pytest.mark.slow
@pytest.mark.parametrize("lines", [1, 4])
def test_sigkill_and_resume_ends_the_same(whole, tiny_synvi, tmp_path, lines) -> None:
    """Kill the command after so many lines of metrics, at whatever it does then, and resume."""
    folder = start(tmp_path / "killed", tiny_synvi)
    words = [sys.executable, "-m", "mun", "train", "--resume", "--out", str(folder), "--quiet", "--device", "cpu"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(words, env=environment, stderr=subprocess.PIPE, start_new_session=True)
    until(lambda: len(list(MetricsFile.lines(folder / "metrics.jsonl"))) >= lines or process.poll() is not None, 120)
    assert process.poll() is None, process.stderr.read()
    os.killpg(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (folder / "card.json").exists(), "it was to be killed midway"
    subprocess.run(words, env=environment, check=True, capture_output=True)
    assert_same(whole, folder)
    steps = [line["step"] for line in MetricsFile.lines(folder / "metrics.jsonl") if "total" in line]
    assert steps == [line["step"] for line in MetricsFile.lines(whole / "metrics.jsonl") if "total" in line]


def test_half_written_state_is_passed_over(whole, tiny_synvi, tmp_path) -> None:
    folder = start(tmp_path / "half", tiny_synvi)
    train(folder, until=6, progress=False)
    (folder / "step-000007.123.tmp").mkdir()
    (folder / "step-000007.123.tmp" / "network.safetensors").write_bytes(b"half")
    (folder / ".model.safetensors.123.tmp").write_bytes(b"half")
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"step": 9, "total"')
    train(folder, progress=False)
    assert_same(whole, folder)
    assert not list(folder.glob("*.tmp"))


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("step-000004/state.json", '{"step": 4}', "expected the step and the best validation of a run in"),
        ("step-000004/state.json", '{"step": "4", "best": {}}', "expected the step and the best validation"),
        ("step-000004/state.json", '{"step": 4, "best": {"step": 4}}', "expected the step and the best validation"),
        ("step-000004/state.json", '{"step": 4, "best": [1]}', "expected the step and the best validation"),
        ("metrics.jsonl", "[1]\n", r"expected JSON objects with a step in .*metrics\.jsonl, got '\[1\]'"),
        ("metrics.jsonl", '{"total": 1.0}\n', "expected JSON objects with a step in"),
    ],
)
def test_a_broken_record_is_one_sentence(tiny_synvi, tmp_path, name, text, message) -> None:
    folder = start(tmp_path / "run", tiny_synvi)
    train(folder, until=4, progress=False)
    (folder / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        train(folder, progress=False)


def test_metrics_say_what_to_watch(whole) -> None:
    lines = list(MetricsFile.lines(whole / "metrics.jsonl"))
    training = [line for line in lines if "total" in line]
    assert {
        "step", "epoch", "identity", "identity_alignment", "modality_alignment", "total", "active_triplets", "spread",
        "iml_share", "iml_energy", "cml_energy", "visible_dependence", "lr", "seconds", "images_per_second",
    } <= set(training[0])  # fmt: skip
    assert all(math.isfinite(value) for line in training for value in line.values())
    for line in training:
        parts = [line[f"identity_{modality}"] for modality in ("visible", "infrared", "auxiliary")]
        assert sum(parts) / 3 == pytest.approx(line["identity"], rel=1e-4)
    validations = [line for line in lines if "validation" in line]
    assert len(validations) == 2
    assert set(validations[0]["validation"]) == {"rank1", "mean_ap", "mean_inp"}


def test_training_people_are_scored_beside_validation(tiny_synvi, tmp_path) -> None:
    train(start(tmp_path / "run", tiny_synvi, replace(SHORT, score_training=True)), progress=False)
    lines = [line for line in MetricsFile.lines(tmp_path / "run" / "metrics.jsonl") if "validation" in line]
    assert len(lines) == 2
    assert all(line["training"].keys() == line["validation"].keys() for line in lines)
    source = read_source("synvi", tiny_synvi)
    chosen = like_validation(source)
    assert {sample.pid for sample in chosen} <= {sample.pid for sample in source.train}
    assert len(chosen) == len(source.val)


def test_selection_is_the_best_validation(whole) -> None:
    card = json.loads((whole / "card.json").read_text())
    validations = [line for line in MetricsFile.lines(whole / "metrics.jsonl") if "validation" in line]
    best = max(validations, key=lambda line: line["validation"]["mean_ap"])
    assert card["steps"] == best["step"]
    assert card["selection"]["scores"] == best["validation"]
    assert card["selection"]["identities"] == 4
    assert card["scores"] == []


@pytest.mark.parametrize(("epochs", "evaluate_every", "expected"), [(2, 1, 2), (3, 2, 2), (2, 5, 1)])
def test_card_counts_the_validations(tiny_synvi, tmp_path, epochs, evaluate_every, expected) -> None:
    folder = start(tmp_path / "run", tiny_synvi, replace(SHORT, epochs=epochs, evaluate_every=evaluate_every))
    assert train(folder, progress=False)
    made = [line for line in MetricsFile.lines(folder / "metrics.jsonl") if "validation" in line]
    assert len(made) == expected
    assert json.loads((folder / "card.json").read_text())["selection"]["validations"] == expected


def test_card_can_make_the_run_again_and_names_no_folder(whole, tiny_synvi) -> None:
    text = (whole / "card.json").read_text()
    assert str(tiny_synvi) not in text
    assert "/tmp" not in text
    command = json.loads(text)["command"]
    assert command[0].startswith("python -m mun synth OUT")
    assert "--width 0.125 --height 64 --image-width 32" in command[1]
    assert "--seed 5" in command[1]


def test_card_takes_facts_of_their_type_and_of_synvi_alone(tiny_synvi) -> None:
    source = read_source("synvi", tiny_synvi)
    facts = {"level", "level_version", "level_hash", "seed", "images_per_camera", "size", "command"}
    assert describe_data(source).keys() == {"name", "title", "splits", *facts}
    odd = {"level": 3, "command": ["a"], "seed": float("nan"), "size": [128, float("nan")]}
    left = describe_data(replace(source, manifest={**source.manifest, **odd})).keys()
    assert left == {"name", "title", "splits", *facts - odd.keys()}
    assert describe_data(replace(source, name="own")).keys().isdisjoint(facts)


def test_card_says_on_what_and_in_which_precision(whole, tiny_synvi, monkeypatch) -> None:
    card = json.loads((whole / "card.json").read_text())
    assert (card["versions"]["device"], card["versions"]["precision"]) == ("CPU", "float32")
    assert card["config"]["train"]["precision"] == "auto"
    assert card["command"][1].count("--precision float32") == 1
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "NVIDIA H100")
    source, settings = read_source("synvi", tiny_synvi), read_settings(whole)
    for chosen, expected in (("auto", "bfloat16"), ("float32", "float32"), ("bfloat16", "bfloat16")):
        config = replace(settings.config, train=replace(settings.config.train, precision=chosen))
        made = make_card(whole, replace(settings, config=config), source, 16, {}, torch.device("cuda"))
        assert (made.versions["device"], made.versions["precision"]) == ("NVIDIA H100", expected)
        assert made.command[1].count(f"--precision {expected}") == made.command[1].count("--precision") == 1
        assert made.config == config


def test_validation_leaves_training_untouched(tiny_synvi, tmp_path) -> None:
    trainer = Trainer(start(tmp_path / "run", tiny_synvi), CPU, progress=False)
    trainer.train_step()
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    scores = trainer.validate()["validation"]
    assert 0.0 <= scores["rank1"] <= 1.0
    assert all(torch.equal(before[name], value) for name, value in trainer.network.state_dict().items())


@pytest.mark.slow
def test_a_tiny_model_overfits_four_identities(tiny_synvi, tmp_path) -> None:
    """Learning works end to end: rank-1 = 1 between infrared and visible images of its own four identities."""
    settings = TrainConfig(
        epochs=30, ids_per_batch=4, instances_per_id=4, lr=3e-3, erase=0.0, jitter=0.0, pad=2, evaluate_every=1000,
        select="last", recalibration=8,
    )  # fmt: skip
    data = tmp_path / "four"
    people = flags(train_ids=4, val_ids=0, test_ids=0, images=2, size="64x32", seed=7, workers=1)
    assert main(["synth", str(data), *people]) == 0
    folder = start(tmp_path / "overfit", data, settings)
    assert train(folder, progress=False)
    network, _ = load_checkpoint(folder)
    samples = read_source("synvi", data).train
    embeddings = embed_samples(network, samples)
    visible = np.array([sample.modality is Modality.VISIBLE for sample in samples])
    pids = np.array([sample.pid for sample in samples])
    metrics = rank_metrics(
        cosine_distances(embeddings[~visible], embeddings[visible]), pids[~visible], pids[visible], None, True
    )
    assert metrics.rank(1) == 1.0


@pytest.mark.parametrize("name", ["none", "feature-mean"])
def test_without_auxiliary_images(tiny_synvi, tmp_path, name) -> None:
    model = replace(MODEL, auxiliary=name)
    folder = start(tmp_path / name, tiny_synvi, replace(SHORT, epochs=1), model=model)
    assert train(folder, progress=False)
    line = next(MetricsFile.lines(folder / "metrics.jsonl"))
    assert "iml_share" not in line
    assert {"identity_auxiliary" in line, line["modality_alignment"] > 0} == {name == "feature-mean"}


def test_a_loss_that_is_not_finite_stops_with_one_sentence(tiny_synvi, tmp_path) -> None:
    folder = start(tmp_path / "nan", tiny_synvi)
    train(folder, until=4, progress=False)
    trainer = Trainer(folder, CPU, progress=False)
    with torch.no_grad():
        trainer.network.trunk.layer1[0].conv1.weight.fill_(float("nan"))
    with pytest.raises(ValueError, match="expected a finite loss, got nan at step 4"):
        trainer.advance()
    assert (folder / "step-000004" / "state.json").is_file()


def test_stop_is_asked_before_each_step(tiny_synvi, tmp_path) -> None:
    folder = start(tmp_path / "stopped", tiny_synvi)
    answers = iter([False, False, True])
    assert not train(folder, progress=False, stop=lambda: next(answers))
    assert [path.name for path in folder.glob("step-*")] == ["step-000002"]


def test_settings_of_another_version(tiny_synvi, tmp_path) -> None:
    folder = start(tmp_path / "old", tiny_synvi)
    value = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**value, "format": 0}))
    with pytest.raises(ValueError, match="of format 1, got 0"):
        read_settings(folder)
