"""Data of every layout: found out from the folder, read, counted, named, and what is passed over said."""

import json
import os
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from made import TREES, llcm_tree, own_csv, own_folders, regdb_tree, sysu_tree
from PIL import Image
from reference import protocol_scores

from mun.data.inventory import PUBLISHED, inventory
from mun.data.listing import Listing, passed_words
from mun.data.regdb import check_trial
from mun.data.source import Reading, is_whole
from mun.data.sources import named_folder, read_source, recognise
from mun.evaluation.benchmark import benchmark
from mun.evaluation.protocols import PROTOCOLS, protocol_of, protocols_of
from mun.structures import Modality, Split


@pytest.fixture(scope="module", params=TREES)
def tree(request, tmp_path_factory) -> tuple[str, Path]:
    return request.param, TREES[request.param](tmp_path_factory.mktemp("trees") / "corridor")


def test_a_layout_is_found_out_and_own_data_keep_their_name(tree) -> None:
    layout, root = tree
    assert recognise(root) == layout
    source = read_source("", root, needs=(Split.TEST,))
    assert (source.layout, source.name, source.title) == (layout, "corridor", "corridor")
    assert read_source("", root, Reading(name="Hall 2")).title == "Hall 2"
    for samples in (source.train, source.val, source.test):
        assert list(samples) == sorted(samples, key=lambda one: (one.pid, one.camid, one.path.name, one.key))
        assert all(one.path == root / one.key for one in samples)
    assert {one.modality for one in source.test} == {Modality.VISIBLE, Modality.INFRARED}
    assert not source.passed


@pytest.mark.parametrize("name", [name for name in PROTOCOLS if not name.startswith("synvi") and name != "whole"])
def test_every_protocol_scores_as_its_slow_reference(name, tmp_path) -> None:
    """Random features; mAP and mINP to 1e-9, the number of valid queries exactly."""
    root = {"sysu": sysu_tree, "regdb": regdb_tree, "llcm": llcm_tree}.get(name.partition("-")[0], own_folders)(
        tmp_path
    )
    reading = Reading(camera=r"c(\d+)_") if root.joinpath("rgb").is_dir() else None
    if reading:
        (root / "manifest.json").write_text(json.dumps({"data": "hall", "sites": [[1, 11], ["2", "3"]]}))
    source = read_source("", root, reading)
    protocol = protocol_of(source, name)
    rows = np.random.default_rng(3).standard_normal((len(source.test), 12))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    result = benchmark(protocol, source.test, rows, data=source.name, trials=2)
    for trial, metrics in enumerate(result.per_trial):
        rank1, mean_ap, mean_inp, valid = protocol_scores(name, source.test, rows, trial, source.sites)
        assert metrics.num_valid == valid
        assert metrics.rank(1) == pytest.approx(rank1, abs=1e-12)
        assert metrics.mean_ap == pytest.approx(mean_ap, abs=1e-9)
        assert metrics.mean_inp == pytest.approx(mean_inp, abs=1e-9)
    assert (result.sampler == "every image") == (len(result.per_trial) == 1) == protocol.whole


def test_a_protocol_of_other_data_is_refused_with_its_rule(tmp_path) -> None:
    source = read_source("", own_folders(tmp_path))
    with pytest.raises(ValueError, match=r"expected SYSU-MM01 for sysu-all, got .*cameras 2 and 3 watch one site"):
        protocol_of(source, "sysu-all")
    assert protocol_of(source).name == "cross-i2v"
    assert [one.name for one in protocols_of(source)] == ["cross-i2v", "cross-v2i", "mixed-infrared", "mixed-visible"]


def test_the_published_name_is_given_by_counts_by_the_folder_or_by_who_says_so(tmp_path) -> None:
    tiny = sysu_tree(tmp_path / "hall")
    assert read_source("", tiny).title == "hall"
    assert read_source("sysu", tiny).title == "SYSU-MM01"  # whoever asks for the layout by name says what it is
    assert read_source("", tiny, Reading(name="sysu")).title == "SYSU-MM01"
    assert read_source("", tiny.rename(tmp_path / "SYSU-MM01")).name == "sysu"
    for split, count in (("train", 296), ("val", 99), ("test", 96)):
        first = {"train": 0, "val": 300, "test": 400}[split]
        (tmp_path / "SYSU-MM01" / "exp" / f"{split}_id.txt").write_text(
            "\n".join(str(first + n + 1) for n in range(count))
        )
    assert read_source("", (tmp_path / "SYSU-MM01").rename(tmp_path / "images")).title == "SYSU-MM01"


