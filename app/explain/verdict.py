"""What the checks of a map come to: a sentence, the groups of a bar chart, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.explain.checks import CURVES, Checked
from app.explain.truth import Share

__all__ = ["PLOT", "Bars", "Plot", "bars", "plots", "verdict"]

Values = Sequence[float | None]
PLOT = (48.0, 10.0, 386.0, 150.0)  # left, top, right, bottom of a plot's field


@dataclass(frozen=True)
class Bars:
    """One group of the bar chart: a map and its controls.

    Attributes:
        title: What is measured.
        hint: Which way is better.
        values: Of the map and of each control, by `CURVES`; `None` for an empty map.
        even: What an even map would have; `None` where that means nothing.
        top: Value of the longest bar.
        percent: Whether the values are shares.
    """

    title: str
    hint: str
    values: Mapping[str, float | None]
    even: float | None
    top: float
    percent: bool


def bars(share: Share | None, even: float, checked: Checked | None) -> list[Bars]:
    """Put what is known of a map into the groups of one chart."""
    groups = []
    if share is not None:
        inside = dict(zip(CURVES, (share.trained, share.prior, share.random), strict=True))
        top = max([even, *(value for value in inside.values() if value is not None)])
        groups.append(Bars("Energy in the changed region", "more is better", inside, even, top, True))
    for place, title, hint in (
        (0, "Cosine while its pixels are blurred", "less is better"),
        (1, "Cosine while its pixels come back", "more is better"),
    ):
        areas = {one.name: one.curves.areas[place] for one in checked.curves} if checked else {}
        if areas:
            groups.append(Bars(title, hint, areas, None, max(*areas.values(), 1e-9), False))
    return groups


def verdict(share: Share | None, even: float, checked: Checked | None, label: str) -> str:
    """Say in a sentence whether a map shows more than its controls do."""
    if share is not None and share.trained is not None:
        best = max(even, share.prior or 0, share.random or 0)
        points_to = "points" if share.trained > best else "does not point"
        return (
            f"The map of {label} has {100 * share.trained:.1f} % of its energy there, the best of its controls"
            f" {100 * best:.1f} %: it {points_to} to what was changed."
        )
    if checked is None or len(checked.curves) < len(CURVES) - 1:
        return ""
    mine, *others = (one.curves.areas[0] for one in checked.curves)
    return (
        f"Blurring the brightest pixels of the map of {label} first leaves a mean cosine of {mine:.3f},"
        f" {'less' if mine < min(others) else 'no less'} than in the order of its controls ({min(others):.3f})."
    )


@dataclass(frozen=True)
class Plot:
    """Curves in one field of the page.

    Attributes:
        title: What is drawn.
        lines: Places in the drawing, by the name of the curve.
        ticks: Labels of the vertical axis and their heights.
        ends: Words at the left and the right end of the horizontal axis.
    """

    title: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    ticks: Sequence[tuple[str, float]]
    ends: tuple[str, str]

    @classmethod
    def of(cls, title: str, curves: Mapping[str, Values], low: float, high: float, ends: tuple[str, str]) -> Plot:
        """Place curves of evenly spaced values; a value that is not known is left out."""
        left, top, right, bottom = PLOT
        lines = {
            name: [
                (
                    round(left + (right - left) * place / max(1, len(values) - 1), 1),
                    round(bottom - (bottom - top) * (value - low) / (high - low), 1),
                )
                for place, value in enumerate(values)
                if value is not None
            ]
            for name, values in curves.items()
        }
        return cls(title, lines, ((f"{high:.2f}", top), (f"{low:.2f}", bottom)), ends)


def plots(checked: Checked) -> list[Plot]:
    """Draw the curves of the details: deletion, insertion, and likeness while layers become random."""
    drawn = []
    for title in ("deletion", "insertion") if checked.curves else ():
        lines = {one.name: getattr(one.curves, title).tolist() for one in checked.curves}
        values = [value for line in lines.values() for value in line]
        low, high = min(values), max(*values, min(values) + 1e-6)
        drawn.append(Plot.of(f"Cosine, {title}", lines, low, high, ("no pixel", "all pixels")))
    if checked.steps:
        unknown = [None] * (checked.total - len(checked.curves) - len(checked.steps))
        likeness = {
            "Spearman": [1.0, *(step.ranks for step in checked.steps), *unknown],
            "SSIM": [1.0, *(step.structure for step in checked.steps), *unknown],
        }
        drawn.append(Plot.of("Likeness while layers become random", likeness, -1, 1, ("as trained", "all random")))
    return drawn
