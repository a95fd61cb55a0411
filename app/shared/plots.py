"""Plots of curves: what is drawn, for the page's own charts and for figures."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["COLOURS", "MAX_PLOTS", "Curve", "Plot"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito, 2008
MAX_PLOTS = 6  # of one figure


@dataclass(frozen=True)
class Curve:
    """One curve: its name in the legend, and its points (x, y), with both ends of an interval of y where there is one.

    A curve without a name has a plot to itself.
    """

    name: str
    points: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Plot:
    """One plot.

    Attributes:
        title: What is drawn.
        curves: At most six.
        x: Under the horizontal axis.
        y: Beside the vertical axis.
        bounds: Lowest and highest y shown; by default as the curves need.
        mark: A y to draw a quiet line at, with its name.
        ticks: Places on the horizontal axis, with their names; by default numbers at round places.
    """

    title: str
    curves: tuple[Curve, ...]
    x: str = "step"
    y: str = ""
    bounds: tuple[float, float] | None = None
    mark: tuple[float, str] | None = None
    ticks: tuple[tuple[float, str], ...] = ()
