"""Features files of visitors: a model and its data are kept for a limited time, for the holder of a token only."""

import io
import re
import secrets
import threading
import time
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

from app.library.checkpoints import CheckpointEntry
from app.library.collection import Collection
from app.library.features import open_features

__all__ = ["VISIT", "Guests"]

MOST_FILE = 200_000_000  # bytes of one file, and of its decompressed content
MOST_ALL = 800_000_000  # bytes that are kept for all visitors together
MOST_EACH = 4  # files per visitor
SAMPLE_BYTES = 500  # that are kept per image besides its features
IDLE = 1800.0  # seconds without a request after which a visit is dropped


@dataclass
class Visit:
    """The models and data sets of one visitor's features files."""

    entries: dict[str, CheckpointEntry] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    seen: float = 0.0

    @property
    def num_bytes(self) -> int:
        """Approximate size in memory."""
        features = sum(one.vectors.num_bytes for one in self.entries.values() if one.vectors)
        return features + sum(SAMPLE_BYTES * len(one.samples) for one in self.collections.values())


# The visit of the current event and of background work started in it; `None` without features files of the visitor.
VISIT: ContextVar[Visit | None] = ContextVar("visit", default=None)


class Guests:
    """The visits by token; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._visits: dict[str, Visit] = {}

    def enter(self, token: str) -> None:
        """Make the features files of a token's holder visible to the current event; none for an unknown token."""
        with self._lock:
            self._drop_idle()
            visit = self._visits.get(token)
            if visit is not None:
                visit.seen = time.monotonic()
        VISIT.set(visit)

    def add(
        self, token: str, file: str, content: bytes, entries: Mapping[str, object], shared: Mapping[str, Collection]
    ) -> tuple[str, str, str]:
        """Read a features file for a visitor.

        Args:
            token: Token of the visitor; an unknown token is replaced by a new one.
            file: The file's name.
            content: The file's bytes.
            entries: Models that all visitors share, whose names are taken.
            shared: Data sets that all visitors share.

        Returns:
            The token, and the names of the model and of its data set.

        Raises:
            ValueError: As `open_features`; the visitor has too many files, or the memory for all visitors is full.
        """
        with self._lock:
            self._drop_idle()
            visit = self._visits.get(token) or Visit()
            known = {**shared, **visit.collections}
            if len(visit.entries) >= MOST_EACH:
                raise ValueError(f"expected at most {MOST_EACH} features files per visitor, got one more")
        stem = re.sub(r"[^\w.+-]+", "-", file.removesuffix(".npz"))[:40] or "features"
        taken = {*entries, *visit.entries, *known}
        name = next(one for one in (stem, *(f"{stem}-{n}" for n in range(2, 99))) if one not in taken)
        entry, collection = open_features(name, io.BytesIO(content), file, known, most=MOST_FILE)
        with self._lock:
            brought = {} if collection.name in shared else {collection.name: collection}
            held = sum(one.num_bytes for one in self._visits.values())
            if held + Visit({name: entry}, brought).num_bytes > MOST_ALL:
                raise ValueError("busy: the features of other visitors fill the memory; try again in some minutes")
            token = token if token in self._visits else secrets.token_urlsafe(24)
            self._visits.setdefault(token, visit)
            visit.entries[name], visit.seen = entry, time.monotonic()
            visit.collections |= brought
        timer = threading.Timer(IDLE + 1, self._drop_idle)
        timer.daemon = True
        timer.start()
        return token, name, collection.name

    def _drop_idle(self) -> None:
        """Drop visits without a recent request."""
        with self._lock:
            now = time.monotonic()
            self._visits = {token: one for token, one in self._visits.items() if now - one.seen <= IDLE}
