"""Fixtures of the app's tests: a library over the tiny data set and the tiny checkpoint."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from made import Stamp, variant, write_list
from serving import Served, serve

from app.library import Library, open_library
from mun.checkpoint import read_card


@pytest.fixture(scope="session")
def library(tiny_synvi: Path, tiny_checkpoint: Path) -> Library:
    """One network and one data set; all images embedded."""
    library = open_library(tiny_synvi, tiny_checkpoint)
    library.embeddings("mun-tiny", "synvi")
    return library


@pytest.fixture
def data(tiny_synvi: Path, tmp_path: Path) -> Path:
    """A copy of the data set, which a test may change."""
    return Path(shutil.copytree(tiny_synvi, tmp_path / "data"))


@pytest.fixture
def fresh(tiny_synvi: Path, tiny_checkpoint: Path) -> Library:
    """Another one, which nobody has asked anything, and which a test may change."""
    return open_library(tiny_synvi, tiny_checkpoint)


@pytest.fixture(scope="session")
def two(tiny_synvi: Path, two_checkpoints: Path) -> Library:
    """A library with two networks that differ in their random weights; all images embedded."""
    library = open_library(tiny_synvi, two_checkpoints)
    for name in library.checkpoints:
        library.embeddings(name, "synvi")
    return library


@pytest.fixture(scope="session")
def served(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page over that library, for all tests that only read; it takes no training run."""
    with serve(library, tmp_path_factory.mktemp("gradio")) as running:
        yield running


@pytest.fixture(scope="session")
def both(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with an untrained MUN, and a checkpoint without an auxiliary modality; all images embedded."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path_factory.mktemp("both") / "checkpoints")
    variant(folder, "none-tiny", read_card(folder / "mun-tiny"), auxiliary="none")
    library = open_library(tiny_synvi, folder)
    for name in library.checkpoints.usable:
        library.embeddings(name, "synvi")
    return library


@pytest.fixture
def make_sysu(tmp_path: Path) -> Callable[[dict[int, tuple[int, ...]]], Path]:
    """Write a data set in SYSU-MM01's layout: one random image per identity and camera; all identities are tested."""

    def make(cameras: dict[int, tuple[int, ...]]) -> Path:
        root, stamp = tmp_path / "sysu", Stamp()
        for pid, camids in cameras.items():
            for camid in camids:
                stamp.put(root / f"cam{camid}" / f"{pid:04d}" / "0001.png", pid, infrared=camid in (3, 6))
        for split, pids in {"train": "", "val": "", "test": ",".join(map(str, cameras))}.items():
            write_list(root / "exp" / f"{split}_id.txt", pids)
        return root

    return make
