"""Long work in the background that pages wait for: begun once for everybody, with progress, and it can be stopped."""

import logging
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import copy_context
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from app.library.turns import VISITOR, BusyError, Ticket, Turns

__all__ = ["AbandonedError", "Background", "Job", "Progress", "StoppedError", "sentence"]

PATIENCE = 8.0  # seconds; a page asks about every second
MAX_ENDED = 200  # failures and stops that are remembered
CLOSE_SECONDS = 5.0


def sentence(name: str, error: Exception) -> str:
    """Say what went wrong to whoever asked; an error that is no `ValueError` is logged, for nobody thought of it."""
    if isinstance(error, ValueError):
        return str(error)
    logging.getLogger(__name__).error("%s failed", name, exc_info=error)
    return f"an unexpected error ({type(error).__name__}); the log of the app says more"


class StoppedError(ValueError):
    """Somebody has stopped the job."""


class AbandonedError(StoppedError):
    """Nobody waits for it any more."""


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        done: Steps done.
        total: Steps to do; 0 where that is not known.
        ready: Whether its result can be had at once.
        problem: Why there is none, in a sentence, or an empty string.
        stopped: Whether somebody has stopped it.
        words: What is being done.
        made: What is there so far, for a page that shows it; `None` for nothing.
    """

    done: int = 0
    total: int = 0
    ready: bool = False
    problem: str = ""
    stopped: bool = False
    words: str = ""
    made: Any = None

    @property
    def ended(self) -> bool:
        """Whether there is nothing to wait for: it is ready, has failed or was stopped."""
        return self.ready or self.stopped or bool(self.problem)


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        begun: How it stands before anything is done.
        work: Does it and keeps its result, as in the cache; it calls `Background.report` now and then.
        ready: Says whether its result is there.
        kind: Jobs of one kind are done one at a time, round by visitor; those without a kind beside all others.
        fleeting: Whether it is worth nothing once no page asks for it.
    """

    begun: Progress
    work: Callable[[], object]
    ready: Callable[[], bool]
    kind: str = ""
    fleeting: bool = False


@dataclass(eq=False)
class Work:
    """A job that waits for its turn or is being done, and when each visitor asked last for one that is fleeting."""

    job: Job
    progress: Progress
    asked: dict[str, float]


class Background:
    """The jobs under way by a key, and those that have failed or were stopped; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: defaultdict[str, Turns] = defaultdict(Turns)
        self._running: dict[Hashable, Work] = {}
        self._ended: dict[Hashable, Progress] = {}  # of those that have failed or were stopped
        self._wanted: Counter[Hashable] = Counter()

    def ask(self, key: Hashable, job: Job, *, who: str = "", retry: bool = False) -> Progress:
        """Begin a job, unless it is there or under way, and say how far it is.

        A visitor who has as many jobs of the kind as one may have is told that this one waits, and asks again.

        Args:
            key: Names the result.
            job: What is to be done.
            who: The visitor who asks, by default that of the event in hand; `stop` leaves a job to the others who do.
            retry: Begin anew where it has failed or was stopped; otherwise that is reported again.
        """
        if job.ready():
            return replace(job.begun, done=job.begun.total, ready=True)
        who = who or VISITOR.get()
        asked = {who: time.monotonic()} if job.fleeting else {}
        with self._lock:
            if (running := self._running.get(key)) is not None:
                running.asked |= asked
            reported = running.progress if running else self._ended.get(key)
            if reported is not None and not (retry and reported.ended):
                return reported
            try:
                ticket = self._turns[job.kind].take(who) if job.kind else None
            except BusyError as error:
                return replace(job.begun, words="waiting for its turn", problem="" if error.own else str(error))
            work = self._running[key] = Work(job, job.begun, asked)
            self._ended.pop(key, None)
        run = partial(copy_context().run, self._run, key, work, ticket)  # it sees the visitor's own features too
        threading.Thread(target=run, name="background", daemon=True).start()
        return job.begun

    def knows(self, key: Hashable) -> bool:
        """Say whether a job is under way, or has failed or was stopped."""
        with self._lock:
            return key in self._running or key in self._ended

    def stop(self, key: Hashable, who: str = "") -> None:
        """Stop a job after the step in hand; do nothing where there is none.

        Args:
            key: Names the result.
            who: Only for this visitor: the job goes on where others wait for it. Empty for everybody.
        """
        with self._lock:
            if (work := self._running.get(key)) is None:
                return
            work.asked.pop(who, None)
            if not who or self._abandoned(key, work):
                work.progress = replace(work.progress, stopped=True)

    def close(self) -> None:
        """Stop all jobs and wait a while for the steps in hand: Python aborts where it ends while torch computes."""
        for key in list(self._running):
            self.stop(key)
        deadline = time.monotonic() + CLOSE_SECONDS
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)

    def report(self, key: Hashable, done: int = 0, **changes: Any) -> None:
        """Note how far a job is. A key without a job is passed over.

        Args:
            key: Names the result.
            done: Steps done.
            changes: What else is said, by the names of `Progress`; what is not named stays.

        Raises:
            StoppedError: Somebody has stopped it, or nobody waits for it any more.
        """
        with self._lock:
            if (work := self._running.get(key)) is None:
                return
            if work.progress.stopped:
                raise StoppedError("this was stopped; start it again on the page")
            if work.job.fleeting and self._abandoned(key, work):
                raise AbandonedError("nobody waited for this any more; start it again")
            work.progress = replace(work.progress, done=done, **changes)

    @contextmanager
    def wanted(self, key: Hashable) -> Iterator[None]:
        """Keep a fleeting job from being abandoned while somebody waits for its result without asking again."""
        with self._lock:
            self._wanted[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= Counter([key])

    def _abandoned(self, key: Hashable, work: Work) -> bool:
        """Say whether no visitor has asked lately and nobody waits; the lock is held."""
        now = time.monotonic()
        return not self._wanted[key] and all(now - moment > PATIENCE for moment in work.asked.values())

    def _run(self, key: Hashable, work: Work, ticket: Ticket | None) -> None:
        """Do a job in its turn; a failure is kept for the page and never ends the app."""
        job, problem = work.job, ""
        try:
            with self._turns[job.kind].turn(ticket, lambda: self.report(key)) if ticket else nullcontext():
                self.report(key)  # nothing is begun that was given up or stopped while it waited
                while True:
                    try:
                        job.work()
                        break
                    except StoppedError as error:  # again where it shares work with one that was stopped
                        if work.progress.stopped or isinstance(error, AbandonedError):
                            raise
        except StoppedError:
            pass
        except Exception as error:
            problem = sentence(job.begun.words or job.kind, error)
        with self._lock:
            if self._running.get(key) is not work:  # it was started again while it came to its end
                return
            del self._running[key]
            if (problem or work.progress.stopped) and not job.ready():
                self._ended[key] = replace(work.progress, problem=problem)
                if len(self._ended) > MAX_ENDED:
                    del self._ended[next(iter(self._ended))]
