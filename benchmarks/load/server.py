"""The app in a separate process, and its memory and temporary files."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

__all__ = ["Memory", "Server", "running", "start"]

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 240
END_SECONDS = 20


@dataclass(frozen=True)
class Memory:
    """Resident bytes of the app's process, and of it with all its child processes, shared pages counted once."""

    app: int
    family: int


@dataclass(frozen=True)
class Server:
    """A running app.

    Attributes:
        url: With `/` at the end.
        pid: Of its process; 0 if it runs elsewhere and cannot be measured.
        temporary: Its folder of temporary files; `None` likewise.
    """

    url: str
    pid: int = 0
    temporary: Path | None = None

    def memory(self) -> Memory:
        """Read its memory from `/proc`; zeros if it runs elsewhere."""
        if not self.pid:
            return Memory(0, 0)
        held, shares, parents = {}, {}, {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                lines = (entry / "status").read_text().splitlines()
                share = re.search(r"Pss: +(\d+) kB", (entry / "smaps_rollup").read_text())
            except OSError:  # the process has ended, or belongs to another user
                continue
            values = dict(line.split(":", 1) for line in lines)
            held[int(entry.name)] = 1024 * int(values.get("VmRSS", "0 kB").split()[0])
            shares[int(entry.name)] = 1024 * int(share[1]) if share else 0
            parents[int(entry.name)] = int(values["PPid"])
        family = [pid for pid in held if self.pid in ancestors(pid, parents)]
        return Memory(held.get(self.pid, 0), sum(shares[pid] for pid in family))

    def files(self) -> tuple[int, int]:
        """Return the number and the bytes of its temporary files."""
        sizes = []
        for path in self.temporary.rglob("*") if self.temporary else ():
            try:
                sizes += [path.stat().st_size] if path.is_file() else []
            except OSError:
                continue
        return len(sizes), sum(sizes)


def ancestors(pid: int, parents: Mapping[int, int]) -> list[int]:
    """List a process and all its ancestors."""
    line = [pid]
    while (above := parents.get(line[-1], 0)) and above not in line:
        line.append(above)
    return line


@contextmanager
def start(folder: Path, arguments: list[str], environment: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Run `python app.py` on a free port, and end it with all its child processes.

    Args:
        folder: For its caches, its runs, its temporary files and its log.
        arguments: Flags of `app.py`.
        environment: Variables in addition to those of this process.

    Raises:
        RuntimeError: The app did not start; the message ends with its log.
    """
    places = {"GRADIO_TEMP_DIR": folder / "gradio", "MUN_CACHE": folder / "cache", "MUN_RUNS": folder / "runs"}
    variables = {**os.environ, **{name: str(path) for name, path in places.items()}, **(environment or {})}
    with running(ROOT, arguments, variables, folder / "log") as (url, pid):
        yield Server(url, pid, folder / "gradio")


@contextmanager
def running(root: Path, arguments: list[str], environment: Mapping[str, str], log: Path) -> Iterator[tuple[str, int]]:
    """Run the `app.py` of a folder with these variables and no others; yield its address and its process id.

    Raises:
        RuntimeError: The app did not start; the message ends with its log.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    variables = {**environment, "GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": str(port)}
    command = [sys.executable, "app.py", *arguments]
    with log.open("wb") as said:
        process = subprocess.Popen(command, cwd=root, env=variables, stdout=said, stderr=said, start_new_session=True)
    try:
        wait_for(url, process, log)
        yield url, process.pid
    finally:
        end(process)


def wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the app answers."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            httpx.get(url, timeout=10)
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"the app did not start:\n{log.read_text()}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End a process and its group."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return
