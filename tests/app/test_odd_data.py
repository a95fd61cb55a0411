"""Data sets that are not quite as they should be: linked images, one image too many, one that is broken."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.library import open_library
from app.library.pairs import choose_opening
from app.retrieval import rank
from app.shared.export import describe_data
from mun.synvi.plan import Plan


@pytest.fixture
def data(tiny_synvi: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_synvi, tmp_path / "data"))


def test_linked_images_belong_to_the_folder_that_links_them(data: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """The first image of all, and a whole camera."""
    first = open_library(data, tiny_checkpoint).collections["synvi"].samples[0].path
    elsewhere = shutil.move(first, tmp_path / "elsewhere.jpg")
    first.symlink_to(elsewhere)
    shutil.move(data / "cam6", tmp_path / "camera")
    (data / "cam6").symlink_to(tmp_path / "camera")
    library = open_library(data, tiny_checkpoint)
    assert library.collections["synvi"].folder == data
    assert library.collections["synvi"].plan is not None
    assert "seed" in describe_data(library, "synvi")


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
