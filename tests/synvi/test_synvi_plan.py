"""A plan defines a whole data set: the manifest is enough to render its images again, and levels are frozen."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from mun.structures import Split
from mun.synvi import CAMERAS, LEVELS, Plan, level_of, write
from mun.synvi.writer import jpeg

SMALL = Plan(train_ids=2, val_ids=1, test_ids=2, images=2, size=(64, 32), seed=5)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("plan") / "out"
    list(write(SMALL, out, 1))
    return out


def test_every_image_comes_again_from_the_manifest(written: Path) -> None:
    plan = Plan.from_manifest(json.loads((written / "manifest.json").read_text()))
    assert plan == SMALL
    for path in sorted(written.glob("cam*/*/*.jpg"))[::3]:
        image = "/".join(path.parts[-3:])
        recipe = plan.recipe_of(image)
        assert jpeg(recipe.image(), recipe.camera.quality) == path.read_bytes(), image


def test_people_are_numbered_from_training_to_test() -> None:
    assert SMALL.recipe_of("cam3/0003/0001.jpg") == SMALL.recipe(Split.VAL, 0, 3, 0)
    assert SMALL.recipe_of("cam3/0005/0002.jpg") == SMALL.recipe(Split.TEST, 1, 3, 1)


OUTSIDE = ["cam3/0006/0001.jpg", "cam7/0001/0001.jpg", "cam1/0001/0003.jpg", "cam1/0001/0000.jpg"]


@pytest.mark.parametrize("image", [*OUTSIDE, "../cam1/0001/0001.jpg", ""])
def test_an_image_outside_the_plan_is_refused(image: str) -> None:
    with pytest.raises(ValueError, match=r"expected an image such as cam3/0001/0001\.jpg, people up to 0005, images"):
        SMALL.recipe_of(image)


def manifest_with(**changes: object) -> dict[str, object]:
    base = {
        "data": "synvi", "format": 1, "level": "standard", "level_version": 1, "knobs": {}, "seed": 0,
        "train_ids": 1, "val_ids": 0, "test_ids": 0, "images_per_camera": 1, "size": [64, 32],
    }  # fmt: skip
    return {**base, **changes}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": "sysu"}, "expected the manifest of SynVI"),
        ({"format": 2}, "expected the manifest of SynVI"),
        ({"knobs": {"glitter": 1}}, "got a broken one"),
        ({"knobs": {"noise": "loud"}}, "expected the knob noise between 0 and 4, got 'loud'"),
        ({"size": [64]}, "got a broken one"),
        ({"train_ids": True}, "got a broken one: expected int, got 'True'"),
        ({"images_per_camera": 2.0}, r"got a broken one: expected int, got '2\.0'"),
        ({"truth": 1}, "got a broken one: expected bool, got '1'"),
        ({"level": ["standard"]}, "got a broken one: expected str"),
        ({"level_version": 99}, "with other images"),
        ({"level": "plain"}, "with other images"),
        ({"knobs": {"noise": 2.0}}, "with other images"),
    ],
)
def test_a_broken_or_foreign_manifest_is_refused(changes: dict[str, object], words: str) -> None:
    Plan.from_manifest(manifest_with())
    with pytest.raises(ValueError, match=words):
        Plan.from_manifest(manifest_with(**changes))


def test_a_turned_knob_makes_a_custom_level_that_its_command_remakes() -> None:
    level = level_of("hard", {"noise": 0.123456789012, "lookalikes": 1})
    assert (level.name, level.version) == ("custom", 0)
    assert level.knobs == replace(LEVELS["hard"].knobs, noise=0.123456789012, lookalikes=1)
    plan = Plan(level=level, train_ids=1, val_ids=0, test_ids=0)
    words = plan.command.split()
    turned = dict(word.split("=") for before, word in zip(words, words[1:], strict=False) if before == "--knob")
    assert level_of("standard", {name: float(value) for name, value in turned.items()}) == level
    assert (
        Plan.from_manifest(manifest_with(level="custom", level_version=0, knobs={"noise": 0.5})).level.knobs.noise
        == 0.5
    )


def test_an_unknown_knob_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected one of the knobs colour_infrared_correlation, .*; got 'glitter'"):
        level_of("easy", {"glitter": 1.0})


# Frozen: if one of these changes, the version of the level must rise, and checkpoints and tables must be made again.
FROZEN = {"easy": (1, "a270ac676e48b26b"), "standard": (1, "03b105f3d40bd4fb"), "hard": (1, "b689206ef37959c8")}


@pytest.mark.parametrize("name", LEVELS)
def test_the_pictures_of_a_level_are_frozen(name: str) -> None:
    """The bytes of twelve images before JPEG compression, because Pillow does the compression."""
    plan = Plan(level=LEVELS[name], train_ids=0, val_ids=0, test_ids=2, images=1, seed=7)
    digest = hashlib.sha256()
    for number in (0, 1):
        for camid in CAMERAS:
            digest.update(plan.recipe(Split.TEST, number, camid, 0).image().tobytes())
    assert (LEVELS[name].version, digest.hexdigest()[:16]) == FROZEN[name]


def test_the_hash_of_a_level_names_its_content() -> None:
    assert {name: level.hash for name, level in LEVELS.items()} == {
        "easy": "059e05c049238003",
        "standard": "cb9688ab67b85163",
        "hard": "68fc3e989f62ee34",
    }


def test_levels_rise_in_difficulty() -> None:
    """Harder levels show fewer patterns, couple the two kinds of light less, and hide more."""
    easy, standard, hard = (LEVELS[name].knobs for name in ("easy", "standard", "hard"))
    for one, two in ((easy, standard), (standard, hard)):
        assert one.colour_infrared_correlation > two.colour_infrared_correlation
        assert one.pattern_survival > two.pattern_survival
        assert one.noise < two.noise
        assert one.occlusion < two.occlusion
