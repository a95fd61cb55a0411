"""Files that visitors upload: each in a place of its own, read once, deleted.

Gradio keeps uploads by their content, so that two visitors who bring the same file at once share it, and the first who
has read it would delete it for both.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

__all__ = ["MAX_BYTES", "Allowance", "Arrivals", "take_uploads", "upload_folder", "uploaded_names"]

MAX_BYTES = 16_000_000  # of one file
TRIES = 20


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


class Arrivals:
    """The uploads that are coming in; safe from many threads.

    Args:
        folder: Gradio's, where each upload lies in a folder named by its content.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._coming = 0
        self._shared: set[Path] = set()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Say that an upload is coming in; when none is any more, what was shared is deleted."""
        with self._lock:
            self._coming += 1
        try:
            yield
        finally:
            with self._lock:
                self._coming -= 1
                if not self._coming:
                    for path in self._shared:
                        forget(path)
                    self._shared.clear()

    def own_places(self, answer: bytes, tracked: set[str]) -> bytes:
        """Give each file of Gradio's answer to an upload a place of its own.

        Args:
            answer: A JSON list of paths; anything else is left as it is.
            tracked: The paths that Gradio deletes once they are old, and at its end. The new ones join them; the old
                ones and those of files that are gone leave.

        Returns:
            The answer with the new paths. A file that is gone already keeps its old one.
        """
        try:
            paths = json.loads(answer)
        except (ValueError, RecursionError):
            return answer
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            return answer
        own = [str(self._own(Path(path))) for path in paths]
        tracked.difference_update(paths, [path for path in tuple(tracked) if not os.path.lexists(path)])
        tracked.update(own)
        return json.dumps(own).encode()

    def _own(self, path: Path) -> Path:
        """Give a file a place of its own; the shared one goes when nobody can be about to use it."""
        if path.parent.parent != self.folder:
            return path
        own = path.parent.with_name(f"{path.parent.name}-{secrets.token_hex(8)}") / path.name
        try:
            own.parent.mkdir()
            link_or_copy(path, own)
        except OSError:
            forget(own)
            return path
        with self._lock:
            self._shared.add(path)
        return own


def link_or_copy(path: Path, own: Path) -> None:
    """Give a file a second name, or copy it where the file system knows no links.

    Raises:
        OSError: It is gone.
    """
    for _ in range(TRIES):
        try:
            os.link(path, own)
            return
        except FileNotFoundError:
            continue  # it was found, and another upload of the same content took its place before it was linked
        except OSError:
            break
    shutil.copyfile(path, own)


def forget(path: Path) -> None:
    """Delete a file, and its folder where that is empty then."""
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        path.parent.rmdir()
