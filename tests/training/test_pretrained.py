"""Runs that begin with pretrained weights: filled once, named in the card, refused where they do not fit."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mun.__main__ import main
from mun.config import Config, ModelConfig, TrainConfig
from mun.models.backbone import Stem, Trunk
from mun.models.network import Network
from mun.synvi import Plan, write
from mun.training.run import FORMAT, MetricsFile, RunSettings, read_settings
from mun.training.trainer import Trainer, start_run, train

CPU = torch.device("cpu")
MODEL = ModelConfig(width=1.0, height=32, image_width=16)
SHORT = TrainConfig(epochs=1, ids_per_batch=2, instances_per_id=1, recalibration=1, evaluate_every=9, save_every=100)


def weights(path: Path, depth: str = "resnet18", **changes: torch.Tensor) -> Path:
    """Write random weights under torchvision's names, with its classifier and without the counts of batches."""
    torch.manual_seed(11)
    state = {**Stem(1.0).state_dict(), **Trunk(depth, 1.0).state_dict(), "fc.weight": torch.randn(1000, 8), **changes}
    save_file({name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}, path)
    return path


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return weights(tmp_path_factory.mktemp("weights") / "resnet18.safetensors")


def settings(data: Path, file: Path, model: ModelConfig = MODEL) -> RunSettings:
    return RunSettings(FORMAT, Config(model, train=SHORT), "synvi", str(data), 5, str(file))


def test_filled_when_the_run_begins_and_not_when_it_resumes(tiny_synvi, tmp_path, file) -> None:
    copy = tmp_path / "weights.safetensors"
    copy.write_bytes(file.read_bytes())
    start_run(tmp_path / "run", settings(tiny_synvi, copy))
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert read_settings(tmp_path / "run").pretrained_sha256 == digest
    expected = load_file(file)
    state = Trainer(tmp_path / "run", CPU, progress=False).network.state_dict()
    for name, value in expected.items():
        places = (
            [f"trunk.{name}"] if name.startswith("layer") else [f"stems.{m}.{name}" for m in ("visible", "auxiliary")]
        )
        assert all(torch.equal(state[place], value) for place in places if not name.startswith("fc"))
    assert not train(tmp_path / "run", 1, progress=False)
    copy.unlink()
    resumed = Trainer(tmp_path / "run", CPU, progress=False).network.state_dict()
    assert not torch.equal(resumed["trunk.layer4.1.conv2.weight"], expected["layer4.1.conv2.weight"])
    assert train(tmp_path / "run", progress=False)
    text = (tmp_path / "run" / "card.json").read_text()
    card = json.loads(text)
    assert card["data"]["pretrained"] == {"file": "weights.safetensors", "sha256": digest}
    assert "--seed 5 --pretrained FILE --width 1 " in card["command"][-1]
    assert str(tmp_path) not in text


def test_other_weights_than_at_the_start_are_refused(tiny_synvi, tmp_path, file) -> None:
    copy = tmp_path / "weights.safetensors"
    copy.write_bytes(file.read_bytes())
    start_run(tmp_path / "run", settings(tiny_synvi, copy))
    weights(copy, **{"bn1.bias": torch.ones(64)})
    with pytest.raises(ValueError, match="expected the weights that the run was started with at .*, found others"):
        train(tmp_path / "run", progress=False)


def test_bad_weights_are_one_sentence_and_leave_nothing(tiny_synvi, tmp_path, file) -> None:
    (tmp_path / "pickle.pth").write_bytes(b"PK\3\4 and more")
    infinite = weights(tmp_path / "infinite.safetensors", **{"bn1.bias": torch.full((64,), torch.inf)})
    deeper = weights(tmp_path / "deeper.safetensors", "resnet34")
    whole = weights(tmp_path / "whole.safetensors", **{"bn1.bias": torch.ones(64, dtype=torch.int64)})
    narrow = replace(MODEL, width=0.5)
    for kind, path, model, message in (
        (FileNotFoundError, tmp_path / "none.safetensors", MODEL, "expected weights at .*, found none"),
        (ValueError, tmp_path / "pickle.pth", MODEL, "got a pickle, .* convert it: python -c .*pickle.safetensors"),
        (ValueError, infinite, MODEL, r"expected finite real weights in .*, bn1\.bias is not"),
        (ValueError, whole, MODEL, r"expected finite real weights in .*, bn1\.bias is not"),
        (ValueError, deeper, MODEL, r"of this depth and width, with layer1\.2\.bn1\.bias of shape none, got"),
        (ValueError, file, replace(MODEL, backbone="resnet50"), "of this depth and width"),
        (ValueError, file, narrow, r"of this depth and width, with bn1\.bias of shape \(32,\), got \(64,\)"),
    ):
        with pytest.raises(kind, match=message):
            start_run(tmp_path / "run", settings(tiny_synvi, path, model))
        assert not (tmp_path / "run").exists()


