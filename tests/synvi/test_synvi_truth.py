"""The truth of an image agrees with its pixels, with itself in other images, and with what is on disk."""

import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mun.structures import Split
from mun.synvi import Part, Plan, Recipe, Truth, corresponding, read_truth, truth_of, write
from mun.synvi.scene import Occluder

PLAN = Plan(train_ids=0, val_ids=0, test_ids=30, images=1, seed=11)


def recipe(number: int, camid: int) -> Recipe:
    return PLAN.recipe(Split.TEST, number, camid, 0)


@pytest.fixture(scope="module")
def truths() -> dict[tuple[int, int], Truth]:
    return {(number, camid): truth_of(recipe(number, camid)) for number in range(30) for camid in (2, 3, 6)}


def test_depth_is_there_where_a_person_is(truths: dict[tuple[int, int], Truth]) -> None:
    for (number, camid), truth in truths.items():
        person = (truth.parts != Part.BACKGROUND) & (truth.parts != Part.OCCLUDER)
        np.testing.assert_array_equal(truth.depth > 0, person)
        far = truth.depth[person] / 1000
        assert not len(far) or np.abs(far - recipe(number, camid).camera.distance).max() < 1.5


def test_shapes_and_types(truths: dict[tuple[int, int], Truth]) -> None:
    truth = truths[0, 3]
    assert (truth.parts.dtype, truth.parts.shape) == (np.uint8, (128, 64))
    assert (truth.depth.dtype, truth.depth.shape) == (np.uint16, (128, 64))
    assert (truth.place.dtype, truth.place.shape) == (np.uint8, (128, 64, 3))
    assert all(-np.pi <= truth.yaw < np.pi for truth in truths.values())


def test_places_lie_on_an_upright_person(truths: dict[tuple[int, int], Truth]) -> None:
    for (number, _), truth in truths.items():
        tall = 100 * recipe(number, 2).identity.build.height
        seen = truth.place[truth.depth > 0].astype(int)
        if not len(seen):
            continue
        assert seen[:, 1].max() < 1.12 * tall  # hair and hats reach above the skull
        assert np.abs(seen[:, 0] - 128).max() < 60  # nobody is wider than with a bag on the arm
        head = truth.place[np.isin(truth.parts, (Part.FACE, Part.HAIR))].astype(int)
        shoes = truth.place[truth.parts == Part.SHOE].astype(int)
        if len(head) and len(shoes):
            assert head[:, 1].min() > 0.6 * tall
            assert shoes[:, 1].max() < 0.35 * tall


def test_the_same_scene_corresponds_to_itself(truths: dict[tuple[int, int], Truth]) -> None:
    pairs = corresponding(truths[0, 3], truths[0, 3])
    seen = (truths[0, 3].depth > 0).sum()
    assert len(pairs) > 0.6 * seen  # neighbours whose places round to the same centimetre share one partner
    place = truths[0, 3].place
    np.testing.assert_array_equal(place[tuple(pairs[:, :2].T)], place[tuple(pairs[:, 2:].T)])


def test_corresponding_pixels_show_one_part_within_the_bound(truths: dict[tuple[int, int], Truth]) -> None:
    found = 0
    for number in range(30):
        one, other = truths[number, 2], truths[number, 3]
        pairs = corresponding(one, other, within=2.0)
        found += len(pairs)
        left, right = tuple(pairs[:, :2].T), tuple(pairs[:, 2:].T)
        np.testing.assert_array_equal(one.parts[left], other.parts[right])
        apart = np.linalg.norm(one.place[left].astype(float) - other.place[right].astype(float), axis=1)
        assert (apart <= 2.0 + 1e-6).all()
        assert len(np.unique(pairs[:, :2], axis=0)) == len(pairs) == len(np.unique(pairs[:, 2:], axis=0))
    assert found > 30 * 100  # most pairs of views overlap


def test_correspondence_agrees_with_a_projection_when_only_the_camera_moves() -> None:
    """One instant, pixel-aligned cameras 2 and 3 of one site: a place is at the same pixel in either light."""
    plan = replace(PLAN, level=replace(PLAN.level, knobs=replace(PLAN.level.knobs, misalignment=0.0, occlusion=0.0)))
    for number in range(5):
        one, other = (truth_of(plan.recipe(Split.TEST, number, camid, 0)) for camid in (2, 3))
        np.testing.assert_array_equal(one.place, other.place)
        np.testing.assert_array_equal(one.parts, other.parts)
        pairs = corresponding(one, other)
        np.testing.assert_allclose(pairs[:, :2], pairs[:, 2:], atol=2)


