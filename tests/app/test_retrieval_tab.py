from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from app.actions.retrieval import compare, retrieve
from app.library import Library, open_library
from app.library.background import Progress
from app.library.collection import Direction
from app.menus import menus
from app.tabs import retrieval_take_home as take_home
from app.tabs.retrieval_controls import NAMES, updates
from app.tabs.retrieval_events import Answer, Handlers
from app.views import retrieval as views
from app.visit import Visit
from mun.evaluation.corrupted import Corruption

CONTROLS: dict[str, Any] = {
    "checkpoint": "mun-tiny",
    "compare": [],
    "data": "synvi",
    "direction": "i2v",
    "protocol": "synvi-all",
    "top_k": 10,
    "shots": "1",
    "trial": 0,
    "rerank": False,
    "left_out": False,
    "corruption": "none",
    "severity": "3",
    "order": "person",
    "pid": "any",
    "camid": "any",
}


@pytest.fixture
def handlers(library: Library) -> Handlers:
    library.embeddings("mun-tiny", "synvi")
    return Handlers(library)


@pytest.fixture
def visit(handlers: Handlers) -> Visit:
    return handlers.open({}).visit


def event(data: Any) -> gr.EventData:
    return gr.EventData(None, data)


def change(handlers: Handlers, visit: Visit, **values: Any) -> Answer:
    return handlers.change(visit, *({**CONTROLS, **values}[name] for name in NAMES))


def test_the_page_opens_with_a_query_that_works(handlers: Handlers) -> None:
    answer = handlers.open({})
    assert answer.results is not None
    assert f'data-query="{answer.visit.query}"' in answer.results
    assert 'data-state="ready"' in answer.results
    assert f'data-query="{answer.visit.query}" ' in str(answer.strip)
    assert "mun-tiny" in str(answer.header)
    assert "rendered people" in str(answer.header)
    assert not answer.polling
    result = retrieve.run(handlers.library, views.asked_by(answer.visit))
    best = min(
        retrieve.run(handlers.library, retrieve.Request(query=sample.key)).first_hit or 99
        for sample in handlers.library.collections["synvi"].queries
    )
    assert result.first_hit == best


def test_a_link_sets_the_controls_and_a_bad_one_says_so(handlers: Handlers) -> None:
    key = handlers.library.collections["synvi"].queries[5].key
    answer = handlers.open({"query": key, "top_k": "3", "shots": "2", "trial": "4"})
    assert answer.visit.query == key
    assert str(answer.results).count('class="ranked-card') == 3
    sent = dict(zip(NAMES, answer.outputs()[6:], strict=True))
    assert sent["top_k"]["value"] == 3
    assert sent["shots"]["value"] == "2"
    assert sent["trial"]["value"] == 4
    assert "value" not in sent["protocol"]
    answer = handlers.open({"query": "../../etc/passwd"})
    assert "link cannot be opened" in str(answer.results)
    assert 'data-state="ready"' in str(answer.results)


def test_every_control_reaches_the_ranking(handlers: Handlers, visit: Visit) -> None:
    answer = change(handlers, visit, protocol="synvi-indoor", trial=4, top_k=3, shots="2", rerank=True, left_out=True)
    assert str(answer.results).count('class="ranked-card') == 3
    assert "re-ranked" in str(answer.results)
    assert "synvi-indoor, 2-shot, gallery 4" in str(answer.results)
    pid = str(handlers.library.collections["synvi"].queries[-1].pid)
    answer = change(handlers, visit, pid=pid, camid="6")
    assert answer.visit.query.startswith(f"cam6/{int(pid):04d}/")
    assert str(answer.strip).count('class="mun-query"') == 2


def test_hardest_first_goes_to_the_hardest(handlers: Handlers, visit: Visit) -> None:
    hardest = change(handlers, visit, order="hardest").visit
    easiest = change(handlers, hardest, order="easiest").visit
    precisions = {
        sample.key: retrieve.run(handlers.library, retrieve.Request(query=sample.key)).average_precision
        for sample in handlers.library.collections["synvi"].queries
    }
    assert precisions[hardest.query] == min(precisions.values())
    assert precisions[easiest.query] == max(precisions.values())