def test_the_command(tiny_synvi, tmp_path, file, capsys) -> None:
    words = ["train", "--out", str(tmp_path / "run"), "--pretrained", str(file)]
    assert main([*words, "--data", str(tiny_synvi)]) == 2
    assert "expected pretrained weights of this depth and width, with bn1.bias" in capsys.readouterr().err
    assert main([*words, "--resume"]) == 2
    assert "expected --resume without --pretrained" in capsys.readouterr().err
    small = ["--height", "32", "--image-width", "16", "--ids-per-batch", "2", "--instances-per-id", "1", "--quiet"]
    assert main([*words, "--data", str(tiny_synvi), "--width", "1", *small, "--until", "1"]) == 0
    assert read_settings(tmp_path / "run").pretrained == str(file)


def test_older_runs_have_none(tiny_synvi, tmp_path) -> None:
    start_run(tmp_path / "run", replace(settings(tiny_synvi, tmp_path), pretrained=""))
    value = json.loads((tmp_path / "run" / "config.json").read_text())
    del value["pretrained"], value["pretrained_sha256"], value["config"]["train"]["pretrained_rate"]
    (tmp_path / "run" / "config.json").write_text(json.dumps(value))
    assert read_settings(tmp_path / "run").pretrained == ""


def test_visible_people_first_then_both(tiny_synvi, tmp_path) -> None:
    """A narrow backbone that has seen visible images of other people alone begins every stem of another run."""
    first, second = tmp_path / "visible", tmp_path / "both"
    list(write(Plan(train_ids=8, val_ids=0, test_ids=0, images=2, cameras=(1, 2)), tmp_path / "others", workers=1))
    model = replace(MODEL, width=0.25, auxiliary="none")
    alone = Config(model, train=replace(SHORT, modalities="visible", evaluate_every=1, log_every=1))
    start_run(first, RunSettings(FORMAT, alone, "synvi", str(tmp_path / "others"), 5))
    assert train(first, progress=False)
    lines = list(MetricsFile.lines(first / "metrics.jsonl"))
    assert all("identity_visible" in line and "identity_infrared" not in line for line in lines)
    assert json.loads((first / "card.json").read_text())["selection"] == {"by": "last step"}
    learnt = load_file(first / "model.safetensors")
    model = replace(model, auxiliary="mun")
    start_run(second, settings(tiny_synvi, first / "model.safetensors", model))
    state = Trainer(second, CPU, progress=False).network.state_dict()
    for stem in ("visible", "infrared", "auxiliary"):
        assert torch.equal(state[f"stems.{stem}.conv1.weight"], learnt["stems.visible.conv1.weight"])
    assert torch.equal(state["trunk.layer4.1.conv2.weight"], learnt["trunk.layer4.1.conv2.weight"])
    assert train(second, progress=False)


def test_own_stems_of_a_checkpoint_stay_with_their_modality(tiny_synvi, tmp_path) -> None:
    torch.manual_seed(3)
    model = replace(MODEL, width=0.25)
    weights_of_ours = Network(model, 0).state_dict()
    save_file(weights_of_ours, tmp_path / "model.safetensors")
    start_run(tmp_path / "run", settings(tiny_synvi, tmp_path / "model.safetensors", model))
    state = Trainer(tmp_path / "run", CPU, progress=False).network.state_dict()
    for stem in ("visible", "infrared", "auxiliary"):
        name = f"stems.{stem}.conv1.weight"
        assert torch.equal(state[name], weights_of_ours[name])
