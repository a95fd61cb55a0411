from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.actions import evaluate, retrieve, status
from app.library import Library, open_library

SITES = {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6}


@pytest.mark.parametrize("protocol", ["synvi-all", "synvi-indoor"])
@pytest.mark.parametrize("trial", [0, 7])
def test_ranking_is_by_cosine_then_index_without_the_querys_site(library: Library, protocol: str, trial: int) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    gallery = collection.gallery(protocol, trial)
    for query in collection.queries:
        result = retrieve.run(library, retrieve.Request(query=query.key, top_k=100, protocol=protocol, trial=trial))
        cosines = [float(rows[collection.rows[query.key]] @ rows[collection.rows[image.key]]) for image in gallery]
        kept = [index for index, image in enumerate(gallery) if SITES[image.camid] != SITES[query.camid]]
        expected = [gallery[index] for index in sorted(kept, key=lambda index: (-cosines[index], index))]
        assert [ranked.image for ranked in result.results] == [image.key for image in expected]
        assert result.gallery_size == len(kept)
        assert result.left_out == len(gallery) - len(kept)
        hits = [place for place, image in enumerate(expected, start=1) if image.pid == query.pid]
        precision = sum(k / place for k, place in enumerate(hits, start=1)) / len(hits)
        assert result.first_hit == hits[0]
        assert result.average_precision == pytest.approx(precision, abs=1e-12)
        assert result.results[0].distance == pytest.approx(1 - max(cosines[index] for index in kept), abs=1e-12)


def test_empty_names_stand_for_the_first(library: Library) -> None:
    result = retrieve.run(library, retrieve.Request())
    assert (result.checkpoint, result.data, result.protocol, result.trial) == ("mun-tiny", "synvi", "synvi-all", 0)
    assert result.query.image == library.collections["synvi"].queries[0].key
    assert [ranked.rank for ranked in result.results] == list(range(1, 11))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top_k": 0}, "top_k to be a whole number from 1 to 100, got 0"),
        ({"top_k": 101}, "top_k"),
        ({"top_k": True}, "top_k to be a whole number from 1 to 100, got True"),
        ({"top_k": float("nan")}, "got nan"),
        ({"top_k": float("inf")}, "got inf"),
        ({"top_k": 10**400}, "a very large number"),
        ({"top_k": 2.5}, "got 2.5"),
        ({"top_k": "10"}, "got '10'"),
        ({"top_k": None}, "got None"),
        ({"trial": -1}, "trial to be a whole number from 0 to 9, got -1"),
        ({"trial": 10}, "trial"),
        ({"checkpoint": "nobody"}, "checkpoint to be one of mun-tiny; got 'nobody'"),
        ({"checkpoint": "x" * 201}, "at most 200 characters, got 201"),
        ({"data": ["synvi"]}, "data to be text, got a list"),
        ({"protocol": "sysu-all"}, "synvi-all, synvi-indoor; got 'sysu-all'"),
        ({"query": "../../etc/passwd"}, "key of an infrared image"),
        ({"query": "cam1/0001/0001.jpg"}, "key of an infrared image"),
        ({"query": 7}, "query to be text, got 7"),
    ],
)
def test_bad_values_are_refused_in_one_sentence(library: Library, values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        retrieve.run(library, retrieve.Request(**values))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 300


def test_a_query_whose_person_is_not_in_the_gallery_is_not_scored(
    tiny_checkpoint: Path, make_sysu: Callable[[dict[int, tuple[int, ...]]], Path]
) -> None:
    library = open_library(make_sysu({1: (1, 3), 2: (3,), 3: (4, 6)}), tiny_checkpoint)
    result = retrieve.run(library, retrieve.Request(query="cam3/0002/0001.png"))
    assert result.average_precision is None
    assert result.first_hit is None
    assert len(result.results) == 2
    scores = evaluate.run(library, evaluate.Request())
    assert (scores.num_queries, scores.num_valid) == (3, 2)


def test_scores_name_their_conditions(library: Library) -> None:
    scores = evaluate.run(library, evaluate.Request(protocol="synvi-indoor"))
    assert scores.trials == 10
    assert scores.gallery_size == 12
    assert 0 <= scores.mean["mean_inp"] <= scores.mean["rank20"] <= 1


def test_status_lists_what_is_loaded(library: Library) -> None:
    answer = status.run(library).to_json()
    (checkpoint,), (data,) = answer["checkpoints"], answer["data"]
    assert (checkpoint["name"], checkpoint["usable"], checkpoint["reason"]) == ("mun-tiny", True, None)
    assert checkpoint["parameters"] > 0
    assert (data["name"], data["identities"], data["queries"], data["synthetic"]) == ("synvi", 6, 24, True)
