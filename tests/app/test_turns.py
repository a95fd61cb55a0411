"""Whose turn it is: round by visitor, a few pieces each, a bounded queue; one address holds nobody else up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serving import serve

from app.embeddings import project
from app.library import Library
from app.library.turns import VISITOR, BusyError, Turns
from app.shared.api import HEAVY


def until(holds: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.01)


def test_work_goes_round_by_visitor_and_by_address() -> None:
    turns, done, first = Turns(each=9, most=40), [], threading.Event()

    def work(who: str) -> None:
        ticket = turns.take(who)

        def run() -> None:
            with turns.turn(ticket):
                done.append(who)
                assert first.wait(20)

        pool.submit(run)

    with ThreadPoolExecutor(20) as pool:
        work("a 1")
        until(lambda: done)
        for who in ("a 1", "a 1", "a 1", "a 2", "a 2", "b 1", "c", "c"):
            work(who)
        first.set()
    assert done == ["a 1", "b 1", "c", "a 2", "c", "a 1", "a 2", "a 1", "a 1"]
    assert (turns._tickets, turns._served) == ([], {})


def test_a_visitor_an_address_and_the_queue_have_bounds() -> None:
    turns = Turns(at_once=2, each=2, most=8)
    for who in ("a 1", "a 1", "a 2", "a 2"):
        turns.take(who)
    for who, words in (("a 1", "2 of your calls"), ("a 3", "4 calls from your address")):
        with pytest.raises(BusyError, match=rf"^busy: {words} .*; try again in \d+ s$") as caught:
            turns.take(who)
        assert caught.value.own
    waiting = [turns.take(who) for who in ("b", "b", "c", "d")]
    with pytest.raises(BusyError, match="^busy: many visitors are asking") as caught:
        turns.take("e")
    assert not caught.value.own
    turns._leave(waiting[0])
    turns.take("e")


def test_who_gives_up_waiting_leaves_the_queue() -> None:
    turns = Turns()
    running, waiting = turns.take("a"), turns.take("b")

    def give_up() -> None:
        raise ValueError("stopped")

    with turns.turn(running):
        with pytest.raises(ValueError, match="stopped"), turns.turn(waiting, give_up):
            pytest.fail("it is not its turn")
        assert turns._tickets == [running]


def test_thirty_layouts_of_one_address_hold_nobody_else_up(
    library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counted, not timed: what is computed between another visitor's call and its answer."""
    order: list[str] = []
    begun, go = threading.Event(), threading.Event()
    answer = project.answer

    def recorded(library: Library, request: project.Project) -> object:
        order.append(VISITOR.get())
        begun.set()
        assert go.wait(60)
        return answer(library, request)

    monkeypatch.setattr(project, "answer", recorded)
    with serve(library, tmp_path / "gradio") as served, ThreadPoolExecutor(32) as pool:

        def ask(address: str, seed: int) -> str:
            data = ["", "", "tsne", "embedding", 3, "", 2, True, "matched", False, 5, 5, 0.1, "cosine", seed]
            outcome = served.call("project", data, {"x-forwarded-for": address})
            return outcome.event if outcome.event == "complete" else str(outcome.words)

        many = [pool.submit(ask, "10.0.0.1", seed) for seed in range(30)]
        until(lambda: sum(one.done() for one in many) == 30 - HEAVY)
        assert begun.wait(20)
        other = pool.submit(ask, "10.0.0.2", 99)
        go.set()
        assert other.result() == "complete"
        answers = [one.result() for one in many]
    assert answers.count("complete") == HEAVY
    assert all(words.startswith("busy: 2 of your calls") for words in answers if words != "complete")
    assert sorted(order) == ["10.0.0.1"] * HEAVY + ["10.0.0.2"]
