"""Plots of curves: their data, for figures, and their coordinates in a chart of the page."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["COLOURS", "MAX_PLOTS", "Curve", "Plot", "place_charts"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito, 2008
MAX_PLOTS = 6  # of one figure
LEFT, RIGHT, TOP, BASE = 40, 310, 8, 150  # edges of a chart's plot area, in a drawing of 320 by 170


@dataclass(frozen=True)
class Curve:
    """One curve: its name in the legend, and its points (x, y), with both ends of the interval of y if there is one.

    A curve without a name is the only one in its plot.
    """

    name: str
    points: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Plot:
    """One plot.

    Attributes:
        title: Title of the plot.
        curves: At most six.
        x: Label of the horizontal axis.
        y: Label of the vertical axis.
        bounds: Lowest and highest y shown; by default fitted to the curves.
        mark: A y with a thin horizontal line, and its name.
        ticks: Places on the horizontal axis, with their names; by default numbers at round places.
    """

    title: str
    curves: tuple[Curve, ...]
    x: str = "step"
    y: str = ""
    bounds: tuple[float, float] | None = None
    mark: tuple[float, str] | None = None
    ticks: tuple[tuple[float, str], ...] = ()


def place_charts(plots: Iterable[Plot], last: float = 0) -> list[dict[str, Any]]:
    """Place the curves, ticks and marks of plots in their drawings on the page.

    Args:
        plots: Plots that are drawn from x = 0 on.
        last: Right end of every chart; by default the end of its curves.

    Returns:
        For each plot `title`, `curves` (name, path, last point, last value), `ticks_x` and `ticks_y` (place, label),
        `mark`: what the macro `chart` of the templates takes.
    """
    return [place_chart(plot, last) for plot in plots]


def place_chart(plot: Plot, last: float) -> dict[str, Any]:
    """Place one chart."""
    points = [point for curve in plot.curves for point in curve.points]
    last = max([last, 1, *(x for x, *_ in points)])
    low, high = plot.bounds or bounds_of([value for _, value, *_ in points] + ([plot.mark[0]] if plot.mark else []))

    def place(x: float, value: float) -> tuple[float, float]:
        share = (min(max(value, low), high) - low) / (high - low)
        return round(LEFT + x / last * (RIGHT - LEFT), 1), round(BASE - share * (BASE - TOP), 1)

    curves = []
    for curve in plot.curves:
        placed = [place(x, value) for x, value, *_ in curve.points]
        path = "M" + "L".join(f"{x:g},{y:g}" for x, y in placed) if placed else ""
        value = written(curve.points[-1][1]) if placed else "none yet"
        curves.append((curve.name, path, placed[-1] if placed else None, value))
    ticks = plot.ticks or [(x, f"{x:,.{int(x % 1 > 0)}f}") for x in (0.0, last / 2, last)]
    return {
        "title": plot.title,
        "curves": curves,
        "ticks_x": [(place(x, low)[0], words) for x, words in ticks],
        "ticks_y": [(place(0.0, value)[1], written(value, 2)) for value in (low, (low + high) / 2, high)],
        "mark": (place(0.0, plot.mark[0])[1], plot.mark[1]) if plot.mark else None,
    }


def bounds_of(values: Sequence[float]) -> tuple[float, float]:
    """Choose the range of an axis for values that are not negative: from 0 to a round number."""
    most = max(values, default=1.0)
    if most <= 0:
        return 0.0, 1.0
    unit: float = 10.0 ** math.floor(math.log10(most))
    return 0.0, next(factor * unit for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15) if factor * unit >= most)


def written(value: float, digits: int = 3) -> str:
    """Format a value in few characters; a value below 1 has `digits` significant digits."""
    return f"{value:.{3 if abs(value) >= 1 else digits}g}" if abs(value) < 1000 else f"{value:,.0f}"
