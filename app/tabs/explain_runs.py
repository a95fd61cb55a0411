"""Which checks of which visitors go on, so that they can be stopped between two steps."""

from __future__ import annotations

import threading
from collections import OrderedDict

__all__ = ["STOPPED", "Runs"]

MAX_SESSIONS = 1000  # visitors whose checks are remembered
STOPPED = '<p class="mun-note" data-state="stopped">Stopped; nothing of it is kept.</p>'


class Runs:
    """Which checks are asked for and go on: one per visitor, until it is stopped or another is asked for.

    Safe to use from many threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # By session: the number of the run, the words in its place once it has ended, its name while it waits.
        self._kept: OrderedDict[str, tuple[int, str, str]] = OrderedDict()
        self._count = 0

    def ask(self, session: str, name: str) -> None:
        """Let a run wait for its turn; another that waits never begins, what goes on ends at its next step."""
        self._put(session, "", name)

    def begin(self, session: str, name: str) -> int:
        """Begin a run whose turn has come; its number, or 0 where it was stopped meanwhile or another asked for."""
        with self._lock:
            number, words, waiting = self._kept.get(session, (0, STOPPED, ""))
            if waiting != name:
                return 0
            self._kept[session] = (number, words, "")
            return number

    def end(self, session: str, words: str) -> bool:
        """End what a visitor has asked for; `words` are shown in its place. Returns whether it was still waiting."""
        return bool(self._put(session, words, ""))

    def ended(self, session: str, run: int) -> str | None:
        """Return what is shown in the place of a run that has ended; `None` while it goes on."""
        with self._lock:
            number, words, _ = self._kept.get(session, (0, STOPPED, ""))
            return None if number == run else words

    def _put(self, session: str, words: str, name: str) -> str:
        """Begin a new number for a visitor, and return the name of what was waiting."""
        with self._lock:
            self._count += 1
            _, _, waited = self._kept.pop(session, (0, "", ""))
            self._kept[session] = (self._count, words, name)
            while len(self._kept) > MAX_SESSIONS:
                self._kept.popitem(last=False)
            return waited
