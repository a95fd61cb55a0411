"""The common style of all figures, text wrapped by the width of the font, and files as bytes."""

import io
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from app.shared.plots import COLOURS, MAX_PLOTS, Curve, Plot

__all__ = ["COLOURS", "CURVE_COLOURS", "DPI", "GREY", "INK", "LINES", "MATCH", "MONO", "SMALL", "WIDTHS", "TextBelow"]
__all__ += ["draw_plots", "figure_bytes", "styled", "width_of", "wrap_pieces", "wrap_words"]

DPI = 300
WIDTHS = {"two-column": 6.875, "one-column": 3.25}  # inches, of the text block and a column in CVPR's format
INK, GREY, MATCH = "#1a1a1a", "#767676", "#00735c"  # on white 17:1, 4.5:1 and 5.8:1
CURVE_COLOURS = (*COLOURS, GREY)
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (7, 2)))  # curves differ in grey print too
MONO = "DejaVu Sans Mono"
TICK_SIZE = 7.0  # points
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same on every machine, and has the marks ✓ and ✗
    "font.size": TICK_SIZE,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name is plain text
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": False,
    "image.composite_image": False,  # each image stays separate in a PDF
    "pdf.fonttype": 42,  # TrueType, which publishers ask for
    "pdf.compression": 9,
    "svg.hashsalt": "mun",
    "svg.fonttype": "none",  # text stays text
}
METADATA: dict[str, dict[str, Any]] = {  # without time or version
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": dict.fromkeys(("Creator", "Producer", "CreationDate")),
}
LOCK = threading.RLock()  # Matplotlib's settings are global: one figure at a time


@contextmanager
def styled() -> Iterator[None]:
    """Draw with the project's style; other threads that draw wait."""
    with LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def figure_bytes(figure: Figure | Sequence[Figure], kind: str) -> bytes:
    """Write a figure without time or version, so that the same figure gives the same bytes.

    Args:
        figure: Drawn within `styled()`; for `pdf` also several, a page each.
        kind: `png`, at 300 dots per inch, `pdf`, with embedded TrueType fonts, or `svg`, with text as text.

    Raises:
        ValueError: `kind` has another value.
    """
    if kind not in METADATA:
        raise ValueError(f"expected the kind of file to be png, pdf or svg, got {kind!r}")
    pages, file = [figure] if isinstance(figure, Figure) else list(figure), io.BytesIO()
    with styled():
        for image in (image for page in pages for axes in page.axes for image in axes.images):
            # A PDF holds an image's own pixels, which the PDF viewer smooths.
            image.set_interpolation("none" if kind == "pdf" else "auto")
        if kind == "pdf":
            with PdfPages(file, metadata=METADATA[kind]) as pdf:
                for page in pages:
                    pdf.savefig(page, dpi=DPI)
        else:
            dots = DPI if kind == "png" else "figure"
            pages[0].savefig(file, format=kind, dpi=dots, metadata=METADATA[kind])
    return file.getvalue()


