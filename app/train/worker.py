"""The process of one run, `python -m app.train.worker FOLDER`, and how it is started, watched and ended.

It ends with whoever started it, its state saved. A disk that is full ends a run with its sentence, also where nothing
can be logged any more.
"""

import contextlib
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from app.train.chunk import data_folder, run_chunk, stop_requested
from app.train.record import Phase, Recipe, Record, folder_bytes, read_record, write_progress, write_record
from mun.data.cache import cache_folder
from mun.synvi import write
from mun.training.run import remove_unfinished

__all__ = ["DISK_FULL", "end_group", "explain", "last_words", "main", "prepare_data", "spawn", "wait_for", "work"]

CHUNK_SECONDS = 30.0  # of training between two saved states, at most
DISK_FULL = 74  # exit code of a process that cannot even write down why it ends
ORPHAN_SECONDS = 30
DATA_BYTES = 2_000_000_000  # of rendered data that runs share
GRACE_SECONDS = 20.0  # for the step in hand and its saved state, until a process is ended
LOOK_SECONDS = 0.1
GONE = "the app was ended"
FULL = ("the disk is full; what was saved is kept", "Delete runs that are not needed, then resume.")

Chunk = Callable[[str, float], bool]


def work(run: Path, chunk: Chunk = run_chunk, seconds: float = CHUNK_SECONDS) -> None:
    """Take a run from where it is on disk to its end, or to the next stop; why it ended is in its record.

    Args:
        run: The run's folder.
        chunk: Trains for a while; on a host that lends its GPU per call, a call of that kind.
        seconds: Of one chunk.

    Raises:
        OSError: Not even the record can be written.
    """
    remove_unfinished(run)
    started = replace(read_record(run), state="preparing", pid=os.getpid(), error="", suggestion="")
    write_record(run, started)
    try:
        finished = prepare_data(run, started.recipe)
        while finished and not stop_requested(run):
            if chunk(str(run), seconds):
                for path in (*run.glob("step-*"), *run.glob("best-*")):  # only a run that goes on needs them
                    shutil.rmtree(path, ignore_errors=True)
                end(run, "finished", resumable=False)
                return
        words = (run / "stop").read_text(encoding="utf-8")
        end(run, "interrupted" if words else "stopped", error=words)
    except Exception as error:  # whatever it is, the run's page says it
        log_error()
        words, suggestion, resumable = explain(error, read_record(run))
        end(run, "failed", error=words, suggestion=suggestion, resumable=resumable)


def log_error() -> None:
    """Write the error in hand into the log; where the disk is full the run's record must still be tried."""
    with contextlib.suppress(OSError):
        traceback.print_exc()


def end(run: Path, state: str, *, error: str = "", suggestion: str = "", resumable: bool = True) -> None:
    """Write down that a run has ended, and why."""
    record = replace(read_record(run), state=state, ended=time.time(), pid=0)
    write_record(run, replace(record, error=error, suggestion=suggestion, resumable=resumable))


def prepare_data(run: Path, recipe: Recipe) -> bool:
    """Render the data of a run unless they are there; False where somebody has asked to stop.

    Raises:
        OSError: The disk is full.
        ValueError: The plan is out of bounds.
    """
    if not recipe.data.rendered:
        return True
    folder = data_folder(run, recipe)
    if (folder / "manifest.json").is_file():
        os.utime(folder)  # used now: the last to make room
        return True
    folder.parent.mkdir(exist_ok=True)
    make_room(folder.parent)
    plan = recipe.data.plan(recipe.config.model.size)
    total, done, began = plan.total, 0, time.monotonic()
    with closing(write(plan, folder, workers=1)) as steps:
        for count in steps:
            done += count
            left = (time.monotonic() - began) / done * (total - done)
            write_progress(run, Phase("preparing", done, total, left))
            if stop_requested(run):
                return False
    return True


def make_room(folder: Path) -> None:
    """Remove the data that were used longest ago; they can be rendered again, to the byte."""
    for path in folder.glob("*.tmp"):
        shutil.rmtree(path, ignore_errors=True)
    for path in sorted(filter(Path.is_dir, folder.iterdir()), key=lambda path: path.stat().st_mtime):
        if folder_bytes(folder) > DATA_BYTES:
            shutil.rmtree(path, ignore_errors=True)


