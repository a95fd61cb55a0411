"""Decode images from visitors in separate processes, with bounds on memory and time for every format.

The size of a file and of its picture does not bound the decoder's work: a BMP of a kilobyte can need gigabytes, a JPEG
of a megabyte half a minute. A file above the bounds ends its decoding process; the next file gets a new process.

A question is the lengths of name and file, then name and file. An answer is height, width and the number of bytes that
follow: the pixels, or the error message where height and width are 0.
"""

import contextlib
import os
import signal
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import LifoQueue
from typing import IO

import numpy as np
from numpy.typing import NDArray

from mun.images import MAX_PIXELS, decode

__all__ = ["CPU_SECONDS", "MEMORY_BYTES", "Decoders"]

CPU_SECONDS = 5.0  # for one image
MEMORY_BYTES = 400_000_000  # for one image, on top of the memory of an idle process
PROCESSES = 2
WAITING = 32  # most images that wait for a process
WALL_SECONDS = 30.0  # for one image, on a machine too busy to give it its processor time
LOOK_SECONDS = 0.02
PIPE_BYTES = 1 << 20  # where the system allows a choice; with a smaller pipe both sides wait for each other more often
QUESTION = struct.Struct(">HQ")
ANSWER = struct.Struct(">IIQ")
LEAN = {  # memory reserved by threads, and freed blocks that are kept, would count towards the bound
    "OPENBLAS_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "1000000",
}

Process = subprocess.Popen[bytes]


class Decoders:
    """Processes that decode images, started when first needed; safe to use from many threads.

    On Linux the system enforces the bounds. On other systems this program watches the processes with `psutil` and ends
    them. They also end with the program, for whatever reason it ends.

    Args:
        processes: How many images are decoded at a time.
        waiting: How many more may wait.
        watched: Whether this program watches the processes.
    """

    def __init__(
        self, processes: int = PROCESSES, waiting: int = WAITING, *, watched: bool = sys.platform != "linux"
    ) -> None:
        self.watched = watched
        self._places = threading.Semaphore(processes + waiting)
        self._free: LifoQueue[Process | None] = LifoQueue()  # the process used last is taken first
        for _ in range(processes):
            self._free.put(None)
        self._running: set[Process] = set()
        self.close = weakref.finalize(self, end_all, self._running)  # at exit too

    def decode(self, data: bytes, name: str = "the image") -> NDArray[np.uint8]:
        """Decode an image file's bytes to RGB, uint8, [0, 255], `(H, W, 3)`; as `mun.images.decode`.

        Args:
            data: The file, at most 16 MB.
            name: Name of the image in error messages.

        Raises:
            ValueError: As `mun.images.decode`; the decoder needs more than 5 s or 400 MB; or too many images wait.
        """
        if not self._places.acquire(blocking=False):
            raise ValueError("too many images are waiting to be decoded just now; try again in a moment")
        try:
            with self._lent() as process:
                height, width, answer = ask(process, data, name, watched=self.watched)
        except OSError:
            raise ValueError("images cannot be decoded just now; try again in a moment") from None
        except EOFError:
            raise ValueError(
                f"expected {name} to be an image that can be decoded within {CPU_SECONDS:g} s and"
                f" {MEMORY_BYTES // 1_000_000} MB, got one that needs more"
            ) from None
        finally:
            self._places.release()
        if not height:
            raise ValueError(answer.decode())
        return np.frombuffer(answer, dtype=np.uint8).reshape(height, width, 3)

    @contextmanager
    def _lent(self) -> Iterator[Process]:
        """Yield a process for exclusive use; a process that has ended is replaced."""
        process = self._free.get()
        try:
            if process is None or process.poll() is not None:
                self._end(process)
                process = start(watched=self.watched)
                self._running.add(process)
            yield process
        except BaseException:
            self._end(process)
            process = None
            raise
        finally:
            self._free.put(process)

    def _end(self, process: Process | None) -> None:
        if process is not None:
            self._running.discard(process)
            end(process)


def start(*, watched: bool) -> Process:
    """Start a process; it ends when the pipe to it is closed, at the latest with this program."""
    command = [sys.executable, "-m", "mun.decoding", *(["watched"] if watched else [])]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pipesize=PIPE_BYTES,
        env={**os.environ, **LEAN, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )


def end(process: Process) -> None:
    """End a process at once."""
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):  # closing tries to send the rest
            if pipe is not None:
                pipe.close()
    process.wait()


def end_all(processes: set[Process]) -> None:
    """End processes at once."""
    while processes:
        end(processes.pop())


def ask(process: Process, data: bytes, name: str, *, watched: bool) -> tuple[int, int, bytearray]:
    """Send a file to a process and wait for the answer.

    Returns:
        Height, width and the pixels; or 0, 0 and the error message in UTF-8.

    Raises:
        EOFError: The process ended.
    """
    assert process.stdin is not None
    assert process.stdout is not None
    label = name.encode()
    with ended_in_time(process, watched=watched):
        try:
            process.stdin.write(QUESTION.pack(len(label), len(data)) + label)
            process.stdin.write(data)
            process.stdin.flush()
        except OSError:
            raise EOFError from None
        height, width, length = ANSWER.unpack(read(process.stdout, ANSWER.size))
        if length > 3 * MAX_PIXELS:
            raise EOFError
        return height, width, read(process.stdout, length)


def read(pipe: IO[bytes], length: int) -> bytearray:
    """Read exactly `length` bytes.

    Raises:
        EOFError: The pipe ends before.
    """
    got = bytearray(length)
    if pipe.readinto(got) < length:  # type: ignore[attr-defined]
        raise EOFError
    return got


@contextmanager
def ended_in_time(process: Process, *, watched: bool) -> Iterator[None]:
    """Kill the process if it takes too long during the block or, where it is watched, too much memory."""
    done, begun = threading.Event(), time.monotonic()
    most, limit = resident(process) + MEMORY_BYTES if watched else 0, CPU_SECONDS if watched else WALL_SECONDS

    def look() -> None:
        while not done.wait(LOOK_SECONDS if watched else limit):
            if time.monotonic() - begun >= limit or (watched and resident(process) > most):
                process.kill()
                return

    threading.Thread(target=look, name="decoding", daemon=True).start()
    try:
        yield
    finally:
        done.set()


def resident(process: Process) -> int:
    """Measure how much memory a process takes, in bytes; 0 where it has ended."""
    import psutil

    try:
        return int(psutil.Process(process.pid).memory_info().rss)
    except psutil.Error:
        return 0


def bound_memory() -> None:
    """Bound the memory of this process from now on, and disable core dumps."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def answer(data: bytes, name: str) -> tuple[bytes, memoryview]:
    """Decode a file and return the head and the content of the answer."""
    try:
        pixels = decode(data, name)
    except ValueError as error:
        message = str(error).encode()
        return ANSWER.pack(0, 0, len(message)), memoryview(message)
    height, width, _ = pixels.shape
    return ANSWER.pack(height, width, pixels.nbytes), pixels.data.cast("B")


def main() -> None:
    """Answer questions in a decoding process until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the main program, and this process with it
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # text that a decoder prints must not mix with the answers
    bounded = sys.argv[1:] != ["watched"]
    if bounded:
        bound_memory()
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
    while head := questions.read(QUESTION.size):
        for_name, for_data = QUESTION.unpack(head)
        name = questions.read(for_name).decode()
        if bounded:
            signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # the signal ends this process
        answers.writelines(answer(questions.read(for_data), name))
        answers.flush()
        if bounded:
            signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    main()
