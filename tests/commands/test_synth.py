"""`synth` writes the layout of SYSU-MM01, however it is run the same bytes; `sheet`, `counterfactual` draw from it."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from made import contents, flags, until
from PIL import Image

from mun.__main__ import main
from mun.structures import Split
from mun.synvi import LEVELS, Knobs, Plan, write
from mun.synvi.sheet import CAMERA_ORDER, KNOB_VALUES, contact_sheet, knob_pictures

SMALL = flags(train_ids=2, val_ids=1, test_ids=1, images=2, size="64x32")


def alive_in_group(group: int) -> list[str]:
    """The processes of a group that still run; whatever is only waiting to be reaped does not count."""
    listing = subprocess.run(["ps", "-e", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listing.splitlines()]
    return [row[-1] for row in rows if int(row[0]) == group and not row[1].startswith("Z")]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("synth") / "out"
    assert main(["synth", str(out), *SMALL, "--workers", "1"]) == 0
    return out


def test_the_layout_is_that_of_sysu(written: Path) -> None:
    names = set(contents(written))
    images = {
        f"cam{camera}/{pid:04d}/{index:04d}.jpg" for camera in range(1, 7) for pid in range(1, 5) for index in (1, 2)
    }
    lists = {f"exp/{split}_id.txt" for split in ("train", "val", "test", "available")}
    assert names == images | lists | {"manifest.json"}
    expected = {"train": "1,2\n", "val": "3\n", "test": "4\n", "available": "1,2,3,4\n"}
    assert {split: (written / f"exp/{split}_id.txt").read_text() for split in expected} == expected


def test_the_manifest_names_everything(written: Path) -> None:
    manifest, level = json.loads((written / "manifest.json").read_text()), LEVELS["standard"]
    assert Plan.from_manifest(manifest) == Plan(level, 2, 1, 1, images=2, size=(64, 32))
    assert manifest["level_hash"] == level.hash
    assert manifest["knobs"]["colour_infrared_correlation"] == 0.5
    assert manifest["command"] == f"python -m mun synth OUT --level standard {' '.join(SMALL)} --seed 0"


def test_people_who_are_held_out_may_have_fewer_images(written: Path, tmp_path: Path) -> None:
    """The training images stay the same to the byte; the manifest, the recipes and the doctor know of it."""
    assert main(["synth", str(tmp_path / "out"), *SMALL, "--held-images", "1", "--cameras", "1,3"]) == 0
    fewer, whole = contents(tmp_path / "out"), contents(written)
    images = {name for name in fewer if name.endswith(".jpg")}
    assert images == {
        f"cam{camera}/{pid:04d}/{index:04d}.jpg"
        for camera in (1, 3)
        for pid in range(1, 5)
        for index in ((1, 2) if pid <= 2 else (1,))
    }
    assert all(fewer[name] == whole[name] for name in images)
    plan = Plan.from_manifest(json.loads((tmp_path / "out/manifest.json").read_text()))
    assert plan.command.endswith("--seed 0 --held-images 1 --cameras 1,3")
    assert plan.total == len(images)
    for gone in ("cam1/0003/0002.jpg", "cam2/0001/0001.jpg"):
        with pytest.raises(ValueError, match="expected an image such as"):
            plan.recipe_of(gone)
    assert main(["doctor", str(tmp_path / "out"), "--dataset", "synvi"]) == 0


def test_shapes_of_the_real_data_sets(tmp_path: Path) -> None:
    """A flag beats the shape, the shape beats the default."""
    assert main(["synth", str(tmp_path / "few"), *flags(shape="few", train_ids=2, val_ids=1, size="32x32")]) == 0
    plan = Plan.from_manifest(json.loads((tmp_path / "few/manifest.json").read_text()))
    assert (plan.train_ids, plan.val_ids, plan.test_ids, plan.images, plan.held_images) == (2, 1, 0, 8, 2)
    assert plan.level.name == "standard"
    pairs = flags(shape="pairs", train_ids=1, val_ids=0, test_ids=1, size="32x32", knob="noise=2")
    assert main(["synth", str(tmp_path / "pairs"), *pairs]) == 0
    plan = Plan.from_manifest(json.loads((tmp_path / "pairs/manifest.json").read_text()))
    assert (plan.images, plan.cameras, plan.level.knobs.misalignment, plan.level.knobs.noise) == (10, (1, 3), 0.0, 2.0)


def test_workers_and_runs_do_not_change_a_byte(written: Path, tmp_path: Path) -> None:
    assert main(["synth", str(tmp_path / "two"), *SMALL, "--workers", "2"]) == 0
    assert contents(tmp_path / "two") == contents(written)


def test_another_seed_changes_every_image(written: Path, tmp_path: Path) -> None:
    assert main(["synth", str(tmp_path / "other"), *SMALL, "--seed", "1", "--workers", "1"]) == 0
    one, two = contents(written), contents(tmp_path / "other")
    assert not {name for name in one if name.endswith(".jpg") and one[name] == two[name]}


def test_test_people_do_not_depend_on_the_other_splits(written: Path, tmp_path: Path) -> None:
    only = flags(train_ids=0, val_ids=0, test_ids=1, images=2, size="64x32", workers=1)
    assert main(["synth", str(tmp_path / "test"), *only]) == 0
    assert (tmp_path / "test/exp/train_id.txt").read_bytes() == b""
    for camera in range(1, 7):
        one, two = written / f"cam{camera}/0004/0001.jpg", tmp_path / f"test/cam{camera}/0001/0001.jpg"
        assert one.read_bytes() == two.read_bytes()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--train-ids", "-1"], "expected at least 0 train identities, got -1"),
        (["--train-ids", "many"], "invalid int value"),
        (["--train-ids", "0", "--val-ids", "0", "--test-ids", "0"], "expected 1 to 9999 identities"),
        (["--images", "0"], "expected 1 to 9999 images"),
        (["--size", "128"], "expected --size as HxW"),
        (["--size", "16x64"], "from 32 to 512"),
        (["--size", "1024x512"], "from 32 to 512"),
        (["--level", "impossible"], "expected one of the levels easy, standard, hard"),
        (["--seed", "-1"], "expected a seed"),
        (["--workers", "0"], "expected at least 1 worker"),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(words: list[str], message: str, tmp_path: Path, refused) -> None:
    assert message in refused("synth", tmp_path / "out", *words)


def test_a_folder_with_something_in_it_stays_as_it_is(tmp_path: Path, refused) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("mine")
    assert "expected a new or empty folder" in refused("synth", tmp_path / "out", *SMALL)
    refused("synth", tmp_path / "out/mine.txt/out", *SMALL)  # a file in the way of a parent
    assert contents(tmp_path) == {"out/mine.txt": hashlib.sha256(b"mine").hexdigest()}


def hear_interrupts() -> None:
    """Undo what a shell does to jobs in the background: it has them ignore SIGINT, and their children too."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(("kind", "workers"), [(signal.SIGINT, 2), (signal.SIGINT, 1), (signal.SIGTERM, 2)])
