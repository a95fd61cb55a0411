"""Times and errors of answers: counted by name, printed as a table."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import httpx
import numpy as np

from benchmarks.load.page import PageError

__all__ = ["Answered", "Log", "Row", "WrongError"]


class WrongError(Exception):
    """An answer differs from the right one."""


@dataclass(frozen=True)
class Answered:
    """One answer: its kind, seconds until it was complete, and its error; empty for a right answer."""

    name: str
    seconds: float
    problem: str = ""


@dataclass(frozen=True)
class Row:
    """All answers of one kind; seconds are those of the right ones, NaN where there is none."""

    name: str
    count: int
    median: float
    p95: float
    longest: float
    errors: int


@dataclass
class Log:
    """The answers to all visitors."""

    answers: list[Answered] = field(default_factory=list)

    @contextmanager
    def timed(self, name: str) -> Iterator[None]:
        """Time one answer; an error or a wrong answer is recorded, and the visit continues."""
        began, problem = perf_counter(), ""
        try:
            yield
        except (PageError, WrongError, httpx.HTTPError) as error:
            problem = f"{type(error).__name__}: {error}"
        self.answers.append(Answered(name, perf_counter() - began, problem))

    @property
    def problems(self) -> list[str]:
        """The errors, each with the kind of its answer."""
        return [f"{one.name}: {one.problem}" for one in self.answers if one.problem]

    def row(self, names: Iterable[str], title: str = "") -> Row:
        """Summarise the answers of some kinds."""
        wanted = set(names)
        chosen = [one for one in self.answers if one.name in wanted]
        seconds = np.array([one.seconds for one in chosen if not one.problem] or [np.nan])
        errors = sum(bool(one.problem) for one in chosen)
        median, p95 = np.median(seconds), np.percentile(seconds, 95)
        return Row(
            title or ", ".join(sorted(wanted)), len(chosen), float(median), float(p95), float(seconds.max()), errors
        )

    def table(self) -> str:
        """Write a line per kind and one for all."""
        kinds = sorted({one.name for one in self.answers})
        rows = [self.row([kind]) for kind in kinds] + [self.row(kinds, "all")]
        lines = [f"{'seconds':<28}{'count':>7}{'median':>9}{'p95':>9}{'max':>9}{'errors':>8}"]
        lines += [
            f"{row.name:<28}{row.count:>7}{row.median:>9.3f}{row.p95:>9.3f}{row.longest:>9.3f}{row.errors:>8}"
            for row in rows
        ]
        return "\n".join(lines)
