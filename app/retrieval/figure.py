"""The figure of the Retrieval tab for a paper: the ranked lists of one query or more."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from app.shared.figure import WIDTHS, styled, text_below
from app.shared.tiles import Grid, Tile, canvas, draw_tile

__all__ = ["PER_ROW", "NamedList", "draw_lists", "grid_of"]

PER_ROW = {"two-column": 10, "one-column": 5}  # ranked images, beside the query
FOOT, NAME, GAP = 0.26, 0.16, 0.1  # inches: words below an image, the name of a list, the gap after it
PAGE = 9.0  # inches of images on a page


@dataclass(frozen=True, eq=False)
class NamedList:
    """Words above a list, and its images in the order of their ranks; more than a row holds go on in further rows."""

    name: str
    ranked: Sequence[Tile]


Query = tuple[Tile, Sequence[NamedList]]  # with its lists, which stand below one another


def grid_of(width: str) -> Grid:
    """Lay out a figure of a width; the query has the first column."""
    return Grid(WIDTHS[width], PER_ROW[width] + 1, FOOT)


def height_of(query: Query, grid: Grid, name: float) -> float:
    """Return the inches that a query takes with its lists, whose names take so many each."""
    rows = (-(-len(one.ranked) // (grid.per_row - 1)) for one in query[1])
    return sum(name + grid.bottom(count) + GAP for count in rows)


def draw_lists(
    queries: Sequence[Query], caption: str, command: str, *, width: str = "two-column", named: bool = True
) -> list[Figure]:
    """Draw queries and their ranked images, as many queries to a page as it holds, each page with the caption.

    Args:
        queries: At least one, each with as many lists as the first.
        caption: Sentences below the images.
        command: What shows or remakes the lists.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).
        named: Whether the names of the lists are shown.

    Raises:
        ValueError: There is no query.
    """
    if not queries:
        raise ValueError("expected at least one query for a figure, got none")
    grid, name = grid_of(width), NAME * named
    each = max(1, int(PAGE // height_of(queries[0], grid, name)))
    with styled():
        pages = [queries[first : first + each] for first in range(0, len(queries), each)]
        return [draw_page(page, grid, name, caption, command) for page in pages]


def draw_page(queries: Sequence[Query], grid: Grid, name: float, caption: str, command: str) -> Figure:
    """Draw one page."""
    text = text_below(caption, [command], grid.width)
    images = sum(height_of(one, grid, name) for one in queries)
    figure, axes = canvas(grid.width, images + text.height)
    top = 0.0
    for query, lists in queries:
        draw_tile(axes, grid.box(0, 0, top + name), query)
        for one in lists:
            if name:
                axes.text(grid.box(0, 1)[0], top + 0.04, one.name, size=6.6, weight="bold", va="top")
            for place, tile in enumerate(one.ranked):
                row, column = divmod(place, grid.per_row - 1)
                draw_tile(axes, grid.box(row, column + 1, top + name), tile)
            top += height_of((query, [one]), grid, name)
    text.draw(figure)
    return figure
