"""The figures of the Retrieval tab for a paper: ranked lists of one query, CMC curves of the whole set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from app.shared.figure import (
    COLOURS,
    GREY,
    INK,
    LINES,
    MATCH,
    MONO,
    SMALL,
    WIDTHS,
    draw_image,
    styled,
    text_below,
    wrap_pieces,
    wrap_words,
)
from app.shared.tiles import canvas

__all__ = [
    "MAX_LISTS",
    "MAX_RANKED",
    "CmcCurve",
    "Layout",
    "NamedList",
    "RankedTile",
    "Tile",
    "draw_cmc",
    "draw_ranked_list",
    "draw_sheet",
]

MAX_RANKED, MAX_LISTS = 100, 4
PER_ROW = {"two-column": 10, "one-column": 5}
MARGIN, GUTTER, QUERY_GAP = 0.03, 0.06, 0.14  # inches
HEAD, FOOT, ROW_GAP = 0.17, 0.27, 0.08  # inches above and below an image, and between rows
NAME, LIST_GAP = 0.16, 0.1  # inches for the name of a list, and between lists
PAGE, QUERIES_GAP = 9.0, 0.12  # inches of images on a page of a contact sheet, and between its queries
ASPECT = 2.0  # height of an image's place per width
LINE, CAPTION_GAP, CODE_GAP = 0.118, 0.1, 0.04  # inches
CAPTION_SIZE, MONO_SIZE = 6.6, 5.4  # points
MAX_CURVES = len(COLOURS)
PLOT_HEIGHT, EDGE = 2.1, 0.05  # inches, of a plot and around it
LEFT, RIGHT, BOTTOM = 0.46, 0.12, 0.36  # inches that the labels of the axes take
MARKERS = ("o", "s", "^", "D", "v", "P")


@dataclass(frozen=True, eq=False)
class Tile:
    """An image with its labels: RGB, uint8, `(H, W, 3)`, or `None` where it cannot be read."""

    pixels: NDArray[np.uint8] | None
    pid: int
    camid: int


@dataclass(frozen=True, eq=False)
class RankedTile(Tile):
    """A ranked image; `match` says whether it shows the person asked for, `distance` is shown where there is one."""

    rank: int
    distance: float | None
    match: bool


@dataclass(frozen=True, eq=False)
class NamedList:
    """One of several lists: words above it, and its images in the order of their ranks."""

    name: str
    ranked: Sequence[RankedTile]


@dataclass(frozen=True)
class Layout:
    """Where the images of one query are, in inches from the upper left corner.

    Attributes:
        width: Of the figure.
        per_row: Ranked images in a row, besides the query in the first.
        count: Ranked images of a list.
        lists: Lists below one another.
        named: Whether they have names.
    """

    width: float
    per_row: int
    count: int
    lists: int = 1
    named: bool = False

    @property
    def tile(self) -> float:
        """Width of an image's place."""
        free = self.width - 2 * MARGIN - QUERY_GAP - (self.per_row - 1) * GUTTER
        return free / (self.per_row + 1)

    @property
    def row(self) -> float:
        """Height of a row."""
        return HEAD + ASPECT * self.tile + FOOT

    @property
    def images_height(self) -> float:
        """Height of all rows."""
        return self.list_top(self.lists - 1) + self.list_height

    @property
    def list_height(self) -> float:
        """Height of a list, with its name."""
        rows = -(-self.count // self.per_row)
        return NAME * self.named + rows * self.row + (rows - 1) * ROW_GAP

    def list_top(self, number: int) -> float:
        """Where a list begins, from 0."""
        return MARGIN + number * (self.list_height + LIST_GAP)

    def box(self, place: int, number: int = 0) -> tuple[float, float, float, float]:
        """Return left, top, width, height of an image; place 0 is the query, 1 … the ranks of a list in their order."""
        left, top = MARGIN, self.list_top(number) + NAME * self.named + HEAD
        if place:
            row, column = divmod(place - 1, self.per_row)
            left += self.tile + QUERY_GAP + column * (self.tile + GUTTER)
            top += row * (self.row + ROW_GAP)
        return left, top, self.tile, ASPECT * self.tile


def draw_ranked_list(
    query: Tile, lists: Sequence[NamedList], caption: str, remake: Sequence[str], *, width: str = "two-column"
) -> Figure:
    """Draw query and ranked images with marks that colour-blind readers and grey printers tell apart.

    A match has a thick solid frame and ✓, another person a thin dashed one and ✗.

    Args:
        query: The query.
        lists: 1 to 4 of them, which stand below one another, with their names where there are several: 1 to 100 images
            each in the order of their ranks; more than a row holds go on in further rows.
        caption: Sentences below the images.
        remake: The command that remakes the list, in pieces between which a line may break.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).

    Raises:
        ValueError: Another width, not 1 to 100 ranked images, or not 1 to 4 lists.
    """
    return draw_page([(query, lists)], layout_of(lists, width, named=len(lists) > 1), caption, remake)


def draw_sheet(
    rows: Sequence[tuple[Tile, Sequence[NamedList]]], caption: str, remake: Sequence[str], *, width: str = "two-column"
) -> list[Figure]:
    """Draw the ranked lists of several queries below one another, as many to a page as it holds.

    Args:
        rows: Each a query with its lists, as for `draw_ranked_list`; all have as many.
        caption: Sentences below the images of every page.
        remake: Where the lists are shown, in pieces between which a line may break.
        width: `two-column` or `one-column`.

    Raises:
        ValueError: As `draw_ranked_list`, or there is no query.
    """
    if not rows:
        raise ValueError("expected at least one query for a contact sheet, got none")
    layout = layout_of([one for _, lists in rows for one in lists][: len(rows[0][1])], width, named=True)
    each = max(1, int(PAGE // (layout.images_height + QUERIES_GAP)))
    return [draw_page(rows[first : first + each], layout, caption, remake) for first in range(0, len(rows), each)]


def layout_of(lists: Sequence[NamedList], width: str, *, named: bool) -> Layout:
    """Lay the lists of a query out.

    Raises:
        ValueError: As `draw_ranked_list`.
    """
    if width not in WIDTHS:
        raise ValueError(f"expected width to be one of {', '.join(WIDTHS)}, got {width!r}")
    if not 1 <= len(lists) <= MAX_LISTS:
        raise ValueError(f"expected 1 to {MAX_LISTS} lists, got {len(lists)}")
    for one in lists:
        if not 1 <= len(one.ranked) <= MAX_RANKED:
            raise ValueError(f"expected 1 to {MAX_RANKED} ranked images, got {len(one.ranked)}")
    return Layout(WIDTHS[width], PER_ROW[width], max(len(one.ranked) for one in lists), len(lists), named)


def draw_page(
    rows: Sequence[tuple[Tile, Sequence[NamedList]]], layout: Layout, caption: str, remake: Sequence[str]
) -> Figure:
    """Draw queries with their lists, the caption and the command below them."""
    with styled():
        room = layout.width - 2 * MARGIN
        lines = wrap_words(caption, room, FontProperties(size=CAPTION_SIZE))
        code = wrap_pieces(remake, room, FontProperties(family=MONO, size=MONO_SIZE))
        images = len(rows) * layout.images_height + (len(rows) - 1) * QUERIES_GAP
        below = images + CAPTION_GAP
        figure, axes = canvas(layout.width, below + LINE * (len(lines) + len(code)) + CODE_GAP + MARGIN)
        for place, (query, lists) in enumerate(rows):
            top = place * (layout.images_height + QUERIES_GAP)
            draw_query(axes, lowered(layout.box(0), top), query)
            for number, one in enumerate(lists):
                if layout.named:
                    name = top + layout.list_top(number)
                    axes.text(layout.box(1)[0], name, one.name, size=6.6, weight="bold", va="top")
                for rank, tile in enumerate(one.ranked, start=1):
                    draw_ranked(axes, lowered(layout.box(rank, number), top), tile)
        for number, line in enumerate(lines):
            axes.text(MARGIN, below + number * LINE, line, size=CAPTION_SIZE, va="top")
        for number, line in enumerate(code, start=len(lines)):
            axes.text(MARGIN, below + CODE_GAP + number * LINE, line, size=MONO_SIZE, va="top", family=MONO)
    return figure


Box = tuple[float, float, float, float]


def lowered(box: Box, by: float) -> Box:
    """Move a place down."""
    return box[0], box[1] + by, box[2], box[3]


def draw_query(axes: Axes, box: Box, query: Tile) -> None:
    """Draw the query at the left of the first row."""
    left, top, width, height = box
    draw_image(axes, box, query.pixels)
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=INK, linewidth=1.0))
    axes.text(left, top - 0.035, "query", size=7, weight="bold", va="bottom")
    axes.text(
        left + width / 2, top + height + 0.045, f"id {query.pid} · c{query.camid}", size=SMALL, va="top", ha="center"
    )


def draw_ranked(axes: Axes, box: Box, tile: RankedTile) -> None:
    """Draw one ranked image with rank, mark, frame, person, camera and distance."""
    left, top, width, height = box
    draw_image(axes, box, tile.pixels)
    colour = MATCH if tile.match else GREY
    frame = Rectangle((left, top), width, height, fill=False, edgecolor=colour, linewidth=1.8 if tile.match else 0.9)
    frame.set_linestyle("-" if tile.match else (0, (3.0, 2.0)))
    axes.add_patch(frame)
    axes.text(left, top - 0.035, f"{tile.rank}", size=7, weight="bold", va="bottom")
    mark = "✓" if tile.match else "✗"
    axes.text(left + width, top - 0.03, mark, size=8, weight="bold", color=colour, va="bottom", ha="right")
    center, below = left + width / 2, top + height + 0.045
    axes.text(center, below, f"id {tile.pid} · c{tile.camid}", size=SMALL, va="top", ha="center")
    if tile.distance is not None:
        axes.text(center, below + 0.1, f"d {tile.distance:.3f}", size=SMALL, va="top", ha="center", color=GREY)


@dataclass(frozen=True, eq=False)
class CmcCurve:
    """One curve.

    Attributes:
        name: Of the checkpoint.
        cmc: Fraction of queries found within the first 1 … R places, float, `(R,)`.
        mean_ap: Mean average precision, in [0, 1].
        rank1_sd: Standard deviation of rank-1 over the trials, a fraction; `None` where there is one trial.
        mean_ap_sd: Likewise of the mean average precision.
    """

    name: str
    cmc: NDArray[np.float64]
    mean_ap: float
    rank1_sd: float | None = None
    mean_ap_sd: float | None = None

    @property
    def label(self) -> str:
        """Name and scores, for the legend."""
        return (
            f"{self.name}: rank-1 {percent(self.cmc[0], self.rank1_sd)}, mAP {percent(self.mean_ap, self.mean_ap_sd)}"
        )


def percent(mean: float, sd: float | None) -> str:
    """Write a fraction in percent, with its spread where there is one."""
    return f"{100 * mean:.1f} %" if sd is None else f"{100 * mean:.1f} ± {100 * sd:.1f} %"


def draw_cmc(curves: Sequence[CmcCurve], caption: str, *, width: str = "one-column") -> Figure:
    """Draw CMC curves; they differ by colour, by line and by marker.

    Args:
        curves: 1 to 6 of them.
        caption: Sentences below the plot.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).

    Raises:
        ValueError: Another width, not 1 to 6 curves, or a curve that is no vector of fractions.
    """
    if width not in WIDTHS:
        raise ValueError(f"expected width to be one of {', '.join(WIDTHS)}, got {width!r}")
    if not 1 <= len(curves) <= MAX_CURVES:
        raise ValueError(f"expected 1 to {MAX_CURVES} curves, got {len(curves)}")
    for curve in curves:
        if curve.cmc.ndim != 1 or not curve.cmc.size or not np.all((curve.cmc >= 0) & (curve.cmc <= 1)):
            raise ValueError(f"expected the curve of {curve.name} as fractions of shape (R,), got {curve.cmc.shape}")
    with styled():
        wide = WIDTHS[width]
        below = text_below(caption, (), wide)
        legend = LINE * len(curves) + 2 * EDGE
        height = EDGE + legend + PLOT_HEIGHT + BOTTOM + below.height
        figure = Figure(figsize=(wide, height))
        bottom = (BOTTOM + below.height) / height
        axes = figure.add_axes((LEFT / wide, bottom, 1 - (LEFT + RIGHT) / wide, PLOT_HEIGHT / height))
        for number, curve in enumerate(curves):
            ranks = np.arange(1, len(curve.cmc) + 1)
            style: Any = {"color": COLOURS[number], "linestyle": LINES[number], "marker": MARKERS[number]}
            axes.plot(ranks, 100 * curve.cmc, linewidth=1.1, markersize=2.6, label=curve.label, clip_on=False, **style)
        axes.set(xlabel="rank", ylim=(0, 100))
        axes.set_ylabel("queries found, %", labelpad=1)
        last = max(2, *(len(curve.cmc) for curve in curves))
        axes.set(xlim=(1, last), xticks=[1, *range(5, last + 1, 5)])
        axes.grid(color="#d9d9d9", linewidth=0.4)
        figure.legend(loc="upper left", bbox_to_anchor=(0, 1), fontsize=6.2, handlelength=3, labelspacing=0.25)
        below.draw(figure)
    return figure