def test_an_interruption_leaves_neither_files_nor_processes(kind: signal.Signals, workers: int, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mun", "synth", str(tmp_path / "out"), *flags(train_ids=500, workers=workers)]
    child = subprocess.Popen(
        words, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=hear_interrupts
    )
    try:
        until(lambda: list(tmp_path.rglob("*.jpg")), 120)
        os.kill(child.pid, kind)
        _, errors = child.communicate(timeout=60)
    finally:
        child.kill()  # nothing where it has ended already
    assert child.returncode == 130
    assert errors.splitlines()[-1].endswith("mun: stopped")
    assert "Traceback" not in errors
    assert not list(tmp_path.iterdir())
    until(lambda: not alive_in_group(child.pid))


def test_a_sheet_shows_the_images_of_its_level() -> None:
    sheet = np.asarray(contact_sheet(LEVELS["hard"], people=2, seed=3, size=(64, 32)))
    plan = Plan(level=LEVELS["hard"], train_ids=0, val_ids=0, test_ids=2, images=1, size=(64, 32), seed=3)
    for row, camid in enumerate(CAMERA_ORDER):
        for number in (0, 1):
            top, left = row * 68, 128 + number * 36
            image = plan.recipe(Split.TEST, number, camid, 0).image()
            np.testing.assert_array_equal(sheet[top : top + 64, left : left + 32], image)
    assert (sheet[:, :128] < 128).any()  # the labels


def test_every_knob_has_a_row_that_changes_the_picture() -> None:
    assert set(KNOB_VALUES) == set(Knobs.__dataclass_fields__)
    for name in KNOB_VALUES:
        number = 9 if name == "pattern_survival" else 1
        pictures = knob_pictures(name, number, seed=4242, size=(64, 32))
        assert [value for value, _, _ in pictures] == list(KNOB_VALUES[name])
        first, last = pictures[0], pictures[-1]
        assert not all(np.array_equal(one, two) for one, two in zip(first[1:], last[1:], strict=True)), name


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


PLAN = Plan(train_ids=0, val_ids=0, test_ids=4, images=1, size=(64, 32), seed=9)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("counterfactual") / "data"
    list(write(PLAN, out, 1))
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
        ("cam3/0009/0001.jpg", ["--yaw", "1"], "expected an image such as cam3/0001/0001.jpg"),
        ("cam3/0001/0001.jpg", [], "expected at least one change, got none"),
        ("cam3/0001/0001.jpg", ["--without", "head"], "expected a thing to remove, one of bag"),
        ("cam3/0001/0001.jpg", ["--upper-pattern", "paisley"], "expected one of the patterns plain"),
        ("cam3/0001/0001.jpg", ["--bag-colour", "red"], "expected a colour as #rrggbb, got 'red'"),
        ("cam3/0001/0001.jpg", ["--bag-infrared", "7"], "expected the bag's colour and reflectance in [0, 1]"),
        ("cam3/0001/0001.jpg", ["--yaw", "inf"], "expected a finite yaw"),
    ],
)
def test_bad_changes_are_one_line(
    data: Path, tmp_path: Path, image: str, options: list[str], words: str, refused
) -> None:
    assert words in refused("counterfactual", data, image, "--out", tmp_path / "out", *options)


def test_a_folder_that_is_no_synvi_or_is_in_use(data: Path, tmp_path: Path, refused) -> None:
    image = ["cam3/0001/0001.jpg", "--yaw", "1", "--out"]
    assert "manifest.json, found none" in refused("counterfactual", tmp_path, *image, tmp_path / "out")
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    assert "expected a new or empty folder" in refused("counterfactual", data, *image, tmp_path / "used")
