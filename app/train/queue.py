"""All runs of an app: one trains at a time, the others wait in their order; safe to use from many threads."""

import atexit
import contextlib
import hmac
import io
import logging
import math
import os
import secrets
import shutil
import subprocess
import threading
import time
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from filelock import FileLock, Timeout

from app.train.chunk import run_chunk
from app.train.host import LENT_SECONDS, Limits, lent, on_lent_gpu, read_limits
from app.train.record import FORMAT, Recipe, Record, folder_bytes, read_record, read_records, token_hash, write_record
from app.train.worker import DISK_FULL, end_group, last_words, spawn, wait_for, work
from mun.checkpoint import CARD, SNAPSHOTS, WEIGHTS
from mun.data.cache import cache_folder
from mun.files import writable_folder
from mun.hub import README
from mun.training.run import newest_state

__all__ = ["Queue", "check_room", "claim", "runs_to_remove"]

CLOSE_SECONDS = 5.0
STARTS_SECONDS = 600.0  # period in which a visitor's starts are counted
FREE_BYTES = 200_000_000  # free disk space that a new run needs at least
MOST_APPS = 16
RESTARTED = "interrupted by a restart of the app"


class Queue:
    """The queue of runs over a folder. Before its first use, it writes nothing and runs no thread.

    Args:
        root: Folder of runs; by default `$MUN_RUNS`, or `runs` below the folder of caches.
        limits: Limits of the host; read from the environment by default.

    Attributes:
        finished: Called with the folder of each finished run, also of those found when the folder is opened.
        removed: Called with the name of a run whose folder has been removed.
    """

    def __init__(self, root: Path | None = None, limits: Limits | None = None) -> None:
        self.limits = read_limits() if limits is None else limits
        self.finished: Callable[[Path], None] = lambda _: None
        self.removed: Callable[[str], None] = lambda _: None
        self._wanted = root
        self._root: Path | None = None  # until it is opened
        self._lock: FileLock | None = None
        self._closing = False
        self._records: dict[str, Record] = {}
        self._starts: list[tuple[str, float]] = []  # visitor and time
        self._process: subprocess.Popen[bytes] | None = None
        self._change = threading.RLock()
        self._server: threading.Thread | None = None  # works on the waiting runs, one after another
        # Before the page is launched, because a host that lends its GPU looks then for a function that requests it.
        self._lent_chunk = on_lent_gpu(run_chunk) if lent() else None

    @property
    def root(self) -> Path:
        """The folder of runs, opened at the first use."""
        self.open()
        assert self._root is not None  # `open` has set it
        return self._root

    def open(self) -> None:
        """Claim the folder and read its runs: waiting runs keep waiting, active ones become interrupted.

        Nothing is claimed where training is off.

        Raises:
            OSError: No folder can be written.
        """
        with self._change:
            if self._root is not None or self.limits.off:
                return
            self._root, self._lock = claim(self._wanted or Path(os.environ.get("MUN_RUNS") or cache_folder() / "runs"))
            atexit.register(self.close)
            for record in read_records(self._root):
                if record.active:
                    record = replace(record, state="interrupted", ended=time.time(), pid=0, error=RESTARTED)
                self._keep(record)
            done = [record.run for record in self._records.values() if record.state == "finished"]
            if self._waiting():
                self._wake()
        for run in done:
            self.finished(self._root / run)

    def start(self, recipe: Recipe, visitor: str = "") -> tuple[str, str]:
        """Put a run into the queue.

        Args:
            recipe: The request.
            visitor: The visitor who starts it, for the limit on starts.

        Returns:
            Its name, and its owner's token, which is returned only this once.

        Raises:
            ValueError: Training is off, too many runs wait, there is no room, or the visitor has started too many.
        """
        if self.limits.off:
            raise ValueError(self.limits.refusal("training is switched off here"))
        self.open()
        token = secrets.token_urlsafe(24)
        with self._change:
            self._admit(visitor)
            now = self._now()
            run = f"run-{recipe.config.model.auxiliary}-{secrets.token_hex(3)}"
            record = Record(FORMAT, run, "queued", recipe, token_hash(token), now, now)
            try:
                (self.root / run).mkdir()
                write_record(self.root / run, record)
            except OSError:
                shutil.rmtree(self.root / run, ignore_errors=True)
                raise ValueError("the disk is full: the run was not started; delete runs that are not needed") from None
            self._starts.append((visitor, time.monotonic()))
            self._records[run] = record
            self._wake()
        return run, token

    def _admit(self, visitor: str) -> None:
        """Make room for one more run of a visitor, or refuse it."""
        since = time.monotonic() - STARTS_SECONDS
        self._starts = [start for start in self._starts if start[1] > since]
        if sum(who == visitor for who, _ in self._starts) >= self.limits.starts:
            raise ValueError(
                self.limits.refusal(f"you have started {self.limits.starts} runs within ten minutes: wait some minutes")
            )
        check_room(self.records(), self.limits, self.root)
        for run in runs_to_remove(self.records(), self.limits, self.root):
            self._remove(run)

    def records(self) -> list[Record]:
        """List all runs, the oldest first."""
        self.open()
        with self._change:
            return sorted(map(self._fresh, self._records), key=lambda record: record.created)

    def get(self, run: str) -> Record:
        """Return the record of a run.

        Raises:
            ValueError: There is no such run.
        """
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

    def owned(self, run: str, token: str) -> Record:
        """Return the record of a run if the token is its owner's.

        Raises:
            ValueError: There is no such run, or the token is not its owner's.
        """
        record = self.get(run)
        if not hmac.compare_digest(record.owner, token_hash(token)):  # the time it takes reveals nothing
            raise ValueError("expected the token of this run's owner, got another one")
        return record

    def stop(self, run: str, token: str) -> None:
        """Stop a run after the current step, or take it out of the queue; a run that is over stays as it is.

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
            self._keep(replace(record, state="queued", queued=self._now(), error="", suggestion=""))
            self._wake()

    def delete(self, run: str, token: str) -> None:
        """Delete a run that is over, with its model.

        Raises:
            ValueError: As `owned`, or the run is not over.
        """
        with self._change:
            record = self.owned(run, token)
            if not record.over:
                raise ValueError(f"expected a run that is over, this one is {record.state}: stop it first")
            self._remove(run)

    def archive(self, run: str, token: str) -> bytes:
        """Pack a finished run's model as ZIP: weights, card, and the kept earlier states of its generator, if any.

        The same model gives the same bytes.

        Raises:
            ValueError: As `owned`, or the run is not finished.
        """
        record, file = self.owned(run, token), io.BytesIO()
        if record.state != "finished":
            raise ValueError(f"expected a finished run to download, this one is {record.state}")
        with zipfile.ZipFile(file, "w") as packed:
            for name in (WEIGHTS, CARD, README, SNAPSHOTS):
                if (path := self.root / run / name).is_file():
                    packed.writestr(zipfile.ZipInfo(f"{run}/{name}"), path.read_bytes())
        return file.getvalue()

    def close(self) -> None:
        """End the process that trains, which saves its state if it is quick enough, and release the folder."""
        with self._change:
            self._closing = True
            process, server = self._process, self._server
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()  # tells the process that the app ends
            try:
                process.wait(CLOSE_SECONDS)
            except subprocess.TimeoutExpired:
                end_group(process)
        if server is not None:
            server.join(CLOSE_SECONDS)  # until the end of the run is recorded
        if self._lock is not None:
            self._lock.release()
        atexit.unregister(self.close)

    def _now(self) -> float:
        """Return the time; where the clock was set back, a moment after the newest run, so that the order stays."""
        newest = max((max(one.created, one.queued) for one in self._records.values()), default=0.0)
        return max(time.time(), math.nextafter(newest, math.inf))

    def _waiting(self) -> list[Record]:
        waiting = [record for record in self._records.values() if record.state == "queued"]
        return sorted(waiting, key=lambda record: record.queued)

    def _fresh(self, run: str) -> Record:
        """Return the current record: an active run's process writes it; the run is over once that has ended."""
        if self._records[run].active:
            with contextlib.suppress(OSError, ValueError):
                record = read_record(self.root / run)
                return replace(record, state="training", error="", suggestion="") if record.over else record
        return self._records[run]

    def _keep(self, record: Record) -> None:
        """Store a record in memory, and on disk where that is possible."""
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
        """Start the thread that works on the waiting runs, unless it runs; the caller holds `_change`."""
        if self._server is None:
            self._server = threading.Thread(target=self._serve, name="jobs", daemon=True)
            self._server.start()

    def _serve(self) -> None:
        """Work on the waiting runs until none is left."""
        while run := self._next():
            try:  # whatever happens, the run ends
                code = self._spawn(run)
            except Exception as error:
                logging.getLogger(__name__).exception("the work on %s failed", run)
                code = DISK_FULL if isinstance(error, OSError) else 1
            try:  # whatever the error, the next run is taken up
                self._settle(run, code)
            except Exception:
                logging.getLogger(__name__).exception("the end of %s cannot be recorded", run)

    def _next(self) -> str:
        """Take up the run that has waited longest; without one, return an empty string and end the thread."""
        with self._change:
            waiting = self._waiting()
            if self._closing or not waiting:
                self._server = None
                return ""
            self._keep(replace(waiting[0], state="preparing", started=time.time()))
            return waiting[0].run

    def _spawn(self, run: str) -> int:
        """Work on a run in its own process, or in this one on a lent GPU; return the exit code when it has ended."""
        if self._lent_chunk is not None:
            work(self.root / run, self._lent_chunk, LENT_SECONDS)
            return 0
        self._process = spawn(self.root, run, self.limits.num_bytes)
        code = wait_for(self._process, self.root / run)
        self._process = None
        return code

    def _settle(self, run: str, code: int) -> None:
        """Record how a run has ended where its process could not; offer its model before it counts as finished."""
        folder = self.root / run
        try:
            record = read_record(folder)
        except (OSError, ValueError):
            record = self._records[run]
        if record.active:
            record = last_words(replace(record, ended=time.time(), pid=0), folder, code)
        if record.state == "finished":
            try:  # whatever the error, the next run is taken up
                self.finished(folder)
            except Exception:
                logging.getLogger(__name__).exception("the model of %s cannot be offered", run)
        with self._change:
            self._keep(record)
            for other in runs_to_remove(self.records(), self.limits, self.root, run) if worth(record, folder) else ():
                self._remove(other)


