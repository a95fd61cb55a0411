"""The auxiliary images of one pair with their distances, as a figure for a paper."""

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

from app.shared.figure import COLOURS, GREY, INK, WIDTHS, draw_image, styled, text_below, width_of

__all__ = ["INFRARED", "MAX_TILES", "VISIBLE", "Tile", "draw_panel"]

MAX_TILES = 24
PER_ROW = {"two-column": 7, "one-column": 4}
MARGIN, GUTTER, ROW_GAP = 0.03, 0.07, 0.07  # inches
HEAD, FOOT = 0.15, 0.33  # inches above and below an image
ASPECT = 2.0  # height of an image's place per width
BAR, CHART_FOOT, CHART_HEAD, NAMES = 0.2, 0.3, 0.2, 0.95  # inches: a pair of bars, below, above and left of them
TITLE_SIZE, SMALL = 6.0, 5.4  # points
VISIBLE, INFRARED = COLOURS[5], COLOURS[0]


@dataclass(frozen=True, eq=False)
class Tile:
    """One image with its numbers.

    Attributes:
        pixels: RGB, uint8, `(H, W, 3)`.
        title: Above it.
        lines: Below it, three at most.
        bars: d(A, V) and d(A, I) over d(V, I), for the chart; `None` for what is not in it.
    """

    pixels: NDArray[np.uint8]
    title: str
    lines: tuple[str, ...] = ()
    bars: tuple[float, float] | None = None


@dataclass(frozen=True)
class Grid:
    """Where the tiles are, in inches from the upper left corner."""

    width: float
    per_row: int

    @property
    def tile(self) -> float:
        """Width of an image's place."""
        return (self.width - 2 * MARGIN - (self.per_row - 1) * GUTTER) / self.per_row

    @property
    def row(self) -> float:
        """Height of a row."""
        return HEAD + ASPECT * self.tile + FOOT

    def box(self, row: int, column: int) -> tuple[float, float, float, float]:
        """Return left, top, width and height of an image."""
        left = MARGIN + column * (self.tile + GUTTER)
        return left, MARGIN + HEAD + row * (self.row + ROW_GAP), self.tile, ASPECT * self.tile

    def bottom(self, rows: int) -> float:
        """Return where so many rows end."""
        return MARGIN + rows * self.row + (rows - 1) * ROW_GAP


def draw_panel(
    tiles: Sequence[Tile],
    bench: Sequence[Tile],
    caption: str,
    call: str,
    *,
    width: str = "two-column",
) -> Figure:
    """Draw the images of a pair, MUN's generator taken apart below them, and the chart of their distances.

    Args:
        tiles: 3 to 24: visible, the auxiliary ones, infrared.
        bench: At most 3.
        caption: Sentences below.
        call: The line of Python that makes the panel again.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).

    Raises:
        ValueError: Another width, or another number of tiles.
    """
    if width not in WIDTHS:
        raise ValueError(f"expected width to be one of {', '.join(WIDTHS)}, got {width!r}")
    if not 3 <= len(tiles) <= MAX_TILES or len(bench) > 3:
        raise ValueError(f"expected 3 to {MAX_TILES} images and at most 3 below, got {len(tiles)} and {len(bench)}")
    with styled():
        per_row = -(-len(tiles) // -(-len(tiles) // PER_ROW[width]))  # rows of nearly one length
        grid = Grid(WIDTHS[width], max(per_row, len(bench)))
        rows = [tiles[start : start + per_row] for start in range(0, len(tiles), per_row)]
        barred = [tile for tile in tiles if tile.bars is not None]
        beside = width == "two-column"
        chart_height = CHART_HEAD + BAR * len(barred) + CHART_FOOT
        images_end = grid.bottom(len(rows) + bool(bench))
        top = grid.bottom(len(rows)) + ROW_GAP if beside and bench else images_end + ROW_GAP
        end = max(images_end, top + chart_height)
        below = text_below(caption, [call], grid.width)
        height = end + below.height
        figure = Figure(figsize=(grid.width, height))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, grid.width), ylim=(height, 0))
        axes.set_axis_off()
        for number, row in enumerate([*rows, bench]):
            for column, tile in enumerate(row):
                draw_tile(axes, grid.box(number, column), tile)
        left = (grid.box(0, len(bench))[0] if beside and bench else MARGIN) + NAMES
        draw_chart(figure, barred, (left, top + CHART_HEAD, grid.width - 0.3 - left, BAR * len(barred)), height)
        below.draw(figure)
    return figure


def draw_tile(axes: Axes, box: tuple[float, float, float, float], tile: Tile) -> None:
    """Draw one image with its title and numbers."""
    left, top, width, height = box
    draw_image(axes, box, tile.pixels)
    axes.add_patch(Rectangle((left, top), width, height, fill=False, edgecolor=GREY, linewidth=0.5))
    size = fitting(tile.title, width, weight="bold")
    axes.text(left, top - 0.03, tile.title, size=size, weight="bold", va="bottom")
    for number, line in enumerate(tile.lines):
        axes.text(left + width / 2, top + height + 0.04 + 0.09 * number, line, size=SMALL, va="top", ha="center")


def fitting(words: str, width: float, **style: Any) -> float:
    """Choose the size, in points, at which a title is no wider than its place."""
    needed = width_of(words, FontProperties(size=TITLE_SIZE, **style))
    return TITLE_SIZE * min(1.0, width / needed) if needed else TITLE_SIZE


def draw_chart(figure: Figure, tiles: Sequence[Tile], box: tuple[float, float, float, float], height: float) -> None:
    """Draw two bars per auxiliary image; they differ by colour, by hatch and by the letter at their end."""
    left, top, wide, tall = box
    whole = figure.get_size_inches()[0]
    axes = figure.add_axes((left / whole, 1 - (top + tall) / height, wide / whole, tall / height))
    for number, tile in enumerate(tiles):
        for offset, letter, value, style in bars_of(tile):
            axes.barh(number + offset, value, height=0.36, linewidth=0.4, edgecolor=INK, **style)
            axes.text(value, number + offset, f" {letter} {value:.2f}", size=SMALL, va="center", clip_on=False)
    axes.axvline(1.0, color=INK, linewidth=0.6, linestyle=(0, (3, 2)))
    axes.set(
        ylim=(len(tiles) - 0.5, -0.5), xlim=(0, max([1.2, *(value for tile in tiles for value in tile.bars or ())]))
    )
    names = [tile.title for tile in tiles]
    axes.set_yticks(range(len(tiles)), names, size=min(fitting(name, NAMES - 0.08) for name in names))
    axes.tick_params(axis="y", length=0)
    axes.tick_params(axis="x", labelsize=SMALL, length=2, pad=1)
    axes.set_xlabel("distance to V and to I, over d(V, I) (dashed)", size=TITLE_SIZE, labelpad=1)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def bars_of(tile: Tile) -> list[tuple[float, str, float, Any]]:
    """List offset, letter, length and look of a tile's bars."""
    to_visible, to_infrared = tile.bars or (0.0, 0.0)
    return [
        (-0.19, "V", to_visible, {"color": VISIBLE}),
        (0.19, "I", to_infrared, {"color": INFRARED, "hatch": "////"}),
    ]
