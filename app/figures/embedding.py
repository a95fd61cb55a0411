"""Pictures of features and the histograms of their distances, as a figure for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from app.figures.embedding_palette import CORRECT, MODALITIES, NEUTRAL, SYMBOLS
from app.shared.figure import GREY, INK, MONO, WIDTHS, styled, wrap_pieces, wrap_words

__all__ = ["MAX_PANELS", "Bins", "Dot", "Panel", "draw_embedding"]

MAX_PANELS = 2
MARGIN, GUTTER, TITLE, HISTOGRAM, AXIS, LEGEND = 0.05, 0.22, 0.17, 0.85, 0.42, 0.17  # inches
LINE, CAPTION_GAP, CODE_GAP = 0.118, 0.08, 0.04  # inches
CAPTION_SIZE, MONO_SIZE, LEGEND_SIZE = 6.6, 5.4, 6.2  # points
# Where the words of a prototype stand, in points from it, so that those of prototypes in one place can be read.
LABELS = {"visible": (0, 9, "center"), "auxiliary": (8, 0, "left"), "infrared": (0, -9, "center")}
SAME, DIFFERENT = CORRECT[True], CORRECT[False]


@dataclass(frozen=True)
class Dot:
    """A point of a picture: where it is, its modality and its colour."""

    x: float
    y: float
    modality: str
    colour: str


@dataclass(frozen=True)
class Bins:
    """Histograms of one person's and two people's visible-infrared distances: counts over equal bins from 0 to `to`."""

    same: tuple[int, ...]
    different: tuple[int, ...]
    to: float
    overlap: float | None


@dataclass(frozen=True)
class Panel:
    """One checkpoint's picture.

    Attributes:
        title: Above it.
        dots: The points.
        lines: Of centers, each from visible to infrared; may be empty.
        prototypes: Of the modalities; may be empty.
        bins: What stands below.
        axes: Words at the axes, empty for none.
    """

    title: str
    dots: tuple[Dot, ...]
    lines: tuple[tuple[tuple[float, float], ...], ...]
    prototypes: tuple[Dot, ...]
    bins: Bins
    axes: tuple[str, str] = ("", "")


def draw_embedding(
    panels: Sequence[Panel],
    legend: Sequence[tuple[str, str]],
    caption: str,
    remake: Sequence[str],
    *,
    width: str = "two-column",
) -> Figure:
    """Draw one picture, or two side by side, each above its histograms.

    Args:
        panels: 1 or 2 of them.
        legend: What each colour says, as (colour, words); empty where the markers say it.
        caption: Sentences below.
        remake: The command that makes the picture again, in pieces between which a line may break.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).

    Raises:
        ValueError: Another width, or not 1 or 2 panels.
    """
    if width not in WIDTHS:
        raise ValueError(f"expected width to be one of {', '.join(WIDTHS)}, got {width!r}")
    if not 1 <= len(panels) <= MAX_PANELS:
        raise ValueError(f"expected 1 or {MAX_PANELS} panels, got {len(panels)}")
    with styled():
        wide = WIDTHS[width]
        room = wide - 2 * MARGIN
        lines = wrap_words(caption, room, FontProperties(size=CAPTION_SIZE))
        code = wrap_pieces(remake, room, FontProperties(family=MONO, size=MONO_SIZE))
        side = (room - (len(panels) - 1) * GUTTER) / len(panels)
        tall = side if len(panels) > 1 else min(side, 4.2)
        rows = legend_rows(legend, room)
        words = CAPTION_GAP + LINE * (len(lines) + len(code)) + CODE_GAP + MARGIN
        height = MARGIN + LEGEND * rows + TITLE + tall + AXIS / 2 + HISTOGRAM + AXIS + words
        figure = Figure(figsize=(wide, height))
        draw_legend(figure, panels, legend)
        for number, panel in enumerate(panels):
            left = (MARGIN + number * (side + GUTTER)) / wide
            top = height - MARGIN - LEGEND * rows - TITLE
            axes = figure.add_axes((left, (top - tall) / height, side / wide, tall / height))
            draw_points(axes, panel)
            inset = 0.3  # inches, for the numbers at the axis
            below = top - tall - AXIS / 2 - HISTOGRAM
            box = (left + inset / wide, below / height, (side - 1.3 * inset) / wide, HISTOGRAM / height)
            draw_bins(figure.add_axes(box), panel.bins)
        write(figure, lines, code, height, words - CAPTION_GAP)
    return figure


def legend_rows(legend: Sequence[tuple[str, str]], room: float) -> int:
    """Return how many rows of words the legends take: one for the markers, and those of the colours."""
    per_row = max(1, int(room / 0.85))
    return 1 + -(-len(legend) // per_row)


def draw_legend(figure: Figure, panels: Sequence[Panel], legend: Sequence[tuple[str, str]]) -> None:
    """Say what markers and colours mean."""
    there = [name for name in SYMBOLS if any(dot.modality == name for panel in panels for dot in panel.dots)]

    def marker(symbol: str, colour: str, words: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=symbol, color=colour, markersize=4, label=words)

    shapes = [marker(SYMBOLS[name], NEUTRAL if legend else MODALITIES[name], name) for name in there]
    style = {
        "fontsize": LEGEND_SIZE,
        "handletextpad": 0.1,
        "columnspacing": 0.9,
        "borderaxespad": 0.2,
        "borderpad": 0.1,
    }
    height, wide = figure.get_figheight(), figure.get_figwidth()
    first = figure.legend(handles=shapes, loc="upper left", bbox_to_anchor=(0, 1), ncols=len(shapes), **style)
    if legend:
        figure.add_artist(first)
        colours = [marker("o", colour, words) for colour, words in legend]
        columns = max(1, int((wide - 2 * MARGIN) / 0.85))
        anchor = (0, 1 - LEGEND / height)
        figure.legend(handles=colours, loc="upper left", bbox_to_anchor=anchor, ncols=columns, **style)


def draw_points(axes: Axes, panel: Panel) -> None:
    """Draw the points, then lines and prototypes over them."""
    size = 14 if len(panel.dots) <= 600 else 5
    for modality, symbol in SYMBOLS.items():
        dots = [dot for dot in panel.dots if dot.modality == modality]
        if dots:
            places = np.array([(dot.x, dot.y) for dot in dots])
            colours = [dot.colour for dot in dots]
            axes.scatter(
                places[:, 0], places[:, 1], s=size, c=colours, marker=symbol, linewidths=0.25, edgecolors="white"
            )
    for line in panel.lines:
        xs, ys = zip(*line, strict=True)
        axes.plot(xs, ys, color=INK, linewidth=0.6, zorder=3)
        names = list(SYMBOLS) if len(line) == len(SYMBOLS) else ["visible", "infrared"]
        for name, (x, y) in zip(names, line, strict=False):
            axes.plot(x, y, marker=SYMBOLS[name], markersize=4, markerfacecolor="white", color=INK, zorder=4)
    for dot in panel.prototypes:
        axes.plot(
            dot.x, dot.y, marker=SYMBOLS[dot.modality], markersize=9, color=dot.colour, mec=INK, mew=1.1, zorder=5
        )
        across, up, align = LABELS[dot.modality]
        axes.annotate(
            f"{dot.modality} prototype",
            (dot.x, dot.y),
            (across, up),
            textcoords="offset points",
            size=6,
            ha=align,
            va="center",
            zorder=6,
        )
    axes.set(xticks=[], yticks=[], xlabel=panel.axes[0], ylabel=panel.axes[1])
    axes.set_aspect("equal", adjustable="datalim")
    axes.set_title(panel.title, size=7.5, weight="bold", loc="left", pad=3)


def draw_bins(axes: Axes, bins: Bins) -> None:
    """Draw the histograms as fractions; they differ by colour, by line and by filling."""
    edges = np.linspace(0, bins.to, len(bins.same) + 1)
    for counts, colour, style, words in (
        (bins.same, SAME, "-", "one person"),
        (bins.different, DIFFERENT, "--", "two people"),
    ):
        total = sum(counts)
        if total:
            share = np.array(counts) / total
            filled = style == "-"
            axes.stairs(share, edges, color=colour, linestyle=style, linewidth=0.9, label=words)
            if filled:
                axes.stairs(share, edges, color=colour, alpha=0.2, fill=True)
    axes.set(xlim=(0, bins.to), ylim=(0, None), xticks=np.arange(0, bins.to + 0.1, 0.5))
    step = bins.to / len(bins.same)
    axes.set_xlabel(f"1 - cos of visible-infrared pairs; fractions, bins of {step:g}", labelpad=1)
    axes.tick_params(labelsize=6, width=0.5, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    overlap = "" if bins.overlap is None else f"overlap {bins.overlap:.3f}"
    axes.legend(
        fontsize=6, loc="upper right", title=overlap or None, title_fontsize=6, handlelength=2, labelspacing=0.2
    )


def write(figure: Figure, lines: Sequence[str], code: Sequence[str], height: float, top: float) -> None:
    """Write caption and command below; `top` is the height of their first line, in inches from the bottom."""
    left = MARGIN / figure.get_figwidth()
    for number, words in enumerate(lines):
        figure.text(left, (top - number * LINE) / height, words, size=CAPTION_SIZE, va="top")
    for number, words in enumerate(code, start=len(lines)):
        y = (top - CODE_GAP - number * LINE) / height
        figure.text(left, y, words, size=MONO_SIZE, va="top", family=MONO, color=GREY)
