"""All runs of an app: one trains at a time, the others wait in their order; safe to use from many threads."""

from __future__ import annotations

import atexit
import contextlib
import logging
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from app.jobs import zerogpu
from app.jobs.admission import check_queue, runs_to_remove
from app.jobs.chunk import run_chunk
from app.jobs.folder import claim, read_records, runs_folder
from app.jobs.limits import Limits, read_limits
from app.jobs.process import end_group, last_words, spawn, wait_for
from app.jobs.record import FORMAT, Recipe, Record, read_record, token_hash, write_record
from app.jobs.worker import DISK_FULL, work

__all__ = ["Jobs"]

CLOSE_SECONDS = 5.0
NOTHING = "interrupted by a restart of the app"


class Jobs:
    """The queue of runs over a folder. Nothing is written, and no thread runs, before the first run or look.

    Args:
        root: Folder of runs; by default as `runs_folder` chooses.
        limits: What is allowed; by default as the environment says.

    Attributes:
        finished: Called with the folder of a run that has ended well, and of those found when the folder is opened.
        removed: Called with the name of a run whose folder is gone.
    """

    def __init__(self, root: Path | None = None, limits: Limits | None = None) -> None:
        self.limits = read_limits() if limits is None else limits
        self.finished: Callable[[Path], None] = lambda _: None
        self.removed: Callable[[str], None] = lambda _: None
        self._wanted, self._root = root, None if root is None else root
        self._lock: IO[str] | None = None
        self._opened = self._closing = False
        self._records: dict[str, Record] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._active = ""
        self._change = threading.Condition(threading.RLock())
        self._thread: threading.Thread | None = None
        # Before the page is launched: a host that lends its GPU wants to know then who asks for it.
        self._lent_chunk = zerogpu.on_lent_gpu(run_chunk) if zerogpu.lent() else None

    @property
    def root(self) -> Path:
        """The folder of runs, which is opened with the first look."""
        self.open()
        assert self._root is not None  # `open` has set it
        return self._root

    def open(self) -> None:
        """Claim the folder and take up what lies there: waiting runs wait on, active ones were interrupted.

        Raises:
            OSError: No folder can be written.
        """
        with self._change:
            if self._opened:
                return
            self._root, self._lock = claim(self._wanted or runs_folder())
            self._opened = True
            atexit.register(self.close)
            for record in read_records(self._root):
                if record.active:
                    record = replace(record, state="interrupted", ended=time.time(), pid=0, error=NOTHING)
                self._keep(record)
            done = [record.run for record in self._records.values() if record.state == "finished"]
            self._wake()
        for run in done:
            self.finished(self._root / run)

    def start(self, recipe: Recipe) -> tuple[str, str]:
        """Put a run into the queue.

        Returns:
            Its name, and its owner's token, which is told this one time.

        Raises:
            ValueError: Training is off, too many runs wait, or there is no room.
        """
        if self.limits.off:
            raise ValueError(self.limits.refusal("training is switched off here"))
        self.open()
        token = secrets.token_urlsafe(24)
        with self._change:
            self._admit()
            now = time.time()
            run = f"run-{recipe.config.model.auxiliary}-{secrets.token_hex(3)}"
            record = Record(FORMAT, run, "queued", recipe, token_hash(token), now, now)
            try:
                (self.root / run).mkdir()
                write_record(self.root / run, record)
            except OSError:
                shutil.rmtree(self.root / run, ignore_errors=True)
                raise ValueError("the disk is full: the run was not started; delete runs that are not needed") from None
            self._records[run] = record
            self._wake()
        return run, token

    def _admit(self) -> None:
        """Make room for one more run, or refuse it."""
        for run in runs_to_remove(self.records(), self.limits, self.root):
            self._remove(run)

    def records(self) -> list[Record]:
        """List all runs, the oldest first."""
        if self.limits.off:
            return []
        self.open()
        with self._change:
            return sorted(map(self._fresh, self._records), key=lambda record: record.created)

    def get(self, run: str) -> Record:
        """Return what is known about a run.

        Raises:
            ValueError: There is no such run.
        """
        if not self.limits.off:
            self.open()
        with self._change:
            if run not in self._records:
                raise ValueError("expected run to be the name of a run that is kept here; it may have been deleted")
            return self._fresh(run)

    def place(self, run: str) -> int:
        """Return a waiting run's place in the queue, 1 for the next; 0 for a run that does not wait."""
        with self._change:
            waiting = [record.run for record in self._waiting()]
        return waiting.index(run) + 1 if run in waiting else 0

    def stopping(self, run: str) -> bool:
        """Say whether a run has been asked to stop and has not done so yet."""
        return self.get(run).active and (self.root / run / "stop").exists()

    def owned(self, run: str, token: str) -> Record:
        """Return a run to its owner.

        Raises:
            ValueError: There is no such run, or the token is not its owner's.
        """
        record = self.get(run)
        if not record.owned_by(token):
            raise ValueError("expected the token of whoever started this run, got another one")
        return record

    def stop(self, run: str, token: str) -> None:
        """Stop a run after the step in hand, or take it out of the queue; a run that is over stays as it is.

        Raises:
            ValueError: As `owned`.
        """
        with self._change:
            record = self.owned(run, token)
            if record.state == "queued":
                self._keep(replace(record, state="stopped", ended=time.time()))
            elif record.active:
                with contextlib.suppress(OSError):  # on a full disk the process is ended after its grace
                    (self.root / run / "stop").touch()

    def resume(self, run: str, token: str) -> None:
        """Put a run that did not finish at the end of the queue; it goes on from its last saved state.

        Raises:
            ValueError: As `owned`; or the run is not over, is finished, or cannot go on.
        """
        with self._change:
            record = self.owned(run, token)
            if not record.over or record.state == "finished":
                raise ValueError(f"expected a run that was stopped, interrupted or failed, this one is {record.state}")
            if not record.resumable:
                raise ValueError(f"this run cannot go on: {record.error}")
            check_queue(self.records(), self.limits)
            (self.root / run / "stop").unlink(missing_ok=True)
            self._keep(replace(record, state="queued", queued=time.time(), error="", suggestion=""))
            self._wake()

    def delete(self, run: str, token: str) -> None:
        """Delete a run that is over, its model too.

        Raises:
            ValueError: As `owned`, or the run is not over.
        """
        with self._change:
            record = self.owned(run, token)
            if not record.over:
                raise ValueError(f"expected a run that is over, this one is {record.state}: stop it first")
            self._remove(run)

    def close(self) -> None:
        """End the process that trains, its state saved where it is quick, and let the folder go."""
        with self._change:
            self._closing = True
            self._change.notify_all()
            process, thread = self._process, self._thread
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()  # tells the process that the app ends
            try:
                process.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                end_group(process)
        if thread is not None and thread is not threading.current_thread():
            thread.join(CLOSE_SECONDS)
        if self._lock is not None:
            self._lock.close()
        atexit.unregister(self.close)

    def _waiting(self) -> list[Record]:
        waiting = [record for record in self._records.values() if record.state == "queued"]
        return sorted(waiting, key=lambda record: record.queued)

    def _fresh(self, run: str) -> Record:
        """Return a record as it is now: the run in hand is described by its process, and over once that has ended."""
        if run == self._active:
            with contextlib.suppress(OSError, ValueError):
                record = read_record(self.root / run)
                return replace(record, state="training", error="", suggestion="") if record.over else record
        return self._records[run]

    def _keep(self, record: Record) -> None:
        """Remember a record, and write it down where the disk lets us."""
        self._records[record.run] = record
        try:
            write_record(self.root / record.run, record)
        except OSError:
            logging.getLogger(__name__).exception("the record of %s cannot be written", record.run)

    def _remove(self, run: str) -> None:
        """Remove a run's folder; it disappears at once even where deleting takes a while."""
        del self._records[run]
        trash = self.root / f"{run}.trash"
        with contextlib.suppress(OSError):
            (self.root / run).rename(trash)
        shutil.rmtree(trash, ignore_errors=True)
        self.removed(run)

    def _wake(self) -> None:
        """See that waiting runs are taken up."""
        if self._waiting() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)
            self._thread.start()
        self._change.notify_all()

    def _serve(self) -> None:
        """Take up one run after another."""
        while True:
            with self._change:
                while not self._closing and not self._waiting():
                    self._change.wait()
                if self._closing:
                    return
                run = self._waiting()[0].run
                self._active = run
                self._keep(replace(self._records[run], state="preparing", started=time.time()))
            try:  # one run must not end the queue
                code = self._spawn(run) if self._lent_chunk is None else self._lend(run, self._lent_chunk)
            except Exception as error:
                logging.getLogger(__name__).exception("the work on %s failed", run)
                code = DISK_FULL if isinstance(error, OSError) else 1
            self._settle(run, code)

    def _lend(self, run: str, lent_chunk: Callable[..., Any]) -> int:
        """Work on a run in this process, its chunks on the lent GPU."""
        work(self.root / run, lent_chunk, zerogpu.CHUNK_SECONDS)
        return 0

    def _spawn(self, run: str) -> int:
        """Work on a run in a process of its own, and wait for its end; return its exit code."""
        process = spawn(self.root, run, self.limits.num_bytes)
        with self._change:
            self._process = process
        code = wait_for(process, self.root / run)
        with self._change:
            self._process = None
        return code

    def _settle(self, run: str, code: int) -> None:
        """Note how a run has ended, where its process could not; its model is told of before it counts as finished."""
        folder = self.root / run
        try:
            record = read_record(folder)
        except (OSError, ValueError):
            record = self._records[run]
        if record.active:
            record = last_words(replace(record, ended=time.time(), pid=0), folder, code)
        if record.state == "finished":
            try:  # whatever it is, the next run is taken up
                self.finished(folder)
            except Exception:
                logging.getLogger(__name__).exception("the model of %s cannot be offered", run)
        with self._change:
            self._active = ""
            self._keep(record)
