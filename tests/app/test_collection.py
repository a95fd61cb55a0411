from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from app.library import Library, open_library
from app.library.collection import Direction
from mun.structures import Modality

I2V, V2I = Direction.INFRARED_TO_VISIBLE, Direction.VISIBLE_TO_INFRARED


def test_the_other_direction_turns_the_protocol_round(library: Library) -> None:
    forward, reverse = (library.collections["synvi"].search("synvi-indoor", way) for way in (I2V, V2I))
    assert forward.name == "synvi-indoor"
    assert reverse.name == "synvi-indoor-reversed"
    assert (reverse.query_cameras, reverse.gallery_cameras) == ((1, 2), (3, 6))
    assert (reverse.query_modality, reverse.gallery_modality) == (Modality.VISIBLE, Modality.INFRARED)
    assert reverse.drop_rule is forward.drop_rule
    assert I2V.published
    assert not V2I.published
    assert (I2V.query_modality, I2V.gallery_modality, I2V.other) == (Modality.INFRARED, Modality.VISIBLE, V2I)
    assert (V2I.query_modality, V2I.gallery_modality, V2I.other) == (Modality.VISIBLE, Modality.INFRARED, I2V)


def test_what_is_in_a_gallery_may_ask_the_other_way_round(library: Library) -> None:
    collection = library.collections["synvi"]
    for protocol in collection.protocols:
        for direction in Direction:
            asked = collection.asked[protocol, direction.other]
            for sample in collection.gallery(protocol, 0, direction):
                assert asked.samples[asked.rows[sample.key]] == sample


@pytest.mark.parametrize("direction", list(Direction))
def test_multi_shot_galleries(library: Library, direction: Direction) -> None:
    collection = library.collections["synvi"]
    assert collection.asked["synvi-all", direction].shots == (1, 2)
    single, double = (collection.gallery("synvi-all", 0, direction, shots) for shots in (1, 2))
    assert len(double) == 2 * len(single)
    assert len({sample.key for sample in double}) == len(double)


def test_queries_are_numbered_within_person_and_camera(library: Library) -> None:
    asked = library.collections["synvi"].asked["synvi-all", "i2v"]
    assert list(asked.numbers) == [int(sample.path.stem) for sample in asked.samples]
    assert asked.pids == tuple(sorted({sample.pid for sample in asked.samples}))
    assert asked.camids == (3, 6)


def test_the_plan_of_the_data_renders_their_images_again(library: Library) -> None:
    collection = library.collections["synvi"]
    recipe = collection.recipe(collection.samples[0].key)
    assert recipe is not None
    assert recipe.image().shape == collection.image(collection.samples[0]).shape


@pytest.mark.parametrize("manifest", [{"seed": None}, {"level_version": 0}, {"test_ids": 5}, {"train_ids": 9}])
def test_a_manifest_of_another_version_or_of_other_people_is_no_plan(
    tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, manifest: dict[str, object]
) -> None:
    folder = tmp_path / "data"
    shutil.copytree(tiny_synvi, folder)
    written = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**written, **manifest}))
    collection = open_library(folder, tiny_checkpoint).collections["synvi"]
    assert (collection.plan, collection.recipe(collection.samples[0].key)) == (None, None)
