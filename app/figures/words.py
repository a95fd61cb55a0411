"""Words in a figure: broken into lines by the width that the font really has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from app.figures.style import MONO

__all__ = ["TextBelow", "text_below", "wrap_pieces", "wrap_words"]

POINTS = 72.0  # per inch
LINE, MARGIN = 0.115, 0.06  # inches
CAPTION_SIZE, COMMAND_SIZE = 6.6, 5.2  # points


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


@dataclass(frozen=True)
class TextBelow:
    """Caption and command lines under the plots of a figure.

    Attributes:
        lines: Each with its font.
        height: What they take up, inches.
    """

    lines: tuple[tuple[str, FontProperties], ...]
    height: float

    def draw(self, figure: Figure) -> None:
        """Write the lines at the foot of a figure."""
        wide, high = figure.get_size_inches()
        for number, (line, font) in enumerate(self.lines):
            y = (self.height - MARGIN - LINE * number) / high
            figure.text(MARGIN / wide, y, line, fontproperties=font, va="top")


def text_below(caption: str, commands: Sequence[str], wide: float) -> TextBelow:
    """Break caption and commands into the lines that stand under the plots of a figure.

    Args:
        caption: Sentences.
        commands: Command lines, written in a font of fixed width.
        wide: Width of the figure, inches.
    """
    words, mono = FontProperties(size=CAPTION_SIZE), FontProperties(family=MONO, size=COMMAND_SIZE)
    room = wide - 2 * MARGIN
    lines = [(line, words) for line in wrap_words(caption, room, words)]
    lines += [(line, mono) for command in commands for line in wrap_words(command, room, mono)]
    return TextBelow(tuple(lines), LINE * len(lines) + 2 * MARGIN)
