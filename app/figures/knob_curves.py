"""Scores against a knob of SynVI as a figure for a paper, with the commands that make them again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from app.shared.figure import COLOURS, INK, LINES, WIDTHS, styled, text_below

__all__ = ["MAX_LINES", "MAX_PANELS", "KnobLine", "KnobPanel", "draw_knob_curves"]

MAX_PANELS, MAX_LINES = 3, len(COLOURS)
MARKERS = ("o", "s", "^", "D", "v", "P")
PANEL_HEIGHT = 1.9  # inches
LEFT, RIGHT, GAP, BOTTOM, TOP, LEGEND = 0.48, 0.08, 0.52, 0.36, 0.2, 0.3  # inches that labels take
SPREAD = 0.02  # of the width: lines stand beside one another, so that their intervals do not hide each other


@dataclass(frozen=True)
class KnobLine:
    """One line of a plot.

    Attributes:
        label: In the legend.
        points: Value of the knob, score, and both ends of its interval, ascending by the knob.
    """

    label: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class KnobPanel:
    """One plot.

    Attributes:
        title: What is drawn.
        knob: Under the horizontal axis.
        score: Beside the vertical axis.
        lines: At most six; a label that stands in several plots has one look.
        zero: Whether the plot shows differences, with a line at 0.
    """

    title: str
    knob: str
    score: str
    lines: tuple[KnobLine, ...]
    zero: bool = False


def draw_knob_curves(panels: Sequence[KnobPanel], caption: str, commands: Sequence[str]) -> Figure:
    """Draw plots side by side; lines differ by colour, stroke and marker.

    Args:
        panels: 1 to 3 of them, with at most six labels in all plots of scores, and in each plot of differences.
        caption: Sentences below the plots.
        commands: Command lines below the caption.

    Raises:
        ValueError: Too many or too few plots or lines.
    """
    if not 1 <= len(panels) <= MAX_PANELS:
        raise ValueError(f"expected 1 to {MAX_PANELS} plots, got {len(panels)}")
    labels = list(dict.fromkeys(line.label for panel in panels if not panel.zero for line in panel.lines))
    if (most := max(len(labels), *(len(panel.lines) for panel in panels))) > MAX_LINES:
        raise ValueError(f"expected at most {MAX_LINES} lines that can be told apart, got {most}")
    with styled():
        wide = WIDTHS["two-column"]
        text = text_below(caption, commands, wide)
        height = PANEL_HEIGHT + TOP + BOTTOM + LEGEND + text.height
        figure = Figure(figsize=(wide, height))
        each = (wide - LEFT - RIGHT - GAP * (len(panels) - 1)) / len(panels)
        for number, panel in enumerate(panels):
            left = LEFT + number * (each + GAP)
            place = (left / wide, (text.height + LEGEND + BOTTOM) / height, each / wide, PANEL_HEIGHT / height)
            draw_panel(figure, panel, labels, place)
        handles: dict[str, Artist] = {}
        for axes, panel in zip(figure.axes, panels, strict=True):
            drawn, named = axes.get_legend_handles_labels()
            handles |= {} if panel.zero else dict(zip(named, drawn, strict=True))
        if handles:
            figure.legend(
                list(handles.values()), list(handles), loc="lower center", ncols=6, fontsize=5.8, handlelength=2.6,
                columnspacing=1.2, bbox_to_anchor=(0.5, (text.height - 0.02) / height),
            )  # fmt: skip
        text.draw(figure)
    return figure


def draw_panel(
    figure: Figure, panel: KnobPanel, labels: Sequence[str], place: tuple[float, float, float, float]
) -> None:
    """Draw one plot, in percent."""
    axes = figure.add_axes(place)
    knobs = sorted({point[0] for line in panel.lines for point in line.points})
    width = (knobs[-1] - knobs[0] if len(knobs) > 1 else 1.0) * SPREAD
    if panel.zero:
        axes.axhline(0, color=INK, linewidth=0.6)
    for number, line in enumerate(panel.lines):
        look = number if panel.zero else labels.index(line.label)
        shift = (number - (len(panel.lines) - 1) / 2) * width
        values = [100 * score for _, score, _, _ in line.points]
        below = [100 * (score - low) for _, score, low, _ in line.points]
        above = [100 * (high - score) for _, score, _, high in line.points]
        axes.errorbar(
            [knob + shift for knob, *_ in line.points], values, yerr=[below, above], label=line.label,
            color=INK if panel.zero else COLOURS[look], linestyle=LINES[look], linewidth=1.0, elinewidth=0.6,
            marker=MARKERS[look], markersize=2.8, capsize=1.2, capthick=0.6,
            markerfacecolor="white" if panel.zero and number else None,
        )  # fmt: skip
    axes.set_title(panel.title, fontsize=7, loc="left", pad=3)
    axes.set_xlabel(panel.knob, labelpad=1)
    axes.set_ylabel(panel.score, labelpad=1)
    axes.set_xticks(knobs, [f"{knob:g}" for knob in knobs])
    axes.grid(color="#d9d9d9", linewidth=0.4)
    if panel.zero:
        axes.legend(fontsize=5.6, handlelength=2.4, labelspacing=0.2, borderaxespad=0.2)
