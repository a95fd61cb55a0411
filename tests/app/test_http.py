"""Answers of the HTTP functions: the layout of the JSON, the same values as the commands, refusals in one sentence."""

import json
import random
from typing import Any

import numpy as np
import pytest
from made import flags
from serving import Served

from app.embeddings import project
from app.embeddings.request import Project
from app.library import Library
from app.library.collection import Direction, Terms
from mun.__main__ import main

TRIALS = 10
VISIBLE, INFRARED = (1, 2, 4, 5), (3, 6)
SITES = {1: 1, 2: 2, 3: 2, 4: 4, 5: 5, 6: 6}  # cameras 2 and 3 are at the same site, and exclude each other


def completed(served: Served, name: str, data: list[Any]) -> Any:
    """Call a function with valid values and return its answer."""
    outcome = served.call(name, data)
    assert outcome.event == "complete", outcome.text
    return outcome.value[0]


def test_retrieve_with_defaults(served: Served) -> None:
    answer = completed(served, "retrieve", ["", "", "", 10, "", 0])
    assert set(answer) >= {
        "checkpoint", "data", "protocol", "trial", "query", "results", "average_precision", "first_hit", "gallery_size",
        "left_out", "direction", "shots", "rerank",
    }  # fmt: skip
    assert set(answer["query"]) == {"image", "pid", "camid"}
    assert [set(result) for result in answer["results"]] == [
        {"rank", "image", "pid", "camid", "distance", "match"}
    ] * 10
    distances = [result["distance"] for result in answer["results"]]
    assert distances == sorted(distances)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("retrieve", ["nobody", "", "", 10, "", 0], "expected checkpoint to be one of mun-tiny; got 'nobody'"),
        ("retrieve", ["", "", "../../../etc/passwd", 10, "", 0], "expected query to be the key of an infrared image"),
        ("retrieve", ["", "", "cam3/0013/0001.jpg", 10, "", 0, "v2i"], "expected query to be the key of a visible ima"),
        ("retrieve", ["", "", "", float("nan"), "", 0], "expected top_k to be a whole number from 1 to 100, got nan"),
        ("retrieve_image", ["", "", "", "thermal"], "expected modality to be visible or infrared, got 'thermal'"),
        ("evaluate", ["", "", "sysu-all"], "expected protocol to be one of synvi-all, synvi-indoor; got 'sysu-all'"),
        ("project", ["", "", "tsne", "embedding", 1, "", 1], "expected at least 91 points for a perplexity of 30"),
        ("auxiliary", ["", "", "collection", "", "", 99], "expected person to be in SynVI, got 99"),
    ],
)
def test_bad_requests_get_one_plain_sentence(served: Served, name: str, data: list[Any], words: str) -> None:
    outcome = served.call(name, data)
    assert outcome.event == "error"
    assert outcome.words.startswith(words)


def test_project_answers_what_the_computation_does(served: Served, library: Library) -> None:
    said = ["mun-tiny", "synvi", "pca", "features", 3, "", 2, True, "mismatched", False, 5]
    asked = {"method": "pca", "space": "features", "identities": 3, "images": 2, "pairing": "mismatched"}
    expected = project.answer(library, Project.read({**asked, "perplexity": 5}, library))
    assert completed(served, "project", said) == json.loads(json.dumps(expected))


def test_the_page_is_sent_packed_and_its_events_are_not(served: Served) -> None:
    """A compressed stream of events would wait for further events."""
    with served.client.stream("GET", served.url, headers={"accept-encoding": "gzip"}) as answer:
        packed = sum(map(len, answer.iter_raw()))
    assert answer.headers["content-encoding"] == "gzip"
    plain = served.client.get(served.url, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert packed < len(plain.content) / 4
    posted = served.client.post(f"{served.url}gradio_api/call/retrieve", json={"data": []})
    address = f"{served.url}gradio_api/call/retrieve/{posted.json()['event_id']}"
    events = served.client.get(address, headers={"accept-encoding": "gzip"})
    assert events.headers["content-type"].startswith("text/event-stream")
    assert "content-encoding" not in events.headers


@pytest.mark.parametrize("protocol", ["synvi-all", "synvi-indoor"])
def test_scores_are_those_of_the_command(served, tiny_synvi, tiny_checkpoint, tmp_path, protocol) -> None:
    out = tmp_path / "scores.json"
    words = flags(data=tiny_synvi, protocol=protocol, json=out)
    assert main(["evaluate", str(tiny_checkpoint / "mun-tiny"), "--quiet", *words]) == 0
    written = json.loads(out.read_text())
    answer = completed(served, "evaluate", ["", "", protocol])
    assert set(answer) == {*written, "checkpoint", "num_queries", "gallery_size"}
    assert answer["checkpoint"] == "mun-tiny"
    assert len(answer["per_trial"]) == TRIALS
    for one, other in zip(answer.pop("per_trial"), written.pop("per_trial"), strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    for name, value in written.items():
        assert answer[name] == (pytest.approx(value, abs=1e-6) if name in ("mean", "sd") else value), name


def test_fifty_rankings_are_those_of_numpy_on_written_embeddings(served, library, tiny_checkpoint, tmp_path) -> None:
    """The files of `python -m mun embed` give the same images in the same order, distances, average precisions."""
    collection, draw, embeddings = library.collections["synvi"], random.Random(5), {}
    for modality, cameras in (("visible", VISIBLE), ("infrared", INFRARED)):
        places, out = [str(collection.folder / f"cam{camera}") for camera in cameras], tmp_path / f"{modality}.npz"
        words = ["embed", str(tiny_checkpoint / "mun-tiny"), *places, "--modality", modality, "--out", str(out)]
        assert main([*words, "--quiet"]) == 0
        with np.load(out, allow_pickle=False) as arrays:
            rows = arrays["embeddings"].astype(np.float64)
            rows /= np.linalg.norm(rows, axis=1, keepdims=True)
            embeddings |= dict(zip(arrays["names"].tolist(), rows, strict=True))
    for _ in range(50):
        protocol, way = draw.choice(["synvi-all", "synvi-indoor"]), draw.choice(list(Direction))
        trial, shots = draw.randrange(TRIALS), draw.choice([1, 2])
        query = draw.choice(collection.query_sets[protocol, way].samples)
        gallery = collection.gallery(Terms(protocol, trial, way, shots))
        kept = [one.key for one in gallery if SITES[one.camid] != SITES[query.camid]]
        distances = [1.0 - float(embeddings[query.key] @ embeddings[key]) for key in kept]
        order = sorted(range(len(kept)), key=lambda place: (distances[place], place))
        hits = [int(kept[place].split("/")[1]) == query.pid for place in order]
        precision = np.mean([sum(hits[: rank + 1]) / (rank + 1) for rank, hit in enumerate(hits) if hit])
        answer = completed(served, "retrieve", ["", "", query.key, 100, protocol, trial, way.value, shots])
        assert [result["image"] for result in answer["results"]] == [kept[place] for place in order][:100]
        assert [result["match"] for result in answer["results"]] == hits[:100]
        shown = [result["distance"] for result in answer["results"]]
        np.testing.assert_allclose(shown, sorted(distances)[:100], atol=1e-5)
        assert (answer["gallery_size"], answer["left_out"]) == (len(kept), len(gallery) - len(kept))
        assert answer["average_precision"] == pytest.approx(precision, abs=1e-9)
        assert answer["first_hit"] == 1 + hits.index(True)