def test_the_other_direction_asks_with_a_visible_image(handlers: Handlers, visit: Visit) -> None:
    answer = change(handlers, visit, direction="v2i", camid="3")
    query = answer.visit.query
    assert query in handlers.library.collections["synvi"].asked("synvi-all", Direction.VISIBLE_TO_INFRARED).rows
    assert answer.visit.camid is None  # no visible image is by camera 3
    assert "not a published protocol" in str(answer.results)
    sent = dict(zip(NAMES, answer.outputs()[6:], strict=True))
    assert sent["camid"]["value"] == "any"
    assert "No visible query is by camera 3" in str(answer.results)


def test_no_menu_ever_has_fewer_choices(library: Library) -> None:
    """A menu of Gradio's that was open once fails in the browser when its choices become fewer."""
    first = menus(library, views.first_visit(library))
    for direction in Direction:
        for protocol in library.collections["synvi"].protocols:
            visit = replace(views.first_visit(library), direction=direction, protocol=protocol)
            assert {name: menu.choices for name, menu in menus(library, visit).items()} == {
                name: menu.choices for name, menu in first.items()
            }


@pytest.mark.parametrize(
    "controls",
    [
        {"checkpoint": "nobody"},
        {"compare": "nobody"},
        {"compare": ["nobody"]},
        {"compare": ["mun-tiny"] * 5},
        {"data": "sysu"},
        {"direction": "both"},
        {"protocol": "sysu-all"},
        {"trial": 99},
        {"top_k": 1e9},
        {"shots": "3"},
        {"shots": 1},
        {"rerank": "yes"},
        {"left_out": None},
        {"corruption": "hail"},
        {"severity": "6"},
        {"severity": 3},
        {"order": "worst"},
        {"pid": "9999"},
        {"camid": "7"},
        dict.fromkeys(CONTROLS),
    ],
)
def test_controls_that_the_page_does_not_offer_are_refused(
    handlers: Handlers, visit: Visit, controls: dict[str, Any]
) -> None:
    with pytest.raises(gr.Error, match="expected"):
        change(handlers, visit, **controls)


def test_a_click_selects_a_query_and_leaves_the_old_visit_alone(handlers: Handlers, visit: Visit) -> None:
    before = replace(visit)
    key = handlers.library.collections["synvi"].queries[5].key
    answer = handlers.select(visit, event({"query": key}))
    assert answer.visit.query == key
    assert answer.strip is None
    assert f'data-query="{key}"' in str(answer.results)
    assert visit == before
    back = handlers.act(answer.visit, event({"action": "back"}))
    assert back.visit.query == visit.query
    assert handlers.act(back.visit, event({"action": "forward"})).visit.query == key


def test_a_result_becomes_the_next_query_the_other_way_round(handlers: Handlers, visit: Visit) -> None:
    image = retrieve.run(handlers.library, views.asked_by(visit)).results[1].image
    answer = handlers.act(visit, event({"image": image}))
    assert (answer.visit.query, answer.visit.direction) == (image, Direction.VISIBLE_TO_INFRARED)
    assert "You clicked a visible image" in str(answer.results)
    assert "not a published protocol" in str(answer.results)
    sent = dict(zip(NAMES, answer.outputs()[6:], strict=True))
    assert sent["direction"]["value"] == "v2i"
    back = handlers.act(answer.visit, event({"action": "back"}))
    assert (back.visit.query, back.visit.direction) == (visit.query, visit.direction)
    assert "You clicked" not in str(back.results)