def test_regdb_knows_its_trial_and_refuses_a_model_of_another(tmp_path) -> None:
    root = regdb_tree(tmp_path / "RegDB")
    first, second = (read_source("", root, Reading(trial=trial)) for trial in (1, 2))
    assert (first.name, first.title, second.title) == ("regdb", "RegDB, trial 1", "RegDB, trial 2")
    assert {one.pid for one in first.test} != {one.pid for one in second.test}
    assert {one.pid for one in first.test} & {one.pid for one in second.train}, "so trials must not be mixed"
    check_trial({"name": "regdb", "trial": 1}, first)
    check_trial({"name": "synvi"}, first)
    for card, words in (({"name": "regdb", "trial": 2}, "trial 2"), ({"name": "regdb"}, "does not name")):
        with pytest.raises(
            ValueError, match=f"expected a model trained on trial 1 of RegDB, got one trained on .*{words}"
        ):
            check_trial(card, first)
    with pytest.raises(ValueError, match="expected --trial from 1 to 10"):
        read_source("", root, Reading(trial=11))


def test_llcm_has_the_cameras_of_its_folders_and_no_infrared_camera_3(tmp_path) -> None:
    source = read_source("", llcm_tree(tmp_path))
    for samples in (source.train, source.test):
        assert {one.camid for one in samples if one.modality is Modality.VISIBLE} == set(range(1, 10))
        assert {one.camid for one in samples if one.modality is Modality.INFRARED} == {1, 2, 4, 5, 6, 7, 8, 9}
    shutil.copytree(tmp_path / "test_nir" / "cam1", tmp_path / "test_nir" / "cam3", dirs_exist_ok=True)
    assert passed_words(read_source("", tmp_path).passed) == "passed over: 1 cameras (test_nir/cam3)"


def test_train_and_val_can_be_trained_on_together(tmp_path) -> None:
    source = read_source("", sysu_tree(tmp_path), Reading(train_on="train+val"), (Split.TRAIN,))
    assert {one.pid for one in source.train} == {1, 2, 3, 4, 5, 6}
    assert source.val == ()


def test_own_folders_take_cameras_sites_and_names(tmp_path) -> None:
    root = own_folders(tmp_path)
    plain = read_source("", root)
    assert {one.camid for one in plain.test} == {0}
    assert plain.columns[plain.test[0].key] == {"person": "anna"}
    assert {one.camid for one in read_source("", root, Reading(camera=r"c(\d+)_")).test} == {1, 2, 3, 11, 12, 13}
    for pattern, words in (
        ("(", "regular expression"),
        (r"\d+", "one group"),
        (r"_x(\d)", "expected a camera in the name"),
    ):
        with pytest.raises(ValueError, match=words):
            read_source("", root, Reading(camera=pattern))
    (root / "lwir").rename(root / "sketches")
    (root / "rgb").rename(root / "photos")
    with pytest.raises(ValueError, match="expected cam1"):
        read_source("", root)
    named = read_source("folders", root, Reading(modality_names="photos,sketches"))
    with pytest.raises(ValueError, match="expected two different modalities, got 'rgb' twice"):
        read_source("folders", root, Reading(modality_names="rgb, rgb"))
    assert Counter(one.modality for one in named.test) == {Modality.VISIBLE: 9, Modality.INFRARED: 9}
    (root / "manifest.json").write_text('{"data": "art", "title": "Art", "modality_names": ["photos", "sketches"]}')
    assert read_source("", root).title == "Art"
    (root / "train").mkdir()
    (root / "photos").rename(root / "train" / "photos")
    assert {one.modality for one in read_source("", root).train} == {Modality.VISIBLE}
    assert [one.what for one in read_source("", root).passed] == ["folders of no modality"]


