"""Exports of the Auxiliary tab: the pair with its auxiliary images as a figure, their numbers as tables."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from app.auxiliary.compare import OWN, RENDERED, Result
from app.auxiliary.generator import LEARNED
from app.auxiliary.panel import Picture
from app.library import Library
from app.library.pair_encoder import DISPLAY_PAIRS, DISPLAY_SEED, FINAL
from app.shared.export import checkpoint_words, describe_data, safe_stem, synthetic_note, table
from app.shared.figure import COLOURS, INK, SMALL, WIDTHS, figure_bytes, styled
from app.shared.tiles import Grid, Tile, canvas, draw_tile, fitting

__all__ = ["INFRARED", "VISIBLE", "draw_panel", "panel_bytes", "stem_of", "write_table"]

IN_PAPER = ("title", "relative_to_visible", "relative_to_infrared", "rank_in_visible", "rank_in_infrared")
COLUMNS = (
    *("part", "name", "title", "checkpoint", "d_to_visible", "d_to_infrared", "d_visible_infrared"),
    *("relative_to_visible", "relative_to_infrared", "rank_in_visible", "visible_gallery"),
    *("rank_in_infrared", "infrared_gallery", "visible_dependence", "shown_from", "shown_to", "clipped"),
)
PER_ROW = {"two-column": 7, "one-column": 4}
MARGIN, GAP, FOOT = 0.03, 0.07, 0.33  # inches; the foot holds the text below an image
BAR, CHART_FOOT, CHART_HEAD, NAMES = 0.2, 0.3, 0.2, 0.95  # inches: a pair of bars, below, above and left of them
VISIBLE, INFRARED = COLOURS[5], COLOURS[0]
BARS: tuple[tuple[float, str, dict[str, Any]], ...] = (  # offset, letter and style of the bar of each distance
    (-0.19, "V", {"color": VISIBLE}),
    (0.19, "I", {"color": INFRARED, "hatch": "////"}),
)
Chart = Sequence[tuple[str, tuple[float, float]]]  # title, and the distances to V and to I over d(V, I)


def panel_bytes(library: Library, result: Result, call: str, kind: str, width: str) -> bytes:
    """Draw a result as `png`, `pdf` or `svg`, in one of `WIDTHS`."""
    panel = [Tile(one.pixels, one.title, lines_of(one)) for one in result.panel.pictures]
    parts = [Tile(one.pixels, one.title, lines_of(one)) for one in result.parts.pictures]
    chart = [(one.title, one.place.relative) for one in result.panel.pictures[1:-1] if one.place.relative]
    return figure_bytes(draw_panel(panel, parts, chart, caption(library, result), call, width), kind)


def draw_panel(
    panel: Sequence[Tile], parts: Sequence[Tile], chart: Chart, caption: str, call: str, width: str
) -> Figure:
    """Draw the images of a pair, MUN's generator taken apart below them, and the chart of their distances.

    Args:
        panel: The visible image, the auxiliary images, the infrared image.
        parts: At most 3 images of the generator.
        chart: Distances of the auxiliary images.
        caption: The sentences below the images.
        call: The Python line that reproduces the panel.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).
    """
    with styled():
        per_row = -(-len(panel) // -(-len(panel) // PER_ROW[width]))  # rows of nearly equal length
        grid = Grid(WIDTHS[width], max(per_row, len(parts)), FOOT)
        rows = [panel[start : start + per_row] for start in range(0, len(panel), per_row)]
        beside = width == "two-column" and bool(parts)  # the chart stands beside the parts
        images_end = grid.bottom(len(rows) + bool(parts))
        top = (grid.bottom(len(rows)) if beside else images_end) + GAP + CHART_HEAD
        height = max(images_end, top + BAR * len(chart) + CHART_FOOT)
        figure, axes = canvas(grid.width, height, caption, call)
        for number, row in enumerate([*rows, parts]):
            for column, tile in enumerate(row):
                draw_tile(axes, grid.box(number, column), tile)
        left = (grid.box(0, len(parts))[0] if beside else MARGIN) + NAMES
        draw_chart(figure, chart, (left, top, grid.width - 0.3 - left, BAR * len(chart)))
    return figure


def draw_chart(figure: Figure, chart: Chart, box: tuple[float, float, float, float]) -> None:
    """Draw two bars per auxiliary image; they differ by colour, by hatch and by the letter at their end."""
    left, top, wide, tall = box
    whole, height = figure.get_size_inches()
    axes = figure.add_axes((left / whole, 1 - (top + tall) / height, wide / whole, tall / height))
    for number, (_, values) in enumerate(chart):
        for value, (offset, letter, style) in zip(values, BARS, strict=True):
            axes.barh(number + offset, value, height=0.36, linewidth=0.4, edgecolor=INK, **style)
            axes.text(value, number + offset, f" {letter} {value:.2f}", size=SMALL, va="center", clip_on=False)
    axes.axvline(1.0, color=INK, linewidth=0.6, linestyle=(0, (3, 2)))
    axes.set(ylim=(len(chart) - 0.5, -0.5), xlim=(0, max([1.2, *(value for _, both in chart for value in both)])))
    names = [title for title, _ in chart]
    axes.set_yticks(range(len(names)), names, size=min(fitting(name, NAMES - 0.08) for name in names))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=SMALL, length=2, pad=1)
    axes.set_xlabel("distance to V and to I, over d(V, I) (dashed)", size=6.0, labelpad=1)
    axes.spines[["top", "right"]].set_visible(False)


def settings(result: Result) -> str:
    """Describe the settings of a comparison."""
    request, parts = result.request, result.parts
    words = [f"Mixup λ = {request.mixup:.2f}", f"seed {request.seed} of CutMix and channel exchange"]
    if request.source == RENDERED:
        words.append(f"misalignment {request.misalignment:.2f}")
    if parts.share is not None and parts.learned is not None:
        how = "as learned" if request.share == LEARNED else f"changed from the learned {100 * parts.learned:.1f} %"
        words.append(f"IML share {100 * parts.share:.1f} % ({how})")
    if request.step != FINAL:
        words.append(f"generator of step {request.step}")
    return ", ".join(words)


def facts_of(library: Library, result: Result) -> dict[str, str]:
    """List the provenance of a result."""
    pair, names = result.panel.pair, dict.fromkeys(picture.checkpoint for picture in result.panel.pictures)
    return {
        "pair": f"{pair.words} V: {pair.visible.name}; I: {pair.infrared.name}",
        "checkpoints": ", ".join(checkpoint_words(library, name) for name in names),
        "data": describe_data(library, result.request.data),
        "settings": settings(result),
    }


def caption(library: Library, result: Result) -> str:
    """Write the sentences below the figure."""
    facts, depends = facts_of(library, result), result.parts.dependence
    note = "" if result.request.source == OWN else synthetic_note(library, result.request.data)
    share = "" if depends is None else f" MUN's image depends {100 * depends:.0f} % on V by the size of its gradients."
    return (
        f"{facts['pair']}. Below each image its distance to V"
        f" and to I over d(V, I) = {result.panel.pictures[0].place.between:.3f} (of its own checkpoint), and the rank"
        f" of the first image of the person in the visible | infrared gallery, without both sources and the images that"
        f" the protocol leaves out for them."
        f" Formulas are embedded by the network of {result.request.checkpoint}. Auxiliary images of two inputs use the"
        f" identity label. Learned images are shown by one linear map per checkpoint, fitted to {DISPLAY_PAIRS} pairs,"
        f" seed {DISPLAY_SEED}.{share} Checkpoints: {facts['checkpoints']}. Data: {facts['data']}."
        f" {facts['settings']}. {note} To reproduce it while the app runs:"
    )


def lines_of(picture: Picture) -> tuple[str, ...]:
    """Write the numbers below an image."""
    relative, ranks = picture.place.relative, [found and found.rank for found in picture.found]
    first = "V and I coincide" if relative is None else f"V {relative[0]:.2f} · I {relative[1]:.2f}"
    second = "" if ranks == [None, None] else "rank " + " | ".join(str(rank or "none") for rank in ranks)
    third = f"clipped {100 * picture.clipped:.1f} %" if picture.clipped else ""
    return tuple(line for line in (first, second, third) if line)


def write_table(library: Library, result: Result, call: str, kind: str) -> bytes:
    """Write the numbers as a table, CSV or, with the columns that fit into a paper, LaTeX."""
    head = {
        **facts_of(library, result),
        "distance": "Euclidean between unit-length embeddings; relative ones over d(V, I) of the same checkpoint",
        "ranks": "first image of the person, without both sources and the images that the protocol leaves out for them",
        "uses labels": "auxiliary images of two inputs are made from two images of one person",
        "reproduced by": call,
    }
    rows = [row_of("panel", picture) for picture in result.panel.pictures]
    if kind == "csv":
        return table(kind, head.items(), COLUMNS, rows + [row_of("generator", one) for one in result.parts.pictures])
    cells = [[row[COLUMNS.index(name)] for name in IN_PAPER] for row in rows]
    short = [[f"{cell:.2f}" if isinstance(cell, float) else cell for cell in row] for row in cells]
    return table(kind, head.items(), IN_PAPER, short)


def row_of(part: str, picture: Picture) -> tuple[object, ...]:
    """Write one image's numbers."""
    place, display = picture.place, picture.display
    distances = (place.to_visible, place.to_infrared, place.between, *(place.relative or (None, None)))
    ranks = [number for found in picture.found for number in ((found.rank, found.size) if found else (None, None))]
    shown = (picture.dependence, display.low, display.high, picture.clipped)
    before, after = ([None if value is None else round(value, 6) for value in part] for part in (distances, shown))
    return part, picture.name, picture.title, picture.checkpoint, *before, *ranks, *after


def stem_of(result: Result) -> str:
    """Return a file name with characters that every system allows."""
    if result.request.source == OWN:
        return safe_stem(f"auxiliary-own-{result.request.checkpoint}")
    who = result.panel.pair.visible.name.rpartition(".")[0] or f"person-{result.request.person}-rendered"
    return safe_stem(f"auxiliary-{who}-{result.request.checkpoint}")
