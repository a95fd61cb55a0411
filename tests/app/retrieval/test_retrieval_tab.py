import json
import re
from dataclasses import replace
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest
from pages import shown as piece

from app import build_demo
from app.library import Library, open_library
from app.library.background import Progress
from app.library.maps import similarity_map
from app.retrieval import tab
from app.retrieval.browse import Browse
from app.retrieval.rank import retrieve
from app.retrieval.tab import answer
from app.shared.tab import Answer, Piece, Press
from mun.evaluation.corrupted import Corruption


def press(library: Library, values: dict[str, Any] | None = None, **said: Any) -> Answer:
    """Answer a press as the page does."""
    request, _ = Browse.repair(values or {}, library)
    return answer(library, request, Press(values=values or {}, **said))


def test_another_data_set_brings_its_own_protocol_and_query(library, tiny_checkpoint, make_sysu) -> None:
    other = open_library(make_sysu({1: (1, 3), 2: (4, 6)}), tiny_checkpoint).collections["sysu"]
    both = Library(library.checkpoints, {**library.collections, "sysu": other}, library.device)
    for data in both.collections:
        both.embeddings("mun-tiny", data)
    values = {**Browse.read({"pid": 13, "shots": 2}, both).model_dump(), "data": "sysu"}
    request, wrong = Browse.repair(values, both)
    assert (request.data, request.protocol, request.shots, request.pid) == ("sysu", "sysu-all", 1, 0)
    assert request.query in other.query_sets[other.protocols[0], "i2v"].rows
    assert set(wrong) == {"protocol", "shots", "pid", "query"}
    assert wrong["shots"] == "expected shots to be one of 1, as many as SYSU-MM01 allows; got 2"
    assert "synthetic" not in piece(answer(both, request, Press(do="again")), "retrieval-scores")


@pytest.mark.parametrize(("page", "words"), [(2, "21\u201324"), (999, "21\u201324"), (-4, "1\u201310")])
def test_pages_of_queries(library: Library, monkeypatch: pytest.MonkeyPatch, page: int, words: str) -> None:
    monkeypatch.setattr(tab, "PAGE_SIZE", 10)
    answered = press(library, do="page", detail={"page": page})
    assert set(answered.pieces) == {"query-browser"}
    assert f">{words} of 24<" in piece(answered, "query-browser")


def test_only_what_changes_is_drawn_again(library: Library) -> None:
    first = press(library, do="again")
    piece(first, "retrieval-scores")
    keys = {name: one.digest for name, one in first.pieces.items() if isinstance(one, Piece)}
    other = next(one.key for one in library.collections["synvi"].queries if one.key != first.request.query)
    second = press(library, {**first.request.model_dump(), "query": other})
    assert {name for name, one in second.pieces.items() if isinstance(one, Piece) and one.digest == keys[name]} == {
        "retrieval-progress", "retrieval-scores", "retrieval-own", "query-browser"
    }  # fmt: skip
    third = press(library, {**first.request.model_dump(), "order": "hardest"})
    assert third.pieces["query-browser"].digest != keys["query-browser"]


def test_settings_are_sent_again_only_where_they_show_something_else(library: Library) -> None:
    handlers = [one.fn for one in build_demo(library).fns.values()]
    pressed = next(one for one in handlers if getattr(one, "asks", ("",))[0] == "retrieval")
    client = SimpleNamespace(client=None, session_hash="somebody")

    def sent(values: dict[str, Any], drawn: dict[str, str]) -> tuple[set[str], dict[str, str]]:
        said = {"values": values, "do": "again", "drawn": drawn}
        made = {one.elem_id: words for one, words in pressed(SimpleNamespace(_data=said), client).items()}
        (view,) = re.findall('data-view="([^"]*)"', made["retrieval-head"])
        return set(made), json.loads(unescape(view))["drawn"]

    names, drawn = sent({}, {})
    assert "retrieval-settings" in names
    assert "retrieval-settings" not in sent({"query": library.collections["synvi"].queries[7].key}, drawn)[0]
    assert "retrieval-settings" in sent({"top_k": 7}, drawn)[0]


def test_before_the_embeddings_are_there_the_page_shows_progress(fresh: Library, monkeypatch) -> None:
    monkeypatch.setattr(fresh, "prepare", lambda *_, **__: Progress(3, 12))
    answered = press(fresh)
    assert (answered.request.query, answered.waiting) == ("", True)
    assert set(answered.pieces) == {"retrieval-progress", "retrieval-own"}
    assert "3 of 12" in piece(answered, "retrieval-progress")
    assert answered.again > 0
    assert press(fresh, {"query": "cam3/0013/0001.jpg"}).request.query == "cam3/0013/0001.jpg"
    monkeypatch.setattr(fresh, "prepare", lambda *_, **__: Progress(0, 12, problem="<b>no</b> luck"))
    answered = press(fresh, do="again")
    assert "&lt;b&gt;no" in piece(answered, "retrieval-progress")
    assert answered.again == 0


