"""Exports of the Embeddings tab: pictures with their histograms, points and numbers as tables. Loads Matplotlib."""

from collections.abc import Sequence
from dataclasses import astuple
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D

from app.embeddings.numbers import ROWS, condition
from app.embeddings.project import Result, call, legend, shades
from app.embeddings.request import METHODS, MODALITIES, NEUTRAL, PALETTES, Project, View
from app.library import Library
from app.shared.export import checkpoint_words, describe_data, safe_stem, synthetic_note, table
from app.shared.figure import INK, WIDTHS, TextBelow, figure_bytes, styled, wrap_words
from mun.evaluation.separation import MAX_DISTANCE, Separation

__all__ = ["draw", "numbers_table", "points_csv", "stem_of", "write_figure"]

MARGIN, GUTTER, TITLE, HISTOGRAM, AXIS, LEGEND = 0.05, 0.22, 0.14, 0.85, 0.42, 0.17  # inches
INSET, ENTRY = 0.3, 0.85  # inches: space for the numbers at an axis, width of a legend entry
LABEL_SIZE, TITLE_SIZE = 6.0, 7.5  # points
LEGEND_STYLE: Any = {"loc": "upper left", "fontsize": 6.2, "handletextpad": 0.1, "columnspacing": 0.9}
LEGEND_STYLE |= {"borderaxespad": 0.2, "borderpad": 0.1}
SYMBOLS = dict(zip((modality.value for modality in MODALITIES), "o^s", strict=True))
SIZES = ((600, 14.0), (2500, 7.0), (6000, 3.5), (20_000, 1.8))  # most points, area of a marker in square points
MANY = 4000  # above this number, points are drawn as pixels in a vector file
# Offsets of a prototype's label, in points: the first one that is inside the picture and free is taken.
PLACES = ((7, 0), (-7, 0), (7, 9), (-7, 9), (7, -9), (-7, -9), (7, 18), (-7, 18), (7, -18), (-7, -18))
SAME, DIFFERENT, _ = PALETTES["correct"]
COLUMNS = ("checkpoint", "row", "x", "y", "modality", "pid", "camid", "image", "partner", "right_at_rank_1")


def write_figure(library: Library, view: View, results: Sequence[Result], kind: str, width: str, url: str) -> bytes:
    """Draw the pictures of a view as a file.

    Args:
        library: The library that made the pictures.
        view: How the points are coloured, and what is drawn over them.
        results: 1 or 2 pictures.
        kind: `png`, `svg` or `pdf`.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).
        url: Address of the app in the call that reproduces the picture.
    """
    remake = call(library, results[0].request, url)
    return figure_bytes(draw(results, view, caption(library, results), remake, width), kind)


