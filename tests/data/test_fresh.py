"""Fresh people: who comes when, what they look like, what stays on the disk."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mun.data.cache import cached_images
from mun.data.fresh import FreshPeople, check_fresh
from mun.data.sources import Source, read_source
from mun.structures import Split
from mun.synvi import Plan, write

PLAN = Plan(train_ids=5, val_ids=1, test_ids=1, images=1, size=(32, 32), seed=2)
LARGER = replace(PLAN, train_ids=9)  # people 6 to 9 are the ones who come next


def written(folder: Path, plan: Plan) -> Source:
    list(write(plan, folder, 1))
    return read_source("synvi", folder)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return written(tmp_path_factory.mktemp("fresh") / "data", PLAN)


@pytest.fixture(scope="module")
def pixels(source: Source, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    return cached_images(source.train, 32, 32, tmp_path_factory.mktemp("pixels"), progress=False)


@pytest.fixture(scope="module")
def later(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """All nine people, as the data set with more training identities holds them, `(9, 6, 32, 32, 3)`."""
    folder = tmp_path_factory.mktemp("later")
    images = cached_images(written(folder / "data", LARGER).train, 32, 32, folder, progress=False)
    return images.reshape(9, 6, 32, 32, 3)


def test_places_change_in_turn(source: Source, pixels: np.ndarray, tmp_path: Path) -> None:
    fresh = FreshPeople(source, pixels, 2, tmp_path)
    assert [fresh.replaced(epoch).tolist() for epoch in (1, 2, 3, 4)] == [[0, 1], [2, 3], [4, 0], [1, 2]]
    born = [fresh.born(epoch).tolist() for epoch in range(5)]
    assert born == [[0, 0, 0, 0, 0], [1, 1, 0, 0, 0], [1, 1, 2, 2, 0], [3, 1, 2, 2, 3], [3, 4, 4, 2, 3]]


@pytest.mark.parametrize("workers", [1, 2])
def test_new_people_are_those_that_a_larger_data_set_holds(
    source: Source, pixels: np.ndarray, later: np.ndarray, tmp_path: Path, workers: int
) -> None:
    fresh = FreshPeople(source, pixels, 2, tmp_path, workers)
    rows = np.arange(30)
    np.testing.assert_array_equal(fresh.images(rows, 0), pixels)
    first = fresh.images(rows, 1).reshape(5, 6, 32, 32, 3)
    np.testing.assert_array_equal(first, later[[5, 6, 2, 3, 4]])
    fresh.prepare(2)
    second = fresh.images(rows, 2).reshape(5, 6, 32, 32, 3)
    np.testing.assert_array_equal(second, later[[5, 6, 7, 8, 4]])
    some = np.array([29, 0, 13, 13])
    np.testing.assert_array_equal(fresh.images(some, 2), second.reshape(30, 32, 32, 3)[some])
    fresh.close()


def test_people_who_are_gone_leave_the_disk(source: Source, pixels: np.ndarray, tmp_path: Path) -> None:
    fresh = FreshPeople(source, pixels, 5, tmp_path)
    for epoch in range(1, 5):
        fresh.images(np.arange(30), epoch)
    assert len(list(tmp_path.glob("fresh-*.npy"))) <= 2
    assert not list(tmp_path.glob("*.tmp"))


def test_what_is_cut_short_leaves_nothing(source: Source, pixels: np.ndarray, tmp_path: Path) -> None:
    fresh = FreshPeople(source, pixels, 5, tmp_path)
    fresh.prepare(1)
    assert list(tmp_path.glob("*.tmp"))
    fresh.close()
    assert not list(tmp_path.iterdir())


def test_a_renderer_that_dies_is_an_error_and_nothing_half_written(
    source: Source, pixels: np.ndarray, tmp_path: Path
) -> None:
    fresh = FreshPeople(source, pixels, 5, tmp_path)
    fresh.prepare(1)
    for process in fresh._making[1]:
        process.kill()
    with pytest.raises(OSError, match="a process that renders fresh people died"):
        fresh.images(np.arange(30), 1)
    assert not list(tmp_path.iterdir())


def test_a_generation_that_another_job_removes_is_rendered_again(
    source: Source, pixels: np.ndarray, tmp_path: Path, remove_the_next: Callable[[], None]
) -> None:
    expected = FreshPeople(source, pixels, 2, tmp_path).images(np.arange(30), 1)
    remove_the_next()
    np.testing.assert_array_equal(FreshPeople(source, pixels, 2, tmp_path).images(np.arange(30), 1), expected)


def test_bad_wishes_are_refused(source: Source, pixels: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected fresh between 1 and the 5 training identities, got 6"):
        check_fresh(source, 6)
    with pytest.raises(ValueError, match="expected SynVI for fresh identities, got sysu"):
        check_fresh(replace(source, name="sysu"), 1)
    with pytest.raises(ValueError, match="expected all 30 training images of the manifest, got 29"):
        check_fresh(replace(source, splits={**source.splits, Split.TRAIN: source.train[1:]}), 1)
    with pytest.raises(ValueError, match="expected 30 training images, got 12"):
        FreshPeople(source, pixels[:12], 1, tmp_path)