@pytest.mark.parametrize(("first", "expected"), [("10", {1, 2, 3, 10, 12, 13}), ("0", {1, 2, 3, 4, 13, 14})])
def test_a_camera_of_number_0_counts_as_known(tmp_path, first, expected) -> None:
    root = own_folders(tmp_path)
    for path in root.rglob("c11_*"):
        path.rename(path.with_name(f"c{first}_1.png"))
    (root / "manifest.json").write_text(json.dumps({"camera": r"c(\d+)_", "sites": [[1, int(first)]]}))
    source = read_source("", root)
    assert {one.camid for one in source.test} == expected
    one = next(one for one in source.test if one.path.name == f"c{first}_1.png")
    assert source.columns[one.key].get("camera") == ("0" if first == "0" else None)
    assert source.sites == (((1, 2),) if first == "0" else ((1, 10),))


def test_a_csv_keeps_its_columns(tmp_path) -> None:
    root = own_csv(tmp_path)
    source = read_source("", root)
    assert {one.pid for one in source.train} == {4, 5, 6}
    assert {source.columns[one.key]["weather"] for one in source.test} == {"rain", "sun"}
    assert read_source("", root / "images.csv").test == source.test
    (root / "all" / "more.png").write_bytes(b"")
    assert passed_words(read_source("", root).passed) == "passed over: 1 images in no line of the CSV (all/more.png)"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("all/v1_1.png;visible;1;1;test;", "expected every image once"),
        ("all/none.png;visible;1;1;test;", "line 26: expected an image at all/none.png, found none"),
        ("../x.png;visible;1;1;test;", "below the folder of the CSV"),
        ("/x.png;visible;1;1;test;", "below the folder of the CSV"),
        ("images.csv;visible;1;1;test;", "expected an image"),
        ("all/v1_1.png;radar;1;1;test;", "expected a modality of visible, .*got 'radar'"),
        ("all/v1_1.png;visible;;1;test;", "expected a pid"),
        ("all/v1_1.png;visible;1;1;dev;", "expected a split of train, val, test, got 'dev'"),
        ("all/new.png;visible;1;1;train;", "expected disjoint splits"),
        ("all/new.png;visible;01;1;test;", "one spelling of each person"),
        ('all/new.png;visible;1;1;test;"' + 70_000 * "rain\n", "^images.csv, line 26: field larger than field limit"),
    ],
)
def test_a_line_that_cannot_be_read_is_named(tmp_path, line, message) -> None:
    own_csv(tmp_path)
    shutil.copy(tmp_path / "all" / "v1_1.png", tmp_path / "all" / "new.png")
    with (tmp_path / "images.csv").open("a") as file:
        file.write(line + "\n")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        read_source("", tmp_path)


def test_one_rule_for_what_is_an_image(tmp_path) -> None:
    """Every spelling counts, links are followed once, and what does not count is counted."""
    kept = ["a.JPG", "b.jpe", "c.JFIF", "d.bmp", "e.dib", "f.TIF", "g.tiff", "h.WebP", "i.png", "j.jpeg"]
    folder = tmp_path / "data" / "inner"
    folder.mkdir(parents=True)
    for name in (*kept, ".hidden.png", "Thumbs.db", "clip.mp4", "k.gif"):
        (folder / name).write_bytes(b"")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "l.png").write_bytes(b"")
    (folder / "away").symlink_to(tmp_path / "elsewhere")
    (folder / "back").symlink_to(tmp_path / "data")
    (folder / "m.png").symlink_to(tmp_path / "elsewhere" / "l.png")
    (folder / "n.png").symlink_to(tmp_path / "nothing.png")
    (folder / "o.png").symlink_to(folder / "o.png")
    for hidden in ("__MACOSX", ".hidden"):
        (folder / hidden).mkdir()
        (folder / hidden / "p.png").write_bytes(b"")
    listing = Listing(tmp_path / "data")
    assert [path.name for path in listing.walk(tmp_path / "data")] == [*kept, "m.png", "l.png"]
    assert {one.what: one.count for one in listing.passed} == {
        "hidden or system files": 4,
        "links to nothing": 2,
        "files that are no images": 2,
        "links to folders that were entered before": 1,
    }


