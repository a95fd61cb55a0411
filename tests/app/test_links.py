from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl

import pytest

from app import links
from app.library import Library
from app.library.collection import Direction
from app.views import retrieval as views
from app.visit import Visit

QUERY = "cam3/{:04d}/0002.jpg"


def values_of(link: str) -> dict[str, str]:
    assert link.startswith("?")
    return dict(parse_qsl(link[1:], strict_parsing=True))


def some_visit(library: Library) -> Visit:
    """A visit that differs from the first one in everything a link says."""
    key = library.collections["synvi"].asked("synvi-indoor", Direction.VISIBLE_TO_INFRARED).samples[3].key
    return Visit(
        "mun-tiny", "synvi", "synvi-indoor", key, 4, 7, Direction.VISIBLE_TO_INFRARED, 2, rerank=True, left_out=True
    )


def test_a_link_opens_the_view_it_was_made_from(library: Library) -> None:
    visit = some_visit(library)
    assert links.read(library, values_of(links.write(visit))) == visit


def test_a_link_keeps_keys_readable(library: Library) -> None:
    visit = replace(views.first_visit(library), query="cam3/0007/0001.jpg")
    assert links.write(visit).endswith("&query=cam3/0007/0001.jpg")
    assert "rerank" not in links.write(visit)


def test_nothing_is_written_before_a_query_is_chosen(library: Library) -> None:
    assert links.write(views.first_visit(library)) == ""


def test_what_a_link_does_not_say_is_as_for_a_first_visit(library: Library) -> None:
    assert links.read(library, {}) == views.first_visit(library)
    assert links.read(library, {"__theme": "dark", "utm": "x", "query": ""}) == views.first_visit(library)
    assert links.read(library, {"top_k": "3"}) == replace(views.first_visit(library), top_k=3)


def test_a_checkpoint_is_not_compared_with_itself(library: Library) -> None:
    assert links.read(library, {"compare": "mun-tiny"}).compare == ()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"checkpoint": "nobody"}, "checkpoint to be one of mun-tiny; got 'nobody'"),
        ({"compare": "nobody"}, "checkpoint to compare with to be one of mun-tiny"),
        ({"compare": "mun-tiny,nobody"}, "checkpoint to compare with to be one of mun-tiny; got 'nobody'"),
        ({"compare": "a,b,c,d,e,f"}, "at most 3 checkpoints to compare with"),
        ({"compare": ["mun-tiny"]}, "compare to be text"),
        ({"data": "../../etc"}, "data"),
        ({"query": "../../etc/passwd"}, "key of an infrared image"),
        ({"query": "cam1/0013/0001.jpg"}, "key of an infrared image"),
        ({"direction": "x2y"}, "direction to be one of i2v, v2i"),
        ({"protocol": "sysu-all"}, "protocol"),
        ({"top_k": "0"}, "top_k"),
        ({"top_k": "ten"}, "top_k to be a whole number, got 'ten'"),
        ({"top_k": "1e2"}, "top_k"),
        ({"top_k": "9" * 5000}, "200 characters"),
        ({"top_k": "٣"}, "top_k"),
        ({"trial": "-1"}, "trial"),
        ({"shots": "3"}, "shots to be one of 1, 2"),
        ({"rerank": "yes"}, "rerank to be 0 or 1, got 'yes'"),
        ({"left_out": "2"}, "left_out"),
        ({"corruption": "../etc"}, "corruption to be one of mixed"),
        ({"severity": "6"}, "severity"),
        ({"severity": "x"}, "severity to be a whole number"),
        ({"query": ["a", "b"]}, "text"),
    ],
)
def test_bad_values_give_one_plain_sentence_and_the_first_view(
    library: Library, values: dict[str, Any], words: str
) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        links.read(library, values)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    opened = views.open_link(library, values)
    assert "link" in opened.notice
    assert replace(opened, notice="") == views.first_visit(library)


def test_a_link_says_a_corruption_and_its_severity_only_where_it_means_something(library: Library) -> None:
    visit = replace(some_visit(library), corruption="jpeg_compression", severity=5)
    assert "corruption=jpeg_compression&severity=5" in links.write(visit)
    assert links.read(library, values_of(links.write(visit))) == visit
    mixed = replace(visit, corruption="mixed", severity=3)
    assert "severity" not in links.write(mixed)
    assert links.read(library, values_of(links.write(mixed))) == mixed
    assert "severity" not in links.write(replace(visit, corruption=""))


def test_several_checkpoints_are_named_with_commas(library: Library) -> None:
    entry = library.checkpoints["mun-tiny"]
    names = ("mun-tiny", "a", "b", "c", "d")
    several = Library({name: replace(entry, name=name) for name in names}, library.collections, library.device)
    visit = replace(some_visit(several), compare=("b", "a", "c"))
    assert "compare=b,a,c" in links.write(visit)
    assert links.read(several, values_of(links.write(visit))) == visit
    assert links.read(several, {"compare": "b"}).compare == ("b",)
    assert links.read(several, {"compare": "b,b,mun-tiny,,c"}).compare == ("b", "c")
    with pytest.raises(ValueError, match="expected at most 3 checkpoints to compare with, got 4"):
        links.read(several, {"compare": "a,b,c,d"})
