import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pages import shown as piece

from app.library import Library, open_library
from app.library.background import Progress
from app.library.maps import alike
from app.retrieval import tab
from app.retrieval.browse import Browse
from app.retrieval.rank import retrieve
from app.retrieval.tab import answer
from app.shared.tab import Answer, Piece, Press
from mun.evaluation.corrupted import Corruption


@pytest.fixture(scope="module")
def ready(library: Library) -> Library:
    library.embeddings("mun-tiny", "synvi")
    return library


def press(library: Library, values: dict[str, Any] | None = None, **said: Any) -> Answer:
    """Answer a press as the page does."""
    request, _ = Browse.repair(values or {}, library)
    return answer(library, request, Press(values=values or {}, **said))


def test_another_data_set_brings_its_own_protocol_and_query(ready, tiny_checkpoint, make_sysu) -> None:
    other = open_library(make_sysu({1: (1, 3), 2: (4, 6)}), tiny_checkpoint).collections["sysu"]
    both = Library(ready.checkpoints, {**ready.collections, "sysu": other}, ready.device)
    for data in both.collections:
        both.embeddings("mun-tiny", data)
    values = {**Browse.read({"pid": 13, "shots": 2}, both).model_dump(), "data": "sysu"}
    request, wrong = Browse.repair(values, both)
    assert (request.data, request.protocol, request.shots, request.pid) == ("sysu", "sysu-all", 1, 0)
    assert request.query in other.asked[other.protocols[0], "i2v"].rows
    assert set(wrong) == {"protocol", "shots", "pid", "query"}
    assert wrong["shots"] == "expected shots to be one of 1, as many as SYSU-MM01 allows; got 2"
    assert "synthetic" not in piece(answer(both, request, Press(do="again")), "retrieval-scores")


@pytest.mark.parametrize(("page", "words"), [(2, "21\u201324"), (999, "21\u201324"), (-4, "1\u201310")])
def test_pages_of_queries(ready: Library, monkeypatch: pytest.MonkeyPatch, page: int, words: str) -> None:
    monkeypatch.setattr(tab, "PAGE_SIZE", 10)
    answered = press(ready, do="page", detail={"page": page})
    assert set(answered.pieces) == {"query-browser"}
    assert f">{words} of 24<" in piece(answered, "query-browser")


def test_only_what_changes_is_drawn_again(ready: Library) -> None:
    first = press(ready, do="again")
    piece(first, "retrieval-scores")
    keys = {name: one.digest for name, one in first.pieces.items() if isinstance(one, Piece)}
    other = next(one.key for one in ready.collections["synvi"].queries if one.key != first.request.query)
    second = press(ready, {**first.request.model_dump(), "query": other})
    assert {name for name, one in second.pieces.items() if isinstance(one, Piece) and one.digest == keys[name]} == {
        "retrieval-progress", "retrieval-scores", "retrieval-own", "query-browser", "settings"
    }  # fmt: skip
    third = press(ready, {**first.request.model_dump(), "order": "hardest"})
    assert third.pieces["query-browser"].digest != keys["query-browser"]


def test_before_the_embeddings_are_there_the_page_shows_progress(tiny_synvi, tiny_checkpoint, monkeypatch) -> None:
    library = open_library(tiny_synvi, tiny_checkpoint)
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Progress(3, 12))
    answered = press(library)
    assert (answered.request.query, answered.waiting) == ("", True)
    assert set(answered.pieces) == {"retrieval-progress", "retrieval-own", "settings"}
    assert "3 of 12" in piece(answered, "retrieval-progress")
    assert answered.again > 0
    assert press(library, {"query": "cam3/0013/0001.jpg"}).request.query == "cam3/0013/0001.jpg"
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Progress(0, 12, problem="<b>no</b> luck"))
    answered = press(library, do="again")
    assert "&lt;b&gt;no" in piece(answered, "retrieval-progress")
    assert answered.again == 0


def test_a_checkpoint_that_is_deleted_meanwhile_is_said(tiny_synvi: Path, two_checkpoints: Path) -> None:
    library = open_library(tiny_synvi, two_checkpoints)
    library.embeddings("mun-tiny", "synvi")
    values = {"checkpoint": "other-tiny"}
    library.remove_checkpoint("other-tiny")
    request, wrong = Browse.repair(values, library)
    assert request.checkpoint == "mun-tiny"
    assert wrong == {"checkpoint": "expected checkpoint to be one of mun-tiny; got 'other-tiny'"}
    assert "checkpoint" not in Browse.follows  # so that the page says it


