"""Checkpoints: what is kept, and one sentence for every broken one."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from mun.checkpoint import CARD, WEIGHTS, build_network, load_checkpoint, load_tensors, read_card, save_checkpoint
from mun.structures import Modality


@pytest.fixture
def folder(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_checkpoint / "mun-tiny", tmp_path / "copy"))


def test_round_trip_in_half_precision(tiny_checkpoint, tmp_path) -> None:
    network, card = load_checkpoint(tiny_checkpoint / "mun-tiny")
    original = build_network(card.config, num_classes=3, seed=0).eval()
    images = torch.rand(2, 3, 64, 32)
    assert torch.allclose(network.embed(images, Modality.VISIBLE), original.embed(images, Modality.VISIBLE), atol=1e-2)
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())
    save_checkpoint(tmp_path / "again", network, card)
    assert (tmp_path / "again" / WEIGHTS).read_bytes() == (tiny_checkpoint / "mun-tiny" / WEIGHTS).read_bytes()
    assert read_card(tmp_path / "again") == card


def test_ships_no_classifier_and_half_precision(folder) -> None:
    state = load_file(folder / WEIGHTS)
    assert not any("classifier" in name for name in state)
    assert state["trunk.layer1.0.conv1.weight"].dtype == torch.float16
    assert state["trunk.layer1.0.bn1.running_var"].dtype == torch.float32


def break_weights(change):
    def apply(folder: Path) -> None:
        state = load_file(folder / WEIGHTS)
        change(state)
        save_file(state, folder / WEIGHTS)

    return apply


def edit_card(change):
    def apply(folder: Path) -> None:
        card = json.loads((folder / CARD).read_text())
        change(card)
        (folder / CARD).write_text(json.dumps(card))

    return apply


def as_pickle(folder: Path) -> None:
    (folder / WEIGHTS).write_bytes(pickle.dumps({"a": 1}))


def as_torch_file(folder: Path) -> None:
    torch.save({"a": torch.zeros(2)}, folder / WEIGHTS)


def cut(folder: Path) -> None:
    data = (folder / WEIGHTS).read_bytes()
    (folder / WEIGHTS).write_bytes(data[: len(data) // 2])


NAME = "trunk.layer1.0.conv1.weight"
BROKEN = {
    "no card": (lambda f: (f / CARD).unlink(), FileNotFoundError, "expected a file at"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), FileNotFoundError, "expected weights at"),
    "half-written": (cut, ValueError, "broken or half-written"),
    "empty": (lambda f: (f / WEIGHTS).write_bytes(b""), ValueError, "broken or half-written"),
    "pickle": (as_pickle, ValueError, "pickle, which is never opened"),
    "torch.save": (as_torch_file, ValueError, "pickle, which is never opened"),
    "missing tensor": (break_weights(lambda s: s.pop(NAME)), ValueError, f"lacks {NAME}"),
    "extra tensor": (break_weights(lambda s: s.update(x=torch.zeros(1))), ValueError, "unknown tensor x"),
    "other shape": (break_weights(lambda s: s.update({NAME: torch.zeros(3)})), ValueError, r"of shape \(8, 8, 3, 3\)"),
    "other type": (
        break_weights(lambda s: s.update({NAME: torch.zeros(8, 8, 3, 3, dtype=torch.int64)})),
        ValueError,
        "got I64",
    ),
    "NaN": (break_weights(lambda s: s[NAME].fill_(float("nan"))), ValueError, "finite weights"),
    "card of another format": (edit_card(lambda c: c.update(format=9)), ValueError, "of format 1, got 9"),
    "config of another version": (
        edit_card(lambda c: c["config"]["model"].update(x=1)),
        ValueError,
        "unknown field 'x'",
    ),
    "card without a field": (edit_card(lambda c: c.pop("seed")), ValueError, "'seed' is missing"),
    "unknown auxiliary": (edit_card(lambda c: c["config"]["model"].update(auxiliary="z")), ValueError, "none, mun"),
    "wider than its weights": (edit_card(lambda c: c["config"]["model"].update(width=4.0)), ValueError, "of shape"),
    "not JSON": (lambda f: (f / CARD).write_text("{"), ValueError, "expected JSON"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_checkpoints_get_one_sentence(case, folder) -> None:
    change, kind, message = BROKEN[case]
    change(folder)
    with pytest.raises(kind, match=message) as caught:
        load_checkpoint(folder)
    assert "\n" not in str(caught.value)


def test_missing_folder(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="expected a checkpoint folder"):
        load_checkpoint(tmp_path / "nothing")


def test_weights_that_overflow_half_precision_are_refused(folder, tmp_path) -> None:
    network, card = load_checkpoint(folder)
    with torch.no_grad():
        network.trunk.layer1[0].conv1.weight[0, 0, 0, 0] = 1e6
    with pytest.raises(ValueError, match="half precision"):
        save_checkpoint(tmp_path / "new", network, card)
    assert not (tmp_path / "new").exists()


def test_half_written_tensors_never_replace_whole_ones(folder) -> None:
    assert load_tensors(folder / WEIGHTS)
    assert sorted(path.name for path in folder.iterdir()) == [CARD, WEIGHTS]
