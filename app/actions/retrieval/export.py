"""Take a ranked list home: as a figure for a paper and as a table. Bytes only; nothing is written to the disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.actions.checks import known
from app.actions.provenance import LOCAL, Provenance, describe_score, provenance
from app.actions.retrieval import retrieve
from app.library import Library
from app.library.checkpoints import budget_note
from app.library.collection import SEVERITY, corruption_of
from app.tables import described_csv
from mun.evaluation.corrupted import Corruption
from mun.images import resize

__all__ = ["Export", "caption", "compared_csv", "file_stem", "ranked_csv", "run"]

WIDTH_NAMES = ("two-column", "one-column")  # as in `app.figures.style`, which would load Matplotlib at start-up
COLUMNS = ("rank", "image", "pid", "camid", "distance", "match")
MAX_HEIGHT = 700  # pixels; 600 dots per inch where the figure is widest
MAX_STEM = 80  # characters of a file name before its ending


@dataclass(frozen=True)
class Export:
    """A ranked list, or several of one query, in three forms.

    Attributes:
        stem: File name without ending: ASCII letters, digits, dots, hyphens.
        png: The figure, 300 dots per inch.
        pdf: The figure, one page with embedded fonts.
        csv: The table, below lines that say where it comes from.
    """

    stem: str
    png: bytes
    pdf: bytes
    csv: str


def run(
    library: Library,
    result: retrieve.Result,
    others: Sequence[retrieve.Result] = (),
    *,
    width: str = "two-column",
    url: str = LOCAL,
) -> Export:
    """Draw and write a ranking, or several of one query below one another.

    Args:
        library: That made it.
        result: The ranking.
        others: Those of the same query by up to three other checkpoints, on the same terms.
        width: Of the figure: `two-column` or `one-column`.
        url: Address of the app in the call that remakes the list.

    Raises:
        ValueError: Another width, or too many rankings.
    """
    from app.figures.ranked_list import (
        NamedList,
        RankedTile,
        Tile,
        draw_ranked_list,
    )  # here: Matplotlib takes a second to load
    from app.figures.style import figure_bytes

    width = known("width", width, WIDTH_NAMES)
    results, facts = (result, *others), provenance(library, result, url)
    corruption = corruption_of(result.corruption, result.severity or SEVERITY)
    images = {
        key: pixels_of(library, result.data, key, corruption)
        for key in {result.query.image, *(ranked.image for one in results for ranked in one.results)}
    }
    query = Tile(images[result.query.image], result.query.pid, result.query.camid)
    lists = [
        NamedList(
            f"{one.checkpoint}: {describe_score(one)}",
            [
                RankedTile(images[each.image], each.pid, each.camid, each.rank, each.distance, each.match)
                for each in one.results
            ],
        )
        for one in results
    ]
    words = compared_caption(library, results, facts, url) if others else caption(result, facts)
    figure = draw_ranked_list(query, lists, words, facts.call, width=width)
    table = compared_csv(library, results, url) if others else ranked_csv(result, facts)
    return Export(file_stem(result, others), figure_bytes(figure, "png"), figure_bytes(figure, "pdf"), table)


def pixels_of(library: Library, data: str, key: str, corruption: Corruption | None = None) -> NDArray[np.uint8] | None:
    """Read an image as it was ranked, at most 700 pixels tall; `None` where the file is broken or gone."""
    collection = library.collections[data]
    try:
        image = library.view(data, corruption).image(collection.samples[collection.rows[key]])
    except (ValueError, OSError):
        return None
    factor = MAX_HEIGHT / image.shape[0]
    if factor >= 1:
        return image
    return resize(image, MAX_HEIGHT, max(1, round(factor * image.shape[1])))


def caption(result: retrieve.Result, facts: Provenance) -> str:
    """Write the sentences below the figure of one ranking."""
    return (
        f"{_asked(result, facts)}. Checkpoint: {facts.checkpoint}. Data: {facts.data}. Protocol: {facts.protocol};"
        f" {facts.score}.{_rest(result, facts)} Remade by, where the app runs:"
    )


def compared_caption(library: Library, results: Sequence[retrieve.Result], facts: Provenance, url: str = LOCAL) -> str:
    """Write the sentences below the figure of several rankings; `facts` are those of the first."""
    names = "; ".join(provenance(library, one, url).checkpoint for one in results)
    note = budget_note(library.checkpoints[one.checkpoint] for one in results)
    budgets = f" {note}" if note else ""
    return (
        f"{_asked(results[0], facts)}, by {len(results)} checkpoints, from the top: {names}.{budgets}"
        f" Data: {facts.data}. Protocol: {facts.protocol}.{_rest(results[0], facts)}"
        " The first list is remade by this, where the app runs, the others with the names of their checkpoints:"
    )


def _asked(result: retrieve.Result, facts: Provenance) -> str:
    return (
        f"Query {result.query.image} (person {result.query.pid}, camera {result.query.camid}) and the closest "
        f"{len(result.results)} of {result.gallery_size} gallery images, {facts.direction}"
    )


def _rest(result: retrieve.Result, facts: Provenance) -> str:
    left_out = f" {result.left_out} images from the query's site are left out." if result.left_out else ""
    corrupted = f" {facts.corruption}" if facts.corruption else ""
    synthetic = " SynVI is synthetic: no evidence about real streets." if result.data == "synvi" else ""
    return (
        f"{left_out}{corrupted} Solid frame and ✓: the person asked for; dashed frame and ✗: somebody else; id: person"
        f", c: camera, d: {facts.distance}.{synthetic}"
    )


def ranked_csv(result: retrieve.Result, facts: Provenance) -> str:
    """Write the ranking as a table, below lines that begin with # and say where it comes from."""
    head = {
        "checkpoint": facts.checkpoint,
        "data": facts.data,
        "protocol": facts.protocol,
        "direction": facts.direction,
        "query": f"{result.query.image} (person {result.query.pid}, camera {result.query.camid})",
        "score": facts.score,
        "gallery": f"{result.gallery_size} images ranked, {result.left_out} left out",
        "distance": facts.distance,
        **({"corruption": facts.corruption} if facts.corruption else {}),
        "remade by": "".join(facts.call),
    }
    rows = [(one.rank, one.image, one.pid, one.camid, round(one.distance, 6), int(one.match)) for one in result.results]
    return described_csv(head.items(), COLUMNS, rows)