def test_stop_and_start_reach_the_library(ready: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(ready, "ready", lambda *_: False)
    monkeypatch.setattr(ready, "stop", lambda *names: calls.append(("stop", *names)))
    monkeypatch.setattr(
        ready, "prepare", lambda *_, retry=False, **__: calls.append(retry) or Progress(3, 12, stopped=not retry)
    )
    answered = press(ready, do="stop")
    assert calls == [("stop", "mun-tiny", "synvi", None), False]
    assert 'data-state="stopped"' in piece(answered, "retrieval-progress")
    assert answered.again == 0
    answered = press(ready, do="start")
    assert calls[-1] is True
    assert answered.again > 0


def test_a_corrupted_query_is_shown_as_it_is_asked(ready: Library) -> None:
    ready.embeddings("mun-tiny", "synvi", Corruption("contrast", 5))
    values = {"direction": "v2i", "query": ready.collections["synvi"].asked["synvi-all", "v2i"].samples[3].key}
    views = [press(ready, {**values, **more}) for more in ({"corruption": "contrast", "severity": 5}, {})]
    strips, results = ([piece(one, name) for one in views] for name in ("query-browser", "ranking"))
    pictures = [set(re.findall(r'src="(data:[^"]+)"', drawn)) for drawn in (*strips, *results)]
    assert not pictures[0] & pictures[1]
    assert len(pictures[2] ^ pictures[3]) >= 2


def test_an_image_of_another_tab_becomes_the_query(ready: Library) -> None:
    collection = ready.collections["synvi"]
    visible = next(sample.key for sample in collection.samples if sample.camid == 4)
    indoor = {"protocol": "synvi-indoor", "pid": 13}
    answered = press(ready, indoor, do="open", chosen=visible)
    request = answered.request
    assert (request.query, request.direction, request.pid) == (visible, "v2i", 0)
    assert request.protocol == "synvi-all"  # camera 4 is outdoors
    infrared = collection.queries[7].key
    assert press(ready, request.model_dump(), do="open", chosen=infrared).request.direction == "i2v"
    for key in ("", "../../etc/passwd", "cam3/9999/0001.jpg", request.query):
        assert press(ready, request.model_dump(), do="open", chosen=key).request == request


def test_links_of_before_open_what_they_opened(ready: Library) -> None:
    address = (
        "?checkpoint=mun-tiny&data=synvi&direction=v2i&protocol=synvi-indoor&shots=2&trial=4&top_k=7&rerank=1"
        "&left_out=1&corruption=fog&severity=2&query=cam1/0013/0001.jpg&utm=x&__theme=dark"
    )
    asked = {"direction": "v2i", "protocol": "synvi-indoor", "shots": 2, "trial": 4, "top_k": 7, "rerank": True}
    asked |= {"left_out": True, "corruption": "fog", "severity": 2, "query": "cam1/0013/0001.jpg"}
    assert Browse.repair(Browse.of_address(address), ready) == (Browse.read(asked, ready), {})


def test_why_shows_maps_of_the_pair_until_the_next_press(ready: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    first = press(ready, do="again")
    image = retrieve(ready, first.request).results[2].image
    detail = {"image": image, "checkpoint": "mun-tiny"}
    html = piece(press(ready, first.request.model_dump(), do="why", detail=detail), "ranking")
    assert f"?tab=explain&amp;image={first.request.query}&amp;target={image}&amp;checkpoint=mun-tiny" in html
    noisy = {**first.request.model_dump(), "corruption": "gaussian_noise", "severity": 5}
    ready.embeddings("mun-tiny", "synvi", Corruption("gaussian_noise", 5))
    corrupted = piece(press(ready, noisy, do="why", detail=detail), "ranking")
    heats = [re.findall('class="mun-heat" src="([^"]+)"', one) for one in (html, corrupted)]
    assert heats[0] != heats[1]  # the maps are of the images that are ranked
    empties = {"layer4": "; a map of stage 4 is empty", "layer": "The map of the query and card is empty"}
    for empty, words in empties.items():

        def emptied(*asked: Any, layer: str, start: str = empty, **more: Any) -> Any:
            made = alike(*asked, layer=layer, **more)
            return replace(made, values=0 * made.values) if layer.startswith(start) else made

        with monkeypatch.context() as patched:
            patched.setattr("app.retrieval.why.alike", emptied)
            html = piece(press(ready, first.request.model_dump(), do="why", detail=detail), "ranking")
        assert words in html
    for odd in ({}, {"image": first.request.query, "checkpoint": "mun-tiny"}, {"image": image, "checkpoint": "x"}):
        answered = press(ready, first.request.model_dump(), do="why", detail=odd)
        assert "mun-heat" not in piece(answered, "ranking")
        assert answered.notice.startswith("The card whose maps were asked for is not in this ranking")
