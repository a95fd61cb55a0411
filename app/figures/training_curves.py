"""Curves of training runs as a figure for a paper, with the commands that make the runs again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from app.shared.figure import COLOURS, LINES, WIDTHS, styled, text_below

__all__ = ["MAX_PANELS", "CurvePanel", "draw_curves"]

MAX_PANELS = 6
PANEL_HEIGHT = 1.75  # inches
LEFT, RIGHT, GAP, BOTTOM, TOP = 0.42, 0.08, 0.44, 0.34, 0.2  # inches that labels take


@dataclass(frozen=True)
class CurvePanel:
    """One small plot.

    Attributes:
        title: What is drawn.
        curves: Name, steps and values of each, at most five.
        percent: Whether the values are fractions that are drawn in percent.
    """

    title: str
    curves: tuple[tuple[str, tuple[float, ...], tuple[float, ...]], ...]
    percent: bool = False


def draw_curves(panels: Sequence[CurvePanel], caption: str, commands: Sequence[str]) -> Figure:
    """Draw curves by step, three plots to a row; curves differ by colour and by line.

    Args:
        panels: 1 to 6 of them.
        caption: Sentences below the plots.
        commands: Command lines below the caption.

    Raises:
        ValueError: There are not 1 to 6 panels, or one has more curves than can be told apart.
    """
    if not 1 <= len(panels) <= MAX_PANELS:
        raise ValueError(f"expected 1 to {MAX_PANELS} panels, got {len(panels)}")
    if (most := max(len(panel.curves) for panel in panels)) > len(COLOURS):
        raise ValueError(f"expected at most {len(COLOURS)} curves in a panel, got {most}")
    with styled():
        wide = WIDTHS["two-column"]
        text = text_below(caption, commands, wide)
        rows = -(-len(panels) // 3)
        height = rows * (PANEL_HEIGHT + BOTTOM + TOP) + text.height
        figure = Figure(figsize=(wide, height))
        each = (wide - LEFT - RIGHT - 2 * GAP) / 3
        for number, panel in enumerate(panels):
            row, column = divmod(number, 3)
            base = height - (row + 1) * (PANEL_HEIGHT + TOP) - row * BOTTOM
            left = LEFT + column * (each + GAP)
            draw_panel(figure, panel, (left / wide, base / height, each / wide, PANEL_HEIGHT / height))
        text.draw(figure)
    return figure


def draw_panel(figure: Figure, panel: CurvePanel, place: tuple[float, float, float, float]) -> None:
    """Draw one plot."""
    axes = figure.add_axes(place)
    for number, (name, steps, values) in enumerate(panel.curves):
        style: Any = {"color": COLOURS[number], "linestyle": LINES[number], "linewidth": 1.0}
        style |= {"marker": "o", "markersize": 1.6 if len(steps) > 1 else 3.0}
        axes.plot(steps, [100 * value if panel.percent else value for value in values], label=name, **style)
    axes.set_title(panel.title, fontsize=7, loc="left", pad=3)
    axes.set_xlabel("step", labelpad=1)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.grid(color="#d9d9d9", linewidth=0.4)
    axes.legend(fontsize=5.6, handlelength=2.4, labelspacing=0.2, borderaxespad=0.2)
