"""Training runs: kills, restarts and stops do not change the weights; errors are shown; the queue and its tokens."""

import errno
import io
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from training_runs import SECONDS, recipe_for, same_weights, until

from app.train import chunk, host, queue, worker
from app.train.chunk import MOST_FRAMES, Timing, Watcher, epochs_within, frame_steps, run_chunk
from app.train.host import read_limits
from app.train.queue import Queue, check_room, runs_to_remove
from app.train.record import FRAMES, Data, Record, read_frames, read_progress, read_record, token_hash, write_record
from app.train.worker import explain, prepare_data, work
from mun.checkpoint import load_checkpoint
from mun.config import to_json
from mun.files import write_json
from mun.training.run import TrainState, newest_state, read_settings
from mun.training.trainer import Trainer, train

FULL = OSError(errno.ENOSPC, "No space left on device")
Opened = Callable[..., Queue]


@pytest.fixture
def opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opened]:
    """Open queues over a folder, with given environment variables, and close them at the end."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    made: list[Queue] = []

    def open_queue(folder: str = "runs", **variables: str) -> Queue:
        made.append(Queue(tmp_path / folder, read_limits(variables)))
        return made[-1]

    yield open_queue
    for one in made:
        one.close()


@pytest.fixture
def runs_queue(opened: Opened) -> Queue:
    return opened()


@pytest.fixture
def start(tiny_synvi: Path) -> Callable[..., tuple[str, str]]:
    """Start a run, and wait until a condition on its record holds."""

    def begin(into: Queue, done: Callable[[Record], bool] | None = None, visitor: str = "") -> tuple[str, str]:
        run, token = into.start(recipe_for(tiny_synvi), visitor)
        if done:
            until(into, run, done)
        return run, token

    return begin


@pytest.fixture
def job(tiny_synvi: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write a run as the queue would hand it to a process."""

    def write(name: str = "run", recipe: Any = None, **changes: Any) -> Path:
        folder = tmp_path / "jobs" / name
        folder.mkdir(parents=True)
        asked = recipe or recipe_for(tiny_synvi)
        record = Record(1, folder.name, "preparing", asked, token_hash("token"), 1.0, 1.0, started=time.time())
        write_record(folder, replace(record, **changes))
        return folder

    return write


