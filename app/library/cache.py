"""One cache for heavy results: bounded in bytes, each result computed once even for concurrent requests."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from typing import Any, TypeVar, cast

__all__ = ["Cache"]

T = TypeVar("T")


class Cache:
    """Keep the most recently used results, up to a number of bytes; safe to use from many threads.

    Keys contain a hash of weights or files, so that a result is never stale. While a result is computed, other threads
    that need it wait for that computation. An error is raised in every waiting thread and is not kept.

    Args:
        max_bytes: Maximum size of all kept results together; a single larger result is returned but not kept.

    Attributes:
        num_bytes: Size of the kept results together.
    """

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[Future[Any], int]] = OrderedDict()  # result, bytes; -1 while computing
        self.num_bytes = 0

    def __contains__(self, key: Hashable) -> bool:
        return self._kept.get(key, (None, -1))[1] >= 0

    def get(self, key: Hashable, compute: Callable[[], T], weigh: Callable[[T], int]) -> T:
        """Return the result under a key; compute it if it is not kept.

        Args:
            key: Names the content; the first part says what kind of result it is.
            compute: Returns the result.
            weigh: Returns the size of the result in bytes.
        """
        mine: Future[T] = Future()
        with self._lock:
            future, _ = self._kept.setdefault(key, (mine, -1))
            self._kept.move_to_end(key)
        if future is mine:
            try:
                value = compute()
                weight = weigh(value)
            except BaseException as error:
                with self._lock:
                    del self._kept[key]
                mine.set_exception(error)
            else:
                with self._lock:
                    self._keep(key, mine, weight)
                mine.set_result(value)
        return cast(T, future.result())

    def _keep(self, key: Hashable, future: Future[Any], weight: int) -> None:
        """Keep a result and drop the least recently used ones to make room; the lock must be held."""
        del self._kept[key]
        if weight > self.max_bytes:
            return
        self._kept[key] = (future, weight)
        self.num_bytes += weight
        while self.num_bytes > self.max_bytes:
            oldest = next(one for one, (_, its) in self._kept.items() if its >= 0)
            self.num_bytes -= self._kept.pop(oldest)[1]