def test_a_tree_whose_every_second_image_is_a_bitmap_loses_none(tmp_path) -> None:
    root = sysu_tree(tmp_path)
    before = len(read_source("", root).test)
    for number, path in enumerate(sorted(root.rglob("*.jpg"))):
        if number % 2:
            Image.open(path).save(path.with_suffix(".BMP"))
            path.unlink()
    assert len(read_source("", root).test) == before
    for extra in ("cam7/0001", "cam1/0900"):
        shutil.copytree(root / "cam1" / "0001", root / extra)
    shutil.copytree(root / "cam1" / "0001", root / "cam2" / "0001" / "more")
    (root / "cam1" / "0001" / "0001.gif").write_bytes(b"")
    found = {one.what: (one.count, one.first) for one in read_source("", root).passed}
    assert found == {
        "cameras": (1, "cam7"),
        "people in no list": (1, "cam1/0900"),
        "folders": (1, "cam2/0001/more"),
        "files that are no images": (1, "cam1/0001/0001.gif"),
    }


def test_broken_images_are_left_out_and_said(tmp_path, monkeypatch) -> None:
    root = sysu_tree(tmp_path)
    broken = root / "cam1" / "0007" / "0001.jpg"
    broken.write_bytes(b"no image")
    source = read_source("", root, Reading(skip_broken=True), (Split.TEST,))
    assert passed_words(source.passed) == "passed over: 1 broken images (cam1/0007/0001.jpg)"
    assert broken not in {one.path for one in source.test}
    monkeypatch.setattr("mun.images.to_rgb", lambda *_: np.empty(2**50))  # as a file that lies about its content
    assert not is_whole(source.test[0])
    assert len(source.test) == len(read_source("", root).test) - 1


@pytest.mark.parametrize(
    ("reading", "message"),
    [
        (Reading(trial=2), "expected --trial only with RegDB"),
        (Reading(camera="(a)"), "expected --camera only with data of layout folders"),
        (Reading(modality_names="a,b"), "expected --modality-names only with own data"),
        (Reading(infrared_range=(5.0, 5.0)), "LOW below HIGH"),
    ],
)
def test_a_flag_that_means_nothing_is_refused(tmp_path, reading, message) -> None:
    with pytest.raises(ValueError, match=message):
        read_source("", sysu_tree(tmp_path), reading)


def test_what_is_no_data_set_is_told_what_is_expected(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"expected cam1 … cam6 .*, a folder for each modality, or images.csv in"):
        read_source("", tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a folder with the data set"):
        read_source("", tmp_path / "none")
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(ValueError, match=r"a folder or a \.csv file"):
        read_source("", tmp_path / "a.txt")


def test_names_on_the_command_line(tmp_path, monkeypatch) -> None:
    assert named_folder("Hall 2=/data/x") == ("Hall 2", Path("/data/x"))
    assert named_folder("/data/a=b") == ("", Path("/data/a=b"))
    monkeypatch.chdir(tmp_path)
    Path("a=b").mkdir()
    assert named_folder("a=b") == ("", Path("a=b"))


def test_the_counts_of_a_published_set_are_compared(tmp_path) -> None:
    findings = {one.what: one for one in inventory(read_source("", llcm_tree(tmp_path / "LLCM")))}
    assert findings["test identities"].expected == 351
    assert not findings["train visible images"].fine
    assert sum(PUBLISHED["llcm"][f"test {kind} images"] for kind in ("visible", "infrared")) == 8_680 + 7_166
    shutil.rmtree(tmp_path / "LLCM" / "test_nir" / "cam1")
    findings = {one.what: one for one in inventory(read_source("", tmp_path / "LLCM"))}
    assert (findings["test cameras"].found, findings["test cameras"].expected) == (16, 17)


def test_people_seen_in_one_modality_are_named(tmp_path) -> None:
    root = own_folders(tmp_path)
    shutil.rmtree(root / "lwir" / "bela")
    finding = next(one for one in inventory(read_source("", root)) if "one modality" in one.what)
    assert (finding.found, finding.note) == (1, "the first is 0002")


def test_hard_links_are_images_of_their_own(tmp_path) -> None:
    root = own_folders(tmp_path)
    os.link(root / "rgb" / "anna" / "c1_1.png", root / "rgb" / "anna" / "c9_9.png")
    assert len(read_source("", root).test) == 19
