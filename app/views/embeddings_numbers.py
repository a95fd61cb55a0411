"""The numbers beside the pictures, and the histograms of distances, as HTML; no Gradio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from app.actions.embeddings.points import numbers
from app.actions.embeddings.project import Request, Result
from app.cards import render
from app.library import Library
from app.views.embeddings_visit import EmbeddingVisit
from mun.data.pairing import Pairing
from mun.evaluation.separation import BANDWIDTH, BINS, MAX_DISTANCE, Histograms, Separation

__all__ = ["ROWS", "Column", "columns_of", "numbers_html", "outline"]

WIDTH, HEIGHT = 360, 110  # of a histogram, in the units of its drawing

Value = Callable[[Separation], float | None]

# What stands in the table: name, what it is, where it comes from.
ROWS: tuple[tuple[str, str, Value], ...] = (
    ("d(V, I)", "visible center to infrared center of a person, mean over people", lambda s: s.visible_infrared),
    ("d(V, A)", "visible center to auxiliary center", lambda s: s.visible_auxiliary),
    ("d(I, A)", "infrared center to auxiliary center", lambda s: s.infrared_auxiliary),
    ("between people", "visible centers of two people, mean: the scale of the others", lambda s: s.between_identities),
    ("MMD²(V, I)", "maximum mean discrepancy of the modalities", lambda s: s.mmd_visible_infrared),
    ("MMD²(V, A)", "visible and auxiliary", lambda s: s.mmd_visible_auxiliary),
    ("MMD²(I, A)", "infrared and auxiliary", lambda s: s.mmd_infrared_auxiliary),
    ("silhouette by person", "visible and infrared points; 1: people apart, 0: mixed", lambda s: s.silhouette_identity),
    ("silhouette by modality", "0: the modalities cannot be told apart", lambda s: s.silhouette_modality),
    ("overlap", "of the two histograms; 0: no confusion, 1: no information", lambda s: s.histograms.overlap),
)


@dataclass(frozen=True)
class Column:
    """The numbers of one checkpoint under one condition."""

    title: str
    condition: str
    separation: Separation


def columns_of(library: Library, results: Sequence[Result], visit: EmbeddingVisit) -> tuple[list[Column], str]:
    """Return the columns of the table, with the controls where they are asked for; and why one is missing, or nothing.

    Raises:
        ValueError: The images cannot be embedded.
    """
    columns, missing = [], ""
    for result in results:
        columns.append(Column(result.request.checkpoint, condition(result.request), result.separation))
        if not visit.controls or not result.request.auxiliary:
            continue
        for control in (
            replace(result.request, pairing=Pairing.MISMATCHED.value, untrained=False),
            replace(result.request, pairing=Pairing.MATCHED.value, untrained=True),
        ):
            try:
                request = control.checked(library)
            except ValueError as error:
                missing = str(error)
                continue
            if request != result.request:
                columns.append(Column(request.checkpoint, condition(request), numbers(library, request)))
    return columns, missing


def condition(request: Request) -> str:
    """Say where the auxiliary points come from."""
    if not request.auxiliary:
        return "no auxiliary points"
    return f"{request.pairing} pairs" + (", untrained generator" if request.untrained else "")


def numbers_html(library: Library, results: Sequence[Result], visit: EmbeddingVisit) -> str:
    """Draw the table and the histograms."""
    columns, missing = columns_of(library, results, visit)
    rows = [(name, words, [value(column.separation) for column in columns]) for name, words, value in ROWS]
    plots = [
        {
            "title": result.request.checkpoint,
            "same": outline(result.separation.histograms.same),
            "different": outline(result.separation.histograms.different),
            "overlap": result.separation.histograms.overlap,
            "counts": tally(result.separation.histograms),
        }
        for result in results
    ]
    return render(
        "embedding_numbers.html",
        columns=columns,
        rows=rows,
        plots=plots,
        missing=missing,
        width=WIDTH,
        height=HEIGHT,
        bandwidth=BANDWIDTH,
        step=MAX_DISTANCE / BINS,
        people=len({point.pid for point in results[0].points}),
        turn=visit.turn,
    )


def tally(histograms: Histograms) -> tuple[int, int]:
    """Count the pairs of one person and of two."""
    return sum(histograms.same), sum(histograms.different)


def outline(counts: Sequence[int]) -> str:
    """Draw a histogram as the path of a step line, its fractions over distances from 0 to 1.5; empty for no counts."""
    total, top = sum(counts), 0.14  # the highest fraction that fits; more is cut
    if not total:
        return ""
    step, parts = WIDTH / (BINS * 0.75), [f"M0 {HEIGHT}"]
    for number, count in enumerate(counts[: int(BINS * 0.75)]):
        y = HEIGHT * (1 - min(1.0, count / total / top))
        parts.append(f"L{number * step:.1f} {y:.1f}L{(number + 1) * step:.1f} {y:.1f}")
    return "".join(parts) + f"L{WIDTH} {HEIGHT}"
