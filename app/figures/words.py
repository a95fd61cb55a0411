"""Words in a figure: broken into lines by the width that the font really has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

__all__ = ["wrap_pieces", "wrap_words"]

POINTS = 72.0  # per inch


def width_of(words: str, font: FontProperties) -> float:
    """Measure a line, in inches."""
    width, _, _ = TextToPath().get_text_width_height_descent(words, font, False)
    return float(width) / POINTS


def wrap_words(words: str, width: float, font: FontProperties) -> list[str]:
    """Break text at its spaces into lines of at most `width` inches; a longer word is cut."""
    return wrap_pieces((f"{word} " for word in words.split()), width, font)


def wrap_pieces(pieces: Iterable[str], width: float, font: FontProperties) -> list[str]:
    """Join pieces into lines of at most `width` inches, breaking only between pieces; a longer piece is cut.

    Args:
        pieces: With the spaces that belong between them; spaces at the end of a line go.
        width: Inches.
        font: Family and size.
    """
    lines, line = [], ""
    for piece in (part for whole in pieces for part in cut(whole, width, font)):
        if line and width_of((line + piece).rstrip(), font) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()] if line.strip() else lines


def cut(piece: str, width: float, font: FontProperties) -> Sequence[str]:
    """Cut a piece that no line can hold."""
    parts = []
    while width_of(piece.rstrip(), font) > width and len(piece) > 1:
        size = next(size for size in range(len(piece) - 1, 0, -1) if size == 1 or width_of(piece[:size], font) <= width)
        parts.append(piece[:size])
        piece = piece[size:]
    return [*parts, piece]
