"""Figures of an analysis: queries, slices, distances, probes, curves. Loads Matplotlib; the caller sets the style."""

from collections.abc import Sequence
from itertools import groupby

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mun.analysis.curves import Curve
from mun.analysis.probes import Probe
from mun.analysis.report import Analysis
from mun.analysis.slices import Slice
from mun.evaluation.separation import BINS, MAX_DISTANCE

__all__ = ["COLOURS", "curves_figure", "distances_figure", "probes_figure", "queries_figure", "slices_figure"]

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00")  # Okabe and Ito, 2008
MARKS, LINES = ("o", "s", "^", "D", "v"), ("-", "--", ":", "-.", (0, (1, 2)))
SOURCES = {"both": COLOURS[3], "visible": COLOURS[0], "infrared": COLOURS[1], "auxiliary": COLOURS[2]}
WIDE, ROW, EDGE, HEAD, FOOT = 6.875, 0.16, 0.12, 0.24, 0.42  # inches: width, a row, margin, above and below axes
FARTHEST = 1.5  # the distance at the right edge


def frame(wide: float, tall: float, below: float, columns: int = 1, left: float = 0.5) -> tuple[Figure, list[Axes]]:
    """Make a figure with axes side by side, and room below them for a caption, inches."""
    height = tall + FOOT + HEAD + below
    figure, each = Figure(figsize=(wide, height)), (wide - EDGE) / columns
    boxes = [
        ((column * each + left) / wide, (below + FOOT) / height, (each - left - EDGE) / wide, tall / height)
        for column in range(columns)
    ]
    return figure, [figure.add_axes(box) for box in boxes]


def queries_figure(analysis: Analysis, wide: float = WIDE, below: float = 0.0) -> Figure:
    """Draw the average precision of every query, by one model against the other, or sorted for a single one."""
    figure, (axes,) = frame(wide, 3.2, below)
    first, valid = analysis.models[0].average_precision, analysis.models[0].valid
    if len(analysis.models) > 1:
        second = analysis.models[1].average_precision
        axes.plot([0, 100], [0, 100], color="#8a8a8a", linewidth=0.6)
        axes.scatter(100 * first[valid], 100 * second[valid], s=6, alpha=0.5, color=COLOURS[0], linewidths=0)
        axes.set_xlabel(f"AP by {analysis.names[0]} (%)")
        axes.set_ylabel(f"AP by {analysis.names[1]} (%)")
        axes.set_xlim(-2, 102)
    else:
        axes.plot(100 * np.sort(first[valid]), color=COLOURS[0], linewidth=1)
        axes.set_xlabel("queries, the hardest first")
        axes.set_ylabel(f"AP by {analysis.names[0]} (%)")
    axes.set_ylim(-2, 102)
    return figure


def slices_figure(analysis: Analysis, wide: float = WIDE, below: float = 0.0) -> Figure:
    """Draw mean average precision of every slice with its interval; slices that stand out are filled."""
    groups = [(name, list(each)) for name, each in groupby(analysis.slices, key=lambda one: one.axis)]
    rows = sum(len(each) + 1 for _, each in groups)
    figure, (axes,) = frame(wide, max(1, rows) * ROW, below, left=min(1.9, wide / 2))
    ticks: list[tuple[float, str]] = []
    place = 0.0
    for name, each in groups:
        axes.text(-0.01, place, name, transform=axes.get_yaxis_transform(), ha="right", va="center", weight="bold")
        for number in range(len(analysis.names)):
            mean = 100 * np.average([one.mean_ap[number].mean for one in each], weights=[one.count for one in each])
            axes.plot([mean, mean], [place + 0.5, place + len(each) + 0.5], color=COLOURS[number], linewidth=0.5)
        for one in each:
            place += 1
            ticks.append((place, f"{one.name} ({one.count} {'matches' if one.matches else 'queries'})"))
            draw_slice(axes, one, place)
        place += 1
    for number, name in enumerate(analysis.names):
        axes.plot([], [], MARKS[number], color=COLOURS[number], markersize=3.5, label=name)
    axes.set_yticks([at for at, _ in ticks], [words for _, words in ticks])
    axes.set_ylim(max(place, 1) - 0.4, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("mAP (%); filled: stands out")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, borderaxespad=0.2)
    return figure


