"""A process that runs t-SNE and UMAP, so that they can be stopped and the page stays responsive meanwhile.

The process imports this module, so nothing here needs torch, which would be half of its memory.
"""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.projection import Method, Projection, Say, Settings, check_points, project

__all__ = ["Projector", "Report", "shared_projector", "unwatched"]

Report = Callable[..., None]  # as `Background.report` without its key; it raises once the work is stopped

POLL_SECONDS = 0.1
IDLE_SECONDS = 2.0  # without a request, before UMAP is loaded
LIMIT_SECONDS = 900.0  # t-SNE of 20,000 points takes some minutes on two busy cores
MAX_LOCAL_PCA = 4000  # points up to which PCA takes milliseconds and runs in this process
NICE = 5  # lower priority than the page, whose other tabs must stay fast


def unwatched(done: int = 0, **_: Any) -> None:
    """Ignore a report of progress."""


class Projector:
    """Lay out points in a separate process, one picture after another; safe to use from many threads.

    The process starts with the first picture, or with `warm_up`. It loads scikit-learn at once, and UMAP when no
    request waits, because UMAP takes ten seconds or more. A stopped picture ends the process; the next picture starts
    a new one.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()  # its holder may talk to the process
        self._lock = threading.Lock()
        self._process: Any = None
        self._connection: Connection | None = None

    def project(self, points: NDArray[np.floating], settings: Settings, report: Report = unwatched) -> Projection:
        """Lay out points; as `mun.projection.project`.

        Args:
            points: `(N, D)`.
            settings: Method and parameters.
            report: Called with the progress, also while it waits for its turn; if it raises, the work ends at once.

        Raises:
            ValueError: As `mun.projection.project`, or the process ended unexpectedly.
            StoppedError: The work was stopped.
        """
        check_points(points, settings)
        if settings.method is Method.PCA and len(points) <= MAX_LOCAL_PCA:
            return project(points, settings)
        while not self._turn.acquire(timeout=POLL_SECONDS):
            report(words="waiting for its turn")
        try:
            return self._ask(points, settings, report)
        finally:
            self._turn.release()

    def warm_up(self) -> None:
        """Start the process in the background, unless it is running."""
        if self._process is None or not self._process.is_alive():
            threading.Thread(target=self._start, name="projector", daemon=True).start()

    def close(self) -> None:
        """End the process; the next picture starts a new one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            if self._process is not None:
                self._process.kill()
                self._process.join()
            self._process = self._connection = None

    def _start(self) -> Connection:
        """Return the connection to the process; start the process if it is not running."""
        with self._lock:
            if self._process is None or not self._process.is_alive() or self._connection is None:
                context = multiprocessing.get_context("spawn")  # a fork would copy locks that other threads hold
                self._connection, theirs = context.Pipe()
                self._process = context.Process(target=serve, args=(theirs,), name="projector", daemon=True)
                self._process.start()
                theirs.close()
            return self._connection

    def _ask(self, points: NDArray[np.floating], settings: Settings, report: Report) -> Projection:
        try:
            connection = self._start()
            connection.send((np.asarray(points, dtype=np.float32), settings))
            answer = self._watch(connection, f"laying out {len(points):,} points", report)
        except (EOFError, OSError):
            self.close()
            raise ValueError("the projection ended unexpectedly; try again, perhaps with fewer images") from None
        except ValueError:  # stopped, or too slow
            self.close()
            raise
        if isinstance(answer, str):
            raise ValueError(answer)
        return answer

    def _watch(self, connection: Connection, words: str, report: Report) -> Projection | str:
        """Report the steps until the process answers."""
        begun, done, total = time.monotonic(), 0, 0
        while True:
            report(done, total=total, words=words)
            if time.monotonic() - begun > LIMIT_SECONDS:
                raise ValueError(f"the projection took more than {LIMIT_SECONDS:g} s; choose fewer images")
            if connection.poll(POLL_SECONDS):
                answer: Projection | str | tuple[int, int] = connection.recv()
                if not isinstance(answer, tuple):
                    return answer
                done, total = answer


def serve(connection: Connection) -> None:
    """Lay out points until the connection is closed; runs in the separate process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the page, which ends this process
    with contextlib.suppress(OSError):
        os.nice(NICE)
    os.environ["OMP_WAIT_POLICY"] = "passive"  # threads that wait by spinning are ten times slower on a busy machine
    umap_ready = threading.Thread(target=load, args=(Method.UMAP,), name="load UMAP", daemon=True)
    with contextlib.suppress(EOFError, OSError):
        load(Method.TSNE)
        while True:
            if umap_ready.ident is None and not connection.poll(IDLE_SECONDS):
                umap_ready.start()
            points, settings = connection.recv()
            if settings.method is Method.UMAP and umap_ready.ident is not None:
                umap_ready.join()
            connection.send(answer_of(points, settings, lambda done, total: connection.send((done, total))))


def answer_of(points: NDArray[np.float32], settings: Settings, say: Say | None = None) -> Projection | str:
    """Return a picture, or a sentence that says why it failed."""
    try:
        return project(points, settings, say)
    except ValueError as error:
        return str(error)
    except Exception as error:
        return f"the projection failed ({type(error).__name__}); try other parameters"


def load(method: Method) -> None:
    """Load a method by laying out a few points, which also compiles UMAP."""
    few = np.random.default_rng(0).standard_normal((24, 4)).astype(np.float32)
    answer_of(few, Settings(method, perplexity=5, neighbors=5))


@lru_cache(maxsize=1)
def shared_projector() -> Projector:
    """Return the only projector of this program: two would compete for the cores."""
    return Projector()
