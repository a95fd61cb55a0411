"""Who may do heavy work next: a few pieces at a time, round by visitor, and no visitor may fill the queue."""

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import count

__all__ = ["VISITOR", "BusyError", "Ticket", "Turns"]

# Who asks in the event in hand: a network address, and of the page also its session, with a space between.
VISITOR: ContextVar[str] = ContextVar("visitor", default="")
LOOK_SECONDS = 0.1
LONGEST_WAIT = 60  # seconds that a refusal names at most


class BusyError(ValueError):
    """There is no room for more work; the sentence says when to try again.

    Attributes:
        own: Whether the visitor's own work takes the room.
    """

    def __init__(self, words: str, seconds: int, *, own: bool) -> None:
        super().__init__(f"busy: {words}; try again in {seconds} s")
        self.own = own


@dataclass(eq=False)
class Ticket:
    """A piece of work that waits or is being done."""

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
        at_once: Pieces of work that are done at a time.
        each: Pieces that one visitor may have, running or waiting.
        most: Pieces that there may be, of all visitors; the sessions of one address may have half of them.
    """

    def __init__(self, at_once: int = 1, each: int = 2, most: int = 12) -> None:
        self.at_once, self.each, self.most = at_once, each, most
        self._changed = threading.Condition()
        self._numbers = count(1)
        self._tickets: list[Ticket] = []
        self._served: dict[str, int] = {}  # when a visitor or an address had its last turn, while it has tickets
        self._seconds = 1.0  # that a piece of work takes, the recent ones counting most

    def take(self, who: str) -> Ticket:
        """Queue a piece of work; `turn` must follow.

        Raises:
            BusyError: The visitor has as many as one may have, or there are as many as there may be.
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
        """Make the refusal of work while so many pieces come before it."""
        seconds = math.ceil(self._seconds * before / self.at_once)
        return BusyError(words, min(max(seconds, 1), LONGEST_WAIT), own=own)

    @contextmanager
    def turn(self, ticket: Ticket, look: Callable[[], object] = lambda: None) -> Iterator[None]:
        """Wait for the turn of a ticket, and give it back at the end.

        Args:
            ticket: Of `take`.
            look: Called now and then while it waits; may raise to give up.
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
        """Wait a moment, and say whether the ticket's turn has come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._next() is ticket, LOOK_SECONDS):
                return False
            ticket.running = True
            self._served[ticket.who] = self._served[ticket.address] = next(self._numbers)
            self._changed.notify_all()
            return True

    def _next(self) -> Ticket | None:
        """Choose whose turn it is: whoever had the last one longest ago; `None` while nobody may begin."""
        waiting = [one for one in self._tickets if not one.running]
        if not waiting or len(self._tickets) - len(waiting) >= self.at_once:
            return None
        served = self._served
        return min(waiting, key=lambda one: (served.get(one.address, 0), served.get(one.who, 0), one.number))

    def _leave(self, ticket: Ticket) -> None:
        """Forget a ticket, and of its visitor what nobody asks any more."""
        with self._changed:
            self._tickets.remove(ticket)
            there = {name for one in self._tickets for name in (one.who, one.address)}
            self._served = {name: turn for name, turn in self._served.items() if name in there}
            self._changed.notify_all()
