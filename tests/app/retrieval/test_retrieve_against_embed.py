"""Fifty rankings over HTTP equal those that NumPy makes from what `python -m mun embed` wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from serving import Served, serve

from app.library import Library
from mun.__main__ import main

TRIALS = 10
VISIBLE, INFRARED = (1, 2, 4, 5), (3, 6)
LEFT_OUT = {3: (2,), 6: ()}  # a query of camera 3 does not see camera 2, which watches the same place


@pytest.fixture(scope="module")
def served(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(library, tmp_path_factory.mktemp("gradio")) as running:
        yield running


@pytest.fixture(scope="module")
def embeddings(
    tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """Unit-length rows in float64 by the image's key."""
    folder, rows = tmp_path_factory.mktemp("embed"), {}
    for modality, cameras in (("visible", VISIBLE), ("infrared", INFRARED)):
        places = [str(tiny_synvi / f"cam{camera}") for camera in cameras]
        out = folder / f"{modality}.npz"
        words = ["embed", str(tiny_checkpoint / "mun-tiny"), *places, "--modality", modality, "--out", str(out)]
        assert main([*words, "--quiet"]) == 0
        with np.load(out, allow_pickle=False) as arrays:
            rows |= dict(zip(arrays["names"].tolist(), arrays["embeddings"].astype(np.float64), strict=True))
    return {key: row / np.linalg.norm(row) for key, row in rows.items()}


def expected(rows: dict[str, np.ndarray], query: str, gallery: list[str]) -> list[tuple[str, float]]:
    """Rank a gallery by (distance, place in the gallery)."""
    distances = [1.0 - float(rows[query] @ rows[key]) for key in gallery]
    order = sorted(range(len(gallery)), key=lambda place: (distances[place], place))
    return [(gallery[place], distances[place]) for place in order]


def average_precision(query: str, ranked: list[str]) -> float:
    """The mean over the hits of hits so far / rank."""
    hits = [key.split("/")[1] == query.split("/")[1] for key in ranked]
    return float(np.mean([sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit]))


def test_fifty_rankings(served: Served, library: Library, embeddings: dict[str, np.ndarray]) -> None:
    collection = library.collections["synvi"]
    pairs = np.random.default_rng(5).permutation(TRIALS * len(collection.queries))[:50]
    assert len(pairs) == 50
    for trial, row in (divmod(pair, len(collection.queries)) for pair in pairs.tolist()):
        query = collection.queries[row].key
        gallery = [sample.key for sample in collection.gallery("synvi-all", trial)]
        kept = [key for key in gallery if int(key[3]) not in LEFT_OUT[int(query[3])]]
        outcome = served.call("retrieve", ["", "", query, 100, "synvi-all", trial])
        assert outcome.event == "complete", outcome.text
        compare(outcome.value[0], query, expected(embeddings, query, kept))


def compare(answer: dict[str, Any], query: str, ranked: list[tuple[str, float]]) -> None:
    """Same images in the same order, same distances, same average precision."""
    assert [result["image"] for result in answer["results"]] == [key for key, _ in ranked][:100]
    np.testing.assert_allclose(
        [result["distance"] for result in answer["results"]], [distance for _, distance in ranked][:100], atol=1e-5
    )
    keys = [key for key, _ in ranked]
    assert answer["gallery_size"] == len(ranked)
    assert answer["average_precision"] == pytest.approx(average_precision(query, keys), abs=1e-9)
    assert answer["first_hit"] == 1 + [key.split("/")[1] == query.split("/")[1] for key in keys].index(True)
    assert [result["match"] for result in answer["results"]] == [
        key.split("/")[1] == query.split("/")[1] for key in keys
    ][:100]
