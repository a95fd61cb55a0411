"""Which checks of which visitors go on, so that they can be stopped between two steps."""

from __future__ import annotations

import threading
from collections import OrderedDict

__all__ = ["STOPPED", "Runs"]

MAX_SESSIONS = 1000  # visitors whose checks are remembered
STOPPED = '<p class="mun-note" data-state="stopped">Stopped; nothing of it is kept.</p>'


class Runs:
    """Which checks go on: one per visitor, until it is stopped or another begins; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, tuple[int, str]] = OrderedDict()
        self._count = 0

    def begin(self, session: str) -> int:
        """Begin a run; one that the visitor has begun before ends at its next step."""
        return self.end(session, "")

    def end(self, session: str, words: str) -> int:
        """End what a visitor has begun; `words` are shown in its place."""
        with self._lock:
            self._count += 1
            self._kept.pop(session, None)
            self._kept[session] = (self._count, words)
            while len(self._kept) > MAX_SESSIONS:
                self._kept.popitem(last=False)
            return self._count

    def ended(self, session: str, run: int) -> str | None:
        """Return what is shown in the place of a run that has ended; `None` while it goes on."""
        with self._lock:
            number, words = self._kept.get(session, (0, STOPPED))
            return None if number == run else words