def compared_csv(library: Library, results: Sequence[retrieve.Result], url: str = LOCAL) -> str:
    """Write several rankings as one table with the checkpoint in its first column, below where each comes from."""
    first, every = results[0], [provenance(library, one, url) for one in results]
    note = budget_note(library.checkpoints[one.checkpoint] for one in results)
    head = [
        *(("checkpoint", facts.checkpoint) for facts in every),
        *([("budgets", note)] if note else []),
        ("data", every[0].data),
        ("protocol", every[0].protocol),
        ("direction", every[0].direction),
        ("query", f"{first.query.image} (person {first.query.pid}, camera {first.query.camid})"),
        *(("score", f"{one.checkpoint}: {facts.score}") for one, facts in zip(results, every, strict=True)),
        ("gallery", f"{first.gallery_size} images ranked, {first.left_out} left out"),
        ("distance", every[0].distance),
        *([("corruption", every[0].corruption)] if every[0].corruption else []),
        *(("remade by", "".join(facts.call)) for facts in every),
    ]
    rows = [
        (one.checkpoint, each.rank, each.image, each.pid, each.camid, round(each.distance, 6), int(each.match))
        for one in results
        for each in one.results
    ]
    return described_csv(head, ("checkpoint", *COLUMNS), rows)


def file_stem(result: retrieve.Result, others: Sequence[retrieve.Result] = ()) -> str:
    """Name the files: checkpoint, query, protocol, trial and corruption in letters that every system allows."""
    query = result.query.image.rpartition(".")[0].replace("/", "-")
    corrupted = f"-{result.corruption}{result.severity or ''}" if result.corruption else ""
    who = f"{len(others) + 1}-checkpoints" if others else result.checkpoint
    return safe_stem(f"ranked-{query}-{result.protocol}-trial{result.trial}{corrupted}-{who}")


def safe_stem(words: str) -> str:
    """Keep ASCII letters, digits, dots and hyphens of a file name, at most 80, none of them a leading dot."""
    return re.sub(r"[^A-Za-z0-9.]+|\.{2,}", "-", words).strip("-.")[:MAX_STEM].strip("-.") or "ranked"
