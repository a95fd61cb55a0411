"""Images with text in a grid, for the figures of several tabs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from app.shared.figure import GREY, MATCH, SMALL, TextBelow, width_of

__all__ = ["Grid", "Tile", "canvas", "draw_tile", "fitting"]

TITLE_SIZE, LINE = 6.0, 0.09  # points of a tile's title; inches of a line below it
FRAMES: dict[bool | None, tuple[str, Any, float]] = {
    True: (MATCH, "-", 1.8),
    False: (GREY, (0, (3.0, 2.0)), 0.9),
    None: (GREY, "-", 0.5),
}
HEAD, GUTTER, ROW_GAP, MARGIN = 0.15, 0.07, 0.07, 0.03  # inches


@dataclass(frozen=True, eq=False)
class Tile:
    """An image with text.

    Attributes:
        pixels: The image, RGB, uint8, `(H, W, 3)`; `None` if it cannot be read.
        title: Text above the image.
        lines: Lines of text below the image.
        cover: Picture laid over the image, RGBA, [0, 1], `(H, W, 4)`; `None` for none.
        match: Whether it shows the person of the query, with a thick solid frame and ✓, or another one, with a dashed
            frame and ✗, which differ for colour-blind readers and in grey print; `None` if there is no query.
    """

    pixels: NDArray[np.uint8] | None
    title: str
    lines: tuple[str, ...] = ()
    cover: NDArray[np.float64] | None = None
    match: bool | None = None


@dataclass(frozen=True)
class Grid:
    """Positions of tiles, in inches from the upper left corner.

    Attributes:
        width: Width of the figure.
        per_row: Tiles of a row.
        foot: Height of the text below an image.
        aspect: Height of an image's place per width.
    """

    width: float
    per_row: int
    foot: float
    aspect: float = 2.0

    @property
    def tile(self) -> float:
        """Width of an image's place."""
        return (self.width - 2 * MARGIN - (self.per_row - 1) * GUTTER) / self.per_row

    @property
    def row(self) -> float:
        """Height of a row."""
        return HEAD + self.aspect * self.tile + self.foot

    def box(self, row: int, column: int, top: float = 0.0) -> tuple[float, float, float, float]:
        """Return left, top, width and height of an image; the first row begins at `top`."""
        left = MARGIN + column * (self.tile + GUTTER)
        top += MARGIN + HEAD + row * (self.row + ROW_GAP)
        return left, top, self.tile, self.aspect * self.tile

    def bottom(self, rows: int) -> float:
        """Return the lower end of the last of `rows` rows."""
        return MARGIN + rows * self.row + (rows - 1) * ROW_GAP


def canvas(wide: float, high: float, caption: str, command: str) -> tuple[Figure, Axes]:
    """Begin a figure with a caption, and axes over all of it in inches from the upper left corner.

    Args:
        wide: Width, inches.
        high: Height above the caption, inches.
        caption: Sentences.
        command: Command or address that shows or makes the figure again.
    """
    text = TextBelow(caption, [command], wide)
    figure = Figure(figsize=(wide, high + text.height))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, wide), ylim=(high + text.height, 0))
    axes.set_axis_off()
    text.draw(figure)
    return figure, axes


def draw_tile(axes: Axes, box: tuple[float, float, float, float], tile: Tile) -> None:
    """Draw an image, as large as its place allows, with its title, lines and cover."""
    left, top, width, height = box
    middle, centre = left + width / 2, top + height / 2
    if tile.pixels is None:
        axes.text(middle, centre, "cannot\nbe read", size=SMALL, color=GREY, va="center", ha="center")
    else:
        tall, wide = tile.pixels.shape[:2]
        half = min(width / wide, height / tall) / 2  # of a pixel
        place = (middle - half * wide, middle + half * wide, centre + half * tall, centre - half * tall)
        axes.imshow(tile.pixels, extent=place, aspect="auto", interpolation="auto")
    if tile.cover is not None:
        axes.imshow(tile.cover, extent=(left, left + width, top + height, top), aspect="auto", interpolation="auto")
    colour, line, thick = FRAMES[tile.match]
    axes.add_patch(Rectangle((left, top), width, height, fill=False, ec=colour, linewidth=thick, linestyle=line))
    if tile.match is not None:
        mark = "✓" if tile.match else "✗"
        axes.text(left + width, top - 0.03, mark, size=8, weight="bold", color=colour, va="bottom", ha="right")
    size = fitting(tile.title, width, weight="bold")
    axes.text(left, top - 0.03, tile.title, size=size, weight="bold", va="bottom")
    for number, line in enumerate(tile.lines):
        below = top + height + 0.04 + LINE * number
        axes.text(middle, below, line, size=fitting(line, width, SMALL), va="top", ha="center")


def fitting(words: str, width: float, size: float = TITLE_SIZE, **style: Any) -> float:
    """Return the largest font size, in points, up to `size`, at which words fit into a width."""
    needed = width_of(words, FontProperties(size=size, **style))
    return size * min(1.0, width / needed) if needed else size
