"""Data sets in the app: several, broken, unusual and small ones; their recipes, and their description on the page."""

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from made import Stamp, own_csv, own_folders, regdb_tree
from serving import no_training

from app import build_demo
from app.about import status
from app.auxiliary import compare
from app.embeddings import project
from app.embeddings.request import Project
from app.explain import explain
from app.explain.subject import Explain
from app.library import Library, open_library
from app.library.collection import Direction, Terms, fingerprint, open_collection
from app.library.pairs import choose_opening
from app.retrieval import rank, scores
from app.shared.export import describe_data
from app.shared.html import html
from mun.data.source import Reading
from mun.synvi.plan import Plan


def test_what_is_in_a_gallery_may_ask_the_other_way_round(library: Library) -> None:
    collection = library.collections["synvi"]
    for protocol in collection.protocols:
        for direction in Direction:
            asked = collection.query_sets[protocol, direction.other]
            for sample in collection.gallery(Terms(protocol, direction=direction)):
                assert asked.samples[asked.rows[sample.key]] == sample


@pytest.mark.parametrize("direction", list(Direction))
def test_multi_shot_galleries(library: Library, direction: Direction) -> None:
    collection = library.collections["synvi"]
    assert collection.query_sets["synvi-all", direction].shots == (1, 2)
    single, double = (collection.gallery(Terms("synvi-all", 0, direction, shots)) for shots in (1, 2))
    assert len(double) == 2 * len(single)
    assert len({sample.key for sample in double}) == len(double)


def test_queries_are_numbered_within_person_and_camera(library: Library) -> None:
    asked = library.collections["synvi"].query_sets["synvi-all", "i2v"]
    assert list(asked.numbers) == [int(sample.path.stem) for sample in asked.samples]
    assert asked.pids == tuple(sorted({sample.pid for sample in asked.samples}))
    assert asked.camids == (3, 6)


def test_the_plan_of_the_data_renders_their_images_again(library: Library) -> None:
    collection = library.collections["synvi"]
    recipe = collection.recipe(collection.samples[0].key)
    assert recipe.image().shape == collection.image(collection.samples[0]).shape


@pytest.mark.parametrize("manifest", [{"seed": None}, {"level_version": 0}, {"test_ids": 5}, {"train_ids": 9}])
def test_a_manifest_of_another_version_or_of_other_people_is_no_plan(data, tiny_checkpoint, manifest) -> None:
    written = json.loads((data / "manifest.json").read_text())
    (data / "manifest.json").write_text(json.dumps({**written, **manifest}))
    collection = open_library(data, tiny_checkpoint).collections["synvi"]
    assert (collection.plan, collection.recipe(collection.samples[0].key)) == (None, None)


