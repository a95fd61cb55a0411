"""The folder of runs: where it is, whose it is, and how much may lie in it."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import IO

from app.jobs.record import Record, read_record
from mun.data.cache import cache_folder

__all__ = ["claim", "folder_bytes", "read_records", "runs_folder"]

MOST_APPS = 16


def runs_folder() -> Path:
    """Name the folder of runs: `$MUN_RUNS`, or `runs` below the folder of caches."""
    chosen = os.environ.get("MUN_RUNS")
    return Path(chosen) if chosen else cache_folder() / "runs"


def claim(root: Path) -> tuple[Path, IO[str] | None]:
    """Make the folder of runs this app's own until it ends; a second app beside it gets `root-2`, and so on.

    Args:
        root: The folder wanted; a temporary one where it cannot be written.

    Returns:
        The folder, and the open lock to keep; none where there are no locks.

    Raises:
        OSError: Not even a temporary folder can be written, or all names are taken.
    """
    try:
        root.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=root).close()
    except OSError:
        root = Path(tempfile.mkdtemp(prefix="mun-runs-"))
    for number in range(1, MOST_APPS):
        folder = root if number == 1 else root.with_name(f"{root.name}-{number}")
        folder.mkdir(exist_ok=True)
        if sys.platform == "win32":
            return folder, None
        import fcntl

        lock = (folder / "app.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
        else:
            return folder, lock
    raise OSError(f"expected at most {MOST_APPS} apps with one folder of runs")


def read_records(root: Path) -> list[Record]:
    """Read the runs of a folder, the oldest first; what is no run, or a broken one, is passed over."""
    records = []
    for path in root.iterdir():
        if path.name.endswith(".trash"):
            shutil.rmtree(path, ignore_errors=True)
        elif (path / "job.json").is_file():
            try:
                records.append(read_record(path))
            except (ValueError, OSError):
                continue
    return sorted(records, key=lambda record: record.created)


def folder_bytes(folder: Path) -> int:
    """Add up what lies in a folder; files that vanish meanwhile count nothing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size if path.is_file() else 0
        except OSError:
            continue
    return total
