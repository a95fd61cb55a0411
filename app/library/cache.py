"""One cache for heavy results: bounded in bytes, each result computed once however many ask."""

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
        self._kept: OrderedDict[Hashable, tuple[Future[Any], int]] = OrderedDict()  # and bytes; -1 while it is computed
        self.num_bytes = 0

    def __contains__(self, key: Hashable) -> bool:
        return self._kept.get(key, (None, -1))[1] >= 0

    def get(self, key: Hashable, compute: Callable[[], T], weigh: Callable[[T], int]) -> T:
        """Return the result under a key, computing it if nobody has.

        Args:
            key: Names the content; the first part says what kind of result it is.
            compute: Makes the result.
            weigh: Bytes of the result.
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
        """Keep a result, and let the oldest go for it; the lock is held."""
        del self._kept[key]
        if weight > self.max_bytes:
            return
        self._kept[key] = (future, weight)
        self.num_bytes += weight
        while self.num_bytes > self.max_bytes:
            oldest = next(one for one, (_, its) in self._kept.items() if its >= 0)
            self.num_bytes -= self._kept.pop(oldest)[1]