def check_queue(records: Sequence[Record], limits: Limits) -> None:
    """Refuse a run while the queue is full.

    Raises:
        ValueError: As many runs wait as are allowed.
    """
    waiting = sum(record.state == "queued" for record in records)
    if waiting >= limits.waiting:
        raise ValueError(limits.refusal(f"{waiting} runs wait already: please come back in a few minutes"))


def check_room(records: Sequence[Record], limits: Limits, root: Path) -> None:
    """Refuse one more run where there is no room for it.

    Raises:
        ValueError: The queue is full, as many runs as may be kept are not over, or the disk is nearly full.
    """
    check_queue(records, limits)
    if sum(not record.over for record in records) >= limits.runs:
        raise ValueError(limits.refusal(f"at most {limits.runs} runs are kept, and none of them is over"))
    if shutil.disk_usage(root).free < FREE_BYTES:
        raise ValueError("the disk is nearly full: the run was not started; delete runs that are not needed")


def runs_to_remove(records: Sequence[Record], limits: Limits, root: Path, newest: str = "") -> list[str]:
    """Choose the runs to remove, among those that are over, the oldest of a kind first.

    Runs that never trained go first and do not count as kept, so that starting and stopping in a loop removes no
    trained run. Finished runs go last, because visitors use their models.

    Args:
        records: All runs, the oldest first.
        limits: Limits of the host.
        root: The folder of runs.
        newest: The run that has just ended, which stays.
    """
    worths = {one.run: worth(one, root / one.run) for one in records if one.over and one.run != newest}
    runs, empty = sorted(worths, key=lambda run: worths[run]), list(worths.values()).count(0)
    excess = len(runs) - empty + (newest != "") - limits.runs  # of those that have trained
    # Some runs that never trained stay, so that their visitors can read why they failed.
    count = empty + excess if excess > 0 else max(0, empty - limits.runs)
    sizes, total = [folder_bytes(root / run) for run in runs], sum(folder_bytes(root / one.run) for one in records)
    while count < len(runs) and total - sum(sizes[:count]) > limits.num_bytes:
        count += 1
    return runs[:count]


def worth(record: Record, folder: Path) -> int:
    """Rank a run for removal: 0 where it never trained, 1 where it has, 2 where it is finished."""
    return 2 if record.state == "finished" else int(bool(record.trained or newest_state(folder)))


def claim(root: Path) -> tuple[Path, FileLock]:
    """Lock the folder of runs for this app until it ends; a second app beside it gets `root-2`, and so on.

    Args:
        root: The wanted folder; a temporary one replaces it where it cannot be written.

    Returns:
        The folder, and its lock, which is held.

    Raises:
        OSError: Not even a temporary folder can be written, or all names are taken.
    """
    root = writable_folder(root, "mun-runs-")
    for number in range(1, MOST_APPS + 1):
        folder = root if number == 1 else root.with_name(f"{root.name}-{number}")
        folder.mkdir(exist_ok=True)
        lock = FileLock(folder / "app.lock", timeout=0, thread_local=False)
        with contextlib.suppress(Timeout):
            lock.acquire()
            return folder, lock
    raise OSError(f"expected at most {MOST_APPS} apps with one folder of runs")
