"""How long a connection may keep this machine waiting, and how many there may be."""

import sys
from typing import Any

from uvicorn import config
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["STALL_BYTES", "STALL_SECONDS", "Connection", "bound_connections"]

STALL_SECONDS = 15.0
STALL_BYTES = 16_000  # that must go on within that time, where bytes are waited for
MOST = 1000  # connections, where the system names no bound


class Connection(H11Protocol):
    """A connection that is closed where nothing is asked or read for 15 s.

    - A request's head comes within 15 to 30 s of the connection or of the last answer.
    - Of an answer that waits, 16 kB are read within 15 s.
    - Bodies declare their length: each of a million chunks of one byte costs as much as one of a megabyte.
    - Where there are too many, the one that has asked nothing for longest makes room.
    """

    def connection_made(self, transport: Any) -> None:
        """Begin."""
        super().connection_made(transport)
        self._begun, self._unread = self.loop.time(), 0
        self._idle: tuple[object] | None = None  # with the request that was answered last
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
        """Close the connection where nothing has gone on since the last look."""
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
        """Say whether a head, which has just come, is passed to `handle_websocket_upgrade` and no further."""
        return any(name == b"transfer-encoding" for name, _ in self.headers)

    def handle_websocket_upgrade(self, event: Any) -> None:  # noqa: ARG002 nothing here speaks over one
        """Refuse a body in chunks."""
        self.send_400_response("expected a body whose length is declared, got one in chunks")


def most_connections() -> int:
    """Half of the files that this process may open."""
    if sys.platform == "win32":
        return MOST
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2


def bound_connections() -> None:
    """Let uvicorn make such connections from now on, in this process."""
    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{Connection.__name__}"
