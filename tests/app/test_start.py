"""The app starts, answers in the environment of a Space, and ends: one line for bad input, nothing half-written."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import gradio as gr
import httpx
import psutil
import pytest
from made import contents, until
from pages import ask
from serving import Served, no_training

from app import build_demo, start
from app.train.record import read_records
from benchmarks.load.choices import Choices
from benchmarks.load.crowd import SMALLEST
from benchmarks.load.page import PageError, new_client
from benchmarks.load.server import running
from benchmarks.load.server import start as start_server
from benchmarks.load.table import Log
from benchmarks.load.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("flags", [["--data", "DATA"], ["--data", "DATA", "--layout", "market"], ["--colour", "red"]])
def test_bad_input_gives_one_line_and_exit_code_2(tiny_synvi: Path, tmp_path: Path, flags: list[str]) -> None:
    """No checkpoint, an unknown layout, an unknown flag."""
    words = [str(tiny_synvi) if one == "DATA" else one for one in [*flags, "--checkpoints", str(tmp_path)]]
    command = [sys.executable, str(ROOT / "app.py"), *words]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr.count("\n")) == (2, "", 1)
    assert ended.stderr.startswith("app: error: ")


def test_caches_go_where_something_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MUN_CACHE", str(tmp_path / "file" / "cache"))  # below a file, so it cannot be written
    monkeypatch.setenv("HF_HOME", "/chosen")
    monkeypatch.setenv("GRADIO_TEMP_DIR", "")  # set first, so that pytest undoes the change of the function
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    for name in ("MPLCONFIGDIR", "NUMBA_CACHE_DIR", "HF_HUB_DISABLE_TELEMETRY", "MKL_DISABLE_FAST_MM"):
        monkeypatch.setenv(name, "kept")
    start.prepare_environment()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HOME"] == "/chosen"
    assert Path(os.environ["GRADIO_TEMP_DIR"]).parent.is_dir()


def test_every_tab_answers_where_a_space_would_run_it(library, tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    """With a Space's variables, from a separate folder, and with a home that cannot be written."""
    folder, temporary, home = tmp_path / "folder", tmp_path / "temporary", tmp_path / "home"
    home.write_text("")  # a file, so that nothing can be written below it
    temporary.mkdir()
    for name in ("app", "mun", "assets"):
        unused = ["synvi", "sheets"] if name == "assets" else []
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", *unused))
    shutil.copy(ROOT / "app.py", folder)
    shutil.copy(ROOT / "LICENSE", folder)
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "LD_LIBRARY_PATH")}
    space = {"SYSTEM": "spaces", "SPACE_ID": "a/b", "SPACE_HOST": "a-b.hf.space", "SPACE_AUTHOR_NAME": "a"}
    places = {"HOME": str(home), "TMPDIR": str(temporary), "OMP_NUM_THREADS": "1"}
    before = {place: contents(place) for place in (folder, tiny_synvi, tiny_checkpoint)}
    flags = ["--data", str(tiny_synvi), "--checkpoints", str(tiny_checkpoint)]
    with running(folder, flags, {**kept, **space, **places}, tmp_path / "log") as (url, _):
        seen, log = asyncio.run(use_everything(url, Choices(library, 6)))
        started = ask(url, "train_start", [{**SMALLEST, "minutes": 0.5}])
        with pytest.raises(PageError, match="duplicate this Space"):
            ask(url, "train_start", [{"preset": "ten"}])
        ask(url, "train_stop", [started["run"], started["token"]])
    print(log.table(), *log.problems, sep="\n")
    blocks = build_demo(library, no_training()).blocks.values()
    assert seen == {str(block.id) for block in blocks if isinstance(block, gr.Tab)}
    assert log.problems == []
    assert {one.name for one in log.answers} >= {f"page: {tab}" for tab in seen}
    assert started["state"] == "queued"
    assert {place: contents(place) for place in before} == before
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "temporary", "home", "log"}
    assert home.read_text() == ""


async def use_everything(url: str, choices: Choices) -> tuple[set[str], Log]:
    """Use every tab and every public function once; return the names of the tabs, and the log."""
    log = Log()
    async with new_client() as client:
        visitor = Visitor(client, url, choices, log, 0)
        await visitor.come()
        seen = set(visitor.page.tabs)
        for asks in [*choices.tabs.values(), *choices.public.values()]:
            await visitor.ask(asks[0])
    return seen, log


def lay_out(url: str, number: int) -> str:
    """Request a layout and wait for it; a closed connection counts as an answer, too."""
    data = ["", "", "tsne", "embedding", 3, "", 2, True, "matched", False, 5, 5, 0.1, "cosine", number]
    try:
        with httpx.Client(timeout=60) as client:
            return Served(url, client, ROOT, None).call("project", data, {"x-forwarded-for": f"10.0.0.{number}"}).event
    except (httpx.HTTPError, KeyError) as error:
        return type(error).__name__


@pytest.mark.slow
def test_the_owner_ends_the_app_while_ten_wait(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    flags = ["--data", str(tiny_synvi), "--checkpoints", str(tiny_checkpoint)]
    variables = {"OMP_NUM_THREADS": "1", "MUN_TRAIN": "on"}
    with start_server(tmp_path, flags, variables) as server, ThreadPoolExecutor(10) as pool:
        ask(server.url, "train_start", [{**SMALLEST, "minutes": 5}])
        until(lambda: (tmp_path / "runs").is_dir() and read_records(tmp_path / "runs"))
        runs = read_records(tmp_path / "runs")
        waiting = [pool.submit(lay_out, server.url, number) for number in range(10)]
        time.sleep(1)
        os.kill(server.pid, signal.SIGTERM)
        psutil.Process(server.pid).wait(60)
        assert all(one.result() for one in waiting)
    log = (tmp_path / "log").read_text()
    assert log.count("app: ended; the training run, if any, has saved its state") == 1
    assert "Traceback" not in log
    with start_server(tmp_path, flags, variables) as server:
        assert ask(server.url, "train_status", [runs[0].run])
        assert not list((tmp_path / "runs").glob("*.tmp"))
