"""Limits on connections: how long one may keep this machine waiting, and how many there may be."""

import sys
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["STALL_BYTES", "STALL_SECONDS", "Connection", "bound_connections"]

STALL_SECONDS = 15.0
STALL_BYTES = 16_000  # that must be transferred within that time while the machine waits for bytes
MOST = 1000  # connections, if the system gives no limit


class Connection(H11Protocol):
    """A connection that is closed if its client sends or reads nothing for 15 s.

    - A request's head must arrive within 15 to 30 s of the connection or of the last answer.
    - The client must read 16 kB of a waiting answer within 15 s.
    - A body must declare its length: each of a million one-byte chunks would cost as much as a chunk of a megabyte.
    - If there are too many connections, the oldest idle one is closed.
    """

    def connection_made(self, transport: Any) -> None:
        """Start the checks; close the oldest idle connection if there are too many."""
        super().connection_made(transport)
        self._begun, self._unread = self.loop.time(), 0
        self._idle: tuple[object] | None = None  # holds the request that was answered last
        if len(self.connections) > most_connections():
            idle = [one for one in self.connections if isinstance(one, Connection) and one._is_idle()]
            min(idle, key=lambda one: one._begun).transport.abort()
        self.loop.call_later(STALL_SECONDS, self._look)

    def resume_writing(self) -> None:
        """Note that the visitor has read what was written."""
        self._unread = 0
        super().resume_writing()

    def _is_idle(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _look(self) -> None:
        """Close the connection if nothing was sent or read since the last check."""
        if self.transport.is_closing():
            return
        unread = self.transport.get_write_buffer_size()
        idle = (self.cycle,) if self._is_idle() else None
        if (idle and idle == self._idle) or (unread and self._unread and unread > self._unread - STALL_BYTES):
            self.transport.abort()
            return
        self._idle, self._unread = idle, unread
        self.loop.call_later(STALL_SECONDS, self._look)

    def _should_upgrade(self) -> bool:
        """Return whether the request whose head has just arrived goes only to `handle_websocket_upgrade`."""
        return any(name == b"transfer-encoding" for name, _ in self.headers)

    def handle_websocket_upgrade(self, event: Any) -> None:  # noqa: ARG002 there are no WebSockets
        """Refuse a chunked body."""
        self.send_400_response("expected a body with a declared length, got a chunked body")


def most_connections() -> int:
    """Return half of the number of files that this process may open."""
    if sys.platform == "win32":
        return MOST
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2


def bound_connections() -> None:
    """Make uvicorn use `Connection` from now on, in this process."""
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{Connection.__name__}"
