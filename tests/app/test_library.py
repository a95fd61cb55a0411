import json
import pickle
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import flags, until

from app.library import Library, open_library
from app.library import library as library_module
from app.library.background import Progress, StoppedError
from app.library.checkpoints import CheckpointEntry, by_budget
from app.library.collection import Terms
from app.library.thumbnails import data_uri, fitted
from mun.__main__ import main
from mun.checkpoint import load_checkpoint
from mun.evaluation.corrupted import Corruption, Order, embed_corrupted
from mun.images import read_image
from mun.models.network import Network
from mun.structures import Modality, Sample


def wait(library: Library, checkpoint: str, data: str) -> Progress:
    """Wait until the background work has succeeded or failed."""
    until(lambda: library.prepare(checkpoint, data).ready or library.prepare(checkpoint, data).problem)
    return library.prepare(checkpoint, data)


def test_broken_checkpoints_are_listed_with_their_reason_and_stop_nobody(tiny_synvi, tiny_checkpoint, tmp_path) -> None:
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
    assert library.checkpoints.usable == ["good"]
    assert set(library.checkpoints) == {"empty", "good", "half", "old", "pickled", "weightless"}
    for name, entry in library.checkpoints.items():
        assert bool(entry.reason) is (name != "good")
        assert str(tmp_path) not in entry.reason
        assert "\n" not in entry.reason
    assert "pickle" in library.checkpoints["pickled"].reason


def test_mislabelled_data_is_refused(tiny_checkpoint, make_sysu) -> None:
    root = make_sysu({1: (1, 3), 2: (1, 3)})
    with pytest.raises(FileNotFoundError, match="manifest"):
        open_library(root, tiny_checkpoint, "synvi")
    (root / "manifest.json").write_text('{"data": "sysu"}')
    with pytest.raises(ValueError, match="synvi"):
        open_library(root, tiny_checkpoint, "synvi")
    assert open_library(root, tiny_checkpoint).default_data == "sysu"


def test_only_protocols_that_the_data_allow_are_offered(tiny_checkpoint, make_sysu) -> None:
    library = open_library(make_sysu({1: (4, 3), 2: (5, 6)}), tiny_checkpoint)
    assert library.collections["sysu"].protocols == ("sysu-all",)


