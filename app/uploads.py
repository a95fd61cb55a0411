"""Files that a visitor has uploaded: read once, deleted, never named by anything but Gradio's own upload."""

from __future__ import annotations

import os
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from app.arrivals import forget

__all__ = ["MAX_BYTES", "Allowance", "take_uploads", "upload_folder", "uploaded_names"]

MAX_BYTES = 16_000_000  # of one file


def upload_folder() -> Path:
    """Name the folder that Gradio puts uploads in: `$GRADIO_TEMP_DIR`, or `gradio` below the system's."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio").resolve()


def uploaded_names(payload: object) -> list[tuple[str, str]]:
    """Read path and original name of each file from what the browser sent for an upload; nonsense gives nothing.

    Args:
        payload: One file as an object with `path` and `orig_name`, a list of them, or `None`.
    """
    items: list[Any] = payload if isinstance(payload, list) else [payload]
    found = []
    for item in items:
        path = item.get("path") if isinstance(item, Mapping) else None
        if isinstance(path, str) and path and "\0" not in path:
            name = item.get("orig_name")
            found.append((path, name if isinstance(name, str) and name else Path(path).name))
    return found


def take_uploads(payload: object) -> Iterator[tuple[str, bytes]]:
    """Read and delete uploaded files, one after another; all of them are gone when the iteration ends, however it ends.

    A file that lies outside Gradio's upload folder is neither read nor deleted. One that cannot be read, or has more
    than 16 MB, comes as 16 MB and one byte at most, which the decoder refuses with its reason.

    Args:
        payload: As `uploaded_names` takes it.

    Yields:
        Original name and bytes of each file.
    """
    folder = upload_folder()
    waiting = [(Path(path).resolve(), name) for path, name in uploaded_names(payload)]
    waiting = [(path, name) for path, name in waiting if path.parent.parent == folder]  # as Gradio puts each upload
    try:
        for path, name in waiting:
            data = read_bounded(path)
            forget(path)
            yield name, data
    finally:
        for path, _ in waiting:
            forget(path)


def read_bounded(path: Path) -> bytes:
    """Read a file up to a byte more than allowed; nothing where it is gone."""
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError:
        return b""


class Allowance:
    """How many bytes of visitors' images may be in memory at a time, all visits together; safe from many threads.

    Args:
        max_bytes: The bound.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._used = 0
        self._lock = threading.RLock()  # an object may go while another one is claimed, in the same thread

    @property
    def num_bytes(self) -> int:
        """What is held now."""
        return self._used

    def claim(self, held: object, num_bytes: int) -> None:
        """Count an object until it is gone from memory.

        Raises:
            ValueError: There is no room; the object is not counted, and its owner should drop it.
        """
        with self._lock:
            if self._used + num_bytes > self.max_bytes:
                raise ValueError("too many visitors are trying their own images just now; try again in some minutes")
            self._used += num_bytes
        weakref.finalize(held, self._release, num_bytes)

    def _release(self, num_bytes: int) -> None:
        with self._lock:
            self._used -= num_bytes
