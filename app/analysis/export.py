"""Export files of the Analysis tab: figures, tables, and everything as JSON."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from app.analysis.compute import View, measured, task
from app.library import Library
from app.shared.export import Options, checkpoint_words, describe_data, safe_stem, table
from app.shared.tab import File, Menu, Press
from mun.analysis.curves import PEOPLE
from mun.analysis.report import Analysis, tables

__all__ = ["MENUS", "write"]

ALL = ("png", "pdf", "svg", "csv", "latex")
MENUS = (
    Menu("Queries", "queries", ("png", "pdf", "svg", "csv")),
    Menu("Slices", "slices", ALL),
    Menu("Directions", "directions", ("csv", "latex")),
    Menu("Confused pairs", "confused", ("csv", "latex")),
    Menu("People", "people", ("csv", "latex")),
    Menu("Distances", "distances", ALL),
    Menu("Probes", "probes", ALL),
    Menu("Corruptions", "corruptions", ALL),
    Menu("Knobs", "knobs", ALL),
    Menu("Everything", "analysis", ("json",)),
)
DIGITS = 4
MEASURED = ("probes", "corruptions", "knobs")  # results that the analysis itself does not hold
CAPTIONS = {
    "queries": "Average precision (AP) of every query, mean over the galleries.",
    "slices": "Mean average precision of slices, 95 % intervals by the bootstrap over people; short lines: mean of all"
    " slices of an axis; filled: differs from the rest of its axis (5 % over all slices, Bonferroni). Matches: a query"
    " whose only match is this one.",
    "distances": "Cosine distances of queries and images of one gallery, and the threshold at equal error.",
    "probes": "Linear probes in five folds that share no person: accuracy or R², mean and sd over folds.",
    "corruptions": "mAP against the severity of a corruption of the visible images.",
    "knobs": "mAP against a knob of SynVI, sd over ten galleries.",
}


def write(library: Library, request: View, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: The analysis, or the part to export, is not computed yet.
    """
    work = task(library, request)
    if not work.ready:
        raise ValueError("expected an analysis to export, but it is not there yet; wait until the picture is drawn")
    made: Analysis = work.result()
    stem = safe_stem(f"{what}-{request.protocol}-{'-'.join(made.names)}")
    if kind == "json":
        return File.of(stem, kind, (json.dumps(made.to_json(), ensure_ascii=False, indent=1) + "\n").encode())
    values: Sequence[Any] = ()
    if what in MEASURED:
        values, progress = measured(library, request, what, None)
        if progress is None or not progress.ready:
            raise ValueError(f"expected {what} to export; start them on the page first")
    facts = facts_of(library, request, made, press.url, what)
    if kind in ("csv", "latex"):
        header, rows = rows_of(made, what, values)
        return File.of(stem, kind, table(kind, facts, header, rows))
    return File.of(stem, kind, drawn(made, what, values, facts, options.width, kind))


def facts_of(library: Library, request: View, made: Analysis, url: str, what: str) -> list[tuple[str, str]]:
    """Return the provenance of an analysis, as name and text; curves along a knob have data of their own."""
    note = library.budget_note(made.names)
    data, protocol = describe_data(library, request.data), f"{request.protocol}, single-shot, {made.trials} galleries"
    if what == "knobs":
        apart = ", images of the query's instant left out" if request.knob == "misalignment" else ""
        data, protocol = f"SynVI (synthetic), {PEOPLE} people at each value", f"synvi-all, single-shot{apart}"
    return [
        *(("checkpoint", checkpoint_words(library, name)) for name in made.names),
        *([("budgets", note)] if note else []),
        ("data", data),
        ("protocol", protocol),
        *([] if what == "knobs" else [("queries", str(int(made.models[0].valid.sum())))]),
        ("shown at", f"{url}{request.link(library, 'analysis')}"),
    ]


def rows_of(made: Analysis, what: str, values: Sequence[Any]) -> tuple[list[str], list[list[object]]]:
    """Lay values out as a table."""
    if what == "probes":
        rows = [{"model": name, **asdict(one)} for name, each in zip(made.names, values, strict=True) for one in each]
    elif what in ("corruptions", "knobs"):
        rows = [
            {"name": one.name, "model": one.model, "value": at, "mAP": mean, "sd": sd}
            for one in values
            for at, mean, sd in zip(one.values, one.mean_ap, one.sd, strict=True)
        ]
    else:
        rows = tables(made.to_json())[what]
    header = list(dict.fromkeys(name for row in rows for name in row))
    cells = [[row.get(name) for name in header] for row in rows]
    return header, [[round(cell, DIGITS) if isinstance(cell, float) else cell for cell in row] for row in cells]


def drawn(
    made: Analysis, what: str, values: Sequence[Any], facts: Sequence[tuple[str, str]], width: str, kind: str
) -> bytes:
    """Draw a figure with its caption; of the probes only those of the first model, because the table has both."""
    from app.shared.figure import WIDTHS, TextBelow, figure_bytes, styled  # here: Matplotlib takes a second to load
    from mun.analysis import figures

    words = " ".join([CAPTIONS[what], *(f"{name.capitalize()}: {text}." for name, text in facts)])
    wide = WIDTHS[width]
    draw: Any = getattr(figures, f"{what}_figure", figures.curves_figure)
    with styled():
        text = TextBelow(words, [], wide)
        shown = values[0] if what == "probes" else values or made
        figure = draw(shown, wide, text.height)
        if what == "probes":
            figure.axes[0].set_title(made.names[0], loc="right")
        text.draw(figure)
    return figure_bytes(figure, kind)