def test_stop_and_start_reach_the_library(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr(library, "ready", lambda *_: False)
    monkeypatch.setattr(library, "stop", lambda *names: calls.append(("stop", *names)))
    monkeypatch.setattr(
        library, "prepare", lambda *_, retry=False, **__: calls.append(retry) or Progress(3, 12, stopped=not retry)
    )
    answered = press(library, do="stop")
    assert calls == [("stop", "mun-tiny", "synvi", None), False]
    assert 'data-state="stopped"' in piece(answered, "retrieval-progress")
    assert answered.again == 0
    answered = press(library, do="start")
    assert calls[-1] is True
    assert answered.again > 0


def test_a_corrupted_query_is_shown_as_it_is_asked(library: Library) -> None:
    library.embeddings("mun-tiny", "synvi", Corruption("contrast", 5))
    values = {"direction": "v2i", "query": library.collections["synvi"].query_sets["synvi-all", "v2i"].samples[3].key}
    views = [press(library, {**values, **more}) for more in ({"corruption": "contrast", "severity": 5}, {})]
    strips, results = ([piece(one, name) for one in views] for name in ("query-browser", "ranking"))
    pictures = [set(re.findall(r'src="(data:[^"]+)"', drawn)) for drawn in (*strips, *results)]
    assert not pictures[0] & pictures[1]
    assert len(pictures[2] ^ pictures[3]) >= 2


def test_a_query_that_the_filters_do_not_let_through_gives_way(library: Library) -> None:
    first, last = library.collections["synvi"].queries[0], library.collections["synvi"].queries[-1]
    request = press(library, {"query": first.key, "pid": last.pid}).request
    assert library.collections["synvi"].samples[library.collections["synvi"].rows[request.query]].pid == last.pid
    assert press(library, request.model_dump(), do="again").request == request


def test_an_image_of_another_tab_becomes_the_query(library: Library) -> None:
    collection = library.collections["synvi"]
    visible = next(sample.key for sample in collection.samples if sample.camid == 4)
    indoor = {"protocol": "synvi-indoor", "pid": 13}
    answered = press(library, indoor, do="open", chosen=visible)
    request = answered.request
    assert (request.query, request.direction, request.pid) == (visible, "v2i", 0)
    assert request.protocol == "synvi-all"  # camera 4 is outdoors
    infrared = collection.queries[7].key
    assert press(library, request.model_dump(), do="open", chosen=infrared).request.direction == "i2v"
    for key in ("", "../../etc/passwd", "cam3/9999/0001.jpg", request.query):
        assert press(library, request.model_dump(), do="open", chosen=key).request == request


def test_why_shows_maps_of_the_pair_until_the_next_press(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    first = press(library, do="again")
    image = retrieve(library, first.request).results[2].image
    detail = {"image": image, "checkpoint": "mun-tiny"}
    html = piece(press(library, first.request.model_dump(), do="why", detail=detail), "ranking")
    assert f"?tab=explain&amp;image={first.request.query}&amp;target={image}&amp;checkpoint=mun-tiny" in html
    noisy = {**first.request.model_dump(), "corruption": "gaussian_noise", "severity": 5}
    library.embeddings("mun-tiny", "synvi", Corruption("gaussian_noise", 5))
    corrupted = piece(press(library, noisy, do="why", detail=detail), "ranking")
    heats = [re.findall('class="mun-heat" src="([^"]+)"', one) for one in (html, corrupted)]
    assert heats[0] != heats[1]  # the maps are of the images that are ranked
    empties = {"layer4": "; a map of stage 4 is empty", "layer": "The map of the query and image is empty"}
    for empty, words in empties.items():

        def emptied(*asked: Any, layer: str, start: str = empty, **more: Any) -> Any:
            made = similarity_map(*asked, layer=layer, **more)
            return replace(made, values=0 * made.values) if layer.startswith(start) else made

        with monkeypatch.context() as patched:
            patched.setattr("app.retrieval.why.similarity_map", emptied)
            html = piece(press(library, first.request.model_dump(), do="why", detail=detail), "ranking")
        assert words in html
    for odd in ({}, {"image": first.request.query, "checkpoint": "mun-tiny"}, {"image": image, "checkpoint": "x"}):
        answered = press(library, first.request.model_dump(), do="why", detail=odd)
        assert "mun-heat" not in piece(answered, "ranking")
        assert answered.notice.startswith("The requested image is not in this ranking")
