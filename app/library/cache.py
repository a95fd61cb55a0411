"""One cache for heavy results: bounded in bytes, each result computed once however many ask."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

__all__ = ["Cache"]

T = TypeVar("T")


class Cache:
    """Keep the results that were used last, up to a number of bytes; safe to use from many threads.

    Keys name content (a hash of weights or files), so that a result is never stale. While a result is computed, others
    who ask for it wait for that one computation. A failure goes to everybody who waited and is not kept.

    Args:
        max_bytes: What the kept results may weigh together; a single heavier one is returned without being kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[object, int]] = OrderedDict()
        self._running: dict[Hashable, Future[Any]] = {}
        self._bytes = 0

    @property
    def num_bytes(self) -> int:
        """What the kept results weigh."""
        return self._bytes

    def __contains__(self, key: Hashable) -> bool:
        with self._lock:
            return key in self._kept

    def get(self, key: Hashable, compute: Callable[[], T], weigh: Callable[[T], int]) -> T:
        """Return the result under a key, computing it if nobody has.

        Args:
            key: Names the content; the first part says what kind of result it is.
            compute: Makes the result.
            weigh: Bytes of the result.
        """
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(T, self._kept[key][0])
            running = self._running.get(key)
            if running is None:
                mine: Future[T] = Future()
                self._running[key] = mine
        if running is not None:
            return cast(T, running.result())
        try:
            value = compute()
            weight = weigh(value)
        except BaseException as error:
            with self._lock:
                del self._running[key]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._running[key]
            self._keep(key, value, weight)
        mine.set_result(value)
        return value

    def _keep(self, key: Hashable, value: object, weight: int) -> None:
        if weight > self.max_bytes:
            return
        self._kept[key] = (value, weight)
        self._bytes += weight
        while self._bytes > self.max_bytes:
            _, (_, dropped) = self._kept.popitem(last=False)
            self._bytes -= dropped
