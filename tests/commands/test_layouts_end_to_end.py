"""Data of every layout through doctor, embed, evaluate, train and the app; at true scale under `-m soak`."""

import json
from pathlib import Path

import numpy as np
import pytest
from made import TREES, Stamp, flags, llcm_tree, regdb_tree, sysu_tree

from app.library import open_library
from app.retrieval import rank, scores
from mun.__main__ import main
from mun.checkpoint import read_card
from mun.features import read_features

TRUE = {
    "sysu": (
        lambda root: sysu_tree(
            root, 296, 99, 96,
            {
                "train visible": 16_700, "train infrared": 8_900, "val visible": 5_558, "val infrared": 3_009,
                "test visible": 6_775, "test infrared": 3_803,
            },
            Stamp(linked=True),
        ),
        {"sysu-all": 3803, "sysu-indoor": 3803},
    ),
    "regdb": (
        lambda root: regdb_tree(root, 412, 10, 10, Stamp(linked=True)),
        {"regdb-v2i": 2060, "regdb-i2v": 2060},
    ),
    "llcm": (
        lambda root: llcm_tree(
            root, 713, 351,
            {"train vis": 16_946, "train nir": 13_975, "test vis": 8_680, "test nir": 7_166},
            Stamp(linked=True),
        ),
        {"llcm-v2i": 8680, "llcm-i2v": 7166},
    ),
}  # fmt: skip


def through_the_commands(root: Path, model: str, out: Path) -> dict:
    """Doctor, embed and evaluate; returns the scores."""
    assert main(["doctor", str(root), "--quiet"]) == 0
    assert main(["embed", model, str(root), "--out", str(out / "e.npz"), "--quiet"]) == 0
    assert main(["evaluate", model, *flags(data=root, json=out / "s.json", trials=2), "--quiet"]) == 0
    made, found = json.loads((out / "s.json").read_text()), read_features(out / "e.npz")
    library = open_library([("", root)], Path(model).parent)
    collection = library.collections[made["data"]]
    assert collection.title == root.name
    assert not library.failed
    assert found.keys == tuple(sample.key for sample in collection.samples)
    assert found.pids.tolist() == [sample.pid for sample in collection.samples]
    asked = scores.answer(library, scores.Evaluate.read({}, library))
    assert asked["data"] == made["data"]
    if asked["protocol"] == made["protocol"] and made["sampler"] == "every image":
        assert asked["mean"] == pytest.approx(made["mean"], abs=1e-9)
    return made


@pytest.mark.parametrize("layout", TREES)
def test_a_small_tree_goes_through_everything(layout, tiny_checkpoint, tmp_path, capsys) -> None:
    root, model = TREES[layout](tmp_path / "corridor"), str(tiny_checkpoint / "mun-tiny")
    made = through_the_commands(root, model, tmp_path)
    shown = capsys.readouterr()
    assert "SYSU-MM01" not in shown.out + shown.err
    assert made["data"] == "corridor"
    assert made.get("trial") == (1 if layout == "regdb" else None)
    library = open_library(root, Path(model).parent)
    for direction in ("i2v", "v2i"):
        request = rank.Retrieve.read({"direction": direction}, library)
        answer = rank.answer(library, request)
        assert answer["results"]
        assert answer["data"] == "corridor"


@pytest.mark.parametrize(
    ("layout", "more"), [("sysu", ["--train-on", "train+val"]), ("regdb", ["--trial", "2"]), ("csv", [])]
)
def test_a_run_trains_on_it_and_its_card_says_on_what(layout, more, tmp_path, capsys) -> None:
    root, run = TREES[layout](tmp_path / "corridor"), tmp_path / "run"
    words = flags(
        width=0.125, height=64, image_width=32, epochs=1, ids_per_batch=2, instances_per_id=2, recalibration=1
    )
    assert main(["train", "--data", f"Hall={root}", "--out", str(run), *words, *more, "--quiet"]) == 0
    card = read_card(run)
    assert card.data["name"] == "Hall"
    assert f"--data Hall=OUT --dataset {layout} " in card.command[-1]
    assert " ".join(more) in card.command[-1]
    assert str(root) not in (run / "card.json").read_text()
    if layout != "regdb":
        return
    words = ["evaluate", str(run), "--data", f"Hall={root}", "--quiet", "--trial"]
    assert main([*words, "2"]) == 0
    for command in (words, ["analyse", *words[1:-1], "--out", str(tmp_path / "report"), "--trial"]):
        assert main([*command, "1"]) == 2
        assert "expected a model trained on trial 1 of RegDB, got one trained on trial 2" in capsys.readouterr().err


def test_what_is_passed_over_is_one_line(tiny_checkpoint, tmp_path, capsys) -> None:
    root, model = TREES["sysu"](tmp_path / "hall"), str(tiny_checkpoint / "mun-tiny")
    (root / "cam1" / "0007" / "0001.jpg").write_bytes(b"no image")
    (root / "cam1" / "0007" / "0009.gif").write_bytes(b"")
    words = ["evaluate", model, "--data", str(root), "--quiet", "--trials", "1"]
    assert main(words) == 2
    assert "expected cam1/0007/0001.jpg to be one of" in capsys.readouterr().err
    assert main([*words, "--skip-broken"]) == 0
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "mun: note: hall: passed over: 1 files that are no images (cam1/0007/0009.gif); 1 broken images"
        " (cam1/0007/0001.jpg)"
    ]


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("layout", TRUE)
def test_true_scale(layout, tiny_checkpoint, tmp_path, capsys) -> None:
    """Counts as published, small images, most of them hard links; doctor compares them with the publication."""
    make, protocols = TRUE[layout]
    name = {"sysu": "SYSU-MM01", "regdb": "RegDB", "llcm": "LLCM"}[layout]
    root, model = make(tmp_path / name), str(tiny_checkpoint / "mun-tiny")
    assert main(["doctor", str(root), "--quiet"]) == 0
    assert capsys.readouterr().out.endswith("fine: everything expected is there\n")
    assert main(["embed", model, str(root), "--out", str(tmp_path / "e.npz"), "--quiet"]) == 0
    assert np.isfinite(read_features(tmp_path / "e.npz").features).all()
    for protocol, count in protocols.items():
        out = str(tmp_path / "s.json")
        words = ["evaluate", model, "--data", str(root), "--protocol", protocol, "--trials", "2", "--json", out]
        assert main([*words, "--quiet"]) == 0
        made = json.loads(Path(out).read_text())
        assert made["data"] == layout
        assert made["num_valid"] == count
    library = open_library(root, Path(model).parent)
    answer = rank.answer(library, rank.Retrieve.read({}, library))
    assert answer["gallery_size"] > 100
    assert library.collections[layout].title.startswith(name)
