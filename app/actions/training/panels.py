"""What the charts of training runs show: curves by step, from the metrics of one run or of a few."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from app.actions.training.status import Status

__all__ = ["MOST_RUNS", "Panel", "Series", "overlay_panels", "run_panels"]

MOST_RUNS = 4
MOST_POINTS = 120

Point = tuple[float, float]
LOSSES = {
    "total": "total",
    "identity": "identity",
    "identity_alignment": "identity alignment",
    "modality_alignment": "modality alignment",
    "triplet": "triplet",
}


@dataclass(frozen=True)
class Series:
    """One curve: values by step."""

    name: str
    points: tuple[Point, ...]


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


def series_of(lines: Sequence[dict[str, float]], key: str, name: str) -> Series:
    """Pick one value of some lines, by step; what is not finite is left out."""
    points = [(float(line["step"]), float(line[key])) for line in lines if key in line and math.isfinite(line[key])]
    every = max(1, -(-len(points) // MOST_POINTS))
    return Series(name, tuple(points[(len(points) - 1) % every :: every] if points else ()))


def run_panels(status: Status) -> tuple[Panel, ...]:
    """Choose the charts of one run; what it does not have is left out."""
    lines, scores = status.metrics, status.validations
    losses = tuple(
        found
        for key, name in LOSSES.items()
        for found in (series_of(lines, key, name),)
        if any(value for _, value in found.points)
    )
    people = status.settings.get("val_ids")
    chance = (1 / int(people), "chance") if people else None
    validation = (series_of(scores, "rank1", "rank-1"), series_of(scores, "mean_ap", "mAP"))
    generator = (
        series_of(lines, "iml_share", "IML share of the layer scale"),
        series_of(lines, "visible_dependence", "dependence on the visible image"),
    )
    health = (
        series_of(lines, "active_triplets", "active alignment triplets"),
        series_of(lines, "spread", "spread of the features"),
    )
    panels = (
        Panel("Losses", losses),
        Panel("Validation, %", validation, percent=True, mark=chance),
        Panel("Generator, %", generator, (0.0, 1.0), percent=True, mark=(0.5, "even")),
        Panel("Signs of collapse, %", health, percent=True),
        Panel("Learning rate", (series_of(lines, "lr", "learning rate"),)),
        Panel("Images per second", (series_of(lines, "images_per_second", "images per second"),)),
    )
    return tuple(panel for panel in panels if any(series.points for series in panel.series))


def overlay_panels(runs: Sequence[Status]) -> tuple[Panel, ...]:
    """Choose the charts that lay some runs over one another, at most four."""

    def lay(title: str, key: str, *, scores: bool, percent: bool) -> Panel:
        series = tuple(series_of(run.validations if scores else run.metrics, key, run.run) for run in runs[:MOST_RUNS])
        return Panel(title, series, percent=percent)

    panels = (
        lay("Validation mAP, %", "mean_ap", scores=True, percent=True),
        lay("Validation rank-1, %", "rank1", scores=True, percent=True),
        lay("Total loss", "total", scores=False, percent=False),
    )
    return tuple(panel for panel in panels if any(series.points for series in panel.series))
