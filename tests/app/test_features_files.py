"""Features of other methods in the app: opened, compared side by side, large files, and files of visitors."""

import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made import content, method, write
from serving import Served, serve

from app.analysis import compute as analysis
from app.analysis.compute import Analyse
from app.embeddings.project import project
from app.embeddings.request import View
from app.explain.subject import Explain
from app.library import Library, guests, open_library
from app.library import library as shelf
from app.library.features import open_features
from app.library.guests import VISIT
from app.retrieval.browse import Browse
from app.retrieval.rank import Retrieve, retrieve
from app.retrieval.scores import Evaluate
from app.retrieval.scores import answer as evaluate
from app.retrieval.tab import answer
from app.shared.tab import Press, without_network
from mun.features import unit_rows


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("features")
    made = {"strong": method(0.8), "weak": method(0.3, seed=1)}
    other = {name: value[::-1] for name, value in made["weak"].items()}  # in another order
    return [("strong", write(folder / "s.npz", made["strong"])), ("weak", write(folder / "w.npz", other))]


@pytest.fixture(scope="module")
def both(tiny_synvi, tiny_checkpoint, files) -> Library:
    return open_library(tiny_synvi, tiny_checkpoint, features=files)


def test_files_with_the_same_keys_are_models_of_one_data_set(both) -> None:
    assert both.checkpoints.models == ["strong", "weak", "mun-tiny"]
    assert list(both.collections) == ["synvi", "strong"]
    assert (both.fitting("strong"), both.fitting("synvi")) == (["strong", "weak"], ["mun-tiny"])
    assert both.default_data == "synvi"
    asked = Retrieve.read({}, both)
    assert (asked.checkpoint, asked.data, asked.protocol) == ("strong", "strong", "sysu-all")
    assert Retrieve.read({"data": "synvi"}, both).checkpoint == "mun-tiny"
    assert Retrieve.read({"checkpoint": "weak"}, both).data == "strong"
    with pytest.raises(ValueError, match="expected data to be one of strong; got 'synvi'"):
        Retrieve.read({"checkpoint": "weak", "data": "synvi"}, both)
    with pytest.raises(ValueError, match="expected no corruption, because weak holds features of the clean images"):
        Retrieve.read({"checkpoint": "weak", "corruption": "fog"}, both)


def test_the_planted_strengths_are_found_in_retrieval(both) -> None:
    strong, weak = (evaluate(both, Evaluate.read({"checkpoint": name}, both))["mean"] for name in ("strong", "weak"))
    assert strong["mean_ap"] > weak["mean_ap"] + 0.2
    drawn = answer(both, Browse.read({}, both), Press(do="again"))
    ranking = drawn.pieces["ranking"]
    for words in ('data-checkpoint="strong"', 'data-checkpoint="weak"', "data:image/svg"):
        assert words in ranking
    assert "It is not known how the methods of features files were trained." in ranking
    assert "Why?" not in ranking
    assert re.search(r"strong: \d+\.\d points of mAP ahead\.", drawn.pieces["retrieval-scores"].draw())


def test_a_row_in_another_order_is_the_same_image(both) -> None:
    rows = unit_rows("features", method(0.3, seed=1)["features"])
    assert both.embeddings("weak", "strong") == pytest.approx(rows, abs=1e-6)


def test_the_embeddings_say_what_they_are(both) -> None:
    request = View.read({"method": "pca", "identities": 4}, both)
    sides = request.sides(both)
    assert [one.checkpoint for one in sides] == ["strong", "weak"]
    made = [project(both, one) for one in sides]
    assert made[0].separation.silhouette_identity > made[1].separation.silhouette_identity
    name = "strong (features of another method, s.npz, "
    for words in (name, "PCA (", "features at unit length", "the 96 images of s.npz"):
        assert words in made[0].sentence
    assert not any(point.modality == "auxiliary" for point in made[0].points)


@pytest.mark.parametrize("name", ["strong", "weak"])
def test_a_tab_that_needs_a_network_says_so(both, name) -> None:
    request, _ = Explain.repair({"checkpoint": name}, both)
    said = without_network(both, request, {"checkpoint": name})
    assert said.notice.startswith(f"This tab needs a network, but {name} holds only features of another method")
    assert (said.lacking, said.request.checkpoint, said.request.data) == (True, name, "strong")
    assert without_network(both, request, {"checkpoint": "mun-tiny"}) is None
    with pytest.raises(ValueError, match=f"expected a network, but {name} holds only features"):
        both.network(name)


