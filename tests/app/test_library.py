from __future__ import annotations

import json
import pickle
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

import app.library as library_module
from app.collection import Terms
from app.library import Library, Preparation, StoppedError, open_library
from mun.checkpoint import load_checkpoint
from mun.embedding import embed_samples
from mun.evaluation.benchmark import benchmark
from mun.evaluation.protocols import PROTOCOLS
from mun.models.network import Network
from mun.structures import Sample


def wait(library: Library, checkpoint: str, data: str) -> Preparation:
    """Wait until the background work has ended, well or badly."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        preparation = library.prepare(checkpoint, data)
        if preparation.ready or preparation.problem:
            return preparation
        time.sleep(0.02)
    raise AssertionError("the preparation did not end")


def test_opens_what_the_folders_hold(library: Library) -> None:
    assert library.usable == ["mun-tiny"]
    assert library.default_data == "synvi"
    collection = library.collections["synvi"]
    assert collection.protocols == ("synvi-all", "synvi-indoor")
    assert collection.num_identities == 6
    assert {sample.camid for sample in collection.queries} == {3, 6}


def test_embeddings_are_those_of_the_checkpoint(library: Library, tiny_checkpoint: Path) -> None:
    network, _ = load_checkpoint(tiny_checkpoint / "mun-tiny")
    samples = library.collections["synvi"].samples
    embeddings = library.embeddings("mun-tiny", "synvi")
    np.testing.assert_allclose(embeddings, embed_samples(network, samples), atol=1e-5)
    assert not embeddings.flags.writeable
    assert library.embeddings("mun-tiny", "synvi") is embeddings


def test_scores_are_the_benchmark(library: Library) -> None:
    samples = library.collections["synvi"].samples
    expected = benchmark(PROTOCOLS["synvi-all"], samples, library.embeddings("mun-tiny", "synvi"), data="synvi")
    assert library.scores("mun-tiny", "synvi", Terms("synvi-all")).to_json() == expected.to_json()


def test_the_table_holds_minus_the_cosines_in_float64(library: Library) -> None:
    collection, table = library.collections["synvi"], library.table("mun-tiny", "synvi", Terms("synvi-indoor", 3))
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    asked = rows[[collection.rows[sample.key] for sample in collection.queries]]
    shown = rows[[collection.rows[sample.key] for sample in table.gallery]]
    assert table.distances.dtype == np.float64
    np.testing.assert_allclose(table.distances, -(asked @ shown.T), atol=1e-12)
    assert {sample.camid for sample in table.gallery} == {1, 2}


def test_broken_checkpoints_are_listed_with_their_reason_and_stop_nobody(
    tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    root = tmp_path / "models"
    whole = tiny_checkpoint / "mun-tiny"
    for name in ("good", "half", "pickled", "old", "weightless"):
        shutil.copytree(whole, root / name)
    weights = (whole / "model.safetensors").read_bytes()
    (root / "half" / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    (root / "pickled" / "model.safetensors").write_bytes(pickle.dumps({"weight": 1}))
    card = json.loads((whole / "card.json").read_text())
    (root / "old" / "card.json").write_text(json.dumps({**card, "format": 0}))
    (root / "weightless" / "model.safetensors").unlink()
    (root / "empty").mkdir()
    (root / "unfinished.tmp").mkdir()
    library = open_library(tiny_synvi, root)
    assert library.usable == ["good"]
    assert set(library.checkpoints) == {"empty", "good", "half", "old", "pickled", "weightless"}
    for name, entry in library.checkpoints.items():
        assert bool(entry.reason) is (name != "good")
        assert str(tmp_path) not in entry.reason
        assert "\n" not in entry.reason
    assert "pickle" in library.checkpoints["pickled"].reason


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir()])
def test_without_a_checkpoint_it_says_so(tiny_synvi: Path, tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "none")
    with pytest.raises((ValueError, FileNotFoundError), match="checkpoint"):
        open_library(tiny_synvi, tmp_path / "none")


def test_mislabelled_data_is_refused(
    tiny_checkpoint: Path, make_sysu: Callable[[dict[int, tuple[int, ...]]], Path]
) -> None:
    root = make_sysu({1: (1, 3), 2: (1, 3)})
    with pytest.raises(FileNotFoundError, match="manifest"):
        open_library(root, tiny_checkpoint, "synvi")
    (root / "manifest.json").write_text('{"data": "sysu"}')
    with pytest.raises(ValueError, match="synvi"):
        open_library(root, tiny_checkpoint, "synvi")
    assert open_library(root, tiny_checkpoint).default_data == "sysu"


def test_data_without_queries_is_refused(
    tiny_checkpoint: Path, make_sysu: Callable[[dict[int, tuple[int, ...]]], Path]
) -> None:
    with pytest.raises(ValueError, match="infrared queries"):
        open_library(make_sysu({1: (1, 2), 2: (4,)}), tiny_checkpoint)


def test_only_protocols_that_the_data_allow_are_offered(
    tiny_checkpoint: Path, make_sysu: Callable[[dict[int, tuple[int, ...]]], Path]
) -> None:
    library = open_library(make_sysu({1: (4, 3), 2: (5, 6)}), tiny_checkpoint)
    assert library.collections["sysu"].protocols == ("sysu-all",)


def test_a_checkpoint_that_changes_on_the_disk_is_not_used(
    tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    root = tmp_path / "models"
    shutil.copytree(tiny_checkpoint, root)
    library = open_library(tiny_synvi, root)
    shutil.rmtree(root / "mun-tiny")
    with pytest.raises(ValueError, match="changed on the disk"):
        library.network("mun-tiny")


def test_preparation_runs_in_the_background_and_ends_ready(tiny_synvi: Path, tiny_checkpoint: Path) -> None:
    library = open_library(tiny_synvi, tiny_checkpoint)
    assert not library.prepare("mun-tiny", "synvi").ready
    assert wait(library, "mun-tiny", "synvi").ready
    assert library.ready("mun-tiny", "synvi")


def test_a_failed_preparation_says_why_and_can_be_tried_again(
    tiny_checkpoint: Path, tiny_synvi: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    shutil.copytree(tiny_synvi, root)
    library = open_library(root, tiny_checkpoint)
    victim = library.collections["synvi"].samples[0].path
    content = victim.read_bytes()
    victim.unlink()
    problem = wait(library, "mun-tiny", "synvi").problem
    assert "gone" in problem
    assert str(tmp_path) not in problem
    assert library.prepare("mun-tiny", "synvi").problem == problem
    victim.write_bytes(content)
    assert not library.prepare("mun-tiny", "synvi", retry=True).problem
    assert wait(library, "mun-tiny", "synvi").ready


def slow_embedding(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Embed six images at a time, each time only when the event is set; it is cleared again."""
    go, whole = threading.Event(), library_module.embed_samples

    def embed(network: Network, samples: Sequence[Sample]) -> np.ndarray:
        assert go.wait(30)
        return whole(network, samples)

    monkeypatch.setattr(library_module, "EMBED_CHUNK", 6)
    monkeypatch.setattr(library_module, "embed_samples", embed)
    return go


