"""Fixtures of the app's tests: a library over the tiny data set and the tiny checkpoint."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from made import variant
from PIL import Image
from serving import Served, serve

from app.library import Library, open_library
from app.library.checkpoints import CheckpointEntry, list_checkpoints
from mun.checkpoint import read_card

MakeSysu = Callable[[dict[int, tuple[int, ...]]], Path]


@pytest.fixture(scope="session")
def library(tiny_synvi: Path, tiny_checkpoint: Path) -> Library:
    return open_library(tiny_synvi, tiny_checkpoint)


@pytest.fixture(scope="session")
def served(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The page over that library, for all tests that only read; it takes no training run."""
    with serve(library, tmp_path_factory.mktemp("gradio")) as running:
        yield running


@pytest.fixture(scope="session")
def wide_checkpoint(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> CheckpointEntry:
    """`mun-wide`, which looks at images of 48×48 instead of 64×32 and may join a library that is open already."""
    card = read_card(tiny_checkpoint / "mun-tiny")
    return list_checkpoints(variant(tmp_path_factory.mktemp("wide"), "mun-wide", card, height=48, image_width=48))[0]


@pytest.fixture(scope="session")
def both(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with an untrained MUN, and a checkpoint without an auxiliary modality; all images embedded."""
    folder = tmp_path_factory.mktemp("both")
    shutil.copytree(tiny_checkpoint, folder, dirs_exist_ok=True)
    variant(folder, "none-tiny", read_card(folder / "mun-tiny"), auxiliary="none")
    library = open_library(tiny_synvi, folder)
    for name in library.checkpoints.usable:
        library.embeddings(name, "synvi")
    return library


@pytest.fixture
def make_sysu(tmp_path: Path) -> MakeSysu:
    """Write a data set in SYSU-MM01's layout: one random image per identity and camera; all identities are tested."""

    def make(cameras: dict[int, tuple[int, ...]]) -> Path:
        root = tmp_path / "sysu"
        generator = np.random.default_rng(0)
        for pid, camids in cameras.items():
            for camid in camids:
                folder = root / f"cam{camid}" / f"{pid:04d}"
                folder.mkdir(parents=True)
                pixels = generator.integers(0, 256, (64, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / "0001.png")
        (root / "exp").mkdir(parents=True)
        for split, pids in {"train": "", "val": "", "test": ",".join(map(str, cameras))}.items():
            (root / "exp" / f"{split}_id.txt").write_text(pids)
        return root

    return make
