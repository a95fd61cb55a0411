"""Curves of training runs: which are shown, and where they stand in a chart of the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.train.status import Status

__all__ = ["SIZE", "Panel", "Series", "overlay_panels", "place_charts", "run_panels"]

MOST_POINTS = 120  # of a curve
LOSSES = {
    "total": "total",
    "identity": "identity",
    "identity_alignment": "identity alignment",
    "modality_alignment": "modality alignment",
    "triplet": "triplet",
}
Lines = Sequence[dict[str, float]]
SIZE = {"width": 320, "height": 170, "left": 40, "right": 310, "top": 8, "base": 150}  # of a chart in its drawing


@dataclass(frozen=True)
class Series:
    """One curve: its name, and values by step."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Panel:
    """One chart.

    Attributes:
        title: What is drawn.
        series: The curves, at most five.
        bounds: Lowest and highest value shown; by default as the curves need.
        percent: Whether the values are fractions that are written in percent.
        mark: A value to draw a quiet line at, with its name.
    """

    title: str
    series: tuple[Series, ...]
    bounds: tuple[float, float] | None = None
    percent: bool = False
    mark: tuple[float, str] | None = None


def series_of(lines: Lines, key: str, name: str) -> Series:
    """Pick one value of some lines, by step; what is not finite is left out."""
    points = [(float(line["step"]), float(line[key])) for line in lines if key in line and math.isfinite(line[key])]
    every = max(1, -(-len(points) // MOST_POINTS))
    return Series(name, tuple(points[(len(points) - 1) % every :: every] if points else ()))


def measured(*panels: Panel) -> tuple[Panel, ...]:
    """Leave out the charts without a point."""
    return tuple(panel for panel in panels if any(series.points for series in panel.series))


def run_panels(now: Status) -> tuple[Panel, ...]:
    """Choose the charts of one run; what it does not have is left out."""

    def pick(lines: Lines, **names: str) -> tuple[Series, ...]:
        return tuple(series_of(lines, key, name) for key, name in names.items())

    lines, people = now.metrics, now.settings.get("val_ids")
    losses = (one for one in pick(lines, **LOSSES) if any(value for _, value in one.points))
    generator = pick(lines, iml_share="IML share of the layer scale", visible_dependence="dependence on the visible")
    health = pick(lines, active_triplets="active alignment triplets", spread="spread of the features")
    return measured(
        Panel("Losses", tuple(losses)),
        Panel(
            "Validation, %",
            pick(now.validations, rank1="rank-1", mean_ap="mAP"),
            percent=True,
            mark=(1 / int(people), "chance") if people else None,
        ),
        Panel("Generator, %", generator, (0.0, 1.0), percent=True, mark=(0.5, "even")),
        Panel("Signs of collapse, %", health, percent=True),
        Panel("Learning rate", pick(lines, lr="learning rate")),
        Panel("Images per second", pick(lines, images_per_second="images per second")),
    )


def overlay_panels(runs: Sequence[Status]) -> tuple[Panel, ...]:
    """Choose the charts that lay some runs over one another."""
    return measured(
        *(
            Panel(title, tuple(series_of(run.validations, key, run.run) for run in runs), percent=True)
            for title, key in (("Validation mAP, %", "mean_ap"), ("Validation rank-1, %", "rank1"))
        ),
        Panel("Total loss", tuple(series_of(run.metrics, "total", run.run) for run in runs)),
    )


def place_charts(panels: Sequence[Panel], steps: int | None = None) -> list[dict[str, Any]]:
    """Place the curves, ticks and marks of charts in their drawings.

    Args:
        panels: What is drawn.
        steps: Right end of every chart; by default the last step drawn.
    """
    return [place_chart(panel, steps) for panel in panels]


def place_chart(panel: Panel, steps: int | None) -> dict[str, Any]:
    """Place one chart: `paths` (name, path, last point, last value), `ticks_x` and `ticks_y` (place, label), `mark`."""
    points = [point for series in panel.series for point in series.points]
    last = max([steps or 0, *(step for step, _ in points), 1])
    low, high = panel.bounds or bounds_of([value for _, value in points] + ([panel.mark[0]] if panel.mark else []))

    def place(step: float, value: float) -> tuple[float, float]:
        share = (min(max(value, low), high) - low) / (high - low)
        x = SIZE["left"] + step / last * (SIZE["right"] - SIZE["left"])
        return round(x, 1), round(SIZE["base"] - share * (SIZE["base"] - SIZE["top"]), 1)

    paths = []
    for series in panel.series:
        placed = [place(*point) for point in series.points]
        path = "M" + "L".join(f"{x:g},{y:g}" for x, y in placed) if placed else ""
        value = written(series.points[-1][1], panel.percent) if placed else "none yet"
        paths.append((series.name, path, placed[-1] if placed else (-9.0, -9.0), value))
    return {
        "title": panel.title,
        "paths": paths,
        "ticks_x": [(place(step, low)[0], f"{step:,.{int(step % 1 > 0)}f}") for step in (0.0, last / 2, last)],
        "ticks_y": [(place(0.0, value)[1], written(value, panel.percent)) for value in (low, (low + high) / 2, high)],
        "mark": (place(0.0, panel.mark[0])[1], panel.mark[1]) if panel.mark else None,
    }


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
