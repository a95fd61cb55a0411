"""The figures of the findings for a paper: a forest plot, and mAP against the settings of the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.artist import Artist
from matplotlib.figure import Figure

from app.about.findings import OURS, Row, Table, forest
from app.shared.figure import COLOURS, GREY, INK, LINES, WIDTHS, styled, text_below
from mun.synvi.levels import Knobs

__all__ = ["MAX_LINES", "Curve", "Panel", "draw_curves", "draw_forest", "panels_of"]

ROW_HEIGHT, FOOT, HEAD = 0.17, 0.34, 0.12  # inches
MAX_PANELS, MAX_LINES = 3, len(COLOURS)
MARKERS = ("o", "s", "^", "D", "v", "P")
PANEL_HEIGHT = 1.9  # inches
LEFT, RIGHT, GAP, BOTTOM, TOP, LEGEND = 0.48, 0.08, 0.52, 0.36, 0.2, 0.3  # inches that labels take
SPREAD = 0.02  # of the width: lines stand beside one another, so that their intervals do not hide each other
SCORE = "mAP, percent"


def draw_forest(table: Table, caption: str, width: str) -> Figure:
    """Draw the differences in mAP from the reference, with intervals over people and spreads over seeds.

    Args:
        table: With at least one difference.
        caption: Sentences and commands below the plot.
        width: A name of `WIDTHS`.

    Raises:
        ValueError: No row has a difference.
    """
    lines, ticks = forest(table)
    if not lines:
        raise ValueError(f"expected rows with a difference from {table.reference}, got none")
    with styled():
        wide = WIDTHS[width]
        text = text_below(caption, table.about["commands"], wide)
        names = min(0.45 * wide, 0.1 + 0.056 * max(len(line.row.label) for line in lines))
        tall = HEAD + ROW_HEIGHT * len(lines) + FOOT + text.height
        figure = Figure(figsize=(wide, tall))
        bottom = (text.height + FOOT) / tall
        axes = figure.add_axes((names / wide, bottom, (wide - names - 1.35) / wide, ROW_HEIGHT * len(lines) / tall))
        axes.set(xlim=(0, 100), ylim=(len(lines) - 0.5, -0.5))
        zero = next(place for place, words in ticks if words == "0")
        axes.axvline(zero, color=INK, linewidth=0.6)
        for number, line in enumerate(lines):
            ours = line.row.name in OURS
            colour, weight = (COLOURS[1] if ours else INK if line.row.clear else GREY), "bold" if ours else "normal"
            axes.plot([line.left, line.right], [number, number], color=colour, linewidth=3.4, alpha=0.22)
            axes.plot([line.low, line.high], [number, number], color=colour, linewidth=0.9)
            face = colour if line.row.clear else "white"
            axes.plot([line.at], [number], marker="D" if ours else "o", markersize=3.4, color=colour, mfc=face)
            axes.text(-2, number, line.row.label, ha="right", va="center", fontsize=6.2, fontweight=weight)
            axes.text(102, number, line.words, ha="left", va="center", fontsize=6.2, fontweight=weight)
        axes.set_yticks([])
        axes.set_xticks([place for place, _ in ticks], [words for _, words in ticks], fontsize=6.2)
        axes.set_xlabel(f"difference in mAP from {table.reference}, points", labelpad=1)
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        text.draw(figure)
    return figure


@dataclass(frozen=True)
class Curve:
    """One line of a plot.

    Attributes:
        label: In the legend.
        points: Value of the knob, score, and both ends of its interval, ascending by the knob.
    """

    label: str
    points: tuple[tuple[float, float, float, float], ...]


@dataclass(frozen=True)
class Panel:
    """One plot.

    Attributes:
        title: What is drawn.
        knob: Under the horizontal axis.
        score: Beside the vertical axis.
        curves: At most six; a label that stands in several plots has one look.
        zero: Whether the plot shows differences, with a line at 0.
        names: Of the values of the knob, where these are no numbers.
    """

    title: str
    knob: str
    score: str
    curves: tuple[Curve, ...]
    zero: bool = False
    names: tuple[str, ...] = ()


def panels_of(tables: Sequence[Table]) -> list[Panel]:
    """Lay out the tables of one experiment: mAP along each knob, the others as at level standard, or along settings.

    Rows beyond the sixth are left out, because they cannot be told apart; the main difference has a plot of its own.
    """
    usual, knobs = vars_of_standard(), list(tables[0].about["knobs"])
    ways: list[tuple[str, str, list[tuple[float, Table]], tuple[str, ...]]] = []
    for knob in knobs:
        others = [name for name in knobs if name != knob]
        along = [one for one in tables if all(one.about["knobs"][name] == usual[name] for name in others)]
        fixed = ", ".join(f"{name.split('_')[-1]} {usual[name]:g}" for name in others)
        placed = sorted(((one.about["knobs"][knob], one) for one in along), key=lambda pair: pair[0])
        ways.append((f"at {fixed}" if fixed else "", knob.replace("_", " "), placed, ()))
    if not knobs:
        ways = [("", "setting", [(float(place), one) for place, one in enumerate(tables)],
                 tuple(one.setting for one in tables))]  # fmt: skip
    rows = [row for row in tables[0].rows if any(one.score is not None for one in same(tables, row.name))][:MAX_LINES]
    panels = [
        Panel(title, knob, SCORE, tuple(curve(row.name, row.label, placed) for row in rows), names=names)
        for title, knob, placed, names in ways
    ]
    _, knob, placed, names = ways[0]
    asked = [(value, one.claims[0]) for value, one in placed if one.claims]
    answers = tuple((value, made.mean, made.low, made.high) for value, claim in asked if (made := claim.paired))
    if len(answers) > 1:
        panels.append(Panel(asked[0][1].label, knob, "Δ mAP, points", (Curve("", answers),), zero=True, names=names))
    return panels


def vars_of_standard() -> dict[str, float]:
    """Return the knobs of level standard."""
    return {name: getattr(Knobs(), name) for name in Knobs.__dataclass_fields__}


def same(tables: Sequence[Table], name: str) -> list[Row]:
    """Find a row in every table."""
    return [row for table in tables for row in table.rows if row.name == name]


def curve(name: str, label: str, placed: Sequence[tuple[float, Table]]) -> Curve:
    """Draw a row over settings, with one standard deviation over seeds to either side."""
    found = []
    for value, table in placed:
        for row in same([table], name):
            if row.score is not None:
                sd = row.values.get("mean_ap_seed_sd", 0.0)
                found.append((value, row.score, row.score - sd, row.score + sd))
    return Curve(label, tuple(found))


def draw_curves(panels: Sequence[Panel], caption: str, commands: Sequence[str]) -> Figure:
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
    labels = list(dict.fromkeys(line.label for panel in panels if not panel.zero for line in panel.curves))
    if (most := max(len(labels), *(len(panel.curves) for panel in panels))) > MAX_LINES:
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
        figure.legend(
            list(handles.values()), list(handles), loc="lower center", ncols=6, fontsize=5.8, handlelength=2.6,
            columnspacing=1.2, bbox_to_anchor=(0.5, (text.height - 0.02) / height),
        )  # fmt: skip
        text.draw(figure)
    return figure


def draw_panel(figure: Figure, panel: Panel, labels: Sequence[str], place: tuple[float, float, float, float]) -> None:
    """Draw one plot, in percent."""
    axes = figure.add_axes(place)
    knobs = sorted({point[0] for line in panel.curves for point in line.points})
    width = (knobs[-1] - knobs[0] if len(knobs) > 1 else 1.0) * SPREAD
    if panel.zero:
        axes.axhline(0, color=INK, linewidth=0.6)
    for number, line in enumerate(panel.curves):
        look = number if panel.zero else labels.index(line.label)
        shift = (number - (len(panel.curves) - 1) / 2) * width
        values = [100 * score for _, score, _, _ in line.points]
        below = [100 * (score - low) for _, score, low, _ in line.points]
        above = [100 * (high - score) for _, score, _, high in line.points]
        axes.errorbar(
            [knob + shift for knob, *_ in line.points], values, yerr=[below, above], label=line.label,
            color=INK if panel.zero else COLOURS[look], linestyle=LINES[look], linewidth=1.0, elinewidth=0.6,
            marker=MARKERS[look], markersize=2.8, capsize=1.2, capthick=0.6,
        )  # fmt: skip
    axes.set_title(panel.title, fontsize=7, loc="left", pad=3)
    axes.set_xlabel(panel.knob, labelpad=1)
    axes.set_ylabel(panel.score, labelpad=1)
    axes.set_xticks(knobs, [panel.names[int(knob)] if panel.names else f"{knob:g}" for knob in knobs])
    axes.grid(color="#d9d9d9", linewidth=0.4)
