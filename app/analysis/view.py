"""The pieces of the Analysis tab: queries in the plane, what stands beside them, and the parts below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

import numpy as np

from app.analysis.compute import Task, analysis, corruption_curves, knobs, probed, task
from app.analysis.request import View
from app.library import Library
from app.library.background import Progress
from app.library.thumbnails import CARD_HEIGHT, STRIP_HEIGHT
from app.shared.html import html
from app.shared.tab import Piece, Press
from mun.analysis.curves import KNOBS, Curve
from mun.analysis.probes import Probe
from mun.analysis.report import Analysis
from mun.data.corruptions import CORRUPTIONS, SEVERITIES
from mun.evaluation.separation import BINS, MAX_DISTANCE

__all__ = ["body_of", "hovered", "message", "picture_of", "summary_of"]

SIDE = 100.0  # of the scatter plot, in the units of its drawing
MOST_POINTS = 5000
MOST_CARDS = 12
FARTHEST, WIDTH, HEIGHT = 1.5, 360, 120  # of a histogram: distance at the right edge, units of its drawing
KINDS = ("both", "first", "second", "neither")  # who finds a query; in this order of (not first, not second)
PROBES = (
    "Linear probes read modality, camera and each known trait from the embeddings of people they have not seen. It"
    " takes about 15 seconds."
)
RENDER = "People are rendered at five values of this knob and ranked by each model. It takes one to two minutes."
FEATURES = "A features file cannot embed other images. Choose networks for curves."
CORRUPT = (
    "The visible images are corrupted at five severities, embedded and ranked by each model. It takes about half a"
    " minute."
)


def message(progress: Progress, heading: str) -> str:
    """Say how far work is, or why there is no result."""
    state, action, words = "loading", "stop", progress.words
    if progress.problem:
        state, action, words = "error", "start", f"{progress.problem.strip().rstrip('.').capitalize()}."
    elif progress.stopped:
        state, action, words = "stopped", "start", "It was stopped; nothing of it is kept."
    total = progress.total if state == "loading" else 0
    return html(
        "message.html", state=state, heading=heading, words=words, done=progress.done, total=total, action=action
    )


def link(request: View, library: Library, key: str) -> str:
    """Write the address at which Retrieval ranks a query by the same models."""
    names = request.names(library)
    asked = {
        "tab": "retrieval",
        "query": key,
        "checkpoint": names[0],
        "data": request.data,
        "protocol": request.protocol,
    }
    return "?" + urlencode(asked | {"compare": names[1] if len(names) > 1 else ""}, safe="/,")


def drawn_rows(made: Analysis) -> list[int]:
    """List the queries that the scatter plot shows: all with a match, or some, evenly spread."""
    valid = np.flatnonzero(made.models[0].valid)
    if len(valid) > MOST_POINTS:
        valid = valid[np.linspace(0, len(valid) - 1, MOST_POINTS).astype(int)]
    return [int(row) for row in valid]


def picture_of(library: Library, request: View, made: Analysis) -> str:
    """Draw the queries: average precision by one model against the other, or sorted for a single one."""
    rows = drawn_rows(made)
    first = [100 * float(made.models[0].average_precision[row]) for row in rows]
    found = [np.nan_to_num(one.rank1) > 0.5 for one in made.models]
    if len(made.models) > 1:
        second = [100 * float(made.models[1].average_precision[row]) for row in rows]
        kinds = [KINDS[2 * (not found[0][row]) + (not found[1][row])] for row in rows]
        points = [(x, SIDE - y) for x, y in zip(first, second, strict=True)]
    else:
        place = np.argsort(np.argsort(first, kind="stable"), kind="stable")
        points = [(SIDE * float(at) / max(1, len(rows) - 1), SIDE - y) for at, y in zip(place, first, strict=True)]
        kinds = ["both" if found[0][row] else "neither" for row in rows]
    labels = labels_of(library, made)
    words = {
        "both": "found by both" if len(labels) > 1 else "found: a match is closest in most galleries",
        "first": f"only {labels[0]}",
        "second": f"only {labels[-1]}",
        "neither": "found by neither" if len(labels) > 1 else "not found",
    }
    return html(
        "analysis_picture.html",
        points=[(x, y, kind, row) for (x, y), kind, row in zip(points, kinds, rows, strict=True)],
        links={row: made.key(int(made.models[0].queries[row])) for row in rows},
        address=link(request, library, ""),
        labels=labels,
        legend=[(kind, words[kind], kinds.count(kind)) for kind in KINDS if kind in kinds],
        left_out=int(made.models[0].valid.sum()) - len(rows),
        unmatched=int((~made.models[0].valid).sum()),
    )


def labels_of(library: Library, made: Analysis) -> list[str]:
    """Name the models in a word or two; by their names where these words are the same."""
    labels = [library.checkpoints[name].label for name in made.names]
    return labels if len(set(labels)) == len(labels) else list(made.names)


def hovered(library: Library, request: View, press: Press) -> str:
    """Draw the image and the scores of the query that the mouse is on; nothing where there is none."""
    row, work = press.detail.get("row"), task(library, request)
    if not work.job.ready():
        return ""
    made = analysis(library, request)
    if not isinstance(row, int) or not 0 <= row < len(made.models[0].queries):
        return ""
    sample = made.models[0].samples[made.models[0].queries[row]]
    return html(
        "analysis_tip.html",
        row=row,
        sample=sample,
        uri=library.thumbnail(request.data, sample.key, CARD_HEIGHT),
        scores=scores_of(library, made, row),
    )


def scores_of(library: Library, made: Analysis, row: int) -> list[tuple[str, float, float]]:
    """Return the name of each model, its average precision of a query, and the mean rank of the first match."""
    labels = labels_of(library, made)
    return [
        (label, float(one.average_precision[row]), float(one.first_hit[row]))
        for label, one in zip(labels, made.models, strict=True)
    ]


def summary_of(library: Library, made: Analysis) -> dict[str, Any]:
    """Collect what stands beside the picture: scores of the directions, what stands out, open set."""
    labels = labels_of(library, made)
    outstanding = [
        (one.stands_out[number] or 0.0, labels[number], number, one)
        for one in made.slices
        for number in range(len(labels))
        if one.stands_out[number] is not None
    ]
    return {
        "labels": labels,
        "ways": made.ways,
        "outstanding": sorted(outstanding, key=lambda each: each[0])[:MOST_CARDS],
        "count": len(made.slices),
        "trials": made.trials,
    }


def body_of(library: Library, request: View, made: Analysis, press: Press) -> tuple[Piece, bool]:
    """Draw the part that is open, and say whether the page has to ask again."""
    labels = labels_of(library, made)
    draw: dict[str, Callable[[], str]] = {
        "people": lambda: html("analysis_people.html", **people_of(library, request, made)),
        "distances": lambda: html("analysis_distances.html", **distances_of(request, made, labels)),
        "slices": lambda: html("analysis_slices.html", **slices_of(made, labels)),
    }
    if request.part in draw:
        return Piece((request.part, request.pair), draw[request.part]), False
    if request.part != "probes" and any(library.checkpoints[name].vectors for name in made.names):
        told = {"state": "error", "heading": "No curves of features", "words": FEATURES, "action": ""}
        return Piece(("features",), lambda: html("message.html", **told, done=0, total=0)), False
    if request.part == "corruptions":
        return corruption_body(library, request, press, labels)
    if request.part == "probes":
        tasks = [probed(library, request, name) for name in made.names]
        if (waited := waiting_for(library, tasks, press, "What the embeddings know", PROBES)) is not None:
            return waited
        return Piece(("probes",), lambda: html("analysis_probes.html", **probe_table(labels, tasks))), False
    work, heading = knobs(library, request), f"Along {request.knob.replace('_', ' ')}"
    if (waited := waiting_for(library, [work], press, heading, RENDER, request)) is not None:
        return waited
    return Piece(("knobs", request.knob), lambda: curves_html(request, work.result(), labels, "knob")), False


def slices_of(made: Analysis, labels: Sequence[str]) -> dict[str, Any]:
    """Group the slices by axis, with the mean of each axis by each model."""
    groups = [(name, list(each)) for name, each in groupby(made.slices, key=lambda one: one.axis)]
    means = {
        (name, number): np.average([one.mean_ap[number].mean for one in each], weights=[one.count for one in each])
        for name, each in groups
        for number in range(len(labels))
    }
    return {"groups": groups, "labels": labels, "means": means}


def waiting_for(
    library: Library, tasks: Sequence[Task], press: Press, heading: str, words: str, request: View | None = None
) -> tuple[Piece, bool] | None:
    """Offer work, or say how far it is; nothing where all of it is there."""
    for one in tasks:
        progress = one.ask(library, press.do if press.do in ("start", "stop") else "", press.visitor)
        if progress is None and one is not tasks[0]:
            progress = one.ask(library, "start", press.visitor)  # the others follow the first
        if progress is None:
            return Piece((heading, "idle"), lambda: offer(heading, words, request)), False
        if not progress.ready:
            return Piece((heading, repr(progress)), partial(message, progress, heading)), not progress.ended
    return None


def offer(heading: str, words: str, request: View | None) -> str:
    """Offer work that takes a while."""
    return html("analysis_offer.html", heading=heading, words=words, choices=choices_of(request) if request else None)


def choices_of(request: View) -> tuple[str, list[str], str] | None:
    """Return the field of a curve with its values and the chosen one."""
    name = {"corruptions": "corruption", "knobs": "knob"}.get(request.part, "")
    return (name, list(CORRUPTIONS if name == "corruption" else KNOBS), getattr(request, name)) if name else None


def corruption_body(library: Library, request: View, press: Press, labels: list[str]) -> tuple[Piece, bool]:
    """Draw the curves of a corruption as far as they are, and what is under way."""
    curves, progress = corruption_curves(library, request, press.do)
    heading = f"Under {request.corruption.replace('_', ' ')}"
    if progress is None:
        return Piece((heading, "idle"), lambda: offer(heading, CORRUPT, request)), False
    key = (heading, repr(curves), repr(progress))
    note = "" if progress.ready else message(progress, heading)
    return Piece(key, lambda: note + curves_html(request, curves, labels, "severity")), not progress.ended


def curves_html(request: View, curves: Sequence[Curve], labels: Sequence[str], axis: str) -> str:
    """Draw curves with a table below them."""
    values = (0.0, *map(float, SEVERITIES)) if axis == "severity" else curves[0].values
    low, span = values[0], values[-1] - values[0]

    def place(value: float) -> float:
        return WIDTH * (value - low) / span

    lines = [
        [
            (place(x), HEIGHT * (1 - mean), HEIGHT * sd)
            for x, mean, sd in zip(one.values, one.mean_ap, one.sd, strict=True)
        ]
        for one in curves
    ]
    return html(
        "analysis_curves.html",
        curves=curves,
        lines=lines,
        labels=labels,
        width=WIDTH,
        height=HEIGHT,
        axis=axis,
        ticks=[(place(value), value) for value in values],
        choices=choices_of(request),
    )


def probe_table(labels: Sequence[str], tasks: Sequence[Task]) -> dict[str, Any]:
    """Lay probes out as a table: a row per fact and source, a column per model."""
    found: list[list[Probe]] = [one.result() for one in tasks]
    rows = {(one.fact, one.source): one for each in found for one in each}
    columns = [{(one.fact, one.source): one for one in each} for each in found]
    return {"labels": labels, "rows": [(one, [each.get(key) for each in columns]) for key, one in rows.items()]}


def people_of(library: Library, request: View, made: Analysis) -> dict[str, Any]:
    """Collect queries and people: the hardest, those that one model alone finds, rank changes, confused pairs."""
    first = made.models[0]
    labels = labels_of(library, made)

    def card(number: int) -> dict[str, Any]:
        key = made.key(int(first.queries[number]))
        sample = first.samples[first.queries[number]]
        uri = library.thumbnail(request.data, key, STRIP_HEIGHT)
        scores = scores_of(library, made, number)
        return {"key": key, "sample": sample, "uri": uri, "scores": scores, "link": link(request, library, key)}

    def shown(row: int) -> tuple[Any, str]:
        return first.samples[row], library.thumbnail(request.data, made.key(row), STRIP_HEIGHT)

    valid = [int(row) for row in np.flatnonzero(first.valid)]
    worst = sorted(valid, key=lambda row: (sum(float(one.average_precision[row]) for one in made.models), row))
    changes = []
    if len(made.models) > 1:
        step = made.models[1].first_hit - first.first_hit
        changes = sorted(valid, key=lambda row: (-abs(float(step[row])), row))
    return {
        "labels": labels,
        "only": [
            (labels[at], len(each), [card(row) for row in each[: 2 * MOST_CARDS]]) for at, each in enumerate(made.only)
        ],
        "worst": [card(row) for row in worst[:MOST_CARDS]],
        "changes": [card(row) for row in changes[:MOST_CARDS]],
        "people": [(labels[at], each[:MOST_CARDS]) for at, each in enumerate(made.people)],
        "confused": [
            (
                labels[at],
                [
                    (one, [shown(row) for row in (one.query, one.answer)], link(request, library, made.key(one.query)))
                    for one in each[:MOST_CARDS]
                ],
            )
            for at, each in enumerate(made.confused)
        ],
    }


def distances_of(request: View, made: Analysis, labels: Sequence[str]) -> dict[str, Any]:
    """Collect histograms of one pair of cameras, equal errors of all of them, and what thresholds do."""
    measured = made.distances[0].pairs
    pairs = ["all cameras" if one.query is None else f"{one.query} → {one.gallery}" for one in measured]
    chosen = min(request.pair, len(pairs) - 1)
    shown = [one.pairs[chosen] for one in made.distances]
    return {
        "labels": labels,
        "pairs": pairs,
        "chosen": chosen,
        "plots": [(one, outline(one.same), outline(one.other)) for one in shown],
        "errors": [[one.pairs[at] for one in made.distances] for at in range(len(pairs))],
        "fixed": [one.fixed for one in made.distances],
        "open_set": list(zip(*(one.open_set for one in made.distances), strict=True)),
        "width": WIDTH,
        "height": HEIGHT,
        "farthest": FARTHEST,
    }


def outline(counts: Sequence[int]) -> str:
    """Draw a histogram as the path of a step line, as high as its highest bin; empty for no counts."""
    total, bins = sum(counts), int(BINS * FARTHEST / MAX_DISTANCE)
    if not total:
        return ""
    step, highest, parts = WIDTH / bins, max(counts), [f"M0 {HEIGHT}"]
    for number, count in enumerate(counts[:bins]):
        y = HEIGHT * (1 - 0.96 * count / highest)
        parts.append(f"L{number * step:.1f} {y:.1f}L{(number + 1) * step:.1f} {y:.1f}")
    return "".join(parts) + f"L{WIDTH} {HEIGHT}"
