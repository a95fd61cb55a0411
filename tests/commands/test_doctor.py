"""What a data set has and lacks: exit code 0 where all is there, 1 where something is missing, 2 for no data set."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from mun.__main__ import main
from mun.data import inventory as module


@pytest.fixture
def data(tiny_synvi: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_synvi, tmp_path / "data"))


def doctor(*words: str) -> int:
    try:
        return main(["doctor", *words, "--quiet"])
    except SystemExit as stopped:
        return int(stopped.code or 0)


def test_a_whole_synvi_is_fine(data, capsys) -> None:
    assert doctor(str(data), "--dataset", "synvi", "--decode") == 0
    shown = capsys.readouterr().out
    assert shown.endswith("fine: everything expected is there\n")
    rows = {line[:33].strip(): line[33:].split() for line in shown.splitlines()}
    assert rows["train identities"][:2] == ["8", "8"]
    assert rows["train and val visible images"][:2] == ["96", "96"]  # (8 + 4) identities, 4 cameras, 2 images
    assert rows["test infrared images"][:2] == ["24", "24"]


def remove_manifest(root: Path) -> None:
    (root / "manifest.json").unlink()


def remove_person(root: Path) -> None:
    for camid in range(1, 7):
        shutil.rmtree(root / f"cam{camid}" / "0009")


MISSING = {
    "val identities without an image": remove_person,
    "train and val visible images": lambda root: (root / "cam1" / "0001" / "0001.jpg").unlink(),
    "camera folders": lambda root: shutil.rmtree(root / "cam3"),
    "identity lists in exp": lambda root: (root / "exp" / "val_id.txt").unlink(),
    "images that cannot be read": lambda root: (root / "cam6" / "0001" / "0002.jpg").write_bytes(b"\xff\xd8\xff"),
}


@pytest.mark.parametrize("words", MISSING)
def test_what_is_missing_is_named(data, words, capsys) -> None:
    MISSING[words](data)
    assert doctor(str(data), "--dataset", "synvi", "--decode") == 1
    shown = capsys.readouterr().out
    assert words in shown.splitlines()[-1]
    assert str(data) not in shown


def test_the_first_missing_identity_is_named(data, capsys) -> None:
    remove_person(data)
    assert doctor(str(data), "--dataset", "synvi") == 1
    assert "the first is 0009" in capsys.readouterr().out


def test_published_counts_of_sysu(data, capsys) -> None:
    remove_manifest(data)
    assert doctor(str(data), "--dataset", "sysu") == 1
    shown = capsys.readouterr().out
    for number in ("296", "99", "96", "22,258", "11,909", "3,803"):
        assert f" {number} " in shown
    assert "only --gallery official needs it" in shown


def test_a_set_with_the_expected_counts_is_fine(data, monkeypatch) -> None:
    """Against the counts of the small set in place of the published ones, so that the comparison itself is tested."""
    remove_manifest(data)
    small = {"train identities": 8, "val identities": 4, "test identities": 6}
    small |= {"train and val visible images": 96, "train and val infrared images": 48, "test infrared images": 24}
    monkeypatch.setitem(module.PUBLISHED, "sysu", small)
    assert doctor(str(data), "--dataset", "sysu") == 0
    monkeypatch.setitem(module.PUBLISHED, "sysu", {**small, "test infrared images": 25})
    assert doctor(str(data), "--dataset", "sysu") == 1


def edit_manifest(**changes):
    def apply(root: Path) -> None:
        path = root / "manifest.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))

    return apply


@pytest.mark.parametrize(
    ("change", "dataset", "message"),
    [
        (shutil.rmtree, "synvi", "expected a folder with the data set"),
        (lambda root: [shutil.rmtree(path) for path in root.iterdir() if path.is_dir()], "synvi", "cam1"),
        (lambda root: (root / "manifest.json").write_text("{"), "synvi", "expected JSON"),
        (remove_manifest, "synvi", "expected SynVI's manifest"),
        (edit_manifest(data="other"), "synvi", "got 'other'"),
        (edit_manifest(images_per_camera="many"), "synvi", "images_per_camera"),
        (edit_manifest(test_ids=-1), "synvi", "test_ids"),
        (lambda root: (root / "exp" / "test_id.txt").write_text("a"), "synvi", "positive integers"),
        (lambda root: (root / "exp" / "test_id.txt").write_text("1"), "synvi", "disjoint"),
        (lambda root: None, "market", "invalid choice"),
    ],
)
def test_bad_input_is_one_line(data, change, dataset, message, refused) -> None:
    change(data)
    assert message in refused("doctor", data, "--dataset", dataset)
