"""Write files and folders whole or not at all."""

import glob
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["check_file", "check_unused", "is_abandoned", "read_json", "remove", "sync", "temporary_name"]
__all__ += ["whole_file", "whole_folder", "writable_folder", "write_json", "write_text"]

MAX_JSON_BYTES = 16_000_000  # a card with a thousand scores has less than one
MOST_SECONDS = 24 * 60 * 60  # that a file may stay half-written
HOST = re.sub(r"[^\w-]", "-", platform.node())[:64]  # machines may share a folder, and use the same process numbers
TEMPORARY = re.compile(r"\.([\w-]*)\.(\d{1,9})\.tmp$")

WINDOWS = sys.platform == "win32"


def sync(path: Path) -> None:
    """Flush a file or folder to the disk. Windows cannot flush folders, which are skipped, or read-only handles."""
    if WINDOWS and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def is_running(pid: int) -> bool:
    """Return whether a process with this number runs here; on Windows, where this is unknown, always True."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True


def temporary_name(prefix: str) -> str:
    """Return the name of a half-written file or folder, which says which process of which machine writes it."""
    return f"{prefix}.{HOST}.{os.getpid()}.tmp"


def is_abandoned(path: Path) -> bool:
    """Return whether a half-written file is a day old, or the process of this machine in its name has ended."""
    found = TEMPORARY.search(path.name)
    try:
        old = time.time() - path.stat().st_mtime > MOST_SECONDS
    except FileNotFoundError:  # another job has just removed it
        return True
    return old or (found is not None and found[1] == HOST and not is_running(int(found[2])))


def partial_beside(path: Path, prefix: str) -> Path:
    """Return a temporary path beside `path`, and remove half-written files that killed processes left there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{glob.escape(prefix)}.*.tmp"):
        if TEMPORARY.fullmatch(left.name[len(prefix) :]) and is_abandoned(left):
            remove(left)
    return path.with_name(temporary_name(prefix))


def remove(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists."""
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def writable_folder(path: Path, prefix: str) -> Path:
    """Make a folder if it does not exist; if it is not writable, return a new temporary folder instead.

    Args:
        path: The folder wanted.
        prefix: First part of the temporary folder's name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path).close()
    except OSError:
        return Path(tempfile.mkdtemp(prefix=prefix))
    return path


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Write a file that appears under its name only when it is complete.

    Yields a place beside `path` to write to; it is renamed to `path` when the block ends, and removed when it fails.
    """
    partial = partial_beside(path, f".{path.name}")
    try:
        yield partial
        sync(partial)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file whole."""
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a JSON object whole, keys in the given order; NaN is refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is larger than 16 MB, no UTF-8 JSON with an object at its top, or nested too deeply.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected a file at {path}, found none")
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"expected at most {MAX_JSON_BYTES // 1_000_000} MB of JSON in {path}")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError:
        raise ValueError(f"expected JSON in {path}, got too many brackets within brackets") from None
    except ValueError as error:  # no UTF-8, no JSON, or a number with thousands of digits
        raise ValueError(f"expected JSON in {path}, got: {error}") from None
    if not isinstance(value, dict):
        raise ValueError(f"expected a JSON object in {path}, got a {type(value).__name__}")
    return value


def check_unused(path: Path) -> None:
    """Check that a folder can be written.

    Raises:
        ValueError: `path` exists and is not an empty folder.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise ValueError(f"expected a new or empty folder at {path}, found something there; choose another name")


def check_file(path: Path | None, flag: str) -> None:
    """Check that the file after a flag can be written; commands do this before their work.

    Raises:
        ValueError: It is a folder.
    """
    if path is not None and path.is_dir():
        raise ValueError(f"expected a file name after {flag}, got the folder {path}")


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a folder that appears under its name only when it is complete.

    Yields a folder beside `path`; it is renamed to `path` when the block ends, and removed when the block fails.

    Raises:
        ValueError: As `check_unused`.
    """
    check_unused(path)
    partial = partial_beside(path, path.name)
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        sync(partial)
        if path.exists():
            path.rmdir()
        partial.rename(path)
        sync(path.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