POINTS = 72.0  # per inch
PIECES = re.compile(r"(?<= )|(?<=print\()")  # where a command may break
LINE, MARGIN = 0.115, 0.06  # inches
CAPTION_SIZE, COMMAND_SIZE, SMALL = 6.6, 5.2, 5.6  # points


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
        pieces: Pieces with the spaces between them; spaces at the end of a line are dropped.
        width: Inches.
        font: Family and size.
    """
    lines, line = [], ""
    for piece in (part for whole in pieces for part in (whole if width_of(whole.rstrip(), font) > width else (whole,))):
        if line and width_of((line + piece).rstrip(), font) > width:
            lines.append(line.rstrip())
            line = ""
        line += piece
    return [*lines, line.rstrip()] if line.strip() else lines


class TextBelow:
    """Caption and command lines under the plots of a figure.

    Args:
        caption: Sentences.
        commands: Command lines, written in a font of fixed width.
        wide: Width of the figure, inches.

    Attributes:
        lines: The lines, each with its font.
        height: Height of all lines, inches.
    """

    def __init__(self, caption: str, commands: Sequence[str], wide: float) -> None:
        words, mono = FontProperties(size=CAPTION_SIZE), FontProperties(family=MONO, size=COMMAND_SIZE)
        room = wide - 2 * MARGIN
        self.lines = [(line, words) for line in wrap_words(caption, room, words)]
        for command in commands:
            self.lines += [(line, mono) for line in wrap_pieces(PIECES.split(command), room, mono)]
        self.height = LINE * len(self.lines) + 2 * MARGIN

    def draw(self, figure: Figure) -> None:
        """Write the lines at the foot of a figure."""
        wide, high = figure.get_size_inches()
        for number, (line, font) in enumerate(self.lines):
            y = (self.height - MARGIN - LINE * number) / high
            figure.text(MARGIN / wide, y, line, fontproperties=font, va="top")


MARKERS = ("o", "s", "^", "D", "v", "P", "X")
PLOT_HEIGHT = 1.8  # inches
LEFT, RIGHT, GAP, BOTTOM, TOP = 0.48, 0.08, 0.54, 0.36, 0.2  # inches that labels take
LEGEND, HANDLE, LEGEND_SIZE = 0.12, 0.4, 5.8  # inches: a line of the legend, a stroke before a name; points
SPREAD = 0.02  # of the width: curves are shifted sideways, so that their intervals do not overlap


def draw_plots(
    plots: Sequence[Plot], caption: str, commands: Sequence[str], width: str = "two-column", *, one_legend: bool = False
) -> Figure:
    """Draw plots, up to three per row on two columns, one on one; curves differ in colour, line style and marker.

    Args:
        plots: 1 to 6 of them.
        caption: Sentences below the plots.
        commands: Command lines below the caption.
        width: One of `WIDTHS`.
        one_legend: Whether a name has one style in all plots, with one legend below them; else each plot has a legend.

    Raises:
        ValueError: There are not 1 to 6 plots, or more curves than can be told apart.
    """
    if not 1 <= len(plots) <= MAX_PLOTS:
        raise ValueError(f"expected 1 to {MAX_PLOTS} plots, got {len(plots)}")
    names = list(dict.fromkeys(one.name for plot in plots for one in plot.curves if one.name)) if one_legend else []
    if (most := max(len(names), *(len(plot.curves) for plot in plots))) > len(CURVE_COLOURS):
        raise ValueError(f"expected at most {len(CURVE_COLOURS)} curves that can be told apart, got {most}")
    with styled():
        wide, columns = WIDTHS[width], min(3, len(plots)) if width == "two-column" else 1
        text, legends = TextBelow(caption, commands, wide), 1
        if one_legend:
            font = FontProperties(size=LEGEND_SIZE)
            legends = max(1, int((wide - LEFT) / (HANDLE + max((width_of(name, font) for name in names), default=0.0))))
        foot = 0.18 + LEGEND * -(-len(names) // legends) if one_legend else 0.0
        rows, base = -(-len(plots) // columns), foot + text.height
        height = rows * (PLOT_HEIGHT + BOTTOM + TOP) + base
        figure = Figure(figsize=(wide, height))
        last = [width_of(plot.ticks[-1][1], FontProperties(size=TICK_SIZE)) / 2 for plot in plots if plot.ticks]
        right = max([RIGHT, *last])
        figure.subplots_adjust(LEFT / wide, (base + BOTTOM) / height, 1 - right / wide, 1 - TOP / height)
        gap = GAP * columns / (wide - LEFT - right - (columns - 1) * GAP)
        figure.subplots_adjust(wspace=gap, hspace=(BOTTOM + TOP) / PLOT_HEIGHT)
        for number, plot in enumerate(plots, start=1):
            axes = figure.add_subplot(rows, columns, number)
            draw_plot(axes, plot, names)
            if not one_legend:
                axes.legend(fontsize=5.6, handlelength=2.4, labelspacing=0.2, borderaxespad=0.2)
        if one_legend:
            handles: dict[str, Artist] = {}
            for axes in figure.axes:
                drawn, named = axes.get_legend_handles_labels()
                handles |= dict(zip(named, drawn, strict=True))
            look: Any = {"fontsize": LEGEND_SIZE, "handlelength": 2.6, "columnspacing": 1.2, "labelspacing": 0.25}
            place = (0.5, (text.height - 0.02) / height)
            figure.legend(handles.values(), handles, loc="lower center", bbox_to_anchor=place, ncols=legends, **look)
        text.draw(figure)
    return figure


def draw_plot(axes: Axes, plot: Plot, names: Sequence[str]) -> None:
    """Draw one plot; the style of a curve follows from its place in `names`, or else in the plot."""
    places = [point[0] for one in plot.curves for point in one.points]
    width = SPREAD * (max(places) - min(places))
    for number, one in enumerate(plot.curves):
        shift = (number - (len(plot.curves) - 1) / 2) * width
        if one.points:
            draw_curve(axes, one, names.index(one.name) if one.name in names else number, shift)
    if plot.mark:
        axes.axhline(plot.mark[0], color=GREY, linewidth=0.6, label=plot.mark[1])
    axes.set_title(plot.title, fontsize=7, loc="left", pad=3)
    axes.set_xlabel(plot.x, labelpad=1)
    axes.set_ylabel(plot.y, labelpad=1)
    if plot.ticks:
        axes.set_xticks([place for place, _ in plot.ticks], [words for _, words in plot.ticks])
    else:
        axes.set_xlim(left=0)
    if plot.bounds:
        axes.set_ylim(plot.bounds)
    elif not plot.ticks:
        axes.set_ylim(bottom=0)
    axes.grid(color="#d9d9d9", linewidth=0.4)


def draw_curve(axes: Axes, one: Curve, look: int, shift: float) -> None:
    """Draw one curve, with intervals where it has them."""
    x, y, *ends = (list(column) for column in zip(*one.points, strict=True))
    spans = np.abs(np.subtract(ends, y)) if ends else None
    axes.errorbar(
        [value + shift for value in x] if ends else x, y, yerr=spans, label=one.name,
        color=CURVE_COLOURS[look] if one.name else INK, linestyle=LINES[look], linewidth=1.0, elinewidth=0.6,
        marker=MARKERS[look] if len(y) <= 20 else None, markersize=2.8, capsize=1.2, capthick=0.6,
    )  # fmt: skip
