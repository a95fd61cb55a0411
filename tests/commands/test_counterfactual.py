"""`python -m mun counterfactual` renders an image of a data set again, or says in one line why not."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mun.__main__ import main
from mun.synvi import Plan, write

PLAN = Plan(train_ids=0, val_ids=0, test_ids=4, images=1, size=(64, 32), seed=9)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("counterfactual") / "data"
    for _ in write(PLAN, out, 1):
        pass
    return out


def pixels(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def test_it_writes_both_images_and_the_mask(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    arguments = ["counterfactual", str(data), "cam3/0002/0001.jpg", "--out", str(out), "--upper-infrared", "0.05"]
    assert main([*arguments, "--yaw", "30"]) == 0
    before, after, mask = (pixels(out / f"{name}.png") for name in ("before", "after", "mask"))
    np.testing.assert_array_equal(before, PLAN.recipe_of("cam3/0002/0001.jpg").image())
    differ = (before != after).any(2)
    assert differ.any()
    assert not (differ & (mask == 0)).any()
    facts = json.loads((out / "counterfactual.json").read_text())
    assert facts["image"] == "cam3/0002/0001.jpg"
    assert facts["change"] == {"upper_infrared": 0.05, "yaw": 30.0}
    assert facts["changed_pixels"] == differ.sum()
    assert f"{differ.sum()} of 2048 pixels changed" in capsys.readouterr().out


def test_a_change_that_this_light_does_not_show_is_said(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["counterfactual", str(data), "cam3/0002/0001.jpg", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--upper-colour", "#ff0000"]) == 0
    assert "this image does not show it" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "counterfactual.json").read_text())["changed_pixels"] == 0


@pytest.mark.parametrize(
    ("image", "options", "words"),
    [
        ("cam3/0009/0001.jpg", ["--yaw", "1"], "expected an image as cam3/0001/0001.jpg"),
        ("cam3/0001/0001.jpg", [], "expected at least one change, got none"),
        ("cam3/0001/0001.jpg", ["--without", "head"], "expected something to take away of bag"),
        ("cam3/0001/0001.jpg", ["--upper-pattern", "paisley"], "expected one of the patterns plain"),
        ("cam3/0001/0001.jpg", ["--bag-colour", "red"], "expected a colour as #rrggbb, got 'red'"),
        ("cam3/0001/0001.jpg", ["--bag-infrared", "7"], "expected the bag's colour and reflectance in [0, 1]"),
        ("cam3/0001/0001.jpg", ["--yaw", "inf"], "expected a finite yaw"),
    ],
)
def test_bad_input_is_one_line(data: Path, tmp_path: Path, image: str, options: list[str], words: str, refused) -> None:
    assert words in refused("counterfactual", data, image, "--out", tmp_path / "out", *options)


def test_a_folder_that_is_no_synvi_or_is_in_use(data: Path, tmp_path: Path, refused) -> None:
    image = ["cam3/0001/0001.jpg", "--yaw", "1", "--out"]
    assert "manifest.json, found none" in refused("counterfactual", tmp_path, *image, tmp_path / "out")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    assert "expected a new or empty folder" in refused("counterfactual", data, *image, tmp_path / "used")
