"""Rows of the table of speed: a measurement, its reference, and whether the goal is met."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

__all__ = ["Row", "draw", "growth", "in_turn", "machine", "table"]


@dataclass(frozen=True)
class Row:
    """One line: a value beside a reference of the same run, or beside a limit.

    Attributes:
        what: Name of the measurement.
        value: In `unit`.
        unit: Of value and reference.
        reference: Positive.
        against: What the reference is.
        most: The goal: the largest ratio of value to reference; `None` where there is no such goal.
        least: The goal: the smallest ratio; `None` likewise.
        curve: Where the value is an exponent: sizes and seconds.
    """

    what: str
    value: float
    unit: str
    reference: float
    against: str
    most: float | None = None
    least: float | None = None
    curve: tuple[tuple[int, float], ...] = ()

    @property
    def ratio(self) -> float:
        """Value over reference."""
        return self.value / self.reference

    @property
    def goal(self) -> str:
        """The goal as text."""
        if self.most is not None:
            return f"≤ {self.most:g}"
        return "none" if self.least is None else f"≥ {self.least:g}"

    @property
    def met(self) -> bool:
        """Whether the goal is met; true where there is none."""
        return (self.most is None or self.ratio <= self.most) and (self.least is None or self.ratio >= self.least)


def in_turn(
    *tasks: Callable[[], object], repeats: int = 5, clock: Callable[[], float] = time.perf_counter
) -> list[float]:
    """Run tasks one after the other, several rounds, so that other work of the machine affects all tasks equally.

    Returns:
        The median seconds of each task.
    """
    seconds: list[list[float]] = [[] for _ in tasks]
    for _ in range(repeats):
        for task, mine in zip(tasks, seconds, strict=True):
            began = clock()
            task()
            mine.append(clock() - began)
    return [statistics.median(mine) for mine in seconds]


def growth(what: str, curve: Sequence[tuple[int, float]], most: float) -> Row:
    """Fit the exponent with which seconds grow with size: 1 is linear, 0 is constant."""
    sizes, seconds = np.log(np.array(curve, dtype=float)).T
    return Row(what, float(np.polyfit(sizes, seconds, 1)[0]), "", 1.0, "linear", most=most, curve=tuple(curve))


def draw(rows: Iterable[Row], file: Path) -> None:
    """Plot the curves of all rows that have one, both axes logarithmic."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.subplots()
    for row in rows:
        if row.curve:
            axes.loglog(*zip(*row.curve, strict=True), marker="o", label=f"{row.what}: exponent {row.value:.2f}")
    axes.set(xlabel="size", ylabel="seconds")
    axes.grid(alpha=0.3)
    axes.legend(fontsize="small")
    figure.savefig(file, dpi=150)


def machine() -> str:
    """Describe the machine in one line."""
    names = [line.split(":")[1].strip() for line in cpu_lines() if line.startswith("model name")]
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{os.cpu_count()} cores ({names[0] if names else platform.machine()}){gpu}, {torch.get_num_threads()} threads,"
        f" load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, torch {torch.__version__},"
        f" numpy {np.__version__}"
    )


def cpu_lines() -> list[str]:
    """Read Linux's description of the processor; empty elsewhere."""
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.is_file() else []


def table(rows: Iterable[tuple[str, Row]]) -> str:
    """Write rows, each with its suite, as a Markdown table."""
    lines = [("suite", "what", "measured", "beside", "ratio", "goal", "")]
    for suite, row in rows:
        measured, beside = (f"{number(value)} {row.unit}" for value in (row.value, row.reference))
        mark = "" if row.goal == "none" else "met" if row.met else "**missed**"
        lines.append((suite, row.what, measured, f"{row.against}: {beside}", number(row.ratio), row.goal, mark))
    return "\n".join([cells(lines[0]), cells(["---"] * len(lines[0])), *(cells(line) for line in lines[1:])])


def number(value: float) -> str:
    """Write three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def cells(texts: Sequence[str]) -> str:
    """Write one line of a Markdown table."""
    return f"| {' | '.join(texts)} |"
