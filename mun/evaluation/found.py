"""Ranked lists as rows with paths, in a file that other tools open."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.evaluation.galleries import uncounted
from mun.evaluation.metrics import cosine_distances, ranking
from mun.evaluation.protocols import Protocol
from mun.files import whole_file
from mun.structures import Sample

__all__ = ["COLUMNS", "check_suffix", "ranked_rows", "write_rows"]

COLUMNS = ("query", "query_pid", "query_camid", "rank", "gallery", "gallery_pid", "gallery_camid", "cosine", "match")


def ranked_rows(
    protocol: Protocol,
    samples: Sequence[Sample],
    embeddings: NDArray[np.float32],
    asked: Sequence[Sample],
    gallery: Sequence[Sample],
    top: int,
) -> Iterator[dict[str, Any]]:
    """List the images that are ranked first for every query, closest first, as `COLUMNS`; paths are those on disk.

    Args:
        protocol: Which gallery images count.
        samples: N images.
        embeddings: Of them, `(N, D)`, unit length.
        asked: The queries, Q of the samples.
        gallery: Of one trial, G of the samples.
        top: Images per query, at most.
    """
    row_of = {sample: row for row, sample in enumerate(samples)}
    rows = np.asarray(embeddings, dtype=np.float64)
    distances = cosine_distances(*(rows[[row_of[one] for one in side]] for side in (asked, gallery)))
    dropped = uncounted(protocol, asked, gallery)
    for query, row, left_out in zip(asked, distances, dropped, strict=True):
        for rank, place in enumerate(ranking(row, left_out)[:top].tolist(), start=1):
            one = gallery[place]
            found = (str(one.path), one.pid, one.camid, float(-row[place]), one.pid == query.pid)
            values = (str(query.path), query.pid, query.camid, rank, *found)
            yield dict(zip(COLUMNS, values, strict=True))


def check_suffix(path: Path) -> None:
    """Check the name of a file of rows.

    Raises:
        ValueError: It ends neither in .csv nor in .json.
    """
    if path.suffix not in (".csv", ".json"):
        raise ValueError(f"expected a name that ends in .csv or .json, got {path.name!r}")


def write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Write rows as CSV, or as a JSON list where the name ends in `.json`, whole."""
    with whole_file(path) as partial, partial.open("w", encoding="utf-8", newline="") as stream:
        if path.suffix == ".json":
            json.dump(list(rows), stream, indent=1, ensure_ascii=False)
        else:
            writer = csv.DictWriter(stream, COLUMNS)
            writer.writeheader()
            writer.writerows(rows)
