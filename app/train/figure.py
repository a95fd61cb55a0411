"""Curves of training runs to take away: a figure, or a table, with the commands that make the runs again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from app.shared.export import described_csv
from app.shared.figure import COLOURS, LINES, WIDTHS, figure_bytes, styled, text_below
from app.train.curves import Panel, overlay_panels, run_panels
from app.train.status import Status

__all__ = ["MAX_PANELS", "draw_curves", "write_curves"]

MAX_PANELS = 6
PANEL_HEIGHT = 1.75  # inches
LEFT, RIGHT, GAP, BOTTOM, TOP = 0.42, 0.08, 0.44, 0.34, 0.2  # inches that labels take
SYNTHETIC = "SynVI is synthetic: its scores are no evidence about real streets."


def write_curves(runs: Sequence[Status], kind: str, width: str, link: str) -> bytes:
    """Write the curves of one run, or of two to four over one another.

    Args:
        runs: As they are now.
        kind: `png`, `pdf`, `svg` or `csv`.
        width: Of the figure, one of `WIDTHS`.
        link: Where they are shown.

    Raises:
        ValueError: Another kind, or nothing has been measured yet.
    """
    panels = run_panels(runs[0]) if len(runs) == 1 else overlay_panels(runs)
    if not panels:
        raise ValueError("expected a run that has trained for some steps, nothing has been measured yet")
    if kind == "csv":
        facts = [(run.run, line) for run in runs for line in run.command]
        rows = [
            (run.run, name, line["step"], value)
            for run in runs
            for line in (*run.metrics, *run.validations)
            for name, value in line.items()
            if name != "step"
        ]
        return described_csv([*facts, ("shown at", link)], ("run", "quantity", "step", "value"), rows).encode()
    commands = [line for run in runs for line in (f"# {run.run}", *run.command)]
    return figure_bytes(draw_curves(panels, f"{caption(runs)} Shown at {link}", commands, width), kind)


def caption(runs: Sequence[Status]) -> str:
    """Say what the curves are of."""
    named = "; ".join(
        f"{run.run}: auxiliary {run.settings['auxiliary']}, {run.settings['backbone']} at width"
        f" {run.settings['width']:g}, seed {run.settings['seed']}, {run.state}"
        for run in runs
    )
    rendered = any("level" in run.settings for run in runs)
    return f"{named}. Validation identities are not trained on.{f' {SYNTHETIC}' if rendered else ''}"


def draw_curves(panels: Sequence[Panel], words: str, commands: Sequence[str], width: str = "two-column") -> Figure:
    """Draw curves by step, three plots to a row of two columns, one to a column; they differ by colour and by line.

    Args:
        panels: 1 to 6 of them.
        words: The caption.
        commands: Command lines below the caption.
        width: One of `WIDTHS`.

    Raises:
        ValueError: There are not 1 to 6 panels, or one has more curves than can be told apart.
    """
    if not 1 <= len(panels) <= MAX_PANELS:
        raise ValueError(f"expected 1 to {MAX_PANELS} panels, got {len(panels)}")
    if (most := max(len(panel.series) for panel in panels)) > len(COLOURS):
        raise ValueError(f"expected at most {len(COLOURS)} curves in a panel, got {most}")
    with styled():
        wide, columns = WIDTHS[width], 3 if width == "two-column" else 1
        text = text_below(words, commands, wide)
        rows = -(-len(panels) // columns)
        height = rows * (PANEL_HEIGHT + BOTTOM + TOP) + text.height
        figure = Figure(figsize=(wide, height))
        each = (wide - LEFT - RIGHT - (columns - 1) * GAP) / columns
        for number, panel in enumerate(panels):
            row, column = divmod(number, columns)
            base = height - (row + 1) * (PANEL_HEIGHT + TOP) - row * BOTTOM
            left = LEFT + column * (each + GAP)
            draw_panel(figure, panel, (left / wide, base / height, each / wide, PANEL_HEIGHT / height))
        text.draw(figure)
    return figure


def draw_panel(figure: Figure, panel: Panel, place: tuple[float, float, float, float]) -> None:
    """Draw one plot."""
    axes = figure.add_axes(place)
    for number, series in enumerate(panel.series):
        steps = [step for step, _ in series.points]
        style: Any = {"color": COLOURS[number], "linestyle": LINES[number], "linewidth": 1.0}
        style |= {"marker": "o", "markersize": 1.6 if len(steps) > 1 else 3.0}
        axes.plot(
            steps, [100 * value if panel.percent else value for _, value in series.points], label=series.name, **style
        )
    axes.set_title(panel.title, fontsize=7, loc="left", pad=3)
    axes.set_xlabel("step", labelpad=1)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(color="#d9d9d9", linewidth=0.4)
    axes.legend(fontsize=5.6, handlelength=2.4, labelspacing=0.2, borderaxespad=0.2)
