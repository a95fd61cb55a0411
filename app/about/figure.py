"""The figures of the findings for a paper: a forest plot, and mAP against the settings of the data."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from matplotlib.figure import Figure

from app.about.findings import MINUS, OURS, Table, forest
from app.shared.figure import COLOURS, CURVE_COLOURS, GREY, INK, WIDTHS, TextBelow, styled
from app.shared.plots import Curve, Plot
from mun.synvi.levels import Knobs

__all__ = ["draw_forest", "plots_of"]

ROW_HEIGHT, FOOT, HEAD = 0.17, 0.34, 0.12  # inches
MAX_ROWS = len(CURVE_COLOURS)  # of a plot: more cannot be told apart
SCORE, PEOPLE = "mAP, percent", "people \N{MULTIPLICATION SIGN} images of each"  # axes


def draw_forest(table: Table, caption: str, width: str) -> Figure:
    """Draw the differences in mAP from the reference, with intervals over people and spreads over seeds.

    Args:
        table: With at least one difference.
        caption: Sentences and commands below the plot.
        width: A name of `WIDTHS`.

    Raises:
        ValueError: No row has a difference.
    """
    lines, ticks = forest(table)
    if not lines:
        raise ValueError(f"expected rows with a difference from {table.reference}, got none")
    with styled():
        wide = WIDTHS[width]
        text = TextBelow(caption, table.about["commands"], wide)
        names = min(0.45 * wide, 0.1 + 0.056 * max(len(line.row.label) for line in lines))
        tall = HEAD + ROW_HEIGHT * len(lines) + FOOT + text.height
        figure = Figure(figsize=(wide, tall))
        bottom = (text.height + FOOT) / tall
        axes = figure.add_axes((names / wide, bottom, (wide - names - 1.35) / wide, ROW_HEIGHT * len(lines) / tall))
        axes.set(xlim=(0, 100), ylim=(len(lines) - 0.5, -0.5), yticks=[])
        axes.axvline(next(place for place, words in ticks if words == "0"), color=INK, linewidth=0.6)
        for number, line in enumerate(lines):
            ours = line.row.name in OURS
            colour, weight = (COLOURS[1] if ours else INK if line.row.clear else GREY), "bold" if ours else "normal"
            axes.plot([line.left, line.right], [number, number], color=colour, linewidth=3.4, alpha=0.22)
            axes.plot([line.low, line.high], [number, number], color=colour, linewidth=0.9)
            face = colour if line.row.clear else "white"
            axes.plot([line.at], [number], marker="D" if ours else "o", markersize=3.4, color=colour, mfc=face)
            axes.text(-2, number, line.row.label, ha="right", va="center", fontsize=6.2, fontweight=weight)
            axes.text(102, number, line.words, ha="left", va="center", fontsize=6.2, fontweight=weight)
        axes.set_xticks([place for place, _ in ticks], [words for _, words in ticks], fontsize=6.2)
        axes.set_xlabel(f"difference in mAP from {table.reference}, points", labelpad=1)
        axes.spines[["left", "right", "top"]].set_visible(False)
        text.draw(figure)
    return figure


def plots_of(tables: Sequence[Table]) -> list[Plot]:
    """Lay out the tables of one experiment: mAP along each knob, the others as at level standard, or along settings.

    More rows than `MAX_ROWS` cannot be told apart: then those of the most settings are drawn, none of one setting.
    Along knobs, the last plot is the main difference; along settings, the gain of MUN over the reference. Intervals are
    one standard deviation over seeds to either side; for the difference, 95 % over people.
    """
    usual, knobs = asdict(Knobs()), list(tables[0].about["knobs"])
    ways: list[tuple[str, str, list[tuple[float, str, Table]]]] = []
    for knob in knobs:
        others = [name for name in knobs if name != knob]
        along = [one for one in tables if all(one.about["knobs"][name] == usual[name] for name in others)]
        along.sort(key=lambda one: one.about["knobs"][knob])
        fixed = ", ".join(f"{name.split('_')[-1]} {usual[name]:g}" for name in others)
        places = [(one.about["knobs"][knob], f"{one.about['knobs'][knob]:g}", one) for one in along]
        ways.append((f"at {fixed}" if fixed else "", knob, places))
    if not knobs:
        ways = [("", PEOPLE, [(float(place), one.setting, one) for place, one in enumerate(tables)])]
    run = Counter(row.name for one in tables for row in one.run)
    drawn = [name for name, count in run.most_common(MAX_ROWS) if count > 1 or len(run) <= MAX_ROWS]
    rows = [row for row in tables[0].rows if row.name in drawn]
    plots = [
        plot(title, knob, SCORE, placed, {row.label: partial(Table.score_of, name=row.name) for row in rows})
        for title, knob, placed in ways
    ]
    _, knob, placed = ways[0]
    asked = [one.claims[0].label for _, _, one in placed if one.claims and one.claims[0].paired]
    gained = {row.name: row for row in tables[0].rows if all(one.gain(row.name) for one in tables)}
    ours = next((gained[name] for name in reversed(OURS) if name in gained), None)
    if knobs and len(asked) > 1 and len(set(asked)) == 1:
        plots.append(plot(asked[0], knob, "Δ mAP, points", placed, {"": Table.answer}))
    elif ours and len(tables) > 1:
        title = f"{ours.label} {MINUS} {tables[0].reference}"
        plots.append(plot(title, knob, "Δ mAP, points", placed, {"": partial(Table.gain, name=ours.name)}))
    return plots


def plot(
    title: str,
    knob: str,
    score: str,
    placed: Sequence[tuple[float, str, Table]],
    read: dict[str, Callable[[Table], tuple[float, float, float] | None]],
) -> Plot:
    """Lay out one plot along a knob, in percent; `read` has a curve's name and how to read it from a table."""
    curves = []
    for name, value_of in read.items():
        found = [(value, value_of(table)) for value, _, table in placed]
        curves.append(Curve(name, tuple((value, *(100 * one for one in made)) for value, made in found if made)))
    mark = (0.0, "") if "" in read else None
    ticks = tuple((value, words) for value, words, _ in placed)
    return Plot(title, tuple(curves), knob.replace("_", " "), score, mark=mark, ticks=ticks)
