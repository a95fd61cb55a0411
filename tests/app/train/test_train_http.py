"""Training runs over HTTP: the answers' layout, the owner's token, and the limit on a visitor's starts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from serving import Served, serve

from app.library import open_library
from app.train.host import read_limits
from app.train.queue import Queue

STARTS = 3


@pytest.fixture
def served(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch) -> Iterator[Served]:
    """An app whose runs wait for ever."""
    monkeypatch.setattr(Queue, "_wake", lambda self: None)
    queue = Queue(tmp_path / "runs", replace(read_limits({}), starts=STARTS))
    with serve(open_library(tiny_synvi, tiny_checkpoint), tmp_path / "gradio", queue) as running:
        yield running
    queue.close()


def test_runs_and_the_limit_on_starts_over_http(served: Served) -> None:
    (started,) = served.call("train_start", [{"preset": "taste", "epochs": 2}]).value
    assert list(started) == ["run", "token", "state", "place"]
    assert (started["state"], started["place"]) == ("queued", 1)
    (listed,) = served.call("train_status", [""]).value
    assert {name: listed[name] for name in ("mode", "minutes", "images")} == {
        "mode": "on", "minutes": 1440.0, "images": 60000
    }  # fmt: skip
    assert listed["runs"] == [
        {"run": started["run"], "state": "queued", "place": 1, "auxiliary": "mun", "mean_ap": None}
    ]
    (status,) = served.call("train_status", [started["run"]]).value
    assert (status["settings"]["epochs"], status["settings"]["minutes"], status["command"]) == (2, 0, [])
    assert "expected the token" in served.call("train_stop", [started["run"], "other"]).words
    (stopped,) = served.call("train_stop", [started["run"], started["token"]]).value
    assert stopped == {**status, "state": "stopped", "place": 0, "resumable": True}
    assert "it may have been deleted" in served.call("train_status", ["run-gone"]).words

    for _ in range(STARTS - 1):  # calls of one address count together, however they call themselves
        (started,) = served.call("train_start", [None]).value
        served.call("train_stop", [started["run"], started["token"]])
    refused = served.call("train_start", [{}])
    assert refused.event == "error"
    assert refused.words.startswith(f"you have started {STARTS} runs within ten minutes")