def test_the_model_follows_the_data_and_the_data_the_model(both) -> None:
    apart, fitting = {"checkpoint": "strong", "data": "synvi"}, {"checkpoint": "weak", "data": "strong"}
    for values, changed, expected in (
        (apart, ["data"], ("mun-tiny", "synvi")), (apart, ["checkpoint"], ("strong", "strong")),
        (fitting, ["data"], ("weak", "strong")),
    ):  # fmt: skip
        request, wrong = Retrieve.repair(values, both, changed=changed)
        assert ((request.checkpoint, request.data), wrong) == (expected, {})


def test_features_of_loaded_data_stand_beside_their_networks(library, tiny_synvi, tiny_checkpoint, tmp_path) -> None:
    arrays = method(0.5, samples=library.collections["synvi"].samples)
    file = write(tmp_path / "f.npz", arrays)
    beside = open_library(tiny_synvi, tiny_checkpoint, features=[("other", file)])
    assert list(beside.collections) == ["synvi"]
    assert beside.fitting("synvi") == ["other", "mun-tiny"]
    assert beside.thumbnail("synvi", arrays["keys"][0], 64).startswith("data:image/jpeg")
    write(file, {**arrays, "pids": arrays["pids"][::-1]})
    with pytest.raises(ValueError, match=r"expected the pids of SynVI in f\.npz, got another at 'cam"):
        open_library(tiny_synvi, tiny_checkpoint, features=[("other", file)])


def test_other_keys_of_the_same_features_are_other_features(both) -> None:
    """Otherwise a file with corrected keys would show the rankings of the first one."""
    arrays = method(0.8)
    turned = {**arrays, "features": arrays["features"][::-1]}
    one, other = (open_features("m", content(each), "m.npz", both.collections)[0] for each in (arrays, turned))
    again = {name: values if name == "features" else values[::-1] for name, values in arrays.items()}
    third, _ = open_features("m", content(again), "m.npz", both.collections)
    assert len({one.content, other.content, third.content}) == 3


def test_files_too_large_for_all_queries_are_refused_or_ranked_one_by_one(both, monkeypatch) -> None:
    monkeypatch.setattr(shelf, "MOST_BYTES", 10)
    assert not both.countable("strong", "strong", Retrieve.read({}, both).terms)
    monkeypatch.setattr(analysis, "MOST_CAMERAS", 1)
    with pytest.raises(ValueError, match="expected at most 1 pairs of cameras, whose distances are compared; got 8"):
        Analyse.read({}, both)
    monkeypatch.setattr(analysis, "MOST_PAIRS", 1)
    with pytest.raises(ValueError, match="expected fewer images here; `python -m mun analyse` takes more"):
        Analyse.read({}, both)


def test_images_come_from_a_folder(library, tiny_synvi, tiny_checkpoint, tmp_path, files) -> None:
    arrays = method(0.5, samples=library.collections["synvi"].samples[:-1])  # other keys than the data set's
    file = write(tmp_path / "f.npz", arrays)
    beside = open_library(tiny_synvi, tiny_checkpoint, features=[("other", file)], images=tiny_synvi)
    assert beside.fitting("other") == ["other", "mun-tiny"]
    assert beside.thumbnail("other", arrays["keys"][0], 64).startswith("data:image/jpeg")
    with pytest.raises(FileNotFoundError, match=r"expected the image .* of the features file in"):
        open_library(tiny_synvi, tiny_checkpoint, features=files, images=tmp_path)
    with pytest.raises(ValueError, match=r"expected a new name for f\.npz, got synvi"):
        open_library(tiny_synvi, tiny_checkpoint, features=[("synvi", file)])


@pytest.mark.parametrize("protocol", ["whole", "sysu-all"])
def test_one_by_one_ranks_as_all_at_once(both, monkeypatch, protocol) -> None:
    requests = [
        Retrieve.read({"protocol": protocol, "query": sample.key, "top_k": 60}, both)
        for sample in both.collections["strong"].query_sets[protocol, "i2v"].samples[:6]
    ]
    expected = [retrieve(both, one, with_left_out=True) for one in requests]
    monkeypatch.setattr(shelf, "MOST_PAIRS", 10)
    assert not both.countable("strong", "strong", requests[0].terms)
    both.cache = shelf.Cache(10**9)
    for request, before in zip(requests, expected, strict=True):
        made = retrieve(both, request, with_left_out=True)
        assert [one.image for one in made.results] == [one.image for one in before.results]
        distances = [[one.distance for one in each.results] for each in (made, before)]
        assert distances[0] == pytest.approx(distances[1], abs=1e-5)
        assert made.average_precision == pytest.approx(before.average_precision)
        assert (made.first_hit, made.gallery_size) == (before.first_hit, before.gallery_size)
        assert [made.rank(one.image) for one in made.results] == [one.rank for one in made.results]
    if protocol == "whole":
        drawn = answer(both, Browse.read({"protocol": "whole"}, both), Press(do="again"))
        assert "Too many images to rank all queries here" in drawn.pieces["retrieval-scores"].draw()
        assert drawn.again == 0
        with pytest.raises(ValueError, match="expected fewer images for scores of all queries"):
            both.metrics("strong", "strong", requests[0].terms)
        asked, wrong = Browse.repair({"protocol": "whole", "rerank": True}, both)
        assert asked.rerank is False
        assert wrong["rerank"].startswith("expected fewer images for re-ranking")
        with pytest.raises(ValueError, match="expected fewer images for re-ranking"):
            both.table("strong", "strong", replace(requests[0].terms, rerank=True))
    both.cache = shelf.Cache(10**9)


