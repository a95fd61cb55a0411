"""Projections in the background: how far each is, and how to leave it; each is made once for all who wait for it."""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field

from app.actions.embeddings import project
from app.actions.embeddings.bundle import find
from app.actions.embeddings.points import Watch
from app.actions.embeddings.project import Request, Result
from app.library import Library
from app.library.background import StoppedError
from app.projector import Cancelled

__all__ = ["Jobs", "Status"]

MAX_RUNNING = 12  # projections that wait or are made; further ones are asked to come again
MAX_FAILED = 200  # sentences that are remembered


@dataclass(frozen=True)
class Status:
    """How far a projection is.

    Attributes:
        result: What came out; `None` while it is made, or where it cannot be.
        words: What is being done.
        problem: Why it cannot be made, or an empty string.
        stopped: Whether it was stopped.
    """

    result: Result | None = None
    words: str = ""
    problem: str = ""
    stopped: bool = False


@dataclass
class Job:
    """A projection under way and how many visitors wait for it."""

    watch: Watch = field(default_factory=Watch)
    waiting: int = 0
    begun: float = field(default_factory=time.monotonic)


class Jobs:
    """The projections under way; safe to use from many threads.

    Args:
        library: What all visitors share.
    """

    def __init__(self, library: Library) -> None:
        self.library = library
        self._lock = threading.Lock()
        self._running: dict[Request, Job] = {}
        self._failed: OrderedDict[Request, Status] = OrderedDict()

    def join(self, request: Request) -> Status:
        """Wait for a checked request, starting it where nobody has; whoever joins leaves it again or sees its end."""
        if (result := find(self.library, request)) is not None:
            return Status(result)
        with self._lock:
            self._failed.pop(request, None)
            job = self._running.get(request)
            if job is None:
                if len(self._running) >= MAX_RUNNING:
                    return Status(problem="many visitors are asking for projections just now; try again in a minute")
                job = self._running[request] = Job()
                threading.Thread(target=self._work, args=(request, job), name="project", daemon=True).start()
            job.waiting += 1
        return self.look(request)

    def look(self, request: Request) -> Status:
        """Say how far a request is that was joined before."""
        with self._lock:
            job, failed = self._running.get(request), self._failed.get(request)
        if job is not None:
            return Status(words=f"{job.watch.words} ({time.monotonic() - job.begun:.0f} s)")
        if failed is not None:
            return failed
        result = find(self.library, request)
        return Status(result) if result is not None else Status(stopped=True)

    def leave(self, request: Request) -> None:
        """No longer wait for a request; it is stopped when nobody does."""
        with self._lock:
            if (job := self._running.get(request)) is not None:
                job.waiting -= 1
                if job.waiting <= 0:
                    job.watch.stopped.set()
                    del self._running[request]

    def _work(self, request: Request, job: Job) -> None:
        status = None
        while status is None:
            try:
                project.run(self.library, request, job.watch)
                status = Status()
            except (StoppedError, Cancelled):
                if job.watch.stopped.is_set():
                    status = Status(stopped=True)  # otherwise somebody stopped the same points for another picture
            except ValueError as error:
                status = Status(problem=str(error))
            except Exception as error:
                logging.getLogger(__name__).exception("a projection failed")
                status = Status(problem=f"an unexpected error ({type(error).__name__}); the log of the app says more")
        with self._lock:
            if self._running.get(request) is job:
                del self._running[request]
                if status.problem or status.stopped:
                    self._failed[request] = status
                    while len(self._failed) > MAX_FAILED:
                        self._failed.popitem(last=False)
