"""Take a ranked list home: as a figure for a paper and as a table. Bytes only; nothing is written to the disk."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.actions import retrieve
from app.actions.checks import known
from app.actions.provenance import LOCAL, Provenance, provenance
from app.library import Library
from app.tables import csv_text
from mun.images import read_image, resize

__all__ = ["Export", "caption", "file_stem", "ranked_csv", "run"]

WIDTH_NAMES = ("two-column", "one-column")  # as in `app.figures.style`, which would load Matplotlib at start-up
COLUMNS = ("rank", "image", "pid", "camid", "distance", "match")
MAX_HEIGHT = 700  # pixels; 600 dots per inch where the figure is widest
MAX_STEM = 80  # characters of a file name before its ending


@dataclass(frozen=True)
class Export:
    """A ranked list in three forms.

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


def run(library: Library, result: retrieve.Result, *, width: str = "two-column", url: str = LOCAL) -> Export:
    """Draw and write a ranking.

    Args:
        library: That made it.
        result: The ranking.
        width: Of the figure: `two-column` or `one-column`.
        url: Address of the app in the call that remakes the list.

    Raises:
        ValueError: Another width.
    """
    from app.figures.ranked_list import RankedTile, Tile, draw_ranked_list  # here: Matplotlib takes a second to load
    from app.figures.style import figure_bytes

    width = known("width", width, WIDTH_NAMES)
    facts = provenance(library, result, url)
    query = Tile(pixels_of(library, result.data, result.query.image), result.query.pid, result.query.camid)
    ranked = [
        RankedTile(pixels_of(library, result.data, one.image), one.pid, one.camid, one.rank, one.distance, one.match)
        for one in result.results
    ]
    figure = draw_ranked_list(query, ranked, caption(result, facts), facts.call, width=width)
    return Export(
        file_stem(result), figure_bytes(figure, "png"), figure_bytes(figure, "pdf"), ranked_csv(result, facts)
    )


def pixels_of(library: Library, data: str, key: str) -> NDArray[np.uint8] | None:
    """Read an image of a data set, at most 700 pixels tall; `None` where the file is broken or gone."""
    collection = library.collections[data]
    try:
        image = read_image(collection.samples[collection.rows[key]].path)
    except (ValueError, OSError):
        return None
    factor = MAX_HEIGHT / image.shape[0]
    if factor >= 1:
        return image
    return resize(image, MAX_HEIGHT, max(1, round(factor * image.shape[1])))


def caption(result: retrieve.Result, facts: Provenance) -> str:
    """Write the sentences below the figure."""
    left_out = f" {result.left_out} images from the query's site are left out." if result.left_out else ""
    synthetic = " SynVI is synthetic: no evidence about real streets." if result.data == "synvi" else ""
    return (
        f"Query {result.query.image} (person {result.query.pid}, camera {result.query.camid}) and the closest "
        f"{len(result.results)} of {result.gallery_size} gallery images, {facts.direction}. "
        f"Checkpoint: {facts.checkpoint}. Data: {facts.data}. Protocol: {facts.protocol}; {facts.score}.{left_out} "
        f"Solid frame and ✓: the person asked for; dashed frame and ✗: somebody else; id: person, c: camera, "
        f"d: {facts.distance}.{synthetic} Remade by, where the app runs:"
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
        "remade by": "".join(facts.call),
    }
    (first, value), *others = ((f"# {name}", " ".join(words.split())) for name, words in head.items())
    rows = [(one.rank, one.image, one.pid, one.camid, round(one.distance, 6), int(one.match)) for one in result.results]
    return csv_text((first, value), others) + csv_text(COLUMNS, rows)


def file_stem(result: retrieve.Result) -> str:
    """Name the files: checkpoint, query, protocol and trial in letters that every system allows."""
    query = result.query.image.rpartition(".")[0].replace("/", "-")
    return safe_stem(f"ranked-{query}-{result.protocol}-trial{result.trial}-{result.checkpoint}")


def safe_stem(words: str) -> str:
    """Keep ASCII letters, digits, dots and hyphens of a file name, at most 80, none of them a leading dot."""
    return re.sub(r"[^A-Za-z0-9.]+|\.{2,}", "-", words).strip("-.")[:MAX_STEM].strip("-.") or "ranked"