def test_linked_images_belong_to_the_folder_that_links_them(data: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Links replace the first image, and a whole camera."""
    first = open_library(data, tiny_checkpoint).collections["synvi"].samples[0].path
    elsewhere = shutil.move(first, tmp_path / "elsewhere.jpg")
    first.symlink_to(elsewhere)
    shutil.move(data / "cam6", tmp_path / "camera")
    (data / "cam6").symlink_to(tmp_path / "camera")
    library = open_library(data, tiny_checkpoint)
    assert library.collections["synvi"].folder == data
    assert library.collections["synvi"].plan is not None
    assert "seed" in describe_data(library, "synvi")


def test_the_same_files_under_other_names_are_other_data(data: Path, tmp_path: Path) -> None:
    """Otherwise both would share cached results: people, keys of queries."""
    for folder in data.glob("cam?"):
        for person in folder.iterdir():
            other = tmp_path / "other" / folder.name / f"{int(person.name) + 100:04d}"
            other.parent.mkdir(parents=True, exist_ok=True)
            other.symlink_to(person)
    shutil.copytree(data / "exp", tmp_path / "other" / "exp")
    for listed in (tmp_path / "other" / "exp").iterdir():
        listed.write_text(",".join(str(int(pid) + 100) for pid in listed.read_text().split(",")))
    contents = {open_collection(root, "sysu").content for root in (data, tmp_path / "other")}
    assert len(contents) == 2


def test_the_same_files_with_other_labels_are_other_data(data: Path) -> None:
    samples = open_collection(data, "sysu").samples
    first = samples[0]
    changed = (replace(first, pid=99), replace(first, camid=9), replace(first, levels=(0.0, 9.0)))
    assert len({fingerprint((one, *samples[1:])) for one in (first, *changed)}) == 4


def test_one_image_too_many_stops_nothing(data: Path, tiny_checkpoint: Path) -> None:
    there = open_library(data, tiny_checkpoint).collections["synvi"]
    added = there.queries[0].path.with_name("9999.jpg")
    shutil.copy(there.queries[0].path, added)
    library = open_library(data, tiny_checkpoint)
    collection = library.collections["synvi"]
    assert isinstance(collection.plan, Plan)
    key = next(sample.key for sample in collection.samples if sample.path == added)
    assert collection.recipe(key) is None
    pair = choose_opening(collection)
    assert all(collection.recipe(one.key) for one in pair)
    assert rank.answer(library, rank.Retrieve.read({"query": key}, library))["results"]


def test_a_broken_image_is_named_by_its_place_and_by_no_folder(data: Path, tiny_checkpoint: Path) -> None:
    key = open_library(data, tiny_checkpoint).collections["synvi"].samples[1].key
    (data / key).write_bytes(b"no image")
    library = open_library(data, tiny_checkpoint)
    with pytest.raises(ValueError, match=f"^expected {key} to be one of") as caught:
        rank.answer(library, rank.Retrieve.read({}, library))
    assert str(data) not in str(caught.value)


def header(library) -> str:
    return html("header.html", entries=[], data=library.collections, failed=library.failed, drawn="")


def test_failing_data_stop_nothing_and_the_panel_says_why(tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    own_folders(tmp_path / "own")
    shutil.rmtree(own_folders(tmp_path / "half") / "lwir")
    folders = [("", tmp_path / "empty"), ("Hall <b>", tmp_path / "own"), ("", tmp_path / "half"), ("easy", tiny_synvi)]
    library = open_library(folders, tiny_checkpoint)
    assert list(library.collections) == ["Hall <b>", "easy"]
    assert library.collections["easy"].synthetic
    assert library.failed.keys() == {"empty", "half"}
    assert "expected infrared queries for cross-i2v" in library.failed["half"]
    page = header(library)
    assert page.count('role="alert"') == 2
    assert str(tmp_path) not in page
    assert "Hall <b>" not in page
    assert "Hall &lt;b&gt;" in page
    assert "2 not opened" in page
    answer = rank.answer(library, rank.Retrieve.read({"data": "easy"}, library))
    assert answer["data"] == "easy"
    assert [one["title"] for one in status.answer(library, status.Nothing())["data"]] == ["Hall <b>", "easy"]


def test_where_nothing_opens_other_data_stand_in(tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    library = open_library([("mine", tmp_path / "none")], tiny_checkpoint, instead=tiny_synvi)
    assert list(library.collections) == ["synvi"]
    assert "expected a folder with the data set at none" in library.failed["mine"]


def test_the_panel_shows_what_was_found_passed_over_and_asked(tiny_checkpoint, tmp_path) -> None:
    root = regdb_tree(tmp_path / "RegDB")
    (root / "Visible" / "1" / "notes.txt").write_text("")
    page = header(open_library([("", root), ("", root)], tiny_checkpoint, reading=Reading(trial=2)))
    words = re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", page))
    assert words.count("RegDB, trial 2 item found expected") == 2
    assert "test visible images 8 2,060 differs" in words
    assert "Passed over: 1 files that are no images (Visible/1/notes.txt)" in words
    assert "image is a query; all visible images are the gallery; every image counts; CMC counts images" in words
    assert "SYSU-MM01 · RegDB · LLCM" in words


def test_a_model_of_another_trial_is_refused(tiny_checkpoint, tmp_path) -> None:
    library = open_library(regdb_tree(tmp_path / "RegDB"), tiny_checkpoint)
    library.checkpoints["mun-tiny"].card.data.update(name="regdb", trial=2)
    with pytest.raises(ValueError, match="expected a model trained on trial 1 of RegDB, got one trained on trial 2"):
        rank.answer(library, rank.Retrieve.read({}, library))


@pytest.mark.parametrize("people", [("anna",), ("anna", "bela"), ("anna", "bela", "cleo")])
def test_little_data_start_the_app_and_each_function_answers_or_says_why(people, tiny_checkpoint, tmp_path) -> None:
    library = open_library(own_folders(tmp_path / "corridor", people), tiny_checkpoint)
    build_demo(library, no_training())
    asked = {
        rank.Retrieve: rank.answer,
        scores.Evaluate: scores.answer,
        Project: project.answer,
        compare.Compare: compare.answer,
    }
    if len(people) > 1:  # else there is no other person to compare with
        asked[Explain] = explain.answer
    for kind, answer in asked.items():
        assert answer(library, kind.read({}, library))["data"] == "corridor"


def test_a_csv_of_one_file_keeps_its_columns_in_the_app(tiny_checkpoint, tmp_path) -> None:
    collection = open_library(own_csv(tmp_path / "hall") / "images.csv", tiny_checkpoint).collections["images"]
    assert {said["weather"] for said in collection.source.columns.values()} == {"rain", "sun"}
    assert {sample.key for sample in collection.samples} <= collection.source.columns.keys()


def test_a_range_is_that_of_every_picture(tiny_checkpoint, tmp_path) -> None:
    root: Path = own_folders(tmp_path / "corridor")
    Stamp().put(root / "rgb" / "anna" / "extra.png", 1, infrared=False)
    library = open_library(root, tiny_checkpoint, reading=Reading(infrared_range=(10.0, 90.0)))
    ranges = {sample.modality.value: sample.levels for sample in library.collections["corridor"].samples}
    assert ranges == {"visible": None, "infrared": (10.0, 90.0)}
