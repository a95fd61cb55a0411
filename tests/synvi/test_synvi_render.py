"""Images are pure functions of identity, camera and scene; counterfactuals change one thing."""

from dataclasses import replace

import numpy as np
import pytest

from mun.structures import Modality, Split
from mun.synvi import CAMERAS, Identity, Key, Knobs, Part, Recipe, Scene, Truth, draw_identity, draw_scene, truth_of
from mun.synvi.wardrobe import Bag, Fabric

SIZE = (128, 64)


def key(number: int = 0, camid: int = 1, index: int = 0, seed: int = 0) -> Key:
    return Key(seed, Split.TRAIN, number, camid, index)


def person(number: int = 0, seed: int = 0) -> Identity:
    return draw_identity(seed, Split.TRAIN, number)


def image(identity: Identity, camid: int = 1, index: int = 0) -> np.ndarray:
    return recipe(identity, camid, draw_scene(key(camid=camid, index=index))).image()


def recipe(
    identity: Identity, camid: int, scene: Scene, size: tuple[int, int] = SIZE, knobs: Knobs | None = None
) -> Recipe:
    return Recipe(identity, CAMERAS[camid], scene, size, knobs or Knobs())


def truth(identity: Identity, camid: int, scene: Scene, size: tuple[int, int] = SIZE) -> Truth:
    return truth_of(recipe(identity, camid, scene, size))


@pytest.mark.parametrize("camid", CAMERAS)
@pytest.mark.parametrize("size", [(128, 64), (64, 48), (33, 32), (256, 128)])
def test_image_has_shape_and_contrast(camid: int, size: tuple[int, int]) -> None:
    scene = draw_scene(key(camid=camid))
    out, seen = recipe(person(), camid, scene, size).image(), truth(person(), camid, scene, size)
    assert out.shape == (*size, 3)
    assert out.dtype == np.uint8
    assert out.std() > 8
    assert seen.parts.shape == seen.depth.shape == size
    gray = (out == out[..., :1]).all()
    assert gray == (CAMERAS[camid].modality is Modality.INFRARED)


@pytest.mark.parametrize("camid", [3, 6])
@pytest.mark.parametrize("number", range(6))
def test_infrared_does_not_see_visible_colours(camid: int, number: int) -> None:
    before = person(number)

    def dyed(fabric: Fabric) -> Fabric:
        return replace(fabric, colour=(0.9, 0.1, 0.5))

    after = replace(
        before,
        skin=dyed(before.skin),
        shoes=dyed(before.shoes),
        hair=replace(before.hair, fabric=dyed(before.hair.fabric)),
        upper=replace(before.upper, fabric=dyed(before.upper.fabric), second=dyed(before.upper.second)),
        lower=replace(before.lower, fabric=dyed(before.lower.fabric)),
        bag=replace(before.bag, fabric=dyed(before.bag.fabric)),
    )
    assert np.array_equal(image(before, camid), image(after, camid))
    assert not np.array_equal(image(before, 1), image(after, 1))


@pytest.mark.parametrize("kind", ["backpack", "shoulder", "handbag", "tote"])
@pytest.mark.parametrize("camid", [1, 6])
def test_a_bag_changes_only_what_is_near_it(kind: str, camid: int) -> None:
    without = replace(person(3), bag=Bag("none", Fabric((0.8, 0.2, 0.2), 0.9)))
    carrying = replace(without, bag=replace(without.bag, kind=kind))
    scene = replace(draw_scene(key(3, camid)), yaw=2.4 if kind == "backpack" else 0.3, occluder=None)
    one, two = (recipe(p, camid, scene).image() for p in (without, carrying))
    before, after = (truth(p, camid, scene).parts for p in (without, carrying))
    changed = (one != two).any(2)
    bag = after == Part.BAG
    assert bag.sum() > 20
    assert not (before == Part.BAG).any()
    near = bag | (before == Part.UPPER) | (after == Part.UPPER)  # straps lie on the upper garment
    for _ in range(5):
        padded = np.pad(near, 1)
        near = padded[1:-1, 1:-1] | padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    assert changed[bag].mean() > 0.9
    assert not (changed & ~near).any()


def test_a_backpack_shows_from_behind_and_hardly_from_the_front() -> None:
    carrying = replace(person(), bag=Bag("backpack", Fabric((0.8, 0.2, 0.2), 0.9)))
    scene = replace(draw_scene(key()), occluder=None)
    seen = [(truth(carrying, 1, replace(scene, yaw=yaw)).parts == Part.BAG).sum() for yaw in (np.pi, 0.0)]
    assert seen[0] > 300
    assert seen[1] < 0.15 * seen[0]


@pytest.mark.parametrize(
    ("knobs", "quieter"), [(Knobs(noise=0.0), True), (Knobs(resolution=4.0), True), (Knobs(noise=3.0), False)]
)
def test_noise_and_resolution_change_the_grain(knobs: Knobs, quieter: bool) -> None:
    def grain(out: np.ndarray) -> float:
        return float(np.abs(np.diff(out.astype(float), axis=1)).mean())

    scene = draw_scene(key(camid=6))
    usual, changed = (grain(recipe(person(), 6, scene, SIZE, k).image()) for k in (Knobs(), knobs))
    assert (changed < usual) == quieter


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_occlusion_is_a_share_of_the_images(share: float) -> None:
    scenes = [draw_scene(key(index=index), Knobs(occlusion=share)) for index in range(20)]
    assert np.mean([scene.occluder is not None for scene in scenes]) == share


def test_about_six_in_ten_images_of_a_person_share_a_heading() -> None:
    close = []
    for number in range(60):
        yaws = np.array([draw_scene(key(number, index=index)).yaw for index in range(24)])
        gaps = np.abs((yaws[:, None] - yaws + np.pi) % (2 * np.pi) - np.pi)
        close.append((gaps < np.pi / 6 + 0.2).mean(1).max())
    assert 0.5 < np.mean(close) < 0.8


@pytest.mark.parametrize("size", [(16, 64), (128, 600)])
def test_a_size_out_of_bounds_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="expected `size` between 32 and 512"):
        recipe(person(), 1, draw_scene(key()), size).image()


def test_backgrounds_are_drawn_without_the_person() -> None:
    """Two people in one scene differ only where a person or a shadow is."""
    scene = replace(draw_scene(key()), occluder=None)
    outs = [recipe(replace(person(number), build=person(0).build), 1, scene).image() for number in (0, 1)]
    differs = (outs[0] != outs[1]).any(2)
    upper_corner = np.s_[:20, :12]
    assert not differs[upper_corner].any()