def test_a_checkpoint_that_changes_on_the_disk_is_not_used(tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    root = shutil.copytree(tiny_checkpoint, tmp_path / "models")
    library = open_library(tiny_synvi, root)
    shutil.rmtree(root / "mun-tiny")
    with pytest.raises(ValueError, match="changed on the disk"):
        library.network("mun-tiny")


def test_a_failed_preparation_says_why_and_can_be_tried_again(data, tiny_checkpoint, tmp_path) -> None:
    library = open_library(data, tiny_checkpoint)
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


@pytest.mark.parametrize("corruption", [None, Corruption("snow", 2)])
def test_a_stop_ends_the_embedding_within_a_chunk_and_it_can_start_again(fresh, monkeypatch, corruption) -> None:
    go, library = threading.Event(), fresh

    def waiting(embed: Any) -> Any:
        return lambda *asked, **how: embed(*asked, **how) if go.wait(30) else pytest.fail("the test did not release it")

    monkeypatch.setattr(library_module, "EMBED_CHUNK", 6)
    monkeypatch.setattr(library_module, "embed_samples", waiting(library_module.embed_samples))
    if corruption:
        go.set()
        library.embeddings("mun-tiny", "synvi")
        go.clear()
    library.stop("mun-tiny", "synvi", corruption)  # nothing to stop
    assert not library.prepare("mun-tiny", "synvi", corruption=corruption).stopped
    library.stop("mun-tiny", "synvi", corruption)
    assert library.prepare("mun-tiny", "synvi", corruption=corruption).stopped
    go.set()
    with pytest.raises(StoppedError, match="was stopped; start it again"):
        library.embeddings("mun-tiny", "synvi", corruption)  # other waiting callers get the error, too
    until(lambda: not library.background._running)
    stopped = library.prepare("mun-tiny", "synvi", corruption=corruption)
    assert stopped.stopped
    assert stopped.done < stopped.total
    assert not library.ready("mun-tiny", "synvi", corruption)
    assert not library.prepare("mun-tiny", "synvi", corruption=corruption, retry=True).stopped
    until(lambda: library.ready("mun-tiny", "synvi", corruption))


def test_two_networks_take_turns_to_embed(tiny_synvi, two_checkpoints, monkeypatch) -> None:
    """Two networks in parallel would compete for the cores and take twice as long as one after the other."""
    embedding, whole = threading.Lock(), library_module.embed_samples
    seen: list[Network] = []

    def embed(network: Network, samples: Sequence[Sample], **how: Any) -> np.ndarray:
        assert embedding.acquire(blocking=False)
        seen.append(network)
        time.sleep(0.01)
        embedding.release()
        return whole(network, samples, **how)

    monkeypatch.setattr(library_module, "EMBED_CHUNK", 6)
    monkeypatch.setattr(library_module, "embed_samples", embed)
    library = open_library(tiny_synvi, two_checkpoints)
    for name in library.checkpoints.usable:
        library.prepare(name, "synvi")
    assert all(wait(library, name, "synvi").ready for name in library.checkpoints.usable)
    assert len({id(network) for network in seen[:4]}) == 2


def test_thumbnails_are_small_and_survive_a_broken_file(library: Library, tmp_path: Path) -> None:
    sample = library.collections["synvi"].samples[0]
    assert library.thumbnail("synvi", sample.key, 32).startswith("data:image/jpeg;base64,")
    (tmp_path / "broken.jpg").write_bytes(b"no image")
    for name in ("broken.jpg", "missing.jpg"):
        assert data_uri(lambda name=name: read_image(tmp_path / name), 32) == ""
    wide, little = np.zeros((100, 1024, 3), dtype=np.uint8), np.zeros((30, 20, 3), dtype=np.uint8)
    assert fitted(wide, 256).shape == (25, 256, 3)
    assert fitted(little, 256) is little
    assert fitted(little, 15).shape == (15, 10, 3)


def test_a_corrupted_view_changes_visible_images_alone(library: Library, tiny_checkpoint: Path) -> None:
    corruption, clean = Corruption("fog", 4), library.embeddings("mun-tiny", "synvi")
    samples = library.collections["synvi"].samples
    rows = library.embeddings("mun-tiny", "synvi", corruption)
    network, _ = load_checkpoint(tiny_checkpoint / "mun-tiny")
    np.testing.assert_allclose(rows, embed_corrupted(network, samples, clean, corruption, Order.NATIVE), atol=1e-5)
    assert not rows.flags.writeable
    assert library.embeddings("mun-tiny", "synvi", corruption) is rows
    assert library.embeddings("mun-tiny", "synvi") is clean
    for sample in samples[:12]:
        pictures = {library.thumbnail("synvi", sample.key, 64, which) for which in (None, corruption)}
        assert len(pictures) == (2 if sample.modality is Modality.VISIBLE else 1)
        assert library.view("synvi", corruption).changes(sample) is (sample.modality is Modality.VISIBLE)


def test_mixed_scores_are_those_of_the_command(library: Library, tiny_checkpoint: Path, tmp_path: Path) -> None:
    words = flags(data=library.collections["synvi"].folder, corrupt="native", passes=1, json=tmp_path / "scores.json")
    assert main(["evaluate", str(tiny_checkpoint / "mun-tiny"), "--quiet", *words]) == 0
    scores = library.scores("mun-tiny", "synvi", Terms("synvi-all", corruption=Corruption()))
    written = json.loads((tmp_path / "scores.json").read_text())
    assert scores.mean() == pytest.approx(written["corrupted"]["mean"], abs=1e-12)
    assert scores.mean() != library.scores("mun-tiny", "synvi", Terms("synvi-all")).mean()


def test_corrupted_images_are_embedded_after_the_clean_ones(fresh: Library) -> None:
    seen, corruption = [], Corruption("snow", 2)

    def ready() -> bool:
        seen.append(fresh.prepare("mun-tiny", "synvi", corruption=corruption))
        assert not fresh.ready("mun-tiny", "synvi", corruption) or fresh.ready("mun-tiny", "synvi")
        return seen[-1].ready

    until(ready)
    assert (seen[0].words, seen[0].total) == ("every image", 72)
    assert seen[-1].total == 48
    assert "snow, severity 2, seed 0" in seen[-1].words
    assert fresh.prepare("mun-tiny", "synvi").ready


def test_a_corrupted_image_that_is_gone_is_said_and_drawn_as_such(data, tiny_checkpoint, tmp_path) -> None:
    library = open_library(data, tiny_checkpoint)
    library.embeddings("mun-tiny", "synvi")
    victim = next(sample for sample in library.collections["synvi"].samples if sample.modality is Modality.VISIBLE)
    victim.path.unlink()
    with pytest.raises(ValueError, match="gone from the disk") as caught:
        library.embeddings("mun-tiny", "synvi", Corruption("fog", 1))
    assert str(tmp_path) not in str(caught.value)
    assert library.thumbnail("synvi", victim.key, 64, Corruption("fog", 1)) == ""


def test_the_default_checkpoint_is_our_own_else_one_with_the_generator_else_the_first(library: Library) -> None:
    entry = library.checkpoints["mun-tiny"]

    def usable(**kinds: str) -> list[str]:
        entries = {}
        for name, kind in kinds.items():
            model = replace(entry.card.config.model, auxiliary=kind)
            card = replace(entry.card, config=replace(entry.card.config, model=model))
            entries[name] = replace(entry, name=name, card=card)
        broken = replace(entry, name="a-broken", card=None, reason="broken")
        there = Library({"a-broken": broken, **entries}, library.collections, library.device)
        assert there.default_checkpoint == there.checkpoints.usable[0]
        return there.checkpoints.usable

    ours = {"mun-resnet18-w0.5": "mun"}
    assert usable(copy="copy", middle="middle", other="mun", **ours) == [*ours, "copy", "middle", "other"]
    assert usable(copy="copy", other="mun", last="mun") == ["other", "copy", "last"]
    assert usable(none="none", copy="copy") == ["none", "copy"]


def test_a_budget_says_what_the_card_says_and_sorts_by_numbers(library: Library) -> None:
    entry = library.checkpoints["mun-tiny"]
    model = entry.card.config.model
    size = f"ResNet-{model.backbone.removeprefix('resnet')} x{model.width:g}, {model.height}x{model.image_width}"
    assert entry.budget == f"{size}, 0 steps of 32 pairs"

    def trained(name: str, steps: int, splits: object) -> CheckpointEntry:
        return replace(entry, name=name, card=replace(entry.card, steps=steps, data={"splits": splits}))

    splits = {"train": {"identities": 4000}}
    entries = [trained("c", 10_000, splits), trained("b", 9000, splits), trained("a", 9000, splits), entry]
    assert entries[0].budget == f"{size}, 10,000 steps of 32 pairs, 4,000 identities"
    assert entries[1].title == "MUN, 9,000 steps · b"
    for odd in (None, "many", {"train": 3}, {"train": {"identities": "4000"}}):
        assert trained("odd", 9000, odd).budget == f"{size}, 9,000 steps of 32 pairs"
    assert [one.name for one in by_budget(entries)] == ["mun-tiny", "a", "b", "c"]
    of_them = Library({one.name: one for one in entries}, {}, library.device)
    assert of_them.budget_note(["b", "a"]) == ""
    assert "different budgets" in of_them.budget_note(["a", "c"])


@pytest.mark.parametrize(("done", "shown"), [(0, 0), (5, 5), (144, 144), (999, 999), (1994, 2000), (16012, 16000)])
def test_few_steps_are_called_what_they_are(library: Library, done: int, shown: int) -> None:
    entry = library.checkpoints["mun-tiny"]
    assert replace(entry, card=replace(entry.card, steps=done)).steps == shown
