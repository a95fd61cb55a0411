"""The memory-mapped cache: right pixels, built once, rebuilt when a file changes, never half-written."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mun.data import cache
from mun.data.cache import cache_folder, cached_images, decode_samples, make_room
from mun.files import HOST, temporary_name
from mun.structures import Modality, Sample


@pytest.fixture
def samples(tmp_path: Path) -> list[Sample]:
    draws, folder = np.random.default_rng(0), tmp_path / "cam1" / "0001"
    folder.mkdir(parents=True)
    made = [Sample(folder / f"{index:04d}.png", 1, 1, Modality.VISIBLE) for index in range(5)]
    for one in made:
        Image.fromarray(draws.integers(0, 256, (16, 8, 3), dtype=np.uint8)).save(one.path)
    return made


def test_pixels_and_order(samples, tmp_path) -> None:
    images = cached_images(samples, 16, 8, tmp_path / "cache", progress=False)
    expected = np.stack([np.asarray(Image.open(sample.path)) for sample in samples])
    assert np.array_equal(images, expected)
    assert np.array_equal(decode_samples(samples, 16, 8), expected)
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


def test_built_once_then_opened(samples, tmp_path, monkeypatch) -> None:
    cached_images(samples, 16, 8, tmp_path / "cache", progress=False)
    monkeypatch.setattr(cache, "read_sample", lambda sample: pytest.fail("decoded again"))
    cached_images(samples, 16, 8, tmp_path / "cache", progress=False)


def test_a_changed_file_asks_for_a_new_cache(samples, tmp_path) -> None:
    before = cached_images(samples, 16, 8, tmp_path / "cache", progress=False)[2].copy()
    Image.fromarray(np.zeros((16, 8, 3), np.uint8)).save(samples[2].path)
    os.utime(samples[2].path, ns=(1, 1))
    after = cached_images(samples, 16, 8, tmp_path / "cache", progress=False)[2]
    assert before.any()
    assert not after.any()


def test_a_broken_image_leaves_nothing(samples, tmp_path) -> None:
    samples[3].path.write_bytes(samples[3].path.read_bytes()[:60])
    with pytest.raises(ValueError, match=r"0003\.png"):
        cached_images(samples, 16, 8, tmp_path / "cache", progress=False)
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_samples(tmp_path) -> None:
    with pytest.raises(ValueError, match="at least one image"):
        cached_images([], 16, 8, tmp_path)


def test_cache_folder_can_be_chosen(monkeypatch, tmp_path) -> None:
    monkeypatch.setenv("MUN_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_the_caches_that_were_used_longest_ago_make_room(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MUN_CACHE_GB", "1e-6")  # a thousand bytes
    for age, name in enumerate(("new", "middle", "old")):
        (tmp_path / f"{name}.npy").write_bytes(b"x" * 300)
        os.utime(tmp_path / f"{name}.npy", (1000 - age, 1000 - age))
    (tmp_path / "notes.txt").write_bytes(b"x" * 5000)
    make_room(tmp_path, 100)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["middle.npy", "new.npy", "notes.txt", "old.npy"]
    make_room(tmp_path, 500)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new.npy", "notes.txt"]


def test_half_written_files_count_and_leave_with_their_process(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MUN_CACHE_GB", "1e-6")  # a thousand bytes
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone = [f"a.{HOST}.{ended.pid}.tmp", f".b.npy.{HOST}.{ended.pid}.tmp", "old.tmp"]
    kept = ["nobody.tmp", f"other.{HOST}-2.{ended.pid}.tmp", temporary_name("own")]
    for name in [*gone, *kept, "used.npy"]:
        (tmp_path / name).write_bytes(b"x" * 200)
    os.utime(tmp_path / "old.tmp", (1000, 1000))
    make_room(tmp_path, 200)
    assert {path.name for path in tmp_path.iterdir()} == {*kept, "used.npy"}
    make_room(tmp_path, 201)
    assert {path.name for path in tmp_path.iterdir()} == set(kept)


def test_another_job_may_make_room_at_the_same_moment(tmp_path, monkeypatch) -> None:
    """Every file is gone when it is looked at: listed, then removed by the other job."""
    monkeypatch.setenv("MUN_CACHE_GB", "1e-6")
    gone = {"*.npy": [tmp_path / "gone.npy"], "*.tmp": [tmp_path / f"gone.{os.getpid()}.tmp"]}
    monkeypatch.setattr(Path, "glob", lambda _, pattern: iter(gone[pattern]))
    make_room(tmp_path, 900)


def test_a_cache_that_is_removed_as_it_is_opened_is_built_again(samples, tmp_path, remove_the_next) -> None:
    expected = cached_images(samples, 16, 8, tmp_path / "cache", progress=False).copy()
    remove_the_next()
    assert np.array_equal(cached_images(samples, 16, 8, tmp_path / "cache", progress=False), expected)


@pytest.mark.parametrize(
    ("bound", "needed", "words"),
    [
        ("1e-6", 1001, r"expected at most 1e-06 GB of images \(MUN_CACHE_GB\), got 0\.0 GB"),
        ("much", 1, "expected MUN_CACHE_GB to be a positive number of gigabytes, got 'much'"),
        ("-1", 1, "expected MUN_CACHE_GB to be a positive number of gigabytes, got '-1'"),
        ("nan", 1, "expected MUN_CACHE_GB to be a positive number of gigabytes, got 'nan'"),
    ],
)
def test_a_bound_that_cannot_be_kept_is_said(tmp_path, monkeypatch, bound, needed, words) -> None:
    monkeypatch.setenv("MUN_CACHE_GB", bound)
    with pytest.raises(ValueError, match=words):
        make_room(tmp_path, needed)


def test_a_full_disk_is_said_before_anything_is_written(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("MUN_CACHE_GB", "1e9")
    with pytest.raises(OSError, match=r"expected 1000000\.0 GB free for the cache"):
        make_room(tmp_path, 10**15)
    assert not list(tmp_path.iterdir())