def explain(error: Exception, record: Record) -> tuple[str, str, bool]:
    """Say why a run ended, what may help, and whether going on makes sense; no folder of the machine is named."""
    told = str(error)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left on device" in told or "GB free" in told:  # safetensors has errors of its own
        return *FULL, True
    if isinstance(error, MemoryError) or "out of memory" in told or "can't allocate memory" in told:
        return "there was not enough memory for this run", smaller(record.recipe), False
    if isinstance(error, OSError):
        return f"a file of the run or its data cannot be read or written ({type(error).__name__})", "", True
    if isinstance(error, ValueError):
        for folder in (record.recipe.data.root, str(cache_folder())):
            told = told.replace(folder, "the data") if folder else told
        return re.sub(r"(?<![\w.])/[\w./+-]*/[\w.+-]+", "…", " ".join(told.split())), "", False
    return f"an unexpected error ({type(error).__name__}); the log in the run's folder says more", "", True


def smaller(recipe: Recipe) -> str:
    """Suggest a run that needs about half the memory."""
    model, train = recipe.config.model, recipe.config.train
    if train.ids_per_batch > 4:
        return f"Try {max(2, train.ids_per_batch // 2)} people per batch instead of {train.ids_per_batch}."
    if model.height * model.image_width > 64 * 32:
        return f"Try images of {max(32, model.height // 2)} by {max(16, model.image_width // 2)} pixels."
    return f"Try a network of width {max(0.0625, model.width / 2):g} instead of {model.width:g}."


def follow_parent(run: Path) -> None:
    """Stop the run when whoever started this process is gone: then the pipe to it ends."""
    os.read(sys.stdin.fileno(), 1)  # not through `sys.stdin`, whose lock Python would wait for at its end
    if not stop_requested(run):
        (run / "stop").write_text(GONE, encoding="utf-8")
    time.sleep(ORPHAN_SECONDS)
    os._exit(1)


def step_back() -> None:
    """Let everything else on this machine go first, and be the first to be ended where memory is short."""
    if hasattr(os, "nice"):
        os.nice(10)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def main() -> int:
    """Work on the run that the command line names, quietly and beside everything else."""
    import torch

    run = Path(sys.argv[1])
    step_back()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))  # the other half answers the page
    try:
        with FileLock(run / "lock", 2 * ORPHAN_SECONDS):  # no second process ever writes beside this one
            threading.Thread(target=follow_parent, args=(run,), daemon=True).start()
            work(run)
    except OSError:
        log_error()
        os._exit(DISK_FULL)  # at once: a log that cannot be written would change the code of an orderly end
    return 0


def spawn(root: Path, run: str, num_bytes: int) -> subprocess.Popen[bytes]:
    """Start the process of a run; it stops by itself when this process, which holds a pipe to it, is gone.

    Args:
        root: Folder of runs.
        run: Name of the run.
        num_bytes: Bound of decoded images, unless the user has set one.

    Raises:
        OSError: It cannot be started.
    """
    caches = {"MUN_CACHE": str(root / "cache"), "MUN_CACHE_GB": str(num_bytes / 1e9)}
    environment = {**caches, **os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "app.train.worker", str(root / run)]
    with (root / run / "log.txt").open("ab") as log:
        return subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def wait_for(process: subprocess.Popen[bytes], folder: Path) -> int:
    """Wait for the end of a run's process and return its exit code; who is asked to stop and does not is ended."""
    asked = 0.0
    while (code := process.poll()) is None:
        time.sleep(LOOK_SECONDS)
        if (folder / "stop").exists():
            asked = asked or time.monotonic()
            if time.monotonic() - asked > GRACE_SECONDS:
                end_group(process)
    end_group(process)  # whatever it has started
    if process.stdin is not None:
        process.stdin.close()
    return code


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process and everything it has started, at once."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def last_words(record: Record, folder: Path, code: int) -> Record:
    """Say why a process has ended that left no word.

    Args:
        record: As the process left it.
        folder: Of the run.
        code: The exit code of the process.
    """
    if code == DISK_FULL:
        return replace(record, state="failed", error=FULL[0], suggestion=FULL[1])
    if (folder / "stop").exists():
        return replace(record, state="stopped", error="")
    words = f"the process ended without a word (exit code {code})"
    if code == -signal.SIGKILL:
        words = "the process was ended from outside, as a machine does whose memory is short"
    return replace(record, state="interrupted", error=words)


if __name__ == "__main__":
    sys.exit(main())
