"""Curves of training runs as small SVG charts, drawn anew with every look; no script, no Gradio."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.actions.training.panels import Panel
from app.cards import render

__all__ = ["charts_html"]

Point = tuple[float, float]
WIDTH, HEIGHT = 320, 170
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 8, 20


@dataclass(frozen=True)
class Drawn:
    """A chart with its places in the picture."""

    panel: Panel
    paths: tuple[tuple[str, str, Point, str], ...]  # name, path, last point, last value
    ticks_x: tuple[tuple[float, str], ...]
    ticks_y: tuple[tuple[float, str], ...]
    mark_y: float | None


def charts_html(panels: Sequence[Panel], steps: int | None = None) -> str:
    """Draw charts side by side.

    Args:
        panels: At least one for anything to be drawn.
        steps: Right end of every chart; by default the last step drawn.
    """
    size = {"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": WIDTH - RIGHT, "base": HEIGHT - BOTTOM}
    return render("training_charts.html", charts=[draw(panel, steps) for panel in panels], **size)


def draw(panel: Panel, steps: int | None) -> Drawn:
    """Place a chart's curves, ticks and mark."""
    points = [point for series in panel.series for point in series.points]
    last = max([steps or 0, *(step for step, _ in points), 1])
    low, high = panel.bounds or bounds_of([value for _, value in points] + ([panel.mark[0]] if panel.mark else []))

    def place(point: Point) -> Point:
        step, value = point
        share = (min(max(value, low), high) - low) / (high - low)
        return (
            round(LEFT + step / last * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM), 1),
        )

    paths = []
    for series in panel.series:
        placed = [place(point) for point in series.points]
        path = "M" + "L".join(f"{x:g},{y:g}" for x, y in placed) if placed else ""
        value = written(series.points[-1][1], panel.percent) if placed else "none yet"
        paths.append((series.name, path, placed[-1] if placed else (-9.0, -9.0), value))
    middle = (low + high) / 2
    return Drawn(
        panel,
        tuple(paths),
        tuple((place((step, low))[0], f"{step:,.0f}") for step in (0.0, last / 2, last)),
        tuple((place((0.0, value))[1], written(value, panel.percent)) for value in (low, middle, high)),
        place((0.0, panel.mark[0]))[1] if panel.mark else None,
    )


def bounds_of(values: Sequence[float]) -> tuple[float, float]:
    """Choose the range of an axis: from 0, because everything drawn here is a positive quantity, to a round number."""
    most = max(values, default=1.0)
    if most <= 0:
        return 0.0, 1.0
    unit: float = 10.0 ** math.floor(math.log10(most))
    return 0.0, next(factor * unit for factor in (1, 1.5, 2, 3, 4, 5, 6, 8, 10, 15) if factor * unit >= most)


def written(value: float, percent: bool) -> str:
    """Write a value shortly."""
    if percent:
        return f"{100 * value:.0f}" if value == 0 or abs(value) >= 0.1 else f"{100 * value:.1f}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
