"""`doctor` says what a data set has and lacks; `bounds` tables every bound with what it may know, or says why not."""

import json
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image

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
    assert ("the first is 0009" in shown) == (MISSING[words] is remove_person)
    assert str(data) not in shown


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
        (lambda root: None, "market", "invalid choice"),
    ],
)
def test_bad_input_is_one_line(data, change, dataset, message, refused) -> None:
    change(data)
    assert message in refused("doctor", data, "--dataset", dataset)


def test_two_empty_folders_hold_no_images(tmp_path, refused) -> None:
    for name in ("rgb", "lwir"):
        (tmp_path / name).mkdir()
    assert f"expected images in {tmp_path}, found none" in refused("doctor", tmp_path)


SEARCHES = ("synvi-all", "synvi-v2v", "synvi-i2i")

UNTRAINED = ("chance, exact", "chance, random features", "background only", "grey pixels", "HOG", "silhouette only")


def bounds(*words: str) -> int:
    return main(["bounds", *words, "--quiet"])


@pytest.fixture(scope="module")
def report(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory):
    file = tmp_path_factory.mktemp("bounds") / "bounds.json"
    checkpoint = str(tiny_checkpoint / "mun-tiny")
    assert bounds(str(tiny_synvi), "--checkpoint", checkpoint, "--trials", "2", "--json", str(file)) == 0
    return json.loads(file.read_text())


def test_the_report_holds_every_bound_of_every_search(report) -> None:
    found = [(row["protocol"], row["bound"]) for row in report["rows"]]
    expected = {(search, bound) for search in SEARCHES for bound in UNTRAINED}
    expected |= {(search, f"{start}mun-tiny") for search in SEARCHES for start in ("", "background only, ")}
    assert set(found) == expected | {("synvi-all", "attribute oracle")}
    assert len(found) == len(set(found))
    assert [search for search, _ in found] == sorted((search for search, _ in found), key=SEARCHES.index)


def test_the_report_says_what_was_measured(report) -> None:
    assert (report["data"], report["level"], report["seed"]) == ("synvi", "standard", 7)
    assert (report["identities"], report["images_per_camera"]) == (6, 2)
    assert report["commands"][1] == "python -m mun bounds OUT --trials 2 --checkpoint CHECKPOINT"
    assert report["commands"][0].startswith("python -m mun synth OUT --level standard")
    assert "/tmp" not in json.dumps(report)


def test_every_row_has_its_scores(report) -> None:
    for row in report["rows"]:
        assert 0 <= row["mean"]["rank1"] <= 1
        assert 0 < row["mean"]["mean_ap"] <= 1
        assert row["knows"]
        if row["bound"] != "chance, exact":
            assert len(row["per_trial"]) == 2
            assert row["standard_error"].keys() == {"rank1", "mean_ap"}
    means = {(row["protocol"], row["bound"]): row["mean"]["rank1"] for row in report["rows"]}
    assert all(means[search, "chance, exact"] == pytest.approx(1 / 6) for search in SEARCHES)
    assert means["synvi-all", "attribute oracle"] > 0.9


def test_tables_as_text_and_as_markdown(tiny_synvi, capsys) -> None:
    assert bounds(str(tiny_synvi), "--trials", "1") == 0
    text = capsys.readouterr().out
    assert text.startswith("SynVI standard 1, seed 7, 6 test identities, 2 images per camera, single-shot; percent")
    assert "synvi-all, background only: rank-1 " in text
    assert bounds(str(tiny_synvi), "--trials", "1", "--markdown") == 0
    markdown = capsys.readouterr().out
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    assert rows[:2] == ["| search | bound | may know | rank-1 | mAP |", "| --- | --- | --- | --- | --- |"]
    assert rows[2].startswith("| synvi-all | chance, exact | nothing | 16.7 | ")
    assert len(rows) == 2 + 3 * len(UNTRAINED) + 1
    assert all(line.count("|") == 6 for line in rows)


def add_an_image(root: Path) -> None:
    shutil.copy(root / "cam1/0013/0001.jpg", root / "cam1/0013/0003.jpg")


HARMS = {
    "another version": (edit_manifest(level_version=99), "expected a level of this version of SynVI"),
    "another seed": (edit_manifest(seed=8), "expected cam1/0013/0001.jpg to be the image that manifest.json describes"),
    "another size": (
        lambda root: Image.new("RGB", (64, 128)).save(root / "cam1/0013/0001.jpg"),
        "expected cam1/0013/0001.jpg to be the image that manifest.json describes",
    ),
    "no test people": (lambda root: (root / "exp/test_id.txt").write_text(""), "expected images in the test split"),
    "one image more": (add_an_image, "expected an image such as cam3/0001/0001.jpg"),
    "a broken image": (lambda root: (root / "cam3/0014/0002.jpg").write_bytes(b"no image"), "to be one of JPEG, PNG"),
}


@pytest.mark.parametrize("case", HARMS)
def test_unsuitable_data_is_one_line_and_leaves_nothing(case, data, tmp_path, refused) -> None:
    harm, message = HARMS[case]
    harm(data)
    assert message in refused("bounds", data, "--json", tmp_path / "out.json", "--quiet")
    assert "expected a file name after --json" in refused("bounds", data, "--json", tmp_path, "--quiet")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials", "0"], "expected at least one trial, got 0"),
        (["--checkpoint", "nowhere"], "expected a checkpoint folder at nowhere, found none"),
        (["--device", "tpu"], "expected device to be auto, cpu or cuda, got 'tpu'"),
    ],
)
def test_bad_options_are_one_line(words, message, tiny_synvi, refused) -> None:
    assert refused("bounds", tiny_synvi, *words) == f"mun: error: {message}\n"


def test_without_scikit_image_it_says_what_to_install(tiny_synvi, monkeypatch, refused) -> None:
    monkeypatch.setitem(sys.modules, "skimage.feature", None)
    assert "expected scikit-image for the HOG bound: pip install" in refused("bounds", tiny_synvi, "--quiet")