@pytest.fixture(scope="module")
def served(tiny_synvi, tiny_checkpoint, tmp_path_factory: pytest.TempPathFactory):
    own = open_library(tiny_synvi, tiny_checkpoint)
    with serve(own, tmp_path_factory.mktemp("served")) as made:
        yield made, own


HEADS = {"content-type": "application/octet-stream", "x-name": "my%20method.npz"}


def send(served: Served, body: bytes, **heads: str):
    return served.client.post(served.url + "own-features", content=body, headers={**HEADS, **heads})


def test_a_visitors_file_is_seen_by_who_holds_its_token(served, monkeypatch) -> None:
    page, library = served
    arrived = send(page, content(method(0.8)).getvalue())
    assert arrived.status_code == 200
    token, name, data = (arrived.json()[key] for key in ("token", "checkpoint", "data"))
    assert (name, data, len(token)) == ("my-method", "my-method", 32)
    assert library.checkpoints.models == ["mun-tiny"]
    assert library.collections.keys() == {"synvi"}
    library.guests.enter(token)
    assert library.checkpoints.models == [name, "mun-tiny"]
    assert Retrieve.read({"checkpoint": name}, library).data == data
    second = send(page, content(method(0.3, seed=1)).getvalue(), **{"x-token": token}).json()
    assert (second["token"], second["checkpoint"], second["data"]) == (token, "my-method-2", data)
    library.guests.enter("guessed")
    assert (VISIT.get(), library.checkpoints.models) == (None, ["mun-tiny"])
    monkeypatch.setattr(guests, "IDLE", -1.0)
    library.guests.enter(token)
    assert library.checkpoints.models == ["mun-tiny"]


@pytest.mark.parametrize(
    ("body", "heads", "status", "words"),
    [
        (b"text", {}, 400, "expected an .npz file with"),
        (b"", {}, 400, "expected an .npz file with"),
        (content(method(1.0) | {"keys": np.array(["a"] * 96)}).getvalue(), {}, 400, "expected `keys` without repetiti"),
        (content(method(1.0) | {"features": np.full((96, 4), np.nan)}).getvalue(), {}, 400, "expected finite `featu"),
        (b"x", {"content-type": "application/json"}, 415, "expected a call of the type application/octet-stream"),
        (b"x", {"content-type": "multipart/form-data"}, 415, "expected a call of the type"),
        (b"x", {"origin": "https://elsewhere.example"}, 403, "expected a call from this app's own page"),
    ],
)
def test_other_uploads_get_one_sentence(served, body, heads, status, words) -> None:
    page, _ = served
    arrived = send(page, body, **heads)
    assert (arrived.status_code, arrived.text.count("\n")) == (status, 0)
    assert arrived.text.startswith(words)


def test_room_for_visitors_is_bounded(served, monkeypatch) -> None:
    page, _ = served
    body = content(method(0.5)).getvalue()
    monkeypatch.setattr(guests, "MOST_ALL", 100)
    assert "busy: the features of other visitors fill the memory" in send(page, body).text
    monkeypatch.undo()
    monkeypatch.setattr(guests, "MOST_ALL", 3_000_000)  # half of it for one address, and a file counts 1 MB
    send(page, body)
    assert "busy: the features of other visitors fill the memory" in send(page, body).text
    monkeypatch.undo()
    monkeypatch.setattr(guests, "MOST_EACH", 1)
    others = threading.active_count()
    tokens = [send(page, body).json()["token"] for _ in range(3)]
    assert threading.active_count() <= others + 1, "one timer for all"
    token = tokens[0]
    assert "expected at most 1 features files per visitor" in send(page, body, **{"x-token": token}).text
    for path in ("own-features/", "own-features/x", "Own-features"):
        assert page.client.post(page.url + path, content=body, headers=HEADS).status_code == 404
    assert page.client.get(page.url + "own-features").status_code == 404
