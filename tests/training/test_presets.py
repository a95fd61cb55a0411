"""The field's recipe: presets, torchvision's weights, TensorBoard, ranked lists; on made trees, for a few steps."""

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from made import flags
from safetensors.torch import save_file

from mun.__main__ import main
from mun.config import PRESETS
from mun.data.sources import read_source
from mun.embedding import embed_samples
from mun.own import load_own
from mun.torchvision_compat import import_parts
from mun.training.run import MetricsFile, read_settings

SMALL = [*flags(height=64, image_width=32, ids_per_batch=2, instances_per_id=2), "--quiet"]

CLOSED = ("closed", 0.0, 0)


@pytest.mark.parametrize("name", ["sysu", "regdb", "llcm"])
def test_presets_are_the_recipe(name) -> None:
    config = PRESETS[name]
    model, train = config.model, config.train
    assert (model.backbone, model.width, model.height, model.image_width) == ("resnet50", 1.0, 288, 144)
    assert (model.auxiliary, train.ids_per_batch, train.instances_per_id) == ("mun", 8, 4)
    assert 80 <= train.epochs <= 100
    assert 0 < config.loss.ramp_start < config.loss.ramp_end < 1, "identity alone first, then all losses"
    assert train.warmup > 0
    assert config.loss.identity_alignment > 0 < config.loss.modality_alignment


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sysu", "regdb"])
def test_some_steps_by_a_preset_from_torchvision_weights(name, tiny_synvi, tmp_path, capsys) -> None:
    """A given flag wins over the preset; the command says what was filled and keeps it in the settings."""
    file, run = tmp_path / "resnet50.safetensors", tmp_path / "run"
    save_file(import_parts("torchvision.models.resnet")[0].resnet50().state_dict(), file)
    words = ["train", "--data", str(tiny_synvi), "--preset", name, "--pretrained", str(file), "--out", str(run)]
    assert main([*words, *SMALL, "--until", "2", "--log-every", "1"]) == 0
    shown = capsys.readouterr().err
    assert "resnet50.safetensors filled the trunk and the stems visible, infrared, auxiliary with 318 tensors" in shown
    assert "left out fc.bias, fc.weight; generator, neck and classifier begin at random" in shown
    config = read_settings(run).config
    expected = ("resnet50", 64, PRESETS[name].train.epochs)
    assert (config.model.backbone, config.model.height, config.train.epochs) == expected
    lines = list(MetricsFile.lines(run / "metrics.jsonl"))
    assert [line["step"] for line in lines] == [1, 2]
    assert all(np.isfinite(line["total"]) for line in lines)
    assert main(["train", "--out", str(run), "--resume", "--preset", name]) == 2
    assert "expected --resume without --preset" in capsys.readouterr().err


def test_tensorboard_gets_every_line_where_it_is_installed(tiny_synvi, tmp_path, capsys, monkeypatch) -> None:
    words = ["train", "--data", str(tiny_synvi), "--width", "0.125", *SMALL, "--epochs", "1", "--log-every", "1"]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main([*words, "--tensorboard", "--out", str(tmp_path / "none")]) == 2
    assert "expected TensorBoard, which is not installed: pip install tensorboard" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
    noted: list[tuple[str, float, int]] = []

    def writer(folder: str) -> SimpleNamespace:
        assert Path(folder) == tmp_path / "run" / "tensorboard"
        return SimpleNamespace(add_scalar=lambda *values: noted.append(values), close=lambda: noted.append(CLOSED))

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", SimpleNamespace(SummaryWriter=writer))
    assert main([*words, "--tensorboard", "--out", str(tmp_path / "run")]) == 0
    assert noted.pop() == CLOSED
    for line in MetricsFile.lines(tmp_path / "run" / "metrics.jsonl"):
        nested = {name: value for name, value in line.items() if isinstance(value, dict)}
        flat = {name: value for name, value in line.items() if name not in nested}
        flat |= {f"{name}/{part}": one for name, value in nested.items() for part, one in value.items()}
        assert all((name, value, line["step"]) in noted for name, value in flat.items())


@pytest.mark.parametrize("ending", ["csv", "json"])
def test_ranked_lists_come_with_paths(ending, tiny_synvi, tmp_path, capsys) -> None:
    file = tmp_path / f"ranked.{ending}"
    words = ["evaluate", *flags(model="small=test_own_models:small", data=tiny_synvi, trials=1), "--quiet"]
    assert main([*words, "--json", str(tmp_path / "s.json"), "--ranked", str(file)]) == 0
    rows = json.loads(file.read_text()) if ending == "json" else list(csv.DictReader(file.open()))
    scores = json.loads((tmp_path / "s.json").read_text())
    queries = {row["query"]: [other for other in rows if other["query"] == row["query"]] for row in rows}
    assert len(queries) == scores["num_valid"]
    firsts = [str(listed[0]["match"]) == "True" for listed in queries.values()]
    assert np.mean(firsts) == pytest.approx(scores["mean"]["rank1"])
    samples = read_source("synvi", tiny_synvi).test
    embeddings = embed_samples(load_own("a=test_own_models:small")[1], samples)
    rows_of = {str(one.path): row for one, row in zip(samples, embeddings, strict=True)}
    for row in rows[:40]:
        assert Path(row["gallery"]).is_file()
        assert float(row["cosine"]) == pytest.approx(float(rows_of[row["query"]] @ rows_of[row["gallery"]]), abs=1e-5)
    assert main([*words, "--ranked", str(tmp_path / "ranked.txt")]) == 2
    assert "expected a name that ends in .csv or .json, got 'ranked.txt'" in capsys.readouterr().err
