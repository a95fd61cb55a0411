"""The Analysis tab: the picture of all queries, the summary beside it, and the parts below."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any
from urllib.parse import urlencode

import gradio as gr
import numpy as np

from app.analysis.compute import PARTS, View, analysis, measured, task
from app.analysis.export import MENUS, write
from app.library import Library
from app.library.background import Progress
from app.library.thumbnails import CARD_HEIGHT, STRIP_HEIGHT
from app.shared.export import Options
from app.shared.html import draw_progress, html
from app.shared.tab import POLL, Answer, Export, Page, Piece, Press
from app.theme import script
from mun.analysis.curves import KNOBS, Curve
from mun.analysis.probes import Probe
from mun.analysis.report import Analysis
from mun.data.corruptions import CORRUPTIONS, SEVERITIES

__all__ = ["answer", "build", "hovered"]

MOST_POINTS = 5000
MOST_CARDS = 12
SETTINGS = {"Analysis": ("compare", "protocol"), "Curves": ("corruption", "knob")}
NAMES = ("progress", "picture", "summary", "parts", "body")
KINDS = ("both", "first", "second", "neither")  # which model finds a query; at place 2 × (not first) + (not second)
FEATURES = {"state": "error", "heading": "No curves of features", "action": "", "done": 0, "total": 0,
            "words": "A features file cannot embed other images. Choose networks for curves."}  # fmt: skip
OFFERS = {  # texts of the parts that take a while
    "probes": "Linear probes read modality, camera and each known trait from the embeddings of people they have not"
    " seen. It takes about 15 seconds.",
    "corruptions": "The visible images are corrupted at five severities, embedded and ranked by each model. It takes"
    " about half a minute.",
    "knobs": "People are rendered at five values of this knob and ranked by each model. It takes one to two minutes.",
}
CURVES = {"corruptions": ("corruption", list(CORRUPTIONS)), "knobs": ("knob", list(KNOBS))}  # fields with their values


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("analysis", "Analysis") as tab:
        with gr.Column(elem_id="analysis"):
            codes = {"picture": script("analysis.js")}
            pieces = {name: tab.piece(f"analysis-{name}", script=codes.get(name, "")) for name in NAMES}
        tab.tip(View, hovered)
        tab.wire(View, answer, pieces, Export(MENUS, Options, write), SETTINGS, SETTINGS["Analysis"])


def answer(library: Library, request: View, press: Press) -> Answer:
    """Answer a press.

    Raises:
        ValueError: A model is gone, or has embedded other images.
    """
    if late := press.wait_for_embeddings(library, request.names(library), request.data):
        progress, words = late
        return Answer.late(request, progress, {"progress": words})
    work = task(library, request)
    progress = work.begin(press, fleeting=False)
    if not progress.ready:
        return Answer.late(request, progress, {"progress": message(progress, "Every query is being ranked")})
    made = analysis(library, request)
    body, waiting = body_of(library, request, made, press)
    pieces: dict[str, str | Piece] = {
        "progress": Piece("", str),
        "picture": Piece(work.key, lambda: picture_of(library, request, made)),
        "summary": Piece(work.key, lambda: summary_of(library, made)),
        "parts": Piece(
            request.part,
            lambda: html("nav.html", label="Parts of the analysis", name="part", choices=PARTS, chosen=request.part),
        ),
        "body": Piece((work.key, request.part, body.key), body.draw),
    }
    say = "" if press.do == "again" else f"Analysis of {int(made.models[0].valid.sum())} queries"
    return Answer(request, pieces, say=say, again=POLL if waiting else 0)


def message(progress: Progress, heading: str) -> str:
    """Draw the progress of work, or why there is no result."""
    return draw_progress(progress, heading, progress.words, heading, (heading, "It was stopped; nothing is kept."))


def labels_of(library: Library, made: Analysis) -> list[str]:
    """Return a short label for each model; their names where the labels are the same."""
    labels = [library.checkpoints[name].label for name in made.names]
    return labels if len(set(labels)) == len(labels) else list(made.names)


def scores_of(library: Library, made: Analysis, row: int) -> list[tuple[str, float, float]]:
    """Return the name of each model, its average precision of a query, and the mean rank of the first match."""
    named = zip(labels_of(library, made), made.models, strict=True)
    return [(label, float(one.average_precision[row]), float(one.first_hit[row])) for label, one in named]


def link(library: Library, request: View, key: str) -> str:
    """Return the address where the Retrieval tab ranks a query by the same models."""
    checkpoint, *others = request.names(library)
    fields = {"tab": "retrieval", "query": key, "checkpoint": checkpoint, "data": request.data}
    return "?" + urlencode(fields | {"protocol": request.protocol, "compare": "".join(others)}, safe="/,")


def picture_of(library: Library, request: View, made: Analysis) -> str:
    """Draw the queries: average precision by one model against the other, or sorted for a single one."""
    labels, first = labels_of(library, made), made.models[0]
    valid = np.flatnonzero(first.valid)
    rows = valid[np.linspace(0, len(valid) - 1, min(len(valid), MOST_POINTS)).astype(int)]
    across, *upwards = (100 * one.average_precision[rows] for one in made.models)
    missed = [one.rank1[rows] <= 0.5 for one in made.models]
    kinds = [KINDS[2 * one + other] for one, other in zip(missed[0], missed[-1], strict=True)]
    words = {"both": "found: a match is closest in most galleries", "neither": "not found"}
    if len(labels) > 1:
        words = {"both": "found by both", "first": f"only {labels[0]}", "second": f"only {labels[1]}",
                 "neither": "found by neither"}  # fmt: skip
    else:
        place = np.argsort(np.argsort(across, kind="stable"), kind="stable")
        across, upwards = 100 * place / max(1, len(rows) - 1), [across]
    return html(
        "analysis_picture.html",
        points=list(zip(across.tolist(), (100 - upwards[0]).tolist(), kinds, rows.tolist(), strict=True)),
        links={row: made.key(int(first.queries[row])) for row in rows.tolist()},
        address=link(library, request, ""),
        labels=labels,
        legend=[(kind, words[kind], kinds.count(kind)) for kind in KINDS if kind in kinds],
        left_out=len(valid) - len(rows),
        unmatched=len(first.valid) - len(valid),
    )


def hovered(library: Library, request: View, press: Press) -> str:
    """Draw the image and the scores of the query under the mouse; empty where there is none."""
    row, work = press.detail.get("row"), task(library, request)
    made: Analysis | None = work.result() if work.ready else None
    if made is None or not isinstance(row, int) or not 0 <= row < len(made.models[0].queries):
        return ""
    sample = made.models[0].samples[made.models[0].queries[row]]
    uri = library.thumbnail(request.data, sample.key, CARD_HEIGHT)
    return html("analysis_tip.html", row=row, sample=sample, uri=uri, scores=scores_of(library, made, row))


def summary_of(library: Library, made: Analysis) -> str:
    """Draw the summary beside the picture: scores of the directions, slices that stand out."""
    gaps = ((gap, number, one) for one in made.slices for number, gap in enumerate(one.stands_out) if gap is not None)
    outstanding = sorted(gaps, key=lambda each: each[0])[:MOST_CARDS]
    return html("analysis_summary.html", made=made, labels=labels_of(library, made), outstanding=outstanding)


def body_of(library: Library, request: View, made: Analysis, press: Press) -> tuple[Piece, bool]:
    """Return the part that is open, and whether the page has to ask again."""
    labels, part = labels_of(library, made), request.part
    known = {
        "slices": Piece("", lambda: slices_of(made, labels)),
        "people": Piece("", lambda: people_of(library, request, made)),
        "distances": Piece(request.pair, lambda: distances_of(request, made, labels)),
    }
    if part in known:
        return known[part], False
    if part != "probes" and any(library.checkpoints[name].vectors for name in made.names):
        return Piece("", lambda: html("message.html", **FEATURES)), False
    name, values = CURVES.get(part, ("", []))
    chosen = getattr(request, name) if name else ""
    heading = {"corruptions": "Under", "knobs": "Along"}.get(part, "What the embeddings know")
    heading = f"{heading} {chosen}".replace("_", " ").strip()
    results, progress = measured(library, request, part, press)
    choices = {"name": name, "choices": [(one, one.replace("_", " ")) for one in values], "chosen": chosen}
    if progress is None:
        offered = {"heading": heading, "words": OFFERS[part], **choices}
        return Piece((chosen, "idle"), lambda: html("analysis_offer.html", **offered)), False

    waited = "" if progress.ready else message(progress, heading)

    def draw() -> str:
        if not results:
            return waited
        return waited + (curves_of(results, labels, choices) if name else probes_of(results, labels))

    return Piece((chosen, repr(results), waited), draw), not progress.ended


def slices_of(made: Analysis, labels: Sequence[str]) -> str:
    """Draw the slices by axis, with the mean of each axis by each model."""
    groups = [(name, list(each)) for name, each in groupby(made.slices, key=lambda one: one.axis)]
    means = {
        name: [np.average([one.mean_ap[number].mean for one in each], weights=[one.count for one in each])
               for number in range(len(labels))]
        for name, each in groups
    }  # fmt: skip
    return html("analysis_slices.html", groups=groups, labels=labels, means=means)


def people_of(library: Library, request: View, made: Analysis) -> str:
    """Draw queries and people: the hardest, those that one model alone finds, rank changes, confused pairs."""
    first, labels = made.models[0], labels_of(library, made)

    def image(row: int) -> tuple[Any, str]:
        return first.samples[row], library.thumbnail(request.data, made.key(row), STRIP_HEIGHT)

    def cards(numbers: Sequence[int], most: int = MOST_CARDS) -> list[tuple[Any, ...]]:
        shown = [(number, int(first.queries[number])) for number in numbers[:most]]
        return [
            (*image(row), scores_of(library, made, number), link(library, request, made.key(row)))
            for number, row in shown
        ]

    valid = [int(row) for row in np.flatnonzero(first.valid)]
    precision = np.sum([one.average_precision for one in made.models], axis=0)
    changes: list[int] = []
    if len(made.models) > 1:
        step = np.abs(made.models[1].first_hit - first.first_hit)
        changes = sorted(valid, key=lambda row: -float(step[row]))
    return html(
        "analysis_people.html",
        labels=labels,
        only=[(label, len(each), cards(each, 2 * MOST_CARDS)) for label, each in zip(labels, made.only, strict=False)],
        worst=cards(sorted(valid, key=lambda row: float(precision[row]))),
        changes=cards(changes),
        people=[(label, each[:MOST_CARDS]) for label, each in zip(labels, made.people, strict=True)],
        confused=[
            (
                label,
                [(one, (image(one.query), image(one.answer)), link(library, request, made.key(one.query)))
                 for one in each[:MOST_CARDS]],
            )
            for label, each in zip(labels, made.confused, strict=True)
        ],
    )  # fmt: skip


def distances_of(request: View, made: Analysis, labels: Sequence[str]) -> str:
    """Draw histograms of one pair of cameras, equal errors of all pairs, and the effect of thresholds."""
    pairs = ["all cameras" if one.query is None else f"{one.query} → {one.gallery}" for one in made.distances[0].pairs]
    chosen = min(request.pair, len(pairs) - 1)
    return html("analysis_distances.html", labels=labels, pairs=pairs, chosen=chosen, made=made.distances)


def probes_of(found: Sequence[Sequence[Probe]], labels: Sequence[str]) -> str:
    """Draw the table of probes: a row per fact and source, a column per model."""
    columns = [{(one.fact, one.source): one for one in each} for each in found]
    rows = {key: one for each in columns for key, one in each.items()}
    lines = [(one, [each.get(key) for each in columns]) for key, one in rows.items()]
    return html("analysis_probes.html", labels=labels, rows=lines)


def curves_of(curves: Sequence[Curve], labels: Sequence[str], choices: dict[str, Any]) -> str:
    """Draw curves with a table below them."""
    values = (0.0, *map(float, SEVERITIES)) if choices["name"] == "corruption" else curves[0].values
    return html("analysis_curves.html", curves=curves, labels=labels, values=values, **choices)