def test_a_stop_ends_the_embedding_within_a_chunk_and_it_can_start_again(
    tiny_synvi: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = slow_embedding(monkeypatch)
    library = open_library(tiny_synvi, tiny_checkpoint)
    library.stop("mun-tiny", "synvi")  # nothing to stop
    assert not library.prepare("mun-tiny", "synvi").stopped
    library.stop("mun-tiny", "synvi")
    assert library.prepare("mun-tiny", "synvi").stopped
    go.set()
    deadline = time.monotonic() + 30
    while library._stopping and time.monotonic() < deadline:
        time.sleep(0.01)
    stopped = library.prepare("mun-tiny", "synvi")
    assert stopped.stopped
    assert stopped.done < stopped.total
    assert not library.ready("mun-tiny", "synvi")
    assert not library.prepare("mun-tiny", "synvi", retry=True).stopped
    assert wait(library, "mun-tiny", "synvi").ready


def test_who_starts_again_before_the_stop_has_come_is_served(
    tiny_synvi: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = slow_embedding(monkeypatch)
    library = open_library(tiny_synvi, tiny_checkpoint)
    library.prepare("mun-tiny", "synvi")
    library.stop("mun-tiny", "synvi")
    assert not library.prepare("mun-tiny", "synvi", retry=True).stopped
    go.set()
    assert wait(library, "mun-tiny", "synvi").ready


def test_a_stop_also_ends_the_wait_of_others(
    tiny_synvi: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = slow_embedding(monkeypatch)
    library = open_library(tiny_synvi, tiny_checkpoint)
    library.prepare("mun-tiny", "synvi")
    library.stop("mun-tiny", "synvi")
    go.set()
    with pytest.raises(StoppedError, match="was stopped; start it again"):
        library.embeddings("mun-tiny", "synvi")


def test_thumbnails_are_small_and_survive_a_broken_file(library: Library, tmp_path: Path) -> None:
    from app.thumbnails import data_uri

    sample = library.collections["synvi"].samples[0]
    assert library.thumbnail("synvi", sample, 32).startswith("data:image/jpeg;base64,")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    assert data_uri(tmp_path / "broken.jpg", 32) == ""
    assert data_uri(tmp_path / "missing.jpg", 32) == ""
