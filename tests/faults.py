"""Faults of a machine: a process that is killed at a chosen moment, a disk with no room."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

__all__ = ["Killer", "read_only", "small_disk"]

ROOT = Path(__file__).parents[1]
# Forks a process per line, which counts what it does to files and kills itself at one of these moments, or a little
# later, in the middle of whatever follows.
PROGRAM = """
import json, os, signal, sys, threading, time
from pathlib import Path
import torch
from mun.__main__ import main
from mun.checkpoint import load_checkpoint, save_checkpoint
import mun.commands.train, mun.commands.synth, mun.commands.embed, mun.embedding, mun.training.trainer, mun.synvi.writer
torch.set_num_threads(1)

def copy(source, out):
    network, card = load_checkpoint(Path(source))
    save_checkpoint(Path(out), network, card)
    return 0

WATCHED = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "mmap.__new__"}
for line in sys.stdin:
    words, place, moment, later = json.loads(line)
    reading, writing = os.pipe()
    if not (pid := os.fork()):
        seen = 0
        def watch(event, values):
            global seen
            if event in WATCHED and place in str(values):
                seen += 1
                if seen == moment:
                    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
                    signal.setitimer(signal.ITIMER_REAL, later) if later else os.kill(os.getpid(), signal.SIGKILL)
        sys.addaudithook(watch)
        sys.stdout = open(os.devnull, "w")
        code = copy(*words[1:]) if words[0] == "copy" else main(words)
        os.write(writing, str(seen).encode())
        os._exit(code)
    os.close(writing)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    print(json.dumps([code, int(os.read(reading, 20) or 0)]), flush=True)
    os.close(reading)
"""


class Killer:
    """Runs commands of `python -m mun` in processes that may be killed; `copy FROM TO` writes a checkpoint."""

    def __init__(self) -> None:
        self.draw = random.Random(0)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, words: list[str], place: Path, moment: int = 0, later: float = 0.0) -> tuple[int, int]:
        """Run a command; kill it so many events after its first in a folder, and so many seconds after that.

        Returns:
            The exit code, -9 where it was killed, and how many events there were where it was not.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([words, str(place), moment, later]) + "\n")
        self.process.stdin.flush()
        code, seen = json.loads(self.process.stdout.readline())
        return code, seen

    def moments(self, events: int, count: int) -> Iterator[tuple[int, float]]:
        """Draw moments: right before something is done to a file, or a little later."""
        for number in range(count):
            yield self.draw.randint(1, events), self.draw.uniform(0, 0.02) if number % 2 else 0.0

    def close(self) -> None:
        """End it."""
        self.process.communicate("")


def mount(*commands: list[str]) -> None:
    """Run commands that mount something; skips the test where that is not allowed."""
    try:
        allowed = all(subprocess.run(one, capture_output=True, check=False).returncode == 0 for one in commands)
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("needs the right to mount; mun/files.py without room is tested in any case")


@contextmanager
def small_disk(folder: Path, megabytes: int = 30) -> Iterator[Path]:
    """Mount a small disk."""
    folder.mkdir(parents=True)
    mount(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)])
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def read_only(source: Path, folder: Path) -> Iterator[Path]:
    """Show a folder at another place, where nobody may write."""
    folder.mkdir()
    mount(["mount", "--bind", str(source), str(folder)])
    try:
        mount(["mount", "-o", "remount,bind,ro", str(folder)])
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
