from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app import views
from app.library import Library
from app.tabs.retrieval import Handlers
from app.visit import Visit

CONTROLS = ("mun-tiny", "synvi-all", 0, 10, "any", "any")


@pytest.fixture
def handlers(library: Library) -> Handlers:
    library.embeddings("mun-tiny", "synvi")
    return Handlers(library)


@pytest.fixture
def visit(library: Library) -> Visit:
    return views.first_visit(library)


def event(data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def test_the_page_opens_with_the_first_query_ranked(handlers: Handlers, visit: Visit) -> None:
    after, header, strip, results, timer = handlers.everything(visit, *CONTROLS)
    assert after.query == visit.query
    assert "mun-tiny" in header
    assert "rendered people" in header
    assert f'data-query="{visit.query}"' in strip
    assert 'data-state="ready"' in results
    assert not timer.active


def test_every_control_reaches_the_ranking(handlers: Handlers, visit: Visit) -> None:
    _, _, _, results, _ = handlers.everything(visit, "mun-tiny", "synvi-indoor", 4, 3, "any", "any")
    assert results.count('class="ranked-card') == 3
    pid = str(handlers.library.collections["synvi"].queries[-1].pid)
    after, _, strip, _, _ = handlers.everything(visit, *CONTROLS[:4], pid, "6")
    assert after.query.startswith(f"cam6/{int(pid):04d}/")
    assert strip.count('class="mun-query"') == 2


@pytest.mark.parametrize(
    "controls",
    [
        ("nobody", *CONTROLS[1:]),
        ("mun-tiny", "sysu-all", *CONTROLS[2:]),
        (*CONTROLS[:2], 99, *CONTROLS[3:]),
        (*CONTROLS[:3], 1e9, *CONTROLS[4:]),
        (*CONTROLS[:4], "9999", "any"),
        (*CONTROLS[:5], "1"),
        (None,) * 6,
    ],
)
def test_controls_that_the_page_does_not_offer_are_refused(
    handlers: Handlers, visit: Visit, controls: tuple[Any, ...]
) -> None:
    with pytest.raises(gr.Error, match="expected"):
        handlers.everything(visit, *controls)


def test_a_click_selects_a_query_and_leaves_the_old_visit_alone(handlers: Handlers, visit: Visit) -> None:
    key = handlers.library.collections["synvi"].queries[5].key
    after, _, results = handlers.select(visit, event({"query": key}))
    assert after.query == key
    assert f'data-query="{key}"' in results
    assert visit == views.first_visit(handlers.library)


@pytest.mark.parametrize(
    "data", [None, {}, [], "text", 3, {"query": 5}, {"query": "../secret"}, {"page": -1}, {"page": "1"}, {"page": True}]
)
def test_an_event_that_no_click_sends_is_refused(handlers: Handlers, visit: Visit, data: Any) -> None:
    with pytest.raises(gr.Error):
        handlers.select(visit, event(data))


def test_pages_of_queries(handlers: Handlers, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 10)
    after, strip, _ = handlers.select(visit, event({"page": 2}))
    assert after.page == 2
    assert strip.count('class="mun-query"') == 4
    assert ">21\u201324 of 24 queries<" in strip
    _, strip, _ = handlers.select(visit, event({"page": 999}))
    assert ">21\u201324 of 24 queries<" in strip


def test_a_random_query_respects_the_filters(handlers: Handlers, visit: Visit) -> None:
    for _ in range(5):
        after, strip, results = handlers.surprise(visit, *CONTROLS[:5], "6")
        assert after.query.startswith("cam6/")
        assert f'data-query="{after.query}"' in strip
        assert f'data-query="{after.query}"' in results


def test_before_the_embeddings_are_there_the_page_shows_progress(
    tiny_synvi: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.library import Preparation, open_library

    library = open_library(tiny_synvi, tiny_checkpoint)
    handlers, visit = Handlers(library), views.first_visit(library)
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Preparation(3, 12))
    _, _, _, results, timer = handlers.everything(visit, *CONTROLS)
    assert "3 of 12" in results
    assert 'data-state="loading"' in results
    assert timer.active
    assert "follow" in handlers.scores(visit)
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Preparation(0, 12, problem="<b>no</b> luck"))
    results, _, timer = handlers.poll(visit)
    assert 'data-state="error"' in results
    assert "&lt;b&gt;no" in results
    assert not timer.active


def test_scores_name_set_and_spread(handlers: Handlers, visit: Visit) -> None:
    html = handlers.scores(replace(visit, protocol="synvi-indoor"))
    assert "24 queries against 12 gallery images" in html
    assert "synthetic" in html
    assert "±" in html