def draw(results: Sequence[Result], view: View, caption: str, remake: str, width: str = "two-column") -> Figure:
    """Draw pictures side by side, each above its histograms.

    Args:
        results: 1 or 2 pictures.
        view: How the points are coloured, and what is drawn over them.
        caption: The sentences below the pictures.
        remake: The command that reproduces the first picture.
        width: `two-column` or `one-column`.
    """
    with styled():
        wide = WIDTHS[width]
        room, bold = wide - 2 * MARGIN, FontProperties(size=TITLE_SIZE, weight="bold")
        side = (room - (len(results) - 1) * GUTTER) / len(results)
        tall, below = side if len(results) > 1 else min(side, 4.2), TextBelow(caption, [remake], wide)
        titles = [wrap_words(title_of(result.request), side, bold) for result in results]
        entries = legend(results[0].points, view.colour)
        columns = max(1, int(room / ENTRY))
        top = MARGIN + LEGEND * (1 - (-len(entries) // columns)) + TITLE * max(map(len, titles))
        height = top + tall + AXIS / 2 + HISTOGRAM + AXIS + below.height
        figure = Figure(figsize=(wide, height))
        draw_legend(figure, results, entries, columns, view.colour)
        for number, (result, title) in enumerate(zip(results, titles, strict=True)):
            left = MARGIN + number * (side + GUTTER)
            box = (left / wide, (height - top - tall) / height, side / wide, tall / height)
            axes = figure.add_axes(box)
            axes.set_title("\n".join(title), fontproperties=bold, loc="left", pad=3, linespacing=1.05)
            draw_points(axes, result, view)
            bottom = height - top - tall - AXIS / 2 - HISTOGRAM
            box = ((left + INSET) / wide, bottom / height, (side - 1.3 * INSET) / wide, HISTOGRAM / height)
            draw_bins(figure.add_axes(box), result.separation)
        below.draw(figure)
        FigureCanvasAgg(figure).print_to_buffer()  # type: ignore[no-untyped-call]  # only drawn text has a size
        for axes in figure.axes:
            place_labels(axes)
    return figure


def title_of(request: Project) -> str:
    """Return the title of a picture, which says if its auxiliary points are a control."""
    control = request.untrained or request.pairing == "mismatched"
    return f"{request.checkpoint}: {condition(request)} (control)" if control else request.checkpoint


def draw_legend(
    figure: Figure, results: Sequence[Result], entries: Sequence[tuple[str, str]], columns: int, colour: str
) -> None:
    """Draw the legend of markers and colours."""
    there = {point.modality for result in results for point in result.points}

    def marker(symbol: str, shade: str, words: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=symbol, color=shade, markersize=4, label=words)

    shapes = [
        marker(symbol, shade if colour == "modality" else NEUTRAL, name)
        for (name, symbol), shade in zip(SYMBOLS.items(), PALETTES["modality"], strict=True)
        if name in there
    ]
    first = figure.legend(handles=shapes, bbox_to_anchor=(0, 1), ncols=len(shapes), **LEGEND_STYLE)
    if entries:
        figure.add_artist(first)
        handles = [marker("o", shade, words) for shade, words in entries]
        anchor = (0, 1 - LEGEND / figure.get_figheight())
        figure.legend(handles=handles, bbox_to_anchor=anchor, ncols=columns, **LEGEND_STYLE)


def draw_points(axes: Axes, result: Result, view: View) -> None:
    """Draw the points, then centers and prototypes over them; markers are smaller if there are many."""
    size = next((size for most, size in SIZES if len(result.points) <= most), SIZES[-1][1])
    places, colours = np.array([(one.x, one.y) for one in result.points]), np.array(shades(result.points, view.colour))
    look: Any = {"s": size, "edgecolors": "white", "linewidths": min(0.25, size / 40), "rasterized": len(places) > MANY}
    for name, symbol in SYMBOLS.items():
        rows = [row for row, point in enumerate(result.points) if point.modality == name]
        x, y = places[rows].T
        axes.scatter(x, y, c=colours[rows], marker=symbol, **look)
    lines = result.lines if view.lines else []
    open_size = 4.0 if len(lines) <= 20 else 2.8 if len(lines) <= 50 else 2.0
    for line in lines:
        axes.plot([mark.x for mark in line], [mark.y for mark in line], color=INK, linewidth=open_size / 7, zorder=3)
        for mark in line:
            symbol = SYMBOLS[mark.modality]
            axes.plot(mark.x, mark.y, symbol, ms=open_size, mfc="white", mew=open_size / 6, color=INK, zorder=4)
    for mark in result.prototypes if view.prototypes else ():
        shade = PALETTES["modality"][list(SYMBOLS).index(mark.modality)]
        for size, edge, width in ((9, "white", 2.2), (8, INK, 1.1)):
            axes.plot(mark.x, mark.y, SYMBOLS[mark.modality], ms=size, color=shade, mec=edge, mew=width, zorder=6)
        ground = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.8}
        words, place = f"{mark.modality} prototype", (mark.x, mark.y)
        axes.annotate(
            words, place, PLACES[0], textcoords="offset points", size=LABEL_SIZE, va="center", bbox=ground, zorder=7
        )
    axes.set(xticks=[], yticks=[], xlabel=result.axes[0])
    axes.text(0.012, 0.5, result.axes[1], transform=axes.transAxes, rotation=90, ha="left", va="center", gid="axis")
    axes.margins(0.06)
    axes.set_aspect("equal", adjustable="datalim")


def place_labels(axes: Axes) -> None:
    """Move the labels of prototypes so that they are inside the picture and do not overlap."""
    taken: list[Any] = []
    for label in axes.texts:
        if label.get_gid() == "axis":
            continue
        for across, up in PLACES:
            label.set(position=(across, up), ha="left" if across > 0 else "right")
            box = label.get_window_extent()
            inside = axes.bbox.contains(*box.min) and axes.bbox.contains(*box.max)
            if inside and not any(box.overlaps(other) for other in taken):
                break
        taken.append(label.get_window_extent())


def draw_bins(axes: Axes, measured: Separation) -> None:
    """Draw the histograms of distances as fractions; they differ by colour, by line and by filling."""
    counted = measured.histograms
    edges = np.linspace(0, MAX_DISTANCE, len(counted.same) + 1)
    for counts, colour, style, words in (
        (counted.same, SAME, "-", "one person"),
        (counted.different, DIFFERENT, "--", "two people"),
    ):
        if total := sum(counts):
            share = np.array(counts) / total
            axes.stairs(share, edges, color=colour, linestyle=style, linewidth=0.9, label=words)
            if style == "-":
                axes.stairs(share, edges, color=colour, alpha=0.2, fill=True)
    axes.set(xlim=(0, MAX_DISTANCE), ylim=(0, None), xticks=np.arange(0, MAX_DISTANCE + 0.1, 0.5))
    axes.set_xlabel(f"1 - cos of visible-infrared pairs; fractions, bins of {edges[1]:g}", labelpad=1)
    axes.tick_params(labelsize=6, width=0.5, length=2)
    axes.spines[["top", "right"]].set_visible(False)
    overlap = None if counted.overlap is None else f"overlap {counted.overlap:.3f}"
    if sum(counted.same) + sum(counted.different):
        axes.legend(fontsize=6, loc="upper right", title=overlap, title_fontsize=6, handlelength=2, labelspacing=0.2)


def caption(library: Library, results: Sequence[Result]) -> str:
    """Write the sentences below the figure."""
    parts = []
    for result in results:
        gaps = [f"{name} {value:.3f}" for name, _, read in ROWS[:3] if (value := read(result.separation)) is not None]
        kept = f"{100 * result.kept:.0f} % of the 10 nearest points kept"
        parts.append(f"{result.sentence} Centers, unit length: {', '.join(gaps)}; {kept}.")
    note = synthetic_note(library, results[0].request.data)
    what = "left picture (for the right one, change the checkpoint)" if len(results) > 1 else "picture"
    return f"{' '.join(parts)} {note} To reproduce the {what} while the app runs:"


def facts_of(library: Library, results: Sequence[Result], url: str) -> list[tuple[str, str]]:
    """List the provenance of a table."""
    facts = [("data", describe_data(library, results[0].request.data))]
    for result in results:
        facts.append((f"checkpoint {checkpoint_words(library, result.request.checkpoint)}", result.sentence))
        facts.append((f"reproduced by, {result.request.checkpoint}", call(library, result.request, url)))
    return facts


def points_csv(library: Library, results: Sequence[Result], rows: Sequence[int] | None, url: str) -> bytes:
    """Write points as a table.

    Args:
        library: The library that made the points.
        results: The pictures whose points are written.
        rows: Only these points; `None` for all.
        url: Address of the app in the call that reproduces the points.
    """
    lines, kept = [], set(rows or ())
    for result in results:
        for row, one in enumerate(result.points):
            if rows is None or row in kept:
                *point, correct = astuple(one)
                lines.append((result.request.checkpoint, row, *point, None if correct is None else int(correct)))
    return table("csv", facts_of(library, results, url), COLUMNS, lines)


def numbers_table(
    library: Library, results: Sequence[Result], columns: Sequence[tuple[Project, Separation]], kind: str, url: str
) -> bytes:
    """Write the numbers as a table, `csv` or `latex`, with the provenance of the results."""
    header = ("number", *(f"{one.checkpoint}, {condition(one)}" for one, _ in columns))
    rows = [
        (name, *(None if (value := read(measured)) is None else round(value, 6) for _, measured in columns))
        for name, _, read in ROWS
    ]
    return table(kind, facts_of(library, results, url), header, rows)


def stem_of(results: Sequence[Result]) -> str:
    """Return a file name with characters that every system allows."""
    request = results[0].request
    method = next(choice.label for choice in METHODS if choice.value == request.method)
    names = "-".join(result.request.checkpoint for result in results)
    return safe_stem(f"{method}-{request.space}-seed{request.seed}-{names}")
