"""A row of maps over what they explain, with one colour scale, as a figure for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

from app.library.maps import PALETTE
from app.shared.figure import GREY, INK, MONO, WIDTHS, styled, wrap_pieces, wrap_words

__all__ = ["OPACITY", "MapTile", "PictureTile", "draw_explain_row"]

OPACITY = 0.75
PER_ROW = {"two-column": 8, "one-column": 4}
MARGIN, GUTTER, HEAD, ROW_GAP = 0.03, 0.05, 0.25, 0.07  # inches
BAR, BAR_HEIGHT, BAR_ROOM = 2.2, 0.07, 0.3  # inches
BAR_WORDS = "The colours stand for {}, on a square-root scale; small values are laid fainter over the pictures."
LINE, CAPTION_GAP, CODE_GAP = 0.118, 0.08, 0.04  # inches
CAPTION_SIZE, MONO_SIZE, SMALL = 6.6, 5.4, 5.6  # points


@dataclass(frozen=True, eq=False)
class PictureTile:
    """A picture alone: RGB, uint8, `(H, W, 3)`."""

    title: str
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class MapTile(PictureTile):
    """A map over a picture: its layer is the title.

    Attributes:
        under: What is below it, in words.
        heat: In [0, 1], `(H, W)`.
        cover: How much of the picture it covers at full opacity, [0, 1], `(H, W)`.
    """

    under: str
    heat: NDArray[np.float32]
    cover: NDArray[np.float32]


def draw_explain_row(
    pictures: Sequence[PictureTile],
    maps: Sequence[MapTile],
    scale: tuple[float, str],
    caption: str,
    remake: Sequence[str],
    width: str = "two-column",
) -> Figure:
    """Draw pictures, then maps over them, at most eight in a row, four in one column.

    Args:
        pictures: What is looked at.
        maps: One or more.
        scale: What the brightest colour stands for, and what its numbers are.
        caption: Sentences below.
        remake: The command that remakes the maps, in pieces between which a line may break.
        width: One of `WIDTHS`.

    Raises:
        ValueError: There is no map.
    """
    if not maps:
        raise ValueError("expected at least one map to draw, got none")
    tiles = [*pictures, *maps]
    wide, per_row, aspect = WIDTHS[width], PER_ROW[width], maps[0].pixels.shape[0] / maps[0].pixels.shape[1]
    tile = (wide - 2 * MARGIN - (per_row - 1) * GUTTER) / per_row
    rows = -(-len(tiles) // per_row)
    images = rows * (HEAD + aspect * tile) + (rows - 1) * ROW_GAP + MARGIN
    with styled():
        room = wide - 2 * MARGIN
        lines = wrap_words(f"{BAR_WORDS.format(scale[1])} {caption}", room, FontProperties(size=CAPTION_SIZE))
        code = wrap_pieces(remake, room, FontProperties(family=MONO, size=MONO_SIZE))
        text = images + BAR_ROOM + CAPTION_GAP
        height = text + LINE * (len(lines) + len(code)) + CODE_GAP + MARGIN
        figure = Figure(figsize=(wide, height))
        axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
        axes.set(xlim=(0, wide), ylim=(height, 0))
        axes.set_axis_off()
        for place, one in enumerate(tiles):
            row, column = divmod(place, per_row)
            left = MARGIN + column * (tile + GUTTER)
            top = HEAD + row * (HEAD + aspect * tile + ROW_GAP)
            draw_tile(axes, (left, left + tile, top + aspect * tile, top), one)
        draw_scale(axes, images, scale[0])
        for number, line in enumerate(lines):
            axes.text(MARGIN, text + number * LINE, line, size=CAPTION_SIZE, va="top")
        for number, line in enumerate(code, start=len(lines)):
            axes.text(MARGIN, text + CODE_GAP + number * LINE, line, size=MONO_SIZE, va="top", family=MONO)
    return figure


def draw_tile(axes: Axes, extent: tuple[float, float, float, float], tile: PictureTile) -> None:
    """Draw a picture and, where there is one, its map; `extent` is left, right, bottom, top in inches."""
    left, _, _, top = extent
    pixels = grey(tile.pixels) if isinstance(tile, MapTile) else tile.pixels
    axes.imshow(pixels, extent=extent, aspect="auto", interpolation="auto")
    if isinstance(tile, MapTile):
        colours = colormaps[PALETTE](tile.heat)
        colours[..., 3] = OPACITY * tile.cover
        axes.imshow(colours, extent=extent, aspect="auto", interpolation="auto")
        axes.text(left, top - 0.11, tile.title, size=SMALL, weight="bold", va="bottom")
        axes.text(left, top - 0.02, tile.under, size=SMALL, va="bottom", color=GREY)
    else:
        axes.text(left, top - 0.02, tile.title, size=SMALL, va="bottom", color=INK)


def grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take the colours out of a picture, so that all colours are the map's."""
    light = np.rint(pixels @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    return np.repeat(light[:, :, None], 3, axis=2)


def draw_scale(axes: Axes, top: float, largest: float) -> None:
    """Draw the colour scale, in full colours, below the images."""
    y = top + 0.08
    ramp = colormaps[PALETTE](np.linspace(0, 1, 256))[None, :, :3]
    axes.imshow(ramp, extent=(MARGIN, MARGIN + BAR, y + BAR_HEIGHT, y), aspect="auto", interpolation="auto")
    for share in (0.0, 0.5, 1.0):
        place = "left" if share == 0 else "right" if share == 1 else "center"
        x = MARGIN + share * BAR
        axes.text(x, y + BAR_HEIGHT + 0.02, f"{share**2 * largest:.3g}", size=SMALL, va="top", ha=place)
