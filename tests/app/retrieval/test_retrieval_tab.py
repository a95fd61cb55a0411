from __future__ import annotations

import re
from collections.abc import Callable
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


def test_the_first_view_ranks_a_middling_query(ready: Library) -> None:
    answered = press(ready, do="again")
    request = answered.request
    html = piece(answered, "ranking")
    assert request.query == Browse.read({}, ready).query
    assert f'data-query="{request.query}"' in html
    assert html.count("ranked-card") == 5
    assert f'data-query="{request.query}"' in piece(answered, "query-browser")
    assert (answered.chosen, answered.again) == (request.query, 0)
    assert answered.say.startswith(f"Ranked for person {int(request.query.split('/')[1])}")
    assert 'name="top_k"' in piece(answered, "settings")


def test_scores_follow_and_name_set_and_spread(ready: Library) -> None:
    values = {"protocol": "synvi-indoor", "trial": 4}
    terms = replace(Browse.read(values, ready).terms, trial=0)
    ready.cache._kept.pop(ready._key("scores", "mun-tiny", "synvi", None, terms), None)
    first = press(ready, values)
    assert 'class="mun-panel mun-scores" data-state="waiting"' in piece(first, "retrieval-scores")
    assert first.again > 0
    html = piece(press(ready, values, do="again"), "retrieval-scores")
    assert 'class="mun-panel mun-scores" data-state="ready"' in html
    assert "24 queries against 12 gallery images" in html
    assert "synthetic" in html
    assert "±" in html


def test_a_result_can_become_the_next_query(ready: Library) -> None:
    first = press(ready)
    image = retrieve(ready, first.request).results[1].image
    assert f"&#34;query&#34;: &#34;{image}&#34;, &#34;direction&#34;: &#34;v2i&#34;" in piece(first, "ranking")
    values = {**first.request.model_dump(), "query": image, "direction": "v2i"}
    answered = press(ready, values, changed=("query", "direction"))
    assert (answered.request.query, answered.request.direction) == (image, "v2i")
    assert "no published protocol" in answered.notice
    assert "not a published protocol" in piece(answered, "ranking")


def test_another_data_set_brings_its_own_protocol_and_query(
    ready: Library, tiny_checkpoint: Path, make_sysu: Callable[[dict[int, tuple[int, ...]]], Path]
) -> None:
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


@pytest.mark.parametrize("detail", [{"page": 2}, {"page": 999}, {"page": -4}, {"page": "x"}, {}])
def test_pages_of_queries(ready: Library, monkeypatch: pytest.MonkeyPatch, detail: dict[str, Any]) -> None:
    monkeypatch.setattr(tab, "PAGE_SIZE", 10)
    answered = press(ready, do="page", detail=detail)
    html = piece(answered, "query-browser")
    assert set(answered.pieces) == {"query-browser"}
    if detail.get("page") in (2, 999):
        assert html.count('class="mun-query"') == 4
        assert ">21\u201324 of 24<" in html
    elif detail.get("page") == -4:
        assert html.count('class="mun-query"') == 10
    else:
        assert 'aria-pressed="true"' in html


@pytest.mark.parametrize("do", ["random", "hard", "disagree", "nonsense"])
def test_another_query_respects_the_filters(ready: Library, do: str) -> None:
    for _ in range(3):
        answered = press(ready, {"camid": 6}, do=do)
        assert answered.request.query.startswith("cam6/")
        assert f'data-query="{answered.request.query}"' in piece(answered, "ranking")


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


def test_before_the_embeddings_are_there_the_page_shows_progress(
    tiny_synvi: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = open_library(tiny_synvi, tiny_checkpoint)
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Progress(3, 12))
    answered = press(library)
    assert (answered.request.query, answered.waiting) == ("", True)
    assert set(answered.pieces) == {"retrieval-progress", "retrieval-own", "settings"}
    html = piece(answered, "retrieval-progress")
    assert "3 of 12" in html
    assert 'data-state="loading"' in html
    assert answered.again > 0
    asked = press(library, {"query": "cam3/0013/0001.jpg"})
    assert asked.request.query == "cam3/0013/0001.jpg"
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Progress(0, 12, problem="<b>no</b> luck"))
    answered = press(library, do="again")
    html = piece(answered, "retrieval-progress")
    assert 'data-state="error"' in html
    assert "&lt;b&gt;no" in html
    assert answered.again == 0
    monkeypatch.undo()
    library.embeddings("mun-tiny", "synvi")
    answered = press(library, do="again")
    assert answered.request.query
    assert 'data-state="ready"' in piece(answered, "ranking")
    assert piece(answered, "retrieval-progress") == ""


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


def test_corrupted_images_are_ranked_and_named(ready: Library) -> None:
    values = {"corruption": "contrast", "severity": 4}
    ready.embeddings("mun-tiny", "synvi", Corruption("contrast", 4))
    answered = press(ready, values, do="again")
    html, clean = piece(answered, "ranking"), piece(press(ready, {"query": answered.request.query}), "ranking")
    assert 'data-corruption="contrast"' in html
    assert "Visible images corrupted: contrast, severity 4, seed 0; not the clean protocol." in html
    assert "On clean images this query has an average precision of" in html
    assert "corruption=contrast&severity=4" in answered.request.link(ready, "retrieval")
    assert piece(answered, "retrieval-scores").count("data-clean=") == 4
    assert 'data-corruption=""' in clean
    assert "data-clean" not in clean
    pictures, corrupted = (set(re.findall(r'src="(data:[^"]+)"', page)) for page in (clean, html))
    assert len(pictures & corrupted) == 1  # the infrared query


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


@pytest.mark.parametrize(
    ("address", "notices"),
    [
        ("?checkpoint=mun-tiny&data=synvi&direction=v2i&protocol=synvi-indoor&shots=2&trial=4&top_k=7&rerank=1&left_out=1"
         "&corruption=fog&severity=2&query=cam1/0013/0001.jpg", ()),
        ("?tab=retrieval&top_k=5000", ("top_k",)),
        ("?tab=retrieval&query=../../etc/passwd&protocol=sysu-all", ("protocol", "query")),
        ("?tab=retrieval&compare=nobody&severity=x", ("compare", "severity")),
        ("?utm=x&__theme=dark&query=", ()),
    ],
)  # fmt: skip
def test_links_of_before_open_what_they_opened(ready: Library, address: str, notices: tuple[str, ...]) -> None:
    values = Browse.of_address(address)
    request, wrong = Browse.repair(values, ready)
    assert set(wrong) == set(notices)
    if "trial=4" in address:
        assert (request.direction, request.protocol, request.shots, request.trial, request.top_k) == (
            "v2i", "synvi-indoor", 2, 4, 7
        )  # fmt: skip
        assert (request.rerank, request.left_out, request.corruption, request.severity) == (True, True, "fog", 2)
        assert request.query == "cam1/0013/0001.jpg"
        assert Browse.repair(Browse.of_address(request.link(ready, "retrieval")), ready)[0] == request


def test_why_shows_maps_of_the_pair_until_the_next_press(ready: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    first = press(ready, do="again")
    image = retrieve(ready, first.request).results[2].image
    detail = {"image": image, "checkpoint": "mun-tiny"}
    html = piece(press(ready, first.request.model_dump(), do="why", detail=detail), "ranking")
    assert html.count('class="mun-heat"') == 2
    assert html.count('aria-pressed="true"') == 1
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
    assert "mun-heat" not in piece(press(ready, first.request.model_dump(), do="unwhy", detail=detail), "ranking")
