"""Progress on stderr: a bar on a terminal, one line now and then in a file or a pipe."""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import TypeVar

from tqdm import tqdm

__all__ = ["Progress", "run_through", "tracked"]

T = TypeVar("T")
LINE_SECONDS = 30.0


class Progress:
    """Counts finished units of work.

    Args:
        total: Number of units; unknown where `None`.
        name: The work.
        unit: One unit, in the singular.
        shown: Whether anything is written.
        done: Units that were finished before.
    """

    def __init__(self, total: int | None, name: str, unit: str, shown: bool = True, done: int = 0) -> None:
        terminal = sys.stderr.isatty()
        self.total, self.name, self.unit, self.done = total, name, unit, done
        self.lines, self.written = shown and not terminal, time.monotonic()
        self.values: dict[str, str] = {}
        self.bar = tqdm(total=total, initial=done, desc=name, unit=unit, leave=False, disable=not (shown and terminal))

    def update(self, count: int = 1, **values: str) -> None:
        """Add finished units, with values to show."""
        self.done += count
        if values:
            self.values = values
            self.bar.set_postfix(values, refresh=False)
        self.bar.update(count)
        if self.lines and time.monotonic() - self.written >= LINE_SECONDS:
            self.written = time.monotonic()
            of_all = "" if self.total is None else f" of {self.total:,}"
            shown = "".join(f", {name} {value}" for name, value in self.values.items())
            sys.stderr.write(f"{self.name}: {self.done:,}{of_all} {self.unit}s{shown}\n")
            sys.stderr.flush()

    def __enter__(self) -> Progress:
        """Return the counter itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Remove the bar."""
        self.bar.close()


def tracked(items: Sequence[T], name: str, unit: str, shown: bool = True) -> Iterator[T]:
    """Yield each item, and count it when the next one is requested."""
    with Progress(len(items), name, unit, shown) as progress:
        for item in items:
            yield item
            progress.update()


def run_through(steps: Generator[int, None, None], total: int | None, name: str, unit: str) -> None:
    """Run a generator that yields the number of units finished in each step; it is closed also after an error."""
    with Progress(total, name, unit) as progress, closing(steps):
        for count in steps:
            progress.update(count)