def test_another_data_set_brings_its_own_protocol_and_query(
    handlers: Handlers, visit: Visit, tiny_checkpoint: Path, make_sysu: Callable[[dict[int, tuple[int, ...]]], Path]
) -> None:
    library = handlers.library
    other = open_library(make_sysu({1: (1, 3), 2: (4, 6)}), tiny_checkpoint).collections["sysu"]
    both = Library(library.checkpoints, {**library.collections, "sysu": other}, library.device)
    for data in both.collections:
        both.embeddings("mun-tiny", data)
    there = change(Handlers(both), visit.go("cam6/0013/0001.jpg"), data="sysu", pid="13", shots="2")
    assert (there.visit.data, there.visit.protocol, there.visit.past) == ("sysu", "sysu-all", ())
    assert there.visit.query in other.asked(other.protocols[0]).rows
    assert (there.visit.pid, there.visit.shots) == (None, 1)
    assert "SYSU-MM01" in str(there.header)
    assert "nobody is real" not in str(there.header)
    assert "do not have 2 gallery images" in str(there.results)


@pytest.mark.parametrize(
    "data", [None, {}, [], "text", 3, {"query": 5}, {"query": "../secret"}, {"page": -1}, {"page": "1"}, {"page": True}]
)
def test_an_event_that_no_click_sends_is_refused(handlers: Handlers, visit: Visit, data: Any) -> None:
    with pytest.raises(gr.Error):
        handlers.select(visit, event(data))


@pytest.mark.parametrize(
    "data",
    [None, {}, [], "text", {"image": 5}, {"image": "cam3/0013/0001.jpg"}, {"image": "../x"}, {"action": "delete"}],
)
def test_an_event_that_no_button_sends_is_refused(handlers: Handlers, visit: Visit, data: Any) -> None:
    with pytest.raises(gr.Error):
        handlers.act(visit, event(data))


def test_pages_of_queries(handlers: Handlers, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "PAGE_SIZE", 10)
    answer = handlers.select(visit, event({"page": 2}))
    assert answer.visit.page == 2
    assert answer.results is None
    assert str(answer.strip).count('class="mun-query"') == 4
    assert ">21\u201324 of 24 queries<" in str(answer.strip)
    assert ">21\u201324 of 24 queries<" in str(handlers.select(visit, event({"page": 999})).strip)


def test_a_random_query_respects_the_filters(handlers: Handlers, visit: Visit) -> None:
    for _ in range(5):
        answer = handlers.surprise(visit, *({**CONTROLS, "camid": "6"}[name] for name in NAMES))
        assert answer.visit.query.startswith("cam6/")
        assert f'data-query="{answer.visit.query}"' in str(answer.strip)
        assert f'data-query="{answer.visit.query}"' in str(answer.results)


def test_only_what_changes_is_sent_to_the_controls(library: Library) -> None:
    shown = menus(library, views.first_visit(library))
    wanted = menus(library, replace(views.first_visit(library), trial=3, direction=Direction.VISIBLE_TO_INFRARED))
    sent = dict(zip(NAMES, updates(shown, wanted), strict=True))
    changed = {name for name, update in sent.items() if "value" in update}
    assert changed == {"trial", "direction"}


def test_before_the_embeddings_are_there_the_page_shows_progress(
    tiny_synvi: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = open_library(tiny_synvi, tiny_checkpoint)
    handlers = Handlers(library)
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Progress(3, 12))
    answer = handlers.open({})
    assert answer.visit.query == ""
    assert "3 of 12" in str(answer.results)
    assert 'data-state="loading"' in str(answer.results)
    assert answer.polling
    assert "follow" in handlers.scores(answer.visit)
    with pytest.raises(gr.Error, match="not embedded yet"):
        take_home.write(library, answer.visit, "png")
    with pytest.raises(gr.Error, match="not embedded yet"):
        take_home.write_scores(library, answer.visit, "png")
    monkeypatch.setattr(library, "prepare", lambda *_, **__: Progress(0, 12, problem="<b>no</b> luck"))
    answer = handlers.poll(answer.visit)
    assert 'data-state="error"' in str(answer.results)
    assert "&lt;b&gt;no" in str(answer.results)
    assert not answer.polling
    monkeypatch.undo()
    library.embeddings("mun-tiny", "synvi")
    answer = handlers.poll(answer.visit)
    assert answer.visit.query
    assert 'data-state="ready"' in str(answer.results)


