from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.actions import status
from app.actions.retrieval import evaluate, retrieve
from app.library import Library, open_library
from app.library.collection import Direction
from mun.evaluation.corrupted import Corruption
from mun.evaluation.reranking import rerank

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


@pytest.mark.parametrize("protocol", ["synvi-all", "synvi-indoor"])
@pytest.mark.parametrize("shots", [1, 2])
def test_the_other_direction_ranks_infrared_images_by_the_same_rules(
    library: Library, protocol: str, shots: int
) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    gallery = collection.gallery(protocol, 2, Direction.VISIBLE_TO_INFRARED, shots)
    assert {image.camid for image in gallery} == {3, 6}
    for query in collection.asked(protocol, Direction.VISIBLE_TO_INFRARED).samples[::7]:
        request = retrieve.Request(query=query.key, top_k=100, protocol=protocol, trial=2, direction="v2i", shots=shots)
        result = retrieve.run(library, request)
        cosines = [float(rows[collection.rows[query.key]] @ rows[collection.rows[image.key]]) for image in gallery]
        kept = [index for index, image in enumerate(gallery) if SITES[image.camid] != SITES[query.camid]]
        expected = [gallery[index].key for index in sorted(kept, key=lambda index: (-cosines[index], index))]
        assert [ranked.image for ranked in result.results] == expected
        assert (result.direction, result.shots, result.rerank) == ("v2i", shots, False)


def test_re_ranking_is_that_of_all_queries_with_the_gallery(library: Library) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    gallery = collection.gallery("synvi-all", 1)
    distances = rerank(
        rows[[collection.rows[sample.key] for sample in collection.queries]],
        rows[[collection.rows[sample.key] for sample in gallery]],
    )
    for row, query in list(enumerate(collection.queries))[::5]:
        result = retrieve.run(library, retrieve.Request(query=query.key, top_k=100, trial=1, rerank=True))
        assert result.rerank
        by_key = {image.key: distances[row, column] for column, image in enumerate(gallery)}
        assert all(ranked.distance == pytest.approx(by_key[ranked.image], abs=1e-12) for ranked in result.results)
        shown = [ranked.distance for ranked in result.results]
        assert shown == sorted(shown)


def test_images_left_out_stand_where_they_would_be_ranked(library: Library) -> None:
    collection = library.collections["synvi"]
    query = next(sample for sample in collection.queries if sample.camid == 3)
    plain = retrieve.run(library, retrieve.Request(query=query.key, top_k=100))
    assert plain.left_out_images == ()
    for top_k in (100, 4):
        result = retrieve.run(library, retrieve.Request(query=query.key, top_k=top_k, with_left_out=True))
        assert result.results == plain.results[:top_k]
        assert {image.camid for image in result.left_out_images} <= {2}
        for image in result.left_out_images:
            nearer = sum(ranked.distance <= image.distance for ranked in result.results)
            assert image.after == nearer
            assert image.distance <= result.results[-1].distance
            assert image.match == (image.pid == query.pid)
    far = retrieve.run(library, retrieve.Request(query=query.key, top_k=100, with_left_out=True))
    beyond = plain.left_out - len(far.left_out_images)
    assert 0 <= beyond < plain.left_out


def test_the_answer_has_the_keys_that_others_build_on(library: Library) -> None:
    answer = retrieve.run(library, retrieve.Request(top_k=2, with_left_out=True)).to_json()
    assert {
        "checkpoint", "data", "protocol", "trial", "query", "results", "average_precision", "first_hit", "gallery_size",
        "left_out", "direction", "shots", "rerank",
    } <= set(answer)  # fmt: skip
    assert set(answer["results"][0]) == {"rank", "image", "pid", "camid", "distance", "match"}
    assert json.loads(json.dumps(answer)) == answer


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
        ({"direction": "both"}, "direction to be one of i2v, v2i; got 'both'"),
        ({"direction": "v2i", "query": "cam3/0013/0001.jpg"}, "key of a visible image"),
        ({"shots": 3}, "shots to be one of 1, 2, as many as SynVI allows; got 3"),
        ({"shots": 10}, "shots"),
        ({"shots": 0}, "shots to be a whole number from 1 to 100, got 0"),
        ({"shots": True}, "shots"),
        ({"rerank": 1}, "rerank to be true or false, got 1"),
        ({"rerank": None}, "got None"),
        ({"corruption": "hail"}, "corruption to be one of mixed, gaussian_noise"),
        ({"corruption": None}, "corruption to be text, got None"),
        ({"severity": 0}, "severity to be a whole number from 1 to 5, got 0"),
        ({"corruption": "fog", "severity": 6}, "got 6"),
        ({"with_left_out": "yes"}, "with_left_out to be true or false, got 'yes'"),
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


