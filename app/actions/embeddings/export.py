"""Take a picture of features home: as a figure for a paper, as a table. Bytes only; nothing is written to the disk."""

from __future__ import annotations

from collections.abc import Sequence

from app.actions.checks import known
from app.actions.embeddings.project import Point, Result
from app.actions.embeddings.words import METHODS, call_pieces
from app.figures.embedding_palette import MODALITIES, colours_of, legend_of
from app.library import Library
from app.shared.export import LOCAL, checkpoint_words, describe_data, described_csv, safe_stem
from mun.evaluation.separation import MAX_DISTANCE

__all__ = ["KINDS", "figure_file", "file_stem", "lines_of", "points_csv"]

KINDS = ("png", "svg", "pdf", "csv")
COLUMNS = (
    "checkpoint",
    "row",
    "x",
    "y",
    "modality",
    "pid",
    "camid",
    "image",
    "partner",
    "right_at_rank_1",
)
ORDER = ("visible", "auxiliary", "infrared")


def figure_file(
    library: Library,
    results: Sequence[Result],
    kind: str,
    *,
    colour: str = "identity",
    lines: bool = False,
    prototypes: bool = False,
    url: str = LOCAL,
) -> bytes:
    """Draw one picture, or two side by side.

    Args:
        library: That made them.
        results: 1 or 2 of them.
        kind: `png`, `svg` or `pdf`.
        colour: What colours say, as on the page.
        lines: Whether lines lead from visible through auxiliary to infrared centers.
        prototypes: Whether the prototypes are drawn.
        url: Address of the app in the call that makes the first picture again.

    Raises:
        ValueError: Another kind.
    """
    kind = known("kind", kind, KINDS[:3])
    from app.figures.embedding import Bins, Dot, Panel, draw_embedding  # here: Matplotlib is slow to load
    from app.shared.figure import figure_bytes

    panels = []
    for result in results:
        counted = result.separation.histograms
        colours = colours_of(result.points, colour)
        shares = result.explained
        panels.append(
            Panel(
                result.request.checkpoint,
                tuple(Dot(p.x, p.y, p.modality, shade) for p, shade in zip(result.points, colours, strict=True)),
                tuple(map(tuple, lines_of(result))) if lines else (),
                tuple(Dot(m.x, m.y, m.modality, MODALITIES[m.modality]) for m in result.prototypes if prototypes),
                Bins(counted.same, counted.different, MAX_DISTANCE, counted.overlap),
                ("", "") if shares is None else (f"PC 1: {100 * shares[0]:.1f} %", f"PC 2: {100 * shares[1]:.1f} %"),
            )
        )
    figure = draw_embedding(
        panels,
        legend_of(results[0].points, colour),
        caption(library, results),
        call_pieces(results[-1].request, url),
        width="two-column" if len(results) > 1 else "one-column",
    )
    return figure_bytes(figure, kind)


def caption(library: Library, results: Sequence[Result]) -> str:
    """Write the sentences below the figure."""
    parts = []
    for result in results:
        measured = result.separation
        gaps = [
            f"{name} {value:.3f}"
            for name, value in (
                ("d(V, I)", measured.visible_infrared),
                ("d(V, A)", measured.visible_auxiliary),
                ("d(I, A)", measured.infrared_auxiliary),
            )
            if value is not None
        ]
        kept = f"{100 * result.kept:.0f} % of each point's 10 nearest kept"
        parts.append(f"{result.sentence} Centers, unit length: {', '.join(gaps)}; {kept}.")
    synthetic = library.collections[results[0].request.data].synthetic
    note = " SynVI is synthetic: no evidence about real streets." if synthetic else ""
    last = " (the right one; the left one by its checkpoint)" if len(results) > 1 else ""
    return f"{' '.join(parts)}{note} Made again, where the app runs, by{last}:"


def lines_of(result: Result) -> list[list[tuple[float, float]]]:
    """Return a line per person: visible center, auxiliary center where there is one, infrared center."""
    lines: dict[int, dict[str, tuple[float, float]]] = {}
    for mark in result.centers:
        if mark.pid is not None:
            lines.setdefault(mark.pid, {})[mark.modality] = (mark.x, mark.y)
    return [[places[modality] for modality in ORDER if modality in places] for places in lines.values()]


def points_csv(library: Library, results: Sequence[Result], rows: Sequence[int] | None = None) -> str:
    """Write points as a table, below lines that begin with # and say where they come from.

    Args:
        library: That made them.
        results: Whose points; with `rows`, one result.
        rows: Only these points; `None` for all.
    """
    request = results[0].request
    head = {"data": describe_data(library, request.data)}
    for result in results:
        head[f"checkpoint {checkpoint_words(library, result.request.checkpoint)}"] = result.sentence
        head[f"made again by, {result.request.checkpoint}"] = "".join(call_pieces(result.request))
    lines = [
        cells(result, row, point)
        for result in results
        for row, point in enumerate(result.points)
        if rows is None or row in set(rows)
    ]
    return described_csv(head.items(), COLUMNS, lines)


def cells(result: Result, row: int, point: Point) -> tuple[object, ...]:
    """Write one point."""
    correct = None if point.correct is None else int(point.correct)
    facts = (point.modality, point.pid, point.camid, point.image, point.partner, correct)
    return (result.request.checkpoint, row, point.x, point.y, *facts)


def file_stem(results: Sequence[Result]) -> str:
    """Name the files in letters that every system allows."""
    request = results[0].request
    names = "-".join(result.request.checkpoint for result in results)
    return safe_stem(f"{METHODS[request.method]}-{request.space}-seed{request.seed}-{names}")
