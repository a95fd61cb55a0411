"""What visitors may take up of disk and memory, and the ceiling on their temporary files: the oldest go first.

Whoever starts the app may say by its environment:

MUN_UPLOAD_MB  megabytes that one upload may have, 256 by default; 0 closes uploads
MUN_TEMP_MB    megabytes that temporary files of all visitors may have, 512 by default, at least 64
MUN_VISITS     visits whose choices are kept, the newest, 500 by default, at least 50; a call over HTTP counts as one
"""

from __future__ import annotations

import math
import os
import shutil
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["KEEP_SECONDS", "Caps", "Ceiling", "ceiling_for", "read_caps", "trim"]

LEAST_TEMP = 64  # room for what visitors take home
LEAST_VISITS = 50
MOST_DIGITS = 6
KEEP_SECONDS = 3600  # that a file may lie since it was last handed out
TEND_SECONDS = 20


@dataclass(frozen=True)
class Caps:
    """The caps of one app.

    Attributes:
        upload_bytes: Of one upload, which may bring 200 images; 0 where nobody may upload.
        temp_bytes: Of all temporary files.
        visits: Whose choices are kept.
    """

    upload_bytes: int = 256_000_000
    temp_bytes: int = 512_000_000
    visits: int = 500


def read_caps(environment: Mapping[str, str] | None = None) -> Caps:
    """Read the caps.

    Args:
        environment: Variables by name; those of this process by default.

    Raises:
        ValueError: A variable is set to what it cannot be.
    """
    values = os.environ if environment is None else environment
    return Caps(
        1_000_000 * _whole(values, "MUN_UPLOAD_MB", Caps.upload_bytes // 1_000_000, 0, " of megabytes"),
        1_000_000 * _whole(values, "MUN_TEMP_MB", Caps.temp_bytes // 1_000_000, LEAST_TEMP, " of megabytes"),
        _whole(values, "MUN_VISITS", Caps.visits, LEAST_VISITS),
    )


def _whole(values: Mapping[str, str], name: str, default: int, least: int, unit: str = "") -> int:
    """Read a whole number."""
    word = values.get(name, "").strip()
    if not word:
        return default
    if not (word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS and int(word) >= least):
        raise ValueError(f"expected {name} to be a whole number{unit} from {least}, got {word[:40]!r}")
    return int(word)


def ceiling_for(folder: Path, most: int) -> int:
    """Return how many bytes may lie in a folder: as many as are allowed, or half of what is free where that is less."""
    try:
        return min(most, shutil.disk_usage(folder).free // 2)
    except OSError:  # the folder does not exist yet; Gradio makes it with the first file
        return most


def trim(folder: Path, max_bytes: int, max_age: float = KEEP_SECONDS) -> int:
    """Delete the oldest files below a folder until the rest weighs at most `max_bytes`, and folders left empty.

    Links are never followed; a file that vanishes meanwhile is as good as deleted.

    Args:
        folder: Need not exist.
        max_bytes: What may be left.
        max_age: Seconds; files that nothing has changed or touched for longer go in any case.

    Returns:
        The bytes that are left.
    """
    files, oldest = [], time.time() - max_age
    for place, folders, names in os.walk(folder):  # it passes over a folder that vanishes, which `rglob` does not
        for path in (Path(place, name) for name in (*folders, *names)):
            try:
                status = path.lstat()
            except OSError:
                continue
            if not stat.S_ISDIR(status.st_mode):
                files.append((status.st_mtime_ns, status.st_size, path, status.st_ctime < oldest))
    total = sum(size for _, size, *_ in files)
    for _, size, path, old in sorted(files):
        if total <= max_bytes and not old:
            continue
        path.unlink(missing_ok=True)
        total -= size
        try:
            if path.parent != folder:
                path.parent.rmdir()  # Gradio gives each upload a folder of its own
        except OSError:
            continue  # it holds other files
    return total


class Ceiling:
    """Bound the bytes and the age of what lies below a folder, counting what is on its way; safe from many threads.

    Args:
        folder: Where temporary files go; need not exist yet.
        max_bytes: What may lie there together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder, max_bytes
        self._lock = threading.Lock()
        self._coming = 0
        self._tended = -math.inf

    @contextmanager
    def room_for(self, num_bytes: int) -> Iterator[bool]:
        """Make room for a file that is coming, by deleting older ones.

        Yields whether there is room; there is none while others bring as much as the folder may hold.
        """
        with self._lock:
            fits = self._coming + num_bytes <= self.max_bytes
            if fits:
                self._coming += num_bytes
                trim(self.folder, self.max_bytes - self._coming)
        try:
            yield fits
        finally:
            if fits:
                with self._lock:
                    self._coming -= num_bytes

    def tend(self) -> None:
        """Delete what is too much or too old, unless that was done a moment ago.

        For files that do not come as uploads, and for those that an app has left behind which was ended by force.
        """
        with self._lock:
            now = time.monotonic()
            if now - self._tended >= TEND_SECONDS:
                self._tended = now
                trim(self.folder, self.max_bytes - self._coming)
