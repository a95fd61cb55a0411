from __future__ import annotations

from dataclasses import replace

from app.library.collection import Direction
from app.visit import MAX_STEPS, Visit

START = Visit("model", "data", "protocol", "a")


def test_back_and_forward_undo_one_another() -> None:
    there = START.go("b").go("c", Direction.VISIBLE_TO_INFRARED)
    back = there.back()
    assert (back.query, back.direction) == ("b", Direction.INFRARED_TO_VISIBLE)
    assert back.forward() == there
    assert back.back().query == "a"
    assert back.back().forward().forward() == there


def test_at_either_end_nothing_moves() -> None:
    assert START.back() == START
    assert START.go("b").forward() == START.go("b")


def test_a_new_step_forgets_what_was_ahead() -> None:
    assert START.go("b").back().go("c").future == ()


def test_the_protocol_comes_back_with_the_query() -> None:
    assert replace(START.go("b"), protocol="other").back().protocol == "protocol"


def test_the_way_back_is_bounded_and_begins_with_a_query() -> None:
    visit = Visit("model", "data", "protocol").go("0")
    assert visit.past == ()
    for number in range(1, 80):
        visit = visit.go(str(number))
    assert len(visit.past) == MAX_STEPS
    assert visit.past[-1].query == "78"


def test_a_sentence_is_said_once() -> None:
    after = replace(START, notice="words").next_turn()
    assert (after.notice, after.turn) == ("", 1)
