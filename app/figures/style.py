"""One look for all figures, and how they become bytes."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_pdf import FigureCanvasPdf
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

__all__ = ["COLOURS", "DPI", "GREY", "INK", "LINES", "MATCH", "MONO", "WIDTHS", "figure_bytes", "styled"]

DPI = 300
WIDTHS = {"two-column": 6.875, "one-column": 3.25}  # inches, of the text block and a column in CVPR's format
INK, GREY, MATCH = "#1a1a1a", "#767676", "#00735c"  # on white 17:1, 4.5:1 and 5.8:1
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito, 2008
LINES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)))  # curves differ in grey print too
MONO = "DejaVu Sans Mono"
STYLE: Any = {
    "font.family": "DejaVu Sans",  # comes with Matplotlib: the same on every machine, and has the marks ✓ and ✗
    "font.size": 7.0,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "text.color": INK,
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": False,
    "image.composite_image": False,  # each image stays one of its own in a PDF
    "pdf.fonttype": 42,  # TrueType, which publishers ask for
    "pdf.compression": 9,
}
LOCK = threading.RLock()  # Matplotlib's settings are global: one figure at a time


@contextmanager
def styled() -> Iterator[None]:
    """Draw within the project's style; others who draw wait."""
    with LOCK, mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(STYLE)
        yield


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Write a figure without time or version, so that the same figure gives the same bytes.

    Args:
        figure: Drawn within `styled()`.
        kind: `png`, at 300 dots per inch, `pdf`, with embedded TrueType fonts, or `svg`, with words as words.

    Raises:
        ValueError: Another kind.
    """
    if kind not in ("png", "pdf", "svg"):
        raise ValueError(f"expected the kind of file to be png, pdf or svg, got {kind!r}")
    file = io.BytesIO()
    with styled():
        if kind == "png":
            FigureCanvasAgg(figure)
            for image in (image for axes in figure.axes for image in axes.images):
                image.set_interpolation("auto")
            figure.savefig(file, format="png", dpi=DPI, metadata={"Software": None})
        elif kind == "svg":
            mpl.rcParams.update({"svg.hashsalt": "mun", "svg.fonttype": "none"})
            FigureCanvasSVG(figure)
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
        else:
            FigureCanvasPdf(figure)
            for image in (image for axes in figure.axes for image in axes.images):
                image.set_interpolation("none")  # its own pixels, which the reader's program makes smooth
            nothing = dict.fromkeys(("Creator", "Producer", "CreationDate"))
            figure.savefig(file, format="pdf", dpi=DPI, metadata=nothing)
    return file.getvalue()
