"""A fair queue for heavy work: a few pieces at a time, in turn by visitor, and no visitor may fill the queue."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count

__all__ = ["VISITOR", "BusyError", "Ticket", "Turns"]

# Visitor of the current event: a network address; for events of the page followed by a space and the session.
VISITOR: ContextVar[str] = ContextVar("visitor", default="")
LOOK_SECONDS = 0.1
LONGEST_WAIT = 60  # seconds that a refusal names at most


class BusyError(ValueError):
    """The queue is full; the sentence says when to try again.

    Attributes:
        own: Whether the visitor's own work has reached its limit.
    """

    def __init__(self, words: str, seconds: int, *, own: bool) -> None:
        super().__init__(f"busy: {words}; try again in {seconds} s")
        self.own = own


@dataclass(eq=False)
class Ticket:
    """A piece of work that waits or runs."""

    who: str
    number: int
    running: bool = False

    @property
    def address(self) -> str:
        """The visitor's network address; many sessions of the page may share it."""
        return self.who.partition(" ")[0]


class Turns:
    """The turns of one kind of work; safe to use from many threads.

    Args:
        at_once: Pieces of work that run at a time.
        each: Pieces that one visitor may have, running or waiting.
        most: Pieces of all visitors, running or waiting; the sessions of one address may have half of them.
    """

    def __init__(self, at_once: int = 1, each: int = 2, most: int = 12) -> None:
        self.at_once, self.each, self.most = at_once, each, most
        self._changed = threading.Condition()
        self._numbers = count(1)
        self._tickets: list[Ticket] = []
        self._served: dict[str, int] = {}  # when a visitor or an address had its last turn, while it has tickets
        self._seconds = 1.0  # duration of a piece of work, as a moving average

    def take(self, who: str) -> Ticket:
        """Queue a piece of work; `turn` must follow.

        Raises:
            BusyError: The visitor, its address, or all visitors together have reached their limit.
        """
        with self._changed:
            ticket = Ticket(who, next(self._numbers))
            own = sum(one.who == who for one in self._tickets)
            near = sum(one.address == ticket.address for one in self._tickets)
            if own >= self.each:
                raise self._busy(f"{own} of your calls of this kind are running or waiting", own, own=True)
            if near >= max(self.each, self.most // 2):
                raise self._busy(f"{near} calls from your address are running or waiting", near, own=True)
            if len(self._tickets) >= self.most:
                raise self._busy("many visitors are asking for this just now", self.most, own=False)
            self._tickets.append(ticket)
            return ticket

    def _busy(self, words: str, before: int, *, own: bool) -> BusyError:
        """Return the refusal of a piece of work that would have to wait for `before` other pieces."""
        seconds = math.ceil(self._seconds * before / self.at_once)
        return BusyError(words, min(max(seconds, 1), LONGEST_WAIT), own=own)

    @contextmanager
    def turn(self, ticket: Ticket, look: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Wait for the turn of a ticket, and give it back at the end.

        Args:
            ticket: A ticket from `take`.
            look: Called repeatedly while the ticket waits; may raise an error to give up.
        """
        try:
            while not self._begins(ticket):
                look()
            begun = time.monotonic()
            yield
            self._seconds += (time.monotonic() - begun - self._seconds) / 4
        finally:
            self._leave(ticket)

    def _begins(self, ticket: Ticket) -> bool:
        """Wait briefly, then return whether the ticket's turn has come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._next() is ticket, LOOK_SECONDS):
                return False
            ticket.running = True
            self._served[ticket.who] = self._served[ticket.address] = next(self._numbers)
            self._changed.notify_all()
            return True

    def _next(self) -> Ticket | None:
        """Return the ticket of the visitor whose last turn is longest ago; `None` while no ticket may begin."""
        waiting = [one for one in self._tickets if not one.running]
        if not waiting or len(self._tickets) - len(waiting) >= self.at_once:
            return None
        served = self._served
        return min(waiting, key=lambda one: (served.get(one.address, 0), served.get(one.who, 0), one.number))

    def _leave(self, ticket: Ticket) -> None:
        """Remove a ticket, and the last turns of visitors and addresses without tickets."""
        with self._changed:
            self._tickets.remove(ticket)
            there = {name for one in self._tickets for name in (one.who, one.address)}
            self._served = {name: turn for name, turn in self._served.items() if name in there}
            self._changed.notify_all()
