from __future__ import annotations

from dataclasses import replace

from app import cards, views
from app.actions import retrieve
from app.library import Library

EVIL = '"><script>alert(1)</script>{{ value }}'


def ranked(library: Library) -> retrieve.Result:
    return retrieve.run(library, retrieve.Request())


def test_names_are_escaped_everywhere(library: Library) -> None:
    result = ranked(library)
    evil = replace(
        result,
        query=replace(result.query, image=EVIL),
        protocol=EVIL,
        results=tuple(replace(card, image=EVIL) for card in result.results),
    )
    item = cards.QueryItem(EVIL, 1, 3, 1, "")
    for html in (
        cards.results_html(evil, "", [""] * 10, 0),
        cards.queries_html([item], page=0, first=0, total=1, selected=EVIL, turn=0),
        cards.header_html(EVIL, EVIL, 1, 1, True),
        cards.error_html(EVIL, 0),
        cards.scores_html(None, synthetic=True, words=EVIL),
    ):
        assert "<script" not in html
        assert "&lt;script" in html


def test_cards_say_match_in_words_and_in_an_attribute(library: Library) -> None:
    result = ranked(library)
    html = cards.results_html(result, "", [""] * 10, 0)
    assert html.count('class="ranked-card') == 10
    matches = sum(card.match for card in result.results)
    assert html.count('data-match="true"') == html.count("</span> match") == matches
    assert html.count('data-match="false"') == html.count("</span> other") == 10 - matches
    assert "image cannot be read" in html


def test_a_query_without_a_match_says_so(library: Library) -> None:
    result = replace(ranked(library), average_precision=None, first_hit=None)
    html = cards.results_html(result, "", [""] * 10, 0)
    assert "nothing to find" in html
    assert "None" not in html


def test_query_buttons_can_be_read_aloud(library: Library) -> None:
    html = views.show_queries(library, views.first_visit(library))
    sample = library.collections["synvi"].queries[0]
    assert f'aria-label="query: person {sample.pid}, camera {sample.camid}, image 1"' in html
    assert html.count('aria-pressed="true"') == 1


def test_an_empty_page_of_queries_explains_itself(library: Library) -> None:
    html = cards.queries_html([], page=0, first=0, total=0, selected="", turn=0)
    assert "Nobody with this number" in html