@pytest.fixture
def idle(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Replace training: each run is taken up, counted, and finished as soon as `go` is set."""
    seen: dict[str, Any] = {"order": [], "go": threading.Event(), "most": 0, "now": 0}

    def spawn(self: Queue, run: str) -> int:
        seen["order"].append(run)
        seen["now"] += 1
        seen["most"] = max(seen["most"], seen["now"])
        while not seen["go"].wait(0.01):
            if self._closing or (self.root / run / "stop").exists():
                seen["now"] -= 1
                return -signal.SIGKILL
        write_record(self.root / run, replace(read_record(self.root / run), state="finished"))
        seen["now"] -= 1
        return 0

    monkeypatch.setattr(Queue, "_spawn", spawn)
    return seen


def active(record: Record) -> bool:
    return record.active


def finished(record: Record) -> bool:
    return record.state == "finished"


def run_to_end(folder: Path) -> Record:
    work(folder, seconds=60.0)
    return read_record(folder)


def trained_at_once(folder: Path, whole: Path) -> Path:
    """Train with the settings of a run in a single call."""
    whole.mkdir()
    write_json(whole / "config.json", to_json(read_settings(folder)))
    assert train(whole, progress=False)
    return whole


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any) -> Any:
        raise error

    return fail


@pytest.mark.slow
def test_a_kill_and_a_restart_of_the_app_end_in_the_same_weights(opened, tiny_synvi, tmp_path) -> None:
    """SIGKILL midway, resume, end the app midway, open it again, resume: the weights are as without all this."""
    first = opened()
    run, token = first.start(recipe_for(tiny_synvi, epochs=6))
    folder = first.root / run
    record = until(first, run, lambda record: record.state == "training" and newest_state(folder) is not None)
    os.kill(record.pid, signal.SIGKILL)
    record = until(first, run)
    assert (record.state, record.resumable) == ("interrupted", True)
    assert "ended from outside" in record.error
    kept = int(newest_state(folder).name[5:])
    first.resume(run, token)
    record = until(first, run, lambda record: read_progress(folder).done > kept and record.state == "training")
    first.close()
    with pytest.raises(ProcessLookupError):
        os.kill(record.pid, 0)
    again = opened()
    assert again.get(run).state == "interrupted"
    again.resume(run, token)
    assert until(again, run).state == "finished"
    assert not list(folder.glob("step-*"))
    assert same_weights(folder, trained_at_once(folder, tmp_path / "whole"))
    assert load_checkpoint(folder)[1].command[-1].startswith("python -m mun train")


@pytest.mark.parametrize("clock", [(1e9, 2e9, 3e9, 4e9), (2e9, 1e9, 1e9, 5e8)], ids=["usual", "set back"])
def test_one_at_a_time_and_the_others_wait_in_their_order(runs_queue, start, idle, monkeypatch, clock) -> None:
    started = []
    for now in clock:
        monkeypatch.setattr(queue.time, "time", lambda now=now: now)
        started.append(start(runs_queue))
    runs = [run for run, _ in started]
    until(runs_queue, runs[0], active)
    assert [record.run for record in runs_queue.records()] == runs
    assert [runs_queue.place(run) for run in runs] == [0, 1, 2, 3]
    runs_queue.stop(*started[1])
    assert runs_queue.get(runs[1]).state == "stopped"
    assert [runs_queue.place(run) for run in runs] == [0, 0, 1, 2]
    runs_queue.resume(*started[1])
    assert [runs_queue.place(run) for run in runs] == [0, 3, 1, 2]
    idle["go"].set()
    for run in runs:
        until(runs_queue, run, finished)
    assert idle["order"] == [runs[0], runs[2], runs[3], runs[1]]
    assert idle["most"] == 1


@pytest.mark.parametrize(("now", "budget"), [(1000.0, 60), (0.0, 60), (1030.0, 30)])
def test_a_clock_that_is_set_back_takes_no_time_from_a_run(job, tiny_synvi, monkeypatch, now, budget) -> None:
    """The time for preparing is taken from the budget; nothing is taken where the clock went back."""
    folder = job("clock", recipe_for(tiny_synvi, minutes=1), started=1000.0)
    monkeypatch.setattr(chunk.time, "time", lambda: now)
    timing = Timing(step_seconds=0.1, validation_seconds=0.0, steps_per_epoch=10, timed_steps=8)
    chunk.settle(folder, read_record(folder), timing)
    assert read_settings(folder).config.train.epochs == epochs_within(timing, budget)


def test_only_the_owner_may(runs_queue, start, idle) -> None:
    run, token = start(runs_queue)
    assert token not in (runs_queue.root / run / "job.json").read_text()
    for wrong in ("", "x", token[:-1], token + "x", token_hash(token), "\ud800"):
        for act in (runs_queue.stop, runs_queue.resume, runs_queue.delete, runs_queue.owned):
            with pytest.raises(ValueError, match="expected the token of this run's owner"):
                act(run, wrong)
    with pytest.raises(ValueError, match="stop it first"):
        runs_queue.delete(run, token)
    runs_queue.stop(run, token)
    assert until(runs_queue, run).state == "stopped"
    runs_queue.delete(run, token)
    assert not (runs_queue.root / run).exists()
    with pytest.raises(ValueError, match="it may have been deleted"):
        runs_queue.get(run)


@pytest.mark.parametrize("state", ["stopped", "failed", "interrupted", "finished"])
def test_a_run_is_over_only_when_its_process_has_ended(runs_queue, start, monkeypatch, state) -> None:
    """Between its last record and its end, it cannot be deleted, resumed or removed to make room."""
    written, ended = threading.Event(), threading.Event()

    def spawn(self: Queue, run: str) -> int:
        record = read_record(self.root / run)
        write_record(self.root / run, replace(record, state=state, error="a reason", suggestion="a way out"))
        written.set()
        assert ended.wait(SECONDS)
        return 0

    monkeypatch.setattr(Queue, "_spawn", spawn)
    run, token = start(runs_queue)
    assert written.wait(SECONDS)
    record = runs_queue.get(run)
    assert (record.active, record.error, record.suggestion) == (True, "", "")
    with pytest.raises(ValueError, match="stop it first"):
        runs_queue.delete(run, token)
    with pytest.raises(ValueError, match="expected a run that was stopped"):
        runs_queue.resume(run, token)
    with pytest.raises(ValueError, match="none of them is over"):
        check_room(runs_queue.records(), replace(runs_queue.limits, runs=1), runs_queue.root)
    ended.set()
    record = until(runs_queue, run)
    assert (record.state, record.error) == (state, "a reason")
    runs_queue.delete(run, token)
    start(runs_queue, lambda record: record.over)


def test_a_model_that_cannot_be_offered_does_not_end_the_queue(runs_queue, start, idle, caplog) -> None:
    idle["go"].set()
    runs_queue.finished = failing(OSError("gone"))
    runs = [start(runs_queue, finished)[0] for _ in range(2)]
    assert f"the model of {runs[0]} cannot be offered" in caplog.text


def test_a_queue_that_has_broken_down_goes_on_with_the_next_run(runs_queue, start, idle, monkeypatch) -> None:
    idle["go"].set()
    broken = threading.Event()

    def settle(*_: object) -> None:
        broken.set()
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "_settle", settle)
        start(runs_queue)
        assert broken.wait(SECONDS)
    start(runs_queue, finished)


def test_a_restart_finds_what_was_there(opened, start, idle) -> None:
    first = opened()
    started = [start(first)[0] for _ in range(2)]
    until(first, started[0], active)
    first.close()
    (first.root / "broken").mkdir()
    (first.root / "broken" / "job.json").write_text("{")
    idle["go"].set()
    told: list[str] = []
    again = opened()
    again.finished = lambda folder: told.append(folder.name)
    assert {record.run for record in again.records()} == set(started)
    assert (again.get(started[0]).state, again.get(started[0]).resumable) == ("interrupted", True)
    until(again, started[1], finished)
    again.close()
    third = opened()
    third.finished = again.finished
    third.open()
    assert told == [started[1]] * 2


def test_two_apps_have_a_folder_each(opened) -> None:
    assert opened().root != opened().root


def test_a_folder_that_cannot_be_written_is_replaced(opened, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    made = opened("file/runs")
    assert made.root.is_dir()
    made.close()
    shutil.rmtree(made.root)


def test_the_oldest_that_are_over_make_room_and_those_that_never_trained_push_nothing_out(opened, start, idle) -> None:
    """Runs that never trained do not count as kept, and they leave first."""
    idle["go"].set()
    runs_queue = opened(MUN_TRAIN_RUNS="2")
    gone: list[str] = []
    runs_queue.removed = gone.append
    models = [start(runs_queue, finished)[0] for _ in range(3)]
    assert [record.run for record in runs_queue.records()] == models[1:]
    assert gone == models[:1]
    idle["go"].clear()
    stopped = []
    others = threading.active_count()
    for _ in range(5):
        with runs_queue._change:  # the queue takes up nothing meanwhile
            run, token = start(runs_queue, visitor="a stranger")
            runs_queue.stop(run, token)
            runs_queue.resume(run, token)
            runs_queue.stop(run, token)
        stopped.append(run)
    assert threading.active_count() <= others + 1, "one thread works on all runs"
    kept = [record.run for record in runs_queue.records()]
    assert kept[:2] == models[1:], "start and stop in a loop deletes nobody's model"
    assert kept[2:] == stopped[-3:], "the oldest that never trained have left"
    assert gone[1:] == stopped[:2]
    for _ in range(2):
        start(runs_queue)
    with pytest.raises(ValueError, match="at most 2 runs are kept, and none of them is over"):
        start(runs_queue)


def test_models_leave_last(tmp_path, job) -> None:
    """Order of removal: runs that never trained, runs that were stopped midway, finished runs."""
    states = {"finished-old": 9.0, "stopped-midway": 5.0, "failed-empty": 0.0, "finished-new": 9.0}
    records = [read_record(job(name, state=name.split("-")[0], trained=trained)) for name, trained in states.items()]
    limits, root = read_limits({}), tmp_path / "jobs"

    def leaving(runs: int, newest: str = "", num_bytes: int = limits.num_bytes) -> list[str]:
        return runs_to_remove(records, replace(limits, runs=runs, num_bytes=num_bytes), root, newest)

    assert leaving(3) == []
    assert leaving(2) == ["failed-empty", "stopped-midway"]
    assert leaving(2, "stopped-midway") == ["failed-empty", "finished-old"], "what has just ended stays"
    assert leaving(1) == ["failed-empty", "stopped-midway", "finished-old"]
    assert leaving(4, num_bytes=0) == ["failed-empty", "stopped-midway", "finished-old", "finished-new"]
    (root / "cache").mkdir()
    (root / "cache" / "images").write_bytes(bytes(10**6))
    assert leaving(4, num_bytes=10**6) == [], "a cache is no run"
    saved = root / "failed-empty" / "step-000004"
    saved.mkdir()
    (saved / "state.json").write_text("{}")
    assert leaving(3) == ["stopped-midway"], "a run with a saved state has trained"


def test_a_visitor_starts_only_so_many(opened, start, monkeypatch) -> None:
    monkeypatch.setattr(Queue, "_wake", lambda self: None)
    now = [1000.0]
    monkeypatch.setattr(queue.time, "monotonic", lambda: now[0])
    runs_queue = opened(SPACE_ID="a/b")
    for _ in range(runs_queue.limits.starts):
        runs_queue.stop(*start(runs_queue, visitor="192.0.2.1"))
    with pytest.raises(ValueError, match=r"you have started 6 runs within ten minutes.*duplicate this Space"):
        start(runs_queue, visitor="192.0.2.1")
    start(runs_queue, visitor="192.0.2.2")
    now[0] += queue.STARTS_SECONDS + 1
    start(runs_queue, visitor="192.0.2.1")


def test_the_queue_is_bounded(opened, start, idle) -> None:
    runs_queue = opened(SPACE_ID="a/b")
    start(runs_queue, active)
    for _ in range(4):
        start(runs_queue)
    with pytest.raises(ValueError, match=r"wait already.*duplicate this Space"):
        start(runs_queue)


def test_limits_are_read_and_checked() -> None:
    modes = {"on": [{}, {"SPACE_ID": "a/b", "MUN_TRAIN": "on"}], "tiny": [{"SPACE_ID": "a/b"}]}
    for mode, variables in modes.items():
        assert [read_limits(one).mode for one in variables] == [mode] * len(variables)
    caps = {"MUN_TRAIN_MINUTES": "0.5", "MUN_TRAIN_IMAGES": "100", "MUN_TRAIN_RUNS": "3"}
    limits = read_limits({"MUN_TRAIN": "tiny", **caps})
    assert (limits.minutes, limits.images, limits.runs) == (0.5, 100, 3)
    for name, value in [("MUN_TRAIN", "yes"), *((name, bad) for name in caps for bad in ("0", "-1", "nan", "x"))]:
        with pytest.raises(ValueError, match=f"expected {name} to be "):
            read_limits({name: value})


def test_chunks_however_short_end_in_the_same_weights(tiny_synvi, job, tmp_path) -> None:
    """A chunk of 0 seconds makes one step, and the step is kept."""
    folder = job("cut", recipe_for(tiny_synvi, epochs=1))
    calls = []

    def short(path: str, seconds: float) -> bool:
        calls.append(path)
        return run_chunk(path, 0.0)

    work(folder, short)
    record = read_record(folder)
    assert (record.state, record.error) == ("finished", "")
    assert record.timing["steps"] == 8
    assert len(calls) == 9  # the first call only times steps
    assert same_weights(folder, trained_at_once(folder, tmp_path / "whole"))
    frames = read_frames(folder)
    assert [frame.step for frame in frames] == list(range(9))
    assert frames[0].path.read_bytes() != frames[-1].path.read_bytes()
    assert (folder / FRAMES / "infrared.png").is_file()


def test_a_full_disk_is_said_and_nothing_saved_is_lost(tiny_synvi, job, monkeypatch) -> None:
    folder, save = job("full", recipe_for(tiny_synvi, epochs=3)), TrainState.save
    monkeypatch.setattr(TrainState, "save", lambda self, to: failing(FULL)() if self.step > 8 else save(self, to))
    record = run_to_end(folder)
    assert (record.state, record.resumable) == ("failed", True)
    assert record.error.startswith("the disk is full")
    assert [path.name for path in folder.glob("step-*")] == ["step-000008"]
    monkeypatch.undo()
    assert run_to_end(folder).state == "finished"


@pytest.mark.parametrize(
    "error", [FULL, SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")]
)
def test_a_full_disk_is_said_where_nothing_can_be_logged_either(job, monkeypatch, error) -> None:
    folder = job()
    log = io.StringIO()
    log.write = failing(FULL)
    monkeypatch.setattr(TrainState, "save", failing(error))
    monkeypatch.setattr(sys, "stderr", log)
    record = run_to_end(folder)
    monkeypatch.undo()
    assert (record.state, record.error) == ("failed", "the disk is full; what was saved is kept")
    assert record.resumable


def too_wide(recipe: Any) -> Any:
    """Ask for more people per batch than there are."""
    config = recipe.config
    return replace(recipe, config=replace(config, train=replace(config.train, ids_per_batch=64)))


@pytest.mark.parametrize(("record", "code"), [(False, worker.DISK_FULL), (True, 0)])
def test_a_process_with_a_full_log_says_why_it_ends(tiny_synvi, job, tmp_path, record: bool, code: int) -> None:
    """The record says why; where it cannot be written either, the exit code does.

    The pipe to the process stays open until it has ended, so that the code is not lost.
    """
    folder = job("full", too_wide(recipe_for(tiny_synvi))) if record else tmp_path
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "app.train.worker", str(folder)]
        started = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=full, stderr=full)
    assert worker.wait_for(started, folder) == code
    if record:
        assert read_record(folder).error.startswith("expected ")


def test_a_disk_too_full_for_the_record_is_told_by_the_exit_code(job) -> None:
    folder = job(state="training")
    record = worker.last_words(read_record(folder), folder, worker.DISK_FULL)
    assert (record.state, record.resumable) == ("failed", True)
    assert record.error.startswith("the disk is full")


def test_a_process_ends_with_whoever_started_it(tmp_path, monkeypatch) -> None:
    reading, writing = os.pipe()
    monkeypatch.setattr(sys, "stdin", os.fdopen(reading))
    monkeypatch.setattr(worker, "ORPHAN_SECONDS", 0)
    monkeypatch.setattr(os, "_exit", lambda code: None)
    following = threading.Thread(target=worker.follow_parent, args=(tmp_path,))
    following.start()
    assert not (tmp_path / "stop").exists()
    os.close(writing)
    following.join(SECONDS)
    assert (tmp_path / "stop").read_text() == worker.GONE
    sys.stdin.close()


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory. Tried to allocate"), MemoryError()])
def test_too_little_memory_is_answered_with_a_smaller_run(job, monkeypatch, error) -> None:
    monkeypatch.setattr(Trainer, "train_step", failing(error))
    record = run_to_end(job())
    assert (record.state, record.error) == ("failed", "there was not enough memory for this run")
    assert record.suggestion == "Try a network of width 0.0625 instead of 0.125."


def test_errors_name_no_folder(tiny_synvi, job) -> None:
    record = read_record(job())
    for error in (
        ValueError(f"expected images in the train split of {tiny_synvi}, found none"),
        ValueError("expected a file at /home/someone/secret/file.txt, found none"),
        FileNotFoundError(2, "No such file", "/home/someone/secret"),
        TypeError("/home/someone"),
    ):
        words, _, _ = explain(error, record)
        assert "/home" not in words
        assert str(tiny_synvi) not in words
    assert explain(ValueError("expected a finite loss, got nan at step 4"), record)[2] is False


def test_a_stop_is_heard_in_every_phase(tiny_synvi, job, tmp_path) -> None:
    rendered = replace(recipe_for(tiny_synvi), data=Data(train_ids=2, val_ids=2, images=1, level="easy"))
    for name, recipe in (("rendering", rendered), ("training", None)):
        folder = job(name, recipe)
        (folder / "stop").touch()
        assert run_to_end(folder).state == "stopped"
    made = tmp_path / "jobs" / "data"
    assert not list(made.glob("*/manifest.json"))
    (tmp_path / "jobs" / "rendering" / "stop").unlink()
    assert prepare_data(tmp_path / "jobs" / "rendering", rendered)
    assert len(list(made.glob("*/manifest.json"))) == 1


def test_a_budget_becomes_a_number_of_steps(tiny_synvi, job, monkeypatch) -> None:
    timing = Timing(step_seconds=0.05, validation_seconds=0.1, timed_steps=20, steps_per_epoch=8)
    epochs = epochs_within(timing, 60)
    assert timing.seconds(epochs) <= 60 < timing.seconds(epochs + 1)
    assert epochs_within(timing, -5) == 1
    monkeypatch.setattr(chunk, "time_steps", lambda *_: timing)
    folder = job("timed", replace(recipe_for(tiny_synvi), minutes=0.1))
    assert not run_chunk(str(folder), 0.0)
    record = read_record(folder)
    epochs = record.timing["epochs"]
    seconds = {"step_seconds": 0.05, "validation_seconds": 0.1}
    assert record.timing == {**seconds, "timed_steps": 20, "steps_per_epoch": 8, "epochs": epochs, "steps": 8 * epochs}
    assert read_settings(folder).config.train.epochs == epochs > 1
    assert timing.seconds(epochs) <= 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda recipe: replace(recipe_for(Path(recipe.data.root), epochs=5000), most_minutes=0.05), "take fewer"),
        (lambda recipe: replace(recipe, minutes=1e-6), "more than the budget of"),
        (too_wide, "expected "),
    ],
)
def test_a_run_that_cannot_be_is_refused_before_it_trains(tiny_synvi, job, change, words) -> None:
    record = run_to_end(job("long", change(recipe_for(tiny_synvi))))
    assert (record.state, record.resumable) == ("failed", False)
    assert words in record.error


def test_watching_changes_nothing(tiny_synvi, job) -> None:
    """Watching leaves weights, batch statistics and random numbers unchanged."""
    folder = job("watched", recipe_for(tiny_synvi, epochs=1))
    run_chunk(str(folder), 0.0)
    trainer, watcher = Trainer(folder, torch.device("cpu"), progress=False), Watcher(folder)
    trainer.train_step()
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    modes = [module.training for module in trainer.network.modules()]
    random = torch.random.get_rng_state()
    watcher(trainer)
    assert torch.equal(random, torch.random.get_rng_state())
    assert [module.training for module in trainer.network.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in trainer.network.state_dict().items())
    assert len(read_frames(folder)) == 1


def test_frames_are_bounded() -> None:
    for steps in (1, 7, 60, 9000):
        chosen = frame_steps(steps)
        assert len(chosen) <= MOST_FRAMES
        assert (chosen[0], chosen[-1]) == (0, steps)


def test_a_lent_gpu_is_used_call_by_call(tiny_synvi, opened, monkeypatch) -> None:
    """Where a host lends its GPU per call, the chunks go through its decorator, in this process."""
    calls: list[int] = []
    asked: list[str] = []

    def gpu(duration: int) -> Any:
        def lent(function: Any) -> Any:
            asked.append(function.__name__)
            return lambda *values: calls.append(duration) or function(*values)

        return lent

    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=gpu))
    monkeypatch.setattr(queue, "spawn", lambda *_: pytest.fail("no process is started there"))
    runs_queue = opened()
    assert asked == ["run_chunk"], "asked for before any run, hence before the page is launched"
    run, _ = runs_queue.start(recipe_for(tiny_synvi, epochs=1))
    assert until(runs_queue, run, finished).error == ""
    assert calls == [60, 60]


@pytest.mark.parametrize("value", ["", "0", "false"])
def test_no_gpu_is_lent_where_the_host_says_no(value, monkeypatch) -> None:
    monkeypatch.setenv("SPACES_ZERO_GPU", value)
    monkeypatch.setitem(sys.modules, "spaces", object())
    assert not host.lent()


@pytest.mark.parametrize("error", ["ImportError", "AttributeError"])
def test_a_host_whose_gpu_cannot_be_used_trains_as_any_other(error, opened, tmp_path, monkeypatch, caplog) -> None:
    (tmp_path / "spaces.py").write_text(f"raise {error}('torch without CUDA')\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    opened()
    assert f"cannot be used: {error}: torch without CUDA" in caplog.text
