"""Long jobs in the background that pages wait for: started once for all visitors, with progress, and stoppable."""

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

PATIENCE = 8.0  # seconds without a request until a fleeting job is abandoned; a page asks about every second
MAX_ENDED = 200  # failed and stopped jobs that are remembered
CLOSE_SECONDS = 5.0


def sentence(name: str, error: Exception) -> str:
    """Return the message of an error for the visitor; an error that is no `ValueError` is unexpected and is logged."""
    if isinstance(error, ValueError):
        return str(error)
    logging.getLogger(__name__).error("%s failed", name, exc_info=error)
    return f"an unexpected error ({type(error).__name__}); the log of the app says more"


class StoppedError(ValueError):
    """The job was stopped."""


class AbandonedError(StoppedError):
    """The job was stopped because no visitor waits for it any more."""


@dataclass(frozen=True)
class Progress:
    """The progress of a job.

    Attributes:
        done: Steps done.
        total: Steps to do; 0 if that is not known.
        ready: Whether the result is available.
        problem: Why the job has failed, in one sentence; empty if it has not.
        stopped: Whether the job was stopped.
        words: What is being done.
        made: Intermediate result, for a page that shows it; `None` if there is none.
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
        """Whether the job has ended: its result is ready, it has failed, or it was stopped."""
        return self.ready or self.stopped or bool(self.problem)


@dataclass(frozen=True)
class Job:
    """Work to do in the background.

    Attributes:
        begun: Progress before the work starts.
        work: Does the work and stores its result, for example in the cache; calls `Background.report` repeatedly.
        ready: Returns whether the result is available.
        kind: Jobs of one kind run one at a time, in turn by visitor; jobs without a kind run beside all others.
        fleeting: Whether the job is abandoned when no page asks for it any more.
    """

    begun: Progress
    work: Callable[[], object]
    ready: Callable[[], bool]
    kind: str = ""
    fleeting: bool = False


@dataclass(eq=False)
class Work:
    """A job that waits for its turn or runs; `asked` holds when each visitor last asked."""

    job: Job
    progress: Progress
    asked: dict[str, float]


class Background:
    """Waiting, running, failed and stopped jobs, each under a key; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: defaultdict[str, Turns] = defaultdict(Turns)
        self._running: dict[Hashable, Work] = {}
        self._ended: dict[Hashable, Progress] = {}  # failed and stopped jobs
        self._wanted: Counter[Hashable] = Counter()

    def ask(self, key: Hashable, job: Job, *, who: str = "", retry: bool = False) -> Progress:
        """Start a job, unless its result is ready or it waits or runs already, and return its progress.

        A visitor with the maximum number of jobs of this kind is told that the job waits, and must ask again.

        Args:
            key: Names the result.
            job: The job.
            who: The visitor who asks, by default that of the current event; `stop` can stop a job for one visitor.
            retry: Start a failed or stopped job again; otherwise its last progress is returned.
        """
        if job.ready():
            return replace(job.begun, done=job.begun.total, ready=True)
        who = who or VISITOR.get()
        asked = {who: time.monotonic()}
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
        run = partial(copy_context().run, self._run, key, work, ticket)  # the context holds the visitor's own features
        threading.Thread(target=run, name="background", daemon=True).start()
        return job.begun

    def knows(self, key: Hashable) -> bool:
        """Return whether a job waits or runs, has failed, or was stopped."""
        with self._lock:
            return key in self._running or key in self._ended

    def stop(self, key: Hashable, who: str = "") -> None:
        """Stop a job after its current step; do nothing if the key has no job.

        Args:
            key: Names the result.
            who: Stop it for this visitor only: it continues if other visitors wait for it. Empty for all visitors.
        """
        with self._lock:
            if (work := self._running.get(key)) is None:
                return
            work.asked.pop(who, None)
            if not who or self._abandoned(key, work):
                work.progress = replace(work.progress, stopped=True)

    def close(self) -> None:
        """Stop all jobs and wait briefly for their current steps: Python aborts if it exits while torch computes."""
        for key in list(self._running):
            self.stop(key)
        deadline = time.monotonic() + CLOSE_SECONDS
        while self._running and time.monotonic() < deadline:
            time.sleep(0.02)

    def report(self, key: Hashable, done: int = 0, **changes: Any) -> None:
        """Record the progress of a job; a key without a job is ignored.

        Args:
            key: Names the result.
            done: Steps done.
            changes: Other fields of `Progress` to change; the remaining fields keep their values.

        Raises:
            StoppedError: The job was stopped, or no visitor waits for it any more.
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
        """Prevent that a fleeting job is abandoned while a caller waits for its result without asking again."""
        with self._lock:
            self._wanted[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted -= Counter([key])

    def _abandoned(self, key: Hashable, work: Work) -> bool:
        """Return whether no visitor has asked recently and no caller waits; the lock must be held."""
        now = time.monotonic()
        return not self._wanted[key] and all(now - moment > PATIENCE for moment in work.asked.values())

    def _run(self, key: Hashable, work: Work, ticket: Ticket | None) -> None:
        """Run a job in its turn; a failure is recorded for the page and never ends the app."""
        job, problem = work.job, ""
        try:
            with self._turns[job.kind].turn(ticket, lambda: self.report(key)) if ticket else nullcontext():
                self.report(key)  # do not start a job that was abandoned or stopped while it waited
                while True:
                    try:
                        job.work()
                        break
                    except StoppedError as error:  # retry if only another job, which shares its work, was stopped
                        if work.progress.stopped or isinstance(error, AbandonedError):
                            raise
        except StoppedError:
            pass
        except Exception as error:
            problem = sentence(job.begun.words or job.kind, error)
        with self._lock:
            if self._running.get(key) is not work:  # the job was started again while this run was ending
                return
            del self._running[key]
            if (problem or work.progress.stopped) and not job.ready():
                self._ended[key] = replace(work.progress, problem=problem)
                if len(self._ended) > MAX_ENDED:
                    del self._ended[next(iter(self._ended))]
