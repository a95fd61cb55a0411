"""CMC curves of one or more checkpoints, as a figure for a paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from numpy.typing import NDArray

from app.figures.style import COLOURS, LINES, WIDTHS, styled
from app.figures.words import wrap_words

__all__ = ["MAX_CURVES", "CmcCurve", "draw_cmc"]

MAX_CURVES = len(COLOURS)
PLOT_HEIGHT, LINE, MARGIN = 2.1, 0.118, 0.05  # inches
LEFT, RIGHT, BOTTOM = 0.46, 0.12, 0.36  # inches that the labels of the axes take
CAPTION_SIZE = 6.6  # points
MARKERS = ("o", "s", "^", "D", "v", "P")


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
        lines = wrap_words(caption, wide - 2 * MARGIN, FontProperties(size=CAPTION_SIZE))
        legend = LINE * len(curves) + 2 * MARGIN
        height = MARGIN + legend + PLOT_HEIGHT + BOTTOM + LINE * len(lines) + 2 * MARGIN
        figure = Figure(figsize=(wide, height))
        bottom = (BOTTOM + LINE * len(lines) + 2 * MARGIN) / height
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
        for number, line in enumerate(lines):
            y = 1 - (height - MARGIN - LINE * (len(lines) - number)) / height
            figure.text(MARGIN / wide, y, line, size=CAPTION_SIZE, va="top")
    return figure