def test_strangers_and_empty_images_give_no_pixels() -> None:
    truth = truth_of(recipe(0, 3))
    nobody = replace(truth, depth=np.zeros_like(truth.depth))
    assert corresponding(truth, nobody).shape == (0, 4)


def test_occlusion_is_the_share_that_is_hidden() -> None:
    one = recipe(0, 1)
    free = replace(one, scene=replace(one.scene, occluder=None))
    pole = replace(one, scene=replace(one.scene, occluder=Occluder("pole", 0.5, 1.0, 0.3)))
    assert truth_of(free).occlusion == 0.0
    hidden = truth_of(pole)
    person = np.isin(truth_of(free).parts, [part for part in Part if part not in (Part.BACKGROUND, Part.OCCLUDER)])
    assert hidden.occlusion == pytest.approx(((hidden.parts == Part.OCCLUDER) & person).sum() / person.sum())
    assert 0.1 < hidden.occlusion < 0.9


def test_attributes_are_told_only_where_the_image_shows_them(truths: dict[tuple[int, int], Truth]) -> None:
    for (number, camid), truth in truths.items():
        identity, told = recipe(number, camid).identity, truth.attributes
        assert (told["bag"] is None) == ((truth.parts == Part.BAG).sum() < 8)
        assert told["upper"] in (None, identity.upper.kind)
        assert told["upper_pattern"] in (None, str(identity.upper.pattern))
        if camid != 2:
            assert told["upper_colour"] is None
            if not identity.upper.survives:
                assert told["upper_pattern"] is None
        else:
            assert told["upper_infrared"] is None
    told = [truth.attributes["bag"] for truth in truths.values()]
    assert any(told)
    assert not all(told)


def test_a_print_on_the_back_is_not_seen_from_the_front() -> None:
    for number in range(200):
        one = Plan(train_ids=0, val_ids=0, test_ids=200, seed=11).recipe(Split.TEST, number, 1, 0)
        if one.identity.upper.pattern == "back" and one.identity.bag.kind == "none" and one.scene.occluder is None:
            break
    front, back = (
        truth_of(replace(one, scene=replace(one.scene, yaw=yaw))).attributes["upper_pattern"] for yaw in (0, np.pi)
    )
    assert (front, back) == (None, "back")


def test_the_file_gives_back_what_was_written_whatever_the_workers(tmp_path: Path) -> None:
    plan = Plan(train_ids=2, val_ids=0, test_ids=3, images=1, size=(64, 32), seed=3, truth=True)
    for workers in (1, 2):
        list(write(plan, tmp_path / str(workers), workers))
    for split in ("train", "test"):
        files = [(tmp_path / folder / "truth" / f"{split}.zip").read_bytes() for folder in ("1", "2")]
        assert files[0] == files[1]
    assert sorted(path.name for path in (tmp_path / "1" / "truth").iterdir()) == ["test.zip", "train.zip"]
    image = "cam3/0004/0001.jpg"
    again, truth = read_truth(tmp_path / "1" / "truth" / "test.zip", image), truth_of(plan.recipe_of(image))
    for name in ("parts", "depth", "place"):
        np.testing.assert_array_equal(getattr(again, name), getattr(truth, name))
    assert again.yaw == pytest.approx(truth.yaw, abs=1e-4)
    assert again.attributes == truth.attributes


def test_images_are_the_same_with_and_without_truth(tmp_path: Path) -> None:
    plan = Plan(train_ids=0, val_ids=0, test_ids=1, images=1, size=(64, 32), seed=3)
    for name, chosen in (("bare", plan), ("told", replace(plan, truth=True))):
        list(write(chosen, tmp_path / name, 1))
    for path in sorted((tmp_path / "bare").glob("cam*/*/*.jpg")):
        assert path.read_bytes() == (tmp_path / "told" / path.relative_to(tmp_path / "bare")).read_bytes()


def test_truth_that_is_not_there_is_one_clear_sentence(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected the truth of a split at"):
        read_truth(tmp_path / "none.zip", "cam3/0001/0001.jpg")
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(ValueError, match=r"expected the truth of cam3/0001/0001\.jpg in text\.zip, found none"):
        read_truth(tmp_path / "text.zip", "cam3/0001/0001.jpg")
    with zipfile.ZipFile(tmp_path / "empty.zip", "w"):
        pass
    with pytest.raises(ValueError, match="found none"):
        read_truth(tmp_path / "empty.zip", "cam3/0001/0001.jpg")
