"""Long work in the background that pages wait for: begun once for everybody, with progress, and it can be stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

__all__ = ["AbandonedError", "Job", "Preparation", "Preparations", "StoppedError"]

PATIENCE = 8.0  # seconds; a page asks about every second
LOOK_SECONDS = 0.1


class StoppedError(ValueError):
    """Somebody has stopped the embedding."""


class AbandonedError(StoppedError):
    """Nobody waits for it any more."""


@dataclass(frozen=True)
class Preparation:
    """How far the embedding of a data set by a checkpoint has come.

    Attributes:
        done: Images embedded.
        total: Images to embed.
        ready: Whether the embeddings can be used at once.
        problem: Why they cannot be made, or an empty string.
        stopped: Whether somebody has stopped it.
        what: What is embedded, in words.
    """

    done: int
    total: int
    ready: bool = False
    problem: str = ""
    stopped: bool = False
    what: str = "every image"


@dataclass(frozen=True)
class Job:
    """What is to be done.

    Attributes:
        begun: How it stands before anything is done.
        work: Does it; it calls `Preparations.report` now and then.
        ready: Says whether its result is there.
        fleeting: Whether it is worth nothing once no page asks for it; such jobs are done one at a time.
    """

    begun: Preparation
    work: Callable[[], object]
    ready: Callable[[], bool]
    fleeting: bool = False


class Preparations:
    """The jobs under way by a key, and those that have failed or were stopped; safe to use from many threads."""

    def __init__(self) -> None:
        self._lock, self._turn = threading.Lock(), threading.Lock()
        self._progress: dict[Hashable, Preparation] = {}
        self._stopping: set[Hashable] = set()
        self._asked: dict[Hashable, float] = {}  # when a page asked last; of fleeting jobs alone
        self._wanted: Counter[Hashable] = Counter()

    def ask(self, key: Hashable, job: Job, *, retry: bool = False) -> Preparation:
        """Begin a job, unless it is under way, and say how far it is.

        Args:
            key: Names the result.
            job: What is to be done.
            retry: Begin anew where it has failed or was stopped; otherwise that is reported again.
        """
        with self._lock:
            if job.fleeting:
                self._asked[key] = time.monotonic()
            reported = self._progress.get(key)
            if reported is not None and not (retry and (reported.problem or reported.stopped)):
                return reported
            self._progress[key] = job.begun
            self._stopping.discard(key)
        threading.Thread(target=self._run, args=(key, job), name="prepare", daemon=True).start()
        return job.begun

    def stop(self, key: Hashable) -> None:
        """Stop a job for everybody, after what is in hand; do nothing where there is none."""
        with self._lock:
            reported = self._progress.get(key)
            if reported is not None and not (reported.problem or reported.stopped):
                self._stopping.add(key)
                self._progress[key] = replace(reported, stopped=True)

    def report(self, key: Hashable, done: int) -> None:
        """Note how far a job is.

        Raises:
            StoppedError: Somebody has stopped it, or nobody waits for it any more.
        """
        with self._lock:
            if key in self._stopping:
                raise StoppedError("the embedding of the images was stopped; start it again on the page")
            if (reported := self._progress.get(key)) is None:
                return
            if not self._wanted[key] and time.monotonic() - self._asked.get(key, time.monotonic()) > PATIENCE:
                raise AbandonedError("nobody waited for the embedding of the images any more; start it again")
            self._progress[key] = replace(reported, done=done)

    @contextmanager
    def wanted(self, key: Hashable) -> Iterator[None]:
        """Keep a fleeting job from being abandoned while somebody waits for its result without asking again."""
        with self._lock:
            self._wanted[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._wanted[key] -= 1
                if not self._wanted[key]:
                    del self._wanted[key]

    @contextmanager
    def _in_turn(self, key: Hashable, job: Job) -> Iterator[None]:
        """Wait until no other fleeting job is under way."""
        if not job.fleeting:
            yield
            return
        while not self._turn.acquire(timeout=LOOK_SECONDS):
            self.report(key, 0)
        try:
            self.report(key, 0)  # nothing is begun that was given up or stopped while it waited
            yield
        finally:
            self._turn.release()

    def _run(self, key: Hashable, job: Job) -> None:
        """Do a job; a failure is kept for the page and never ends the app."""
        problem, stopped = "", False
        try:
            with self._in_turn(key, job):
                job.work()
        except AbandonedError:
            pass
        except StoppedError:
            with self._lock:
                stopped = key in self._stopping
            if not stopped:  # somebody has started it again while it was coming to its end
                self._run(key, job)
                return
        except ValueError as error:
            problem = str(error)
        except Exception as error:
            logging.getLogger(__name__).exception("embedding %s failed", job.begun.what)
            problem = f"an unexpected error ({type(error).__name__}); the log of the app says more"
        with self._lock:
            reported = self._progress.pop(key, job.begun)
            self._stopping.discard(key)
            self._asked.pop(key, None)
            if (problem or stopped) and not job.ready():
                self._progress[key] = replace(reported, problem=problem, stopped=stopped)