@pytest.mark.parametrize("direction", ["i2v", "v2i"])
def test_multi_shot_scores_in_either_direction(library: Library, direction: str) -> None:
    scores = evaluate.run(library, evaluate.Request(direction=direction, shots=2))
    assert (scores.direction, scores.shots, scores.trials, len(scores.cmc)) == (direction, 2, 10, 20)
    assert list(scores.cmc) == sorted(scores.cmc)
    assert scores.cmc[0] == pytest.approx(scores.mean["rank1"])
    assert scores.gallery_size == (48 if direction == "i2v" else 24)


def test_re_ranked_scores_are_those_of_one_gallery(library: Library) -> None:
    scores = evaluate.run(library, evaluate.Request(rerank=True, trial=3))
    assert (scores.trials, scores.trial, scores.rerank) == (1, 3, True)
    queries = library.collections["synvi"].queries
    results = [retrieve.run(library, retrieve.Request(query=query.key, trial=3, rerank=True)) for query in queries]
    assert scores.mean["mean_ap"] == pytest.approx(np.mean([result.average_precision for result in results]))


def test_status_lists_what_is_loaded(library: Library) -> None:
    answer = status.run(library).to_json()
    (checkpoint,), (data,) = answer["checkpoints"], answer["data"]
    assert (checkpoint["name"], checkpoint["usable"], checkpoint["reason"]) == ("mun-tiny", True, None)
    assert checkpoint["parameters"] > 0
    assert (data["name"], data["identities"], data["queries"], data["synthetic"]) == ("synvi", 6, 24, True)


@pytest.mark.parametrize("direction", ["i2v", "v2i"])
def test_a_corruption_changes_the_visible_side_alone(library: Library, direction: str) -> None:
    collection = library.collections["synvi"]
    clean, foggy = (library.embeddings("mun-tiny", "synvi", one) for one in (None, Corruption("fog", 5)))
    request = retrieve.Request(top_k=100, direction=direction, corruption="fog", severity=5)
    result = retrieve.run(library, request)
    ask, answer = (clean, foggy) if direction == "i2v" else (foggy, clean)
    for ranked in result.results:
        cosine = ask[collection.rows[result.query.image]].astype(float) @ answer[collection.rows[ranked.image]]
        assert ranked.distance == pytest.approx(1 - cosine, abs=1e-6)
    assert (result.corruption, result.severity) == ("fog", 5)
    assert result.note == "Visible images corrupted: fog, severity 5, seed 0; not the clean protocol."
    plain = retrieve.run(library, replace(request, corruption=""))
    assert (plain.corruption, plain.severity, plain.note) == ("", None, "")
    assert [one.distance for one in plain.results] != [one.distance for one in result.results]
    assert retrieve.run(library, request) == result


def test_mixed_draws_its_own_severities(library: Library) -> None:
    requests = [retrieve.Request(corruption="mixed", severity=severity).checked(library) for severity in (1, 5)]
    assert requests[0] == requests[1]
    result = retrieve.run(library, requests[0])
    assert result.severity is None
    assert "mixed, one of 20 for every image, severity drawn from 1 to 5, seed 0" in result.note
    scores = evaluate.run(library, evaluate.Request(corruption="mixed"))
    assert scores.note == result.note
    assert evaluate.run(library, evaluate.Request()).note == ""
