"""The owner ends the app while visitors wait and a run trains: one sentence, nothing half-written, and it goes on."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import psutil
import pytest

from app.train.record import read_records
from benchmarks.load.crowd import SMALLEST
from benchmarks.load.server import start

VISITORS = 10


def ask(url: str, number: int) -> str:
    """Ask for a layout and wait for it; an end of the connection is an answer, too."""
    data = ["", "", "tsne", "embedding", 3, "", 2, True, "matched", False, 5, 5, 0.1, "cosine", number]
    try:
        event = httpx.post(
            f"{url}gradio_api/call/project", json={"data": data}, headers={"x-forwarded-for": f"10.0.0.{number}"}
        )
        return httpx.get(f"{url}gradio_api/call/project/{event.json()['event_id']}", timeout=60).text
    except httpx.HTTPError as error:
        return type(error).__name__


@pytest.mark.slow
def test_the_owner_ends_the_app_while_ten_wait(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    flags = ["--data", str(tiny_synvi), "--checkpoints", str(tiny_checkpoint)]
    with start(tmp_path, flags, {"OMP_NUM_THREADS": "1", "MUN_TRAIN": "on"}) as server, ThreadPoolExecutor(10) as pool:
        httpx.post(f"{server.url}gradio_api/call/train_start", json={"data": [{**SMALLEST, "minutes": 5}]}, timeout=60)
        deadline = time.monotonic() + 60
        while not (runs := read_records(tmp_path / "runs") if (tmp_path / "runs").is_dir() else []):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        waiting = [pool.submit(ask, server.url, number) for number in range(VISITORS)]
        time.sleep(1)
        os.kill(server.pid, signal.SIGTERM)
        psutil.Process(server.pid).wait(60)
        assert all(one.result() for one in waiting)
    log = (tmp_path / "log").read_text()
    assert log.count("app: ended; a run that was training has saved its state") == 1
    assert "Traceback" not in log
    with start(tmp_path, flags, {"OMP_NUM_THREADS": "1", "MUN_TRAIN": "on"}) as server:
        said = httpx.post(f"{server.url}gradio_api/call/train_status", json={"data": [runs[0].run]}, timeout=60).json()
        text = httpx.get(f"{server.url}gradio_api/call/train_status/{said['event_id']}", timeout=60).text
        assert "event: complete" in text
        assert not list((tmp_path / "runs").glob("*.tmp"))