def test_a_checkpoint_that_is_deleted_meanwhile_is_said_once(tiny_synvi: Path, two_checkpoints: Path) -> None:
    library = open_library(tiny_synvi, two_checkpoints)
    handlers = Handlers(library)
    library.embeddings("mun-tiny", "synvi")
    visit = replace(handlers.open({}).visit, checkpoint="other-tiny")
    library.remove_checkpoint("other-tiny")
    answer = handlers.poll(visit)
    assert "is not there any more; choose another" in str(answer.results)
    assert answer.polling is False
    assert "is not there any more" in handlers.scores(answer.visit)
    for act, data in ((handlers.select, {"page": 1}), (handlers.act, {"action": "stop"})):
        with pytest.raises(gr.Error, match="is not there any more"):
            act(answer.visit, event(data))
    assert 'data-state="ready"' in str(change(handlers, answer.visit).results)


def test_stop_and_start_reach_the_library(handlers: Handlers, visit: Visit, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    library = handlers.library
    monkeypatch.setattr(library, "stop", lambda *names: calls.append(("stop", *names)))
    monkeypatch.setattr(
        library, "prepare", lambda *_, retry=False, **__: calls.append(retry) or Progress(3, 12, stopped=not retry)
    )
    answer = handlers.act(visit, event({"action": "stop"}))
    assert calls == [("stop", "mun-tiny", "synvi", None), False]
    assert 'data-state="stopped"' in str(answer.results)
    assert not answer.polling
    answer = handlers.act(visit, event({"action": "start"}))
    assert calls[-1] is True
    assert answer.polling


def test_scores_name_set_and_spread(handlers: Handlers, visit: Visit) -> None:
    html = handlers.scores(replace(visit, protocol="synvi-indoor"))
    assert "24 queries against 12 gallery images" in html
    assert "synthetic" in html
    assert "±" in html


@pytest.mark.parametrize(("kind", "head"), [("png", b"\x89PNG"), ("pdf", b"%PDF-"), ("csv", b"# checkpoint")])
def test_the_list_can_be_taken_home(
    handlers: Handlers, visit: Visit, kind: str, head: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = Path(take_home.write(handlers.library, replace(visit, top_k=3), kind))
    assert path.is_relative_to(tmp_path)
    assert path.suffix == f".{kind}"
    assert path.read_bytes().startswith(head)


@pytest.mark.parametrize(("kind", "head"), [("png", b"\x89PNG"), ("pdf", b"%PDF-"), ("svg", b"<?xml")])
def test_the_scores_can_be_taken_home(
    handlers: Handlers, visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, head: bytes
) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    path = Path(take_home.write_scores(handlers.library, visit, kind))
    assert path.is_relative_to(tmp_path)
    assert path.name == f"cmc-synvi-all-mun-tiny.{kind}"
    assert path.read_bytes().startswith(head)
    with pytest.raises(gr.Error, match="expected kind to be one of png, pdf, svg"):
        take_home.write_scores(handlers.library, visit, "gif")


def test_corrupted_images_are_prepared_then_ranked_and_named(
    handlers: Handlers, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = handlers.library
    with monkeypatch.context() as patch:
        patch.setattr(library, "prepare", lambda *_, **__: Progress(3, 48, words="every visible image, corrupted,"))
        answer = change(handlers, visit, corruption="contrast", severity="4")
        assert "looks at every visible image, corrupted, once: 3 of 48" in str(answer.results)
        assert answer.polling
        assert handlers.poll(answer.visit).polling
    assert answer.visit.query == visit.query
    assert "follow" in handlers.scores(answer.visit)
    library.embeddings("mun-tiny", "synvi", answer.visit.terms.corruption)
    answer = handlers.poll(answer.visit)
    html = str(answer.results)
    assert 'data-corruption="contrast"' in html
    assert "Visible images corrupted: contrast, severity 4, seed 0; not the clean protocol." in html
    assert "On clean images this query has an average precision of" in html
    assert "corruption=contrast&amp;severity=4" in html
    clean = str(change(handlers, visit).results)
    assert 'data-corruption=""' in clean
    assert "corrupted" not in clean
    pictures, corrupted = (set(re.findall(r'src="(data:[^"]+)"', page)) for page in (clean, html))
    assert len(pictures & corrupted) == 1  # the infrared query
    scores = handlers.scores(answer.visit)
    assert scores.count("data-clean=") == 4
    assert "contrast, severity 4" in scores
    assert "data-clean" not in handlers.scores(visit)


def test_a_corrupted_query_is_shown_as_it_is_asked(handlers: Handlers, visit: Visit) -> None:
    handlers.library.embeddings("mun-tiny", "synvi", Corruption("contrast", 5))
    corrupted = change(handlers, visit, direction="v2i", corruption="contrast", severity="5")
    clean = change(handlers, corrupted.visit, direction="v2i")
    assert corrupted.visit.query == clean.visit.query
    strips, results = (corrupted.strip, clean.strip), (corrupted.results, clean.results)
    pictures = [set(re.findall(r'src="(data:[^"]+)"', str(piece))) for piece in (*strips, *results)]
    assert not pictures[0] & pictures[1]
    assert len(pictures[2] ^ pictures[3]) >= 2


def test_two_checkpoints_are_compared_on_the_same_corrupted_images(library: Library) -> None:
    request = retrieve.Request(corruption="pixelate", severity=5)
    both = compare.run(library, request, ["mun-tiny"])
    assert [one.corruption for one in both.results] == ["pixelate", "pixelate"]


def test_the_checkpoint_is_never_beside_itself(handlers: Handlers, visit: Visit) -> None:
    answer = change(handlers, visit, compare=["mun-tiny"])
    assert answer.visit.compare == ()
    sent = dict(zip(NAMES, answer.outputs()[6:], strict=True))
    assert sent["compare"]["value"] == []  # the menu drops it too


def test_other_tabs_are_told_the_query_and_hand_an_image_over(handlers: Handlers, visit: Visit) -> None:
    collection = handlers.library.collections["synvi"]
    assert visit.query
    assert handlers.poll(visit).outputs()[5] == visit.query
    visible = next(sample.key for sample in collection.samples if sample.camid == 4)
    indoor = replace(visit, protocol="synvi-indoor", pid=13)
    answer = handlers.offered(indoor, f"{visible}#7")
    assert (answer.visit.query, answer.outputs()[5]) == (visible, visible)
    assert answer.visit.direction is Direction.VISIBLE_TO_INFRARED
    assert answer.visit.protocol == "synvi-all"  # camera 4 is outdoors
    assert answer.visit.pid is None
    back = handlers.act(answer.visit, event({"action": "back"})).visit
    assert (back.query, back.direction, back.protocol) == (visit.query, visit.direction, "synvi-indoor")
    infrared = collection.queries[7].key
    assert handlers.offered(answer.visit, f"{infrared}#8").visit.direction is Direction.INFRARED_TO_VISIBLE
    assert handlers.offered(visit, f"{visit.query}#9").visit.past == visit.past
    assert handlers.offered(visit, "").visit == visit


@pytest.mark.parametrize("offer", [None, 5, "../../etc/passwd#1", "cam3/9999/0001.jpg#1", "x" * 300])
def test_an_image_that_is_not_there_is_not_taken_over(handlers: Handlers, visit: Visit, offer: Any) -> None:
    with pytest.raises(gr.Error, match="expected"):
        handlers.offered(visit, offer)


def test_an_address_of_another_tab_says_nothing_about_this_one(handlers: Handlers) -> None:
    visit = handlers.open({"tab": "explain", "checkpoint": "nobody", "compare": "none", "top_k": "3"}).visit
    assert (visit.top_k, visit.notice) == (10, "")
    assert handlers.open({"tab": "retrieval", "top_k": "3"}).visit.top_k == 3
