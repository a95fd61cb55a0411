"""Links of the Embeddings tab, and what its handlers and views make of a visit."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import gradio as gr
import pytest

from app.actions.embeddings.project import Request
from app.library import Library
from app.tabs.embeddings_answer import PIECES, Answer
from app.tabs.embeddings_controls import NAMES, values_of
from app.tabs.embeddings_events import EmbeddingHandlers
from app.tabs.embeddings_take_home import write as take
from app.tabs.embeddings_take_home import write_selection
from app.views.embeddings_plot import figure_json
from app.views.embeddings_visit import EmbeddingVisit, opening, read, write


@pytest.fixture
def handlers(library: Library) -> EmbeddingHandlers:
    return EmbeddingHandlers(library)


@pytest.fixture
def visit(library: Library) -> EmbeddingVisit:
    return replace(opening(library), request=Request("mun-tiny", "synvi", "pca", identities=3, images=2))


def values(link: str) -> dict[str, str]:
    return dict(parse_qsl(link.removeprefix("?")))


def drawn(handlers: EmbeddingHandlers, visit: EmbeddingVisit) -> Answer:
    answer, deadline = handlers.draw(visit), time.monotonic() + 60
    while answer.polling and time.monotonic() < deadline:
        time.sleep(0.02)
        answer = handlers.poll(answer.visit)
    return answer


def test_a_link_leads_back_to_the_same_view(library: Library, visit: EmbeddingVisit) -> None:
    pids = sorted({sample.pid for sample in library.collections["synvi"].samples})
    request = replace(
        visit.request,
        perplexity=9.5,
        space="features",
        people=f"{pids[1]}, {pids[2]}",
        auxiliary=False,
        min_dist=0.25,
        metric="euclidean",
        seed=4,
    )
    view = replace(visit, request=request, colour="camera", lines=True)
    again = read(library, values(write(view)))
    assert again.request == request
    assert (again.colour, again.lines, again.prototypes, again.compare) == ("camera", True, False, "")
    assert write(again) == write(view)


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("checkpoint=nobody", "expected checkpoint to be one of"),
        ("method=../etc", "expected method"),
        ("seed=1e400", "expected seed"),
        ("identities=two", "expected identities to be a number"),
        ("lines=2", "expected lines to be a whole number from 0 to 1"),
        ("colour=red", "expected colour to be one of"),
        ("compare=nobody", "expected compare to be one of"),
        ("method=tsne&perplexity=99", "expected at least 298 points for a perplexity of 99"),
    ],
)
def test_a_link_that_makes_no_sense_is_a_sentence(library: Library, handlers, visit, link: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        read(library, values(link))
    answer = handlers.load(opening(library), {"tab": "embeddings", **values(link)})
    assert "This link cannot be opened as it is" in (answer.visit.notice or "")


def test_links_of_other_tabs_change_nothing(handlers: EmbeddingHandlers, visit: EmbeddingVisit) -> None:
    answer = handlers.load(visit, {"tab": "retrieval", "query": "cam3/0001/0001.jpg"})
    assert answer is None


def test_everything_is_drawn_with_its_link_and_its_numbers(library: Library, handlers, visit) -> None:
    answer = drawn(handlers, visit)
    assert 'data-state="ready"' in answer.status
    assert "tab=embeddings" in answer.status
    figure = json.loads(answer.figures[0])
    assert sum(len(trace["customdata"]) for trace in figure["data"] if "customdata" in trace) == 18
    assert figure["data"][-1]["name"] == "rings"
    assert figure["layout"]["paper_bgcolor"] == "rgba(0, 0, 0, 0)"
    assert "MMD" in answer.numbers
    assert "bandwidth" in answer.numbers
    assert len(answer.outputs()) == 1 + len(PIECES) + 2 + len(NAMES)


def test_lines_and_prototypes_are_traces_of_their_own(library: Library, handlers, visit) -> None:
    result = handlers.jobs.look(drawn(handlers, visit).visit.request.checked(library)).result
    names = [
        [trace["name"] for trace in json.loads(figure_json(result, replace(visit, **shown)))["data"]]
        for shown in ({}, {"lines": True, "prototypes": True})
    ]
    assert names == [
        ["visible", "auxiliary", "infrared", "rings"],
        ["visible", "auxiliary", "infrared", "centers", "prototypes", "rings"],
    ]


def test_a_refused_choice_leaves_the_pictures(handlers: EmbeddingHandlers, visit: EmbeddingVisit) -> None:
    chosen = dict(zip(NAMES, values_of(visit), strict=True)) | {"method": "tsne", "perplexity": 90}
    answer = handlers.change(visit, *chosen.values())
    assert 'data-state="error"' in answer.status
    assert "Expected at least 271 points for a perplexity of 90" in answer.status
    assert answer.figures == (None, None)
    assert answer.polling is False


def test_a_click_shows_the_point_and_a_lasso_the_points(library: Library, handlers, visit) -> None:
    visit = drawn(handlers, visit).visit
    answer = handlers.picked(visit, event(side=0, point=13))
    assert answer.key
    assert 'data-row="13"' in answer.panel
    assert answer.panel.count("data-distance") == 8
    answer = handlers.picked(visit, event(side=0, points=[3, 1, 1, 14]))
    assert answer.visit.selected == (0, (1, 3, 14))
    assert "3 selected points" in answer.selection
    with open(write_selection(library, answer.visit), encoding="utf-8") as file:
        assert sum(line.startswith("mun-tiny,") for line in file) == 3
    for bad in ({"side": 0, "point": 99}, {"side": 1, "point": 0}, {"side": 0, "points": []}, {"points": "x"}, {}):
        with pytest.raises(gr.Error):
            handlers.picked(visit, event(**bad))


def event(**sent: Any) -> Any:
    return SimpleNamespace(**sent)


def test_an_offered_image_joins_the_picture_and_is_chosen(library: Library, handlers, visit) -> None:
    collection = library.collections["synvi"]
    last = collection.samples[-1]
    first = handlers.offered(visit, f"{last.key}#1")
    assert str(last.pid) in first.visit.request.people
    assert first.polling  # the picture has to be made, and the image is not forgotten meanwhile
    for answer in (drawn(handlers, first.visit), handlers.offered(visit, f"{last.key}#2")):
        assert answer.key == last.key
        assert f'data-image="{last.key}"' in answer.panel
        assert answer.visit.chosen is not None
        assert answer.visit.wanted == ""
    assert handlers.draw(answer.visit.next_turn()).panel is None  # what was chosen stays as it is
    with pytest.raises(gr.Error, match="expected an image of the data"):
        handlers.offered(visit, "../../etc/passwd#1")
    assert handlers.offered(visit, "") == Answer(visit)


def test_stop_and_start_again(library: Library, handlers, visit, monkeypatch) -> None:
    monkeypatch.setattr(handlers.jobs, "look", lambda _: handlers.jobs.__class__ and _status())
    waiting = replace(visit, joined=(visit.request,))
    stopped = handlers.act(waiting, event(action="stop"))
    assert 'data-state="stopped"' in stopped.status
    assert 'data-action="start"' in stopped.status
    assert stopped.visit.joined == ()
    with pytest.raises(gr.Error):
        handlers.act(waiting, event(action="explode"))


def _status() -> Any:
    from app.actions.embeddings.jobs import Status

    return Status(words="held")


def test_the_controls_numbers_stand_beside_the_others(library: Library, handlers, visit) -> None:
    visit = drawn(handlers, visit).visit
    answer = handlers.compared(visit, True)
    assert "mismatched pairs" in answer.numbers
    assert "untrained generator" in answer.numbers
    assert "mismatched" not in handlers.compared(answer.visit, False).numbers
    with pytest.raises(gr.Error):
        handlers.compared(visit, "yes")


def test_files_are_written_for_the_view(library: Library, handlers, visit) -> None:
    with pytest.raises(gr.Error, match="not drawn yet"):
        take(library, replace(visit, request=replace(visit.request, seed=77)), "png")
    visit = drawn(handlers, visit).visit
    for kind, start in {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF", "csv": b"# data"}.items():
        with open(take(library, visit, kind), "rb") as file:
            assert file.read(6).startswith(start)
    with pytest.raises(gr.Error, match="draw round some points first"):
        write_selection(library, visit)
