"""Limits on the concurrent requests of one address, and on the bytes of request bodies in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from app.server.calls import Refusal
from app.server.connections import STALL_BYTES, STALL_SECONDS

if TYPE_CHECKING:
    from starlette.types import Receive

__all__ = ["Bodies", "Gate", "GoneError"]

BUSY = "busy: {} from your address {}; try again in 5 s"


class GoneError(Exception):
    """The visitor has closed the connection."""


class Gate:
    """Lets some requests of each address in at a time; the next ones wait.

    Args:
        each: Requests of one address at a time.
        most: Requests of all addresses at a time.
        waiting: Waiting requests of one address; further ones are refused.
    """

    def __init__(self, each: int, most: int, waiting: int) -> None:
        self.each, self.most, self.waiting = each, most, waiting
        self._inside: Counter[str] = Counter()
        self._before: Counter[str] = Counter()
        self._changed = asyncio.Condition()

    @asynccontextmanager
    async def turn(self, who: str) -> AsyncIterator[None]:
        """Wait for a place and hold it.

        Raises:
            Refusal: Too many requests of the address wait.
        """
        async with self._changed:
            if not self._has_place(who) and self._before[who] >= self.waiting:
                raise Refusal(503, BUSY.format(f"{self._inside[who]} requests", "are under way"))
            self._before[who] += 1
            try:
                await self._changed.wait_for(lambda: self._has_place(who))
            finally:
                self._before -= Counter([who])
            self._inside[who] += 1
        try:
            yield
        finally:
            async with self._changed:
                self._inside -= Counter([who])
                self._changed.notify_all()

    def _has_place(self, who: str) -> bool:
        return self._inside[who] < self.each and self._inside.total() < self.most


class Bodies:
    """Reads bodies of requests; received bytes count, not the declared length.

    Args:
        largest: Bytes of one body.
        most: Bytes of all requests that are not answered yet; one address may have half of them.
    """

    def __init__(self, largest: int, most: int) -> None:
        self.largest, self.most = largest, most
        self._held: Counter[str] = Counter()

    @asynccontextmanager
    async def read(self, receive: Receive, who: str) -> AsyncIterator[bytes]:
        """Read a body whole; its bytes count until the block ends.

        Raises:
            Refusal: It is too large, it stalls, or there is no room for it.
            GoneError: The connection was closed before its end.
        """
        parts: list[bytes] = []
        size = 0
        try:
            more = True
            while more:
                step, until = size + STALL_BYTES, asyncio.get_running_loop().time() + STALL_SECONDS
                while more and size < step:
                    part, more = await next_part(receive, until)
                    parts.append(part)
                    size += len(part)
                    self._held[who] += len(part)
                    self._check(size, who)
            yield b"".join(parts)
        finally:
            self._held -= Counter({who: size})

    def _check(self, size: int, who: str) -> None:
        """Refuse a body that is too large, alone or together with the others."""
        if size > self.largest:
            raise Refusal(413, f"expected at most {self.largest // 1_000_000} MB, got more")
        if self._held[who] > self.most // 2 or self._held.total() > self.most:
            raise Refusal(503, BUSY.format("images", "are being received, or many from other addresses"))


async def next_part(receive: Receive, until: float) -> tuple[bytes, bool]:
    """Receive a part of a body, and whether more follows.

    Raises:
        Refusal: The part does not arrive in time.
        GoneError: The connection was closed.
    """
    try:
        async with asyncio.timeout_at(until):
            message = await receive()
    except TimeoutError:
        raise Refusal(408, f"expected the rest of the body within {STALL_SECONDS:g} s, got too little of it") from None
    if message["type"] != "http.request":
        raise GoneError
    return message.get("body", b""), message.get("more_body", False)
