"""Fixtures that many tests share: a small SynVI on disk, a small checkpoint, and caches that leave no trace."""

import shutil
from pathlib import Path

import pytest
import torch
from made import flags, variant

from mun.__main__ import main
from mun.checkpoint import FORMAT, Card, build_network, load_checkpoint, read_card, save_checkpoint
from mun.config import Config, ModelConfig
from mun.models.network import Network


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Compute on one thread, as the processes that tests start do: more sum in another order, to other last bits.

    Before each test, because UMAP gives the whole process as many threads as there are cores.
    """
    torch.set_num_threads(1)


@pytest.fixture(scope="session", autouse=True)
def private_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep decoded images out of the user's cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MUN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_synvi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SynVI of 8 + 4 + 6 identities, two images per camera, 64×32."""
    folder = tmp_path_factory.mktemp("synvi") / "data"
    words = flags(train_ids=8, val_ids=4, test_ids=6, images=2, size="64x32", seed=7, workers=1)
    assert main(["synth", str(folder), *words]) == 0
    return folder


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of checkpoints with one narrow, untrained network in it: `mun-tiny`."""
    folder = tmp_path_factory.mktemp("models") / "checkpoints"
    config = Config(model=ModelConfig(width=0.125, height=64, image_width=32))
    card = Card(FORMAT, "mun-tiny", config, 0, 0, {"name": "synvi"}, {"by": "nothing"}, [], ["none"], {"mun": "test"})
    save_checkpoint(folder / "mun-tiny", build_network(config, num_classes=3, seed=0).eval(), card)
    return folder


@pytest.fixture(scope="session")
def tiny_network(tiny_checkpoint: Path) -> Network:
    """The network of `mun-tiny`; whoever changes it loads one of their own."""
    return load_checkpoint(tiny_checkpoint / "mun-tiny")[0]


@pytest.fixture(scope="session")
def two_checkpoints(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `mun-tiny` and `other-tiny`, which differ in their random weights."""
    folder = shutil.copytree(tiny_checkpoint, tmp_path_factory.mktemp("two") / "checkpoints")
    variant(folder, "other-tiny", read_card(folder / "mun-tiny"), seed=5)
    return folder
