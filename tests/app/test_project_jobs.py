"""Projections in the background: made once, left by all before they stop; and those made beforehand."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.actions.embeddings import jobs as project_jobs
from app.actions.embeddings import project
from app.actions.embeddings.bundle import FOLDER, find, name_of, save
from app.actions.embeddings.jobs import Jobs, Status
from app.actions.embeddings.project import Request
from app.actions.embeddings.request import select
from app.library import Library, open_library
from app.views.embeddings_visit import opening
from mun.embedding import embed_samples
from mun.structures import Modality

ROOT = Path(__file__).parents[2]
SMALL = Request(method="pca", identities=3, images=2)


def ended(jobs: Jobs, request: Request) -> Status:
    """Wait until a job is no longer under way."""
    deadline = time.monotonic() + 60
    while (status := jobs.look(request)).words and time.monotonic() < deadline:
        time.sleep(0.02)
    return status


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Hold every projection until the gate is opened, or it is stopped."""
    opened, run = threading.Event(), project.run

    def held(library, request, watch=None):
        while watch is not None and not opened.is_set():
            watch.say("held")
            time.sleep(0.01)
        return run(library, request, watch)

    monkeypatch.setattr(project_jobs.project, "run", held)
    return opened


def test_two_visitors_wait_for_one_projection(library: Library, gate: threading.Event) -> None:
    jobs, request = Jobs(library), replace(SMALL, seed=21).checked(library)
    assert "waiting" in jobs.join(request).words or "held" in jobs.look(request).words
    assert jobs.join(request).words
    jobs.leave(request)
    assert jobs.look(request).words  # one of the two still waits
    gate.set()
    result = ended(jobs, request).result
    assert result is not None
    assert jobs.join(request).result == result


def test_it_stops_when_nobody_waits_and_starts_again(library: Library, gate: threading.Event) -> None:
    jobs, request = Jobs(library), replace(SMALL, seed=22).checked(library)
    jobs.join(request)
    jobs.leave(request)
    assert jobs.look(request).stopped
    jobs.leave(request)  # once more does no harm
    gate.set()
    jobs.join(request)
    assert ended(jobs, request).result is not None


def test_failures_are_sentences_and_are_tried_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, request = Jobs(library), replace(SMALL, seed=23).checked(library)

    def fail(*_: object) -> None:
        raise ValueError("no picture today")

    with monkeypatch.context() as patch:
        patch.setattr(project_jobs.project, "run", fail)
        jobs.join(request)
        assert ended(jobs, request).problem == "no picture today"
        patch.setattr(project_jobs.project, "run", lambda *_: 1 / 0)
        jobs.join(request)
        assert "an unexpected error (ZeroDivisionError)" in ended(jobs, request).problem
    jobs.join(request)
    assert ended(jobs, request).result is not None


def test_only_so_many_are_made_at_once(library: Library, gate: threading.Event, monkeypatch) -> None:
    monkeypatch.setattr(project_jobs, "MAX_RUNNING", 1)
    jobs = Jobs(library)
    first, second = (replace(SMALL, seed=seed).checked(library) for seed in (24, 25))
    jobs.join(first)
    assert "many visitors" in jobs.join(second).problem
    gate.set()
    assert ended(jobs, first).result is not None


def test_what_was_made_beforehand_comes_back_whole(library: Library, tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    result = project.run(library, replace(SMALL, seed=26))
    path = save(library, result, tmp_path)
    fresh = open_library(tiny_synvi, tiny_checkpoint)
    assert find(fresh, result.request, tmp_path) == result
    assert find(open_library(tiny_synvi, tiny_checkpoint), replace(result.request, seed=27), tmp_path) is None
    path.write_text(json.dumps({"format": 1}))
    assert find(open_library(tiny_synvi, tiny_checkpoint), result.request, tmp_path) is None


def test_other_weights_or_images_have_another_name(library: Library, tiny_synvi, two_tiny) -> None:
    request = SMALL.checked(library)
    other = open_library(tiny_synvi, two_tiny)
    assert name_of(other, request) == name_of(library, request)
    assert name_of(other, replace(request, checkpoint="other-tiny")) != name_of(library, request)


@pytest.fixture(scope="module")
def two_tiny(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tiny checkpoint and one of other weights."""
    import shutil

    from mun.checkpoint import build_network, load_checkpoint, save_checkpoint

    folder = tmp_path_factory.mktemp("two") / "checkpoints"
    shutil.copytree(tiny_checkpoint, folder)
    _, card = load_checkpoint(folder / "mun-tiny")
    save_checkpoint(
        folder / "other-tiny", build_network(card.config, 3, seed=5).eval(), replace(card, name="other-tiny")
    )
    return folder


def test_the_bundled_first_view_is_that_of_the_bundled_checkpoints() -> None:
    """If this fails, run `python -m benchmarks.projection_bundle`: a bundled checkpoint or image has changed."""
    library = open_library(ROOT / "assets" / "synvi", ROOT / "checkpoints")
    requests = opening(library).checked(library)
    assert len(requests) == 2
    for request in requests:
        result = find(library, request)
        assert result is not None, "python -m benchmarks.projection_bundle"
        samples = select(library.collections[request.data], request)
        rows = embed_samples(library.network(request.checkpoint), samples).astype(np.float64)
        people = {}
        for sample, row in zip(samples, rows, strict=True):
            people.setdefault((sample.pid, sample.modality), []).append(row)
        gaps = [
            np.linalg.norm(np.mean(rows, axis=0) - np.mean(people[pid, Modality.INFRARED], axis=0))
            for (pid, modality), rows in people.items()
            if modality is Modality.VISIBLE
        ]
        assert result.separation.visible_infrared == pytest.approx(np.mean(gaps), rel=2e-3)
        assert result.kept > 0.7
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 300_000
