"""The process of one run, `python -m app.train.worker FOLDER`, and how it is started, watched and ended.

It saves its state and ends when the process that started it ends. A full disk ends a run with an error message, also
where nothing can be logged any more.
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
DISK_FULL = 74  # exit code of a process that cannot even record why it ends
ORPHAN_SECONDS = 30
DATA_BYTES = 2_000_000_000  # of rendered data that runs share, at most
GRACE_SECONDS = 20.0  # for the current step and its saved state, before a process is killed
LOOK_SECONDS = 0.1
GONE = "the app was ended"
FULL = ("the disk is full; what was saved is kept", "Delete runs that are not needed, then resume.")

Chunk = Callable[[str, float], bool]


def work(run: Path, chunk: Chunk = run_chunk, seconds: float = CHUNK_SECONDS) -> None:
    """Continue a run from its state on disk to its end, or to the next stop; its record says why it ended.

    Args:
        run: The run's folder.
        chunk: Trains for a while; on a host that lends its GPU per call, with that GPU.
        seconds: Duration of one chunk.

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
                for path in (*run.glob("step-*"), *run.glob("best-*")):  # needed only to resume the run
                    shutil.rmtree(path, ignore_errors=True)
                end(run, "finished", resumable=False)
                return
        words = (run / "stop").read_text(encoding="utf-8")
        end(run, "interrupted" if words else "stopped", error=words)
    except Exception as error:  # whatever the error, the run's page shows it
        log_error()
        words, suggestion, resumable = explain(error, read_record(run))
        end(run, "failed", error=words, suggestion=suggestion, resumable=resumable)


def log_error() -> None:
    """Write the current error to the log, if possible: on a full disk, the run's record must still be tried."""
    with contextlib.suppress(OSError):
        traceback.print_exc()


def end(run: Path, state: str, *, error: str = "", suggestion: str = "", resumable: bool = True) -> None:
    """Record that a run has ended, and why."""
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
        os.utime(folder)  # marked as used, so that it is removed last
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
    """Remove the least recently used data; they can be rendered again, identical to the byte."""
    for path in folder.glob("*.tmp"):
        shutil.rmtree(path, ignore_errors=True)
    for path in sorted(filter(Path.is_dir, folder.iterdir()), key=lambda path: path.stat().st_mtime):
        if folder_bytes(folder) > DATA_BYTES:
            shutil.rmtree(path, ignore_errors=True)


def explain(error: Exception, record: Record) -> tuple[str, str, bool]:
    """Return why a run ended, what may help, and whether it can be resumed; without any folder of the machine."""
    text = str(error)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "No space left on device" in text or "GB free" in text:  # safetensors has its own errors
        return *FULL, True
    if isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text:
        return "there was not enough memory for this run", smaller(record.recipe), False
    if isinstance(error, OSError):
        return f"a file of the run or its data cannot be read or written ({type(error).__name__})", "", True
    if isinstance(error, ValueError):
        for folder in (record.recipe.data.root, str(cache_folder())):
            text = text.replace(folder, "the data") if folder else text
        return re.sub(r"(?<![\w.])/[\w./+-]*/[\w.+-]+", "…", " ".join(text.split())), "", False
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
    """Stop the run when the parent process is gone, which closes the pipe to this process."""
    os.read(sys.stdin.fileno(), 1)  # not through `sys.stdin`, whose lock Python would wait for at exit
    if not stop_requested(run):
        (run / "stop").write_text(GONE, encoding="utf-8")
    time.sleep(ORPHAN_SECONDS)
    os._exit(1)


def step_back() -> None:
    """Give all other processes priority, and be the first to be killed if memory is short."""
    if hasattr(os, "nice"):
        os.nice(10)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("500")


def main() -> int:
    """Work on the run that the command line names, at low priority."""
    import torch

    run = Path(sys.argv[1])
    step_back()
    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 2) // 2))  # the other half serves the page
    try:
        with FileLock(run / "lock", 2 * ORPHAN_SECONDS):  # no second process ever writes beside this one
            threading.Thread(target=follow_parent, args=(run,), daemon=True).start()
            work(run)
    except OSError:
        log_error()
        os._exit(DISK_FULL)  # at once: at a normal exit, the unwritable log would change the code
    return 0


def spawn(root: Path, run: str, num_bytes: int) -> subprocess.Popen[bytes]:
    """Start the process of a run; it stops by itself when this process, which holds a pipe to it, is gone.

    Args:
        root: Folder of runs.
        run: Name of the run.
        num_bytes: Limit on decoded images, unless the user has set one.

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
    """Wait for the end of a run's process and return its exit code; kill it if it does not stop when asked."""
    stop_time = 0.0
    while (code := process.poll()) is None:
        time.sleep(LOOK_SECONDS)
        if (folder / "stop").exists():
            stop_time = stop_time or time.monotonic()
            if time.monotonic() - stop_time > GRACE_SECONDS:
                end_group(process)
    end_group(process)  # and all processes that it has started
    if process.stdin is not None:
        process.stdin.close()
    return code


def end_group(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and all processes that it has started."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()


def last_words(record: Record, folder: Path, code: int) -> Record:
    """Add to a record why its process has ended, where the process did not.

    Args:
        record: As the process left it.
        folder: Folder of the run.
        code: The exit code of the process.
    """
    if code == DISK_FULL:
        return replace(record, state="failed", error=FULL[0], suggestion=FULL[1])
    if (folder / "stop").exists():
        return replace(record, state="stopped", error="")
    words = f"the process ended without an error message (exit code {code})"
    if code == -signal.SIGKILL:
        words = "the process was ended from outside, which happens when memory is short"
    return replace(record, state="interrupted", error=words)


if __name__ == "__main__":
    sys.exit(main())
