"""A run's process: started in a group of its own, watched, ended with everything it has started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from app.jobs.record import Record
from app.jobs.worker import DISK_FULL

__all__ = ["end_group", "last_words", "spawn", "wait_for"]

GRACE_SECONDS = 20.0  # for the step in hand and its saved state, until a process is ended
LOOK_SECONDS = 0.1


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
    command = [sys.executable, "-m", "app.jobs.worker", str(root / run)]
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
        words = "the disk is full; what was saved is kept"
        return replace(record, state="failed", error=words, suggestion="Delete runs that are not needed, then resume.")
    if (folder / "stop").exists():
        return replace(record, state="stopped", error="")
    words = f"the process ended without a word (exit code {code})"
    if code == -signal.SIGKILL:
        words = "the process was ended from outside, as a machine does whose memory is short"
    return replace(record, state="interrupted", error=words)
