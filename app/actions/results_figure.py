"""Draw the tables of an experiment against the knobs of its data: the figure of misalignment and correlation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.results import ResultGrid, ResultTable, grids_of

if TYPE_CHECKING:
    from app.figures.knob_curves import KnobLine

__all__ = ["KINDS", "NAME", "grid_to_draw", "knob_figure"]

KINDS = ("png", "pdf", "svg")
NAME = "misalignment"
MISALIGNMENT, CORRELATION = "misalignment", "colour_infrared_correlation"
USUAL = {MISALIGNMENT: 1.0, CORRELATION: 0.5}  # of level standard


def grid_to_draw(tables: Sequence[ResultTable]) -> ResultGrid | None:
    """Find the tables of the experiment that has a figure; `None` where there are none."""
    _, grids = grids_of(tables)
    return next((grid for grid in grids if grid.name == NAME), None)


def knob_figure(grid: ResultGrid, kind: str) -> bytes:
    """Draw mAP against misalignment and against correlation, and the main contrast of the experiment.

    Args:
        grid: Tables over misalignment and colour-infrared correlation.
        kind: `png`, `pdf` or `svg`.

    Raises:
        ValueError: Another kind, or more rows than can be told apart.
    """
    from app.figures.knob_curves import KnobPanel, draw_knob_curves  # here: Matplotlib is slow to load
    from app.shared.figure import figure_bytes

    score = "mAP, percent"
    panels = [
        KnobPanel("at correlation 0.5", "misalignment", score, lines(grid, MISALIGNMENT, CORRELATION)),
        KnobPanel("at misalignment 1", "colour-infrared correlation", score, lines(grid, CORRELATION, MISALIGNMENT)),
    ]
    if answers := contrasts(grid):
        question = next(table.contrasts[0].label for table in grid.tables if table.contrasts)
        panels.append(KnobPanel(question, "misalignment", "Δ mAP, points", answers, zero=True))
    return figure_bytes(draw_knob_curves(panels, caption(grid), grid.tables[0].about["commands"]), kind)


def lines(grid: ResultGrid, knob: str, fixed: str) -> tuple[KnobLine, ...]:
    """Draw every row along a knob, with one standard deviation over seeds to either side."""
    from app.figures.knob_curves import KnobLine

    tables = grid.where(knob, **{fixed: USUAL[fixed]})
    drawn = []
    for row in grid.rows:
        points = []
        for value, table in tables:
            there = next(other for other in table.rows if other.name == row.name)
            if there.run:
                mean, sd = there.values["mean_ap"], there.values.get("mean_ap_seed_sd", 0.0)
                points.append((value, mean, mean - sd, mean + sd))
        drawn.append(KnobLine(row.label, tuple(points)))
    return tuple(drawn)


def contrasts(grid: ResultGrid) -> tuple[KnobLine, ...]:
    """Draw the main contrast against misalignment, one line for each correlation at which there are at least two."""
    from app.figures.knob_curves import KnobLine

    correlations = {table.about["knobs"][CORRELATION] for table in grid.tables}
    made = []
    for correlation in sorted(correlations, key=lambda value: (value != USUAL[CORRELATION], value)):
        answers = answered(grid.where(MISALIGNMENT, **{CORRELATION: correlation}))
        if len(answers) > 1:
            made.append(KnobLine(f"correlation {correlation:g}", answers))
    return tuple(made)


def answered(tables: Sequence[tuple[float, ResultTable]]) -> tuple[tuple[float, float, float, float], ...]:
    """List value of the knob, contrast and its interval."""
    return tuple(
        (value, made.paired.mean, made.paired.low, made.paired.high)
        for value, table in tables
        for made in table.contrasts[:1]
    )


def caption(grid: ResultGrid) -> str:
    """Write what stands under the figure."""
    about = grid.tables[0].about
    seeds = max(int(row.values["seeds"]) for table in grid.tables for row in table.rows if row.run)
    train, test = about["train"]["splits"]["train"]["identities"], about["test"]["splits"]["test"]["identities"]
    return (
        f"SynVI, the people of level standard rendered with two knobs turned; trained on {train:,} identities, tested"
        f" on {test:,} others ({about['protocol']}); {seeds} seeds, mean ± one standard deviation over them; to the"
        " right the 95 % interval over people. Misalignment 0: visible and infrared image of a training pair show the"
        " same instant from the same place; 1: as at level standard. Test leaves out the query's own instant. Synthetic"
        " data: no evidence about real streets."
    )
