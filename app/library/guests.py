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
from app.library.turns import VISITOR
from mun.features import SAMPLE_BYTES

__all__ = ["VISIT", "Guests"]

MOST_FILE = 200_000_000  # bytes of one file, and of its decompressed content
MOST_ALL = 800_000_000  # bytes that are kept for all visitors together; one address may have half of them
MOST_EACH = 4  # files per visitor
LEAST_BYTES = 1_000_000  # that each file counts, however small
IDLE = 1800.0  # seconds without a request after which a visit is dropped


@dataclass
class Visit:
    """The models and data sets of one visitor's features files."""

    entries: dict[str, CheckpointEntry] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    seen: float = 0.0
    address: str = ""

    @property
    def num_bytes(self) -> int:
        """Approximate size in memory."""
        features = sum(max(LEAST_BYTES, one.vectors.num_bytes) for one in self.entries.values() if one.vectors)
        return features + sum(SAMPLE_BYTES * len(one.samples) for one in self.collections.values())


# The visit of the current event and of background work started in it; `None` without features files of the visitor.
VISIT: ContextVar[Visit | None] = ContextVar("visit", default=None)


class Guests:
    """The visits by token; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._visits: dict[str, Visit] = {}
        self._timer: threading.Timer | None = None

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
        address = VISITOR.get().partition(" ")[0]
        with self._lock:
            self._drop_idle()
            visit = self._visits.get(token) or Visit(address=address)
            known = {**shared, **visit.collections}
            if len(visit.entries) >= MOST_EACH:
                raise ValueError(f"expected at most {MOST_EACH} features files per visitor, got one more")
        stem = re.sub(r"[^\w.+-]+", "-", file.removesuffix(".npz"))[:40] or "features"
        taken = {*entries, *visit.entries, *known}
        name = next(one for one in (stem, *(f"{stem}-{n}" for n in range(2, 99))) if one not in taken)
        entry, collection = open_features(name, io.BytesIO(content), file, known, most=MOST_FILE)
        with self._lock:
            brought = {} if collection.name in shared else {collection.name: collection}
            more, visits = Visit({name: entry}, brought).num_bytes, self._visits.values()
            near = sum(one.num_bytes for one in visits if one.address == address)
            if more + near > MOST_ALL // 2 or more + sum(one.num_bytes for one in visits) > MOST_ALL:
                raise ValueError("busy: the features of other visitors fill the memory; try again in some minutes")
            token = token if token in self._visits else secrets.token_urlsafe(24)
            self._visits.setdefault(token, visit)
            visit.entries[name], visit.seen = entry, time.monotonic()
            visit.collections |= brought
            if self._timer is None:
                self._watch()
        return token, name, collection.name

    def _watch(self) -> None:
        """Drop idle visits now and then while there are visits, with one timer for all."""
        with self._lock:
            self._drop_idle()
            self._timer = threading.Timer(IDLE + 1, self._watch) if self._visits else None
            if self._timer is not None:
                self._timer.daemon = True
                self._timer.start()

    def _drop_idle(self) -> None:
        """Drop visits without a recent request."""
        with self._lock:
            now = time.monotonic()
            self._visits = {token: one for token, one in self._visits.items() if now - one.seen <= IDLE}
