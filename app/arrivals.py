"""Uploaded files, each in a place of its own.

Gradio keeps uploads by their content, so that two visitors who bring the same file at once share it, and the first who
has read it deletes it for both.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Arrivals", "forget"]

TRIES = 20


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
