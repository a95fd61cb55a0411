"""`python -m mun sheet` draws what it says, or says in one line why not."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mun.__main__ import main
from mun.structures import Split
from mun.synvi import LEVELS, Knobs, Plan
from mun.synvi.sheet import CAMERA_ORDER, KNOB_VALUES, contact_sheet, knob_pictures, people_by_camera


def test_a_sheet_shows_the_images_of_its_level() -> None:
    sheet = np.asarray(contact_sheet(LEVELS["hard"], people=2, seed=3, size=(64, 32)))
    plan = Plan(level=LEVELS["hard"], train_ids=0, val_ids=0, test_ids=2, images=1, size=(64, 32), seed=3)
    for row, camid in enumerate(CAMERA_ORDER):
        for number in (0, 1):
            top, left = row * 68, 128 + number * 36
            image = plan.recipe(Split.TEST, number, camid, 0).image()
            np.testing.assert_array_equal(sheet[top : top + 64, left : left + 32], image)
    assert (sheet[:, :128] < 128).any()  # the labels


def test_people_by_camera_takes_the_cameras_asked_for() -> None:
    rows = people_by_camera(LEVELS["easy"], 3, (6, 1), size=(32, 32))
    assert [len(row) for row in rows] == [3, 3]
    assert (rows[0][0] == rows[0][0][..., :1]).all()
    assert not (rows[1][0] == rows[1][0][..., :1]).all()


def test_every_knob_has_a_row_that_changes_the_picture() -> None:
    assert set(KNOB_VALUES) == set(Knobs.__dataclass_fields__)
    for name in KNOB_VALUES:
        number = 9 if name == "pattern_survival" else 1
        pictures = knob_pictures(name, number, seed=4242, size=(64, 32))
        assert [value for value, _, _ in pictures] == list(KNOB_VALUES[name])
        first, last = pictures[0], pictures[-1]
        assert not all(np.array_equal(one, two) for one, two in zip(first[1:], last[1:], strict=True)), name


def test_an_unknown_knob_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of the knobs colour_infrared_correlation"):
        knob_pictures("glitter")


@pytest.mark.parametrize("options", [["--people", "2"], ["--knobs", "--person", "1"]])
def test_it_writes_a_picture(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "pictures" / "sheet.jpg"
    assert main(["sheet", str(out), *options]) == 0
    with Image.open(out) as picture:
        picture.load()
        assert picture.format == "JPEG"
        assert f"{picture.width} x {picture.height} pixels" in capsys.readouterr().out
    assert [path.name for path in out.parent.iterdir()] == ["sheet.jpg"]


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("sheet.gif", [], "expected a picture's name that ends in .jpg or .png"),
        ("used.png", [], "expected a new file"),
        ("sheet.png", ["--people", "0"], "expected 1 to 24 people, got 0"),
        ("sheet.png", ["--level", "odd"], "expected one of the levels easy, standard, hard; got 'odd'"),
        ("sheet.png", ["--knobs", "--person", "-1"], "expected --person from 0 to 999, got -1"),
        ("sheet.png", ["--seed", "-1"], "expected a seed"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, name: str, options: list[str], words: str, refused) -> None:
    (tmp_path / "used.png").write_bytes(b"mine")
    assert words in refused("sheet", tmp_path / name, *options)
