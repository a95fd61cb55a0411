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

    Attributes:
        num_bytes: What the kept results weigh.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._futures: OrderedDict[Hashable, Future[Any]] = OrderedDict()  # those that are computed, too
        self._weights: dict[Hashable, int] = {}  # of the results that are kept
        self.num_bytes = 0

    def __contains__(self, key: Hashable) -> bool:
        return key in self._weights

    def get(self, key: Hashable, compute: Callable[[], T], weigh: Callable[[T], int]) -> T:
        """Return the result under a key, computing it if nobody has.

        Args:
            key: Names the content; the first part says what kind of result it is.
            compute: Makes the result.
            weigh: Bytes of the result.
        """
        mine: Future[T] = Future()
        with self._lock:
            future = self._futures.setdefault(key, mine)
            self._futures.move_to_end(key)
        if future is mine:
            try:
                value = compute()
                weight = weigh(value)
            except BaseException as error:
                with self._lock:
                    del self._futures[key]
                mine.set_exception(error)
            else:
                with self._lock:
                    self._keep(key, weight)
                mine.set_result(value)
        return cast(T, future.result())

    def _keep(self, key: Hashable, weight: int) -> None:
        self._weights[key] = weight
        self.num_bytes += weight
        if weight > self.max_bytes:
            self._drop(key)
        while self.num_bytes > self.max_bytes:
            self._drop(next(one for one in self._futures if one in self._weights))

    def _drop(self, key: Hashable) -> None:
        del self._futures[key]
        self.num_bytes -= self._weights.pop(key)