def draw_slice(axes: Axes, one: Slice, place: float) -> None:
    """Draw one slice by each model, with the models a little below one another."""
    for number, estimate in enumerate(one.mean_ap):
        y, colour = place + 0.22 * (number - (len(one.mean_ap) - 1) / 2), COLOURS[number]
        if estimate.low is not None and estimate.high is not None:
            axes.plot([100 * estimate.low, 100 * estimate.high], [y, y], color=colour, linewidth=0.9)
        face = colour if one.stands_out[number] is not None else "white"
        axes.plot(100 * estimate.mean, y, MARKS[number], color=colour, markerfacecolor=face, markersize=3.5)


def distances_figure(analysis: Analysis, wide: float = WIDE, below: float = 0.0) -> Figure:
    """Draw the histograms of all cameras together, a model beside the other, with the threshold at equal error."""
    figure, each = frame(wide, 1.8, below, len(analysis.names))
    edges = np.linspace(0, MAX_DISTANCE, BINS + 1)
    for axes, name, one in zip(each, analysis.names, analysis.distances, strict=True):
        whole = one.pairs[0]
        for at, (counts, words) in enumerate(((whole.same, "one person"), (whole.other, "two people"))):
            share = 100 * np.array(counts) / max(1, sum(counts))
            axes.stairs(share, edges, color=COLOURS[at], linestyle=LINES[at], label=words)
        if whole.threshold is not None and whole.equal_error is not None:
            words = f"equal error {100 * whole.equal_error:.1f} %"
            axes.axvline(whole.threshold, color="#8a8a8a", linewidth=0.8, label=words)
        axes.set_title(name, loc="left")
        axes.set_xlim(0, FARTHEST)
        axes.set_xlabel("cosine distance")
        axes.legend()
    each[0].set_ylabel("share of pairs (%)")
    return figure


def probes_figure(found: Sequence[Probe], wide: float = WIDE, below: float = 0.0) -> Figure:
    """Draw the scores of probes on each input, a row per fact, with the spread over folds."""
    facts = list(dict.fromkeys((one.fact, one.measure) for one in found))
    figure, (axes,) = frame(wide, max(1, len(facts)) * 0.42, below, left=min(1.5, wide / 2))
    for row, fact in enumerate(facts):
        here = [one for one in found if (one.fact, one.measure) == fact]
        for at, one in enumerate(here):
            y, colour = row + 0.13 * (at - (len(here) - 1) / 2), SOURCES[one.source.removesuffix(" pixels")]
            face = "white" if "pixels" in one.source else colour
            axes.plot([one.mean - one.sd, one.mean + one.sd], [y, y], color=colour, linewidth=0.8)
            axes.plot(one.mean, y, "o", color=colour, markerfacecolor=face, markersize=3.5)
            axes.plot(one.nothing, y, "|", color="#8a8a8a", markersize=5)
    for source, colour in SOURCES.items():
        axes.plot([], [], "o", color=colour, markersize=3.5, label=source)
    axes.set_yticks(range(len(facts)), [f"{fact} ({measure})" for fact, measure in facts])
    axes.set_ylim(len(facts) - 0.5, -0.5)
    axes.set_xlim(min([-0.1, *(one.mean - one.sd for one in found if one.mean > -1)]), 1.02)
    axes.set_xlabel("accuracy or R²; hollow: from pixels; tick: constant guess")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0.2)
    return figure


def curves_figure(found: Sequence[Curve], wide: float = WIDE, below: float = 0.0) -> Figure:
    """Draw curves, one plot per corruption or knob, a line per model."""
    names = list(dict.fromkeys(one.name for one in found))
    models = list(dict.fromkeys(one.model for one in found))
    columns = min(4, len(names)) or 1
    rows = -(-len(names) // columns) or 1
    tall, each = 1.25, (wide - EDGE) / columns
    height = rows * (tall + FOOT + 0.2) + below + EDGE
    figure = Figure(figsize=(wide, height))
    for number, name in enumerate(names):
        row, column = divmod(number, columns)
        bottom = height - (row + 1) * (tall + FOOT + 0.2) + FOOT - EDGE / 2
        box = ((column * each + 0.36) / wide, bottom / height, (each - 0.46) / wide, tall / height)
        axes = figure.add_axes(box)
        for at, model in enumerate(models):
            for one in (one for one in found if (one.name, one.model) == (name, model)):
                axes.errorbar(
                    one.values, 100 * np.array(one.mean_ap), 100 * np.array(one.sd), color=COLOURS[at],
                    linestyle=LINES[at], marker=MARKS[at], markersize=2.5, linewidth=1, elinewidth=0.6, label=model,
                )  # fmt: skip
        axes.set_title(name.replace("_", " "), loc="left")
        axes.set_ylim(bottom=0)
        if column == 0:
            axes.set_ylabel("mAP (%)")
        if number == 0:
            axes.legend(handlelength=3.5)
    return figure
