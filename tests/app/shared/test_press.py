from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from app.library.guests import Guests
from app.shared.tab import LOCAL, Piece, Press, changes


def heard(said: object, visitor: str = "") -> Press:
    return Press.of(SimpleNamespace(_data=said), Guests(), visitor)


@pytest.mark.parametrize(
    "said",
    [
        None,
        [],
        "text",
        3,
        {},
        {"values": 3, "address": [], "do": {}, "changed": "top_k", "chosen": None, "drawn": [1], "detail": 7},
        {"turn": True, "url": "javascript:alert(1)"},
        {"turn": -1, "url": "http://x/\n<b>"},
        {"turn": 10**40, "url": "http://" + "x" * 300},
    ],
)
def test_nonsense_says_nothing(said: Any) -> None:
    press = heard(said)
    assert press.url == LOCAL
    assert (dict(press.values), press.address, press.do, press.changed, press.chosen) == ({}, "", "", (), "")
    assert press.turn in (0, 1)


def test_what_the_page_says_is_read() -> None:
    press = heard(
        {
            "values": {"compare": ["a", "b"], "top_k": 3},
            "address": "?tab=retrieval",
            "do": "random",
            "changed": ["top_k", "query"],
            "chosen": "cam1/0001/0001.jpg",
            "drawn": {"settings": "abc"},
            "detail": {"page": 2},
            "url": "https://somebody-mun.hf.space/",
            "turn": 7,
        },
        "session",
    )
    assert press.values == {"compare": ["a", "b"], "top_k": 3}
    assert (press.address, press.do, press.changed) == ("?tab=retrieval", "random", ("top_k", "query"))
    assert (press.chosen, press.drawn, press.detail) == ("cam1/0001/0001.jpg", {"settings": "abc"}, {"page": 2})
    assert (press.url, press.turn, press.visitor) == ("https://somebody-mun.hf.space/", 7, "session")


def test_a_piece_is_drawn_only_where_it_shows_something_else() -> None:
    piece = Piece(("a", 1), lambda: "drawn")
    assert changes({"name": piece, "plain": "words"}, {"plain": ""}) == (
        {"name": "drawn", "plain": "words"},
        {"name": piece.digest, "plain": ""},
    )
    assert changes({"name": piece}, {"name": piece.digest}) == ({}, {"name": piece.digest})
    assert changes({"name": piece}, {"name": Piece(("a", 2), str).digest})[0] == {"name": "drawn"}


def test_what_is_too_long_is_not_said() -> None:
    said = {"address": "?" + "x" * 10_000, "values": {str(number): 1 for number in range(500)}, "do": "random"}
    press = heard({**said, "tokens": {"x": "y" * 101}, "__dataclass_self__": 1, "visitor": "another"}, "me")
    assert (press.address, press.values, press.tokens) == ("", {}, {})
    assert (press.do, press.visitor) == ("random", "me")
