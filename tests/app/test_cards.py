from __future__ import annotations

from dataclasses import replace

import pytest

from app import cards
from app.actions.retrieval import compare, evaluate, retrieve
from app.library import Library
from app.library.background import Progress
from app.views import retrieval as views

EVIL = '"><script>alert(1)</script>{{ value }}'
FRAME = cards.Frame(0)


def ranked(library: Library, **values: object) -> retrieve.Result:
    return retrieve.run(library, retrieve.Request(**values))


def camera_three(library: Library) -> str:
    return next(sample.key for sample in library.collections["synvi"].queries if sample.camid == 3)


def test_names_are_escaped_everywhere(library: Library) -> None:
    result = ranked(library)
    evil = replace(
        result,
        checkpoint=EVIL,
        query=replace(result.query, image=EVIL),
        protocol=EVIL,
        results=tuple(replace(card, image=EVIL) for card in result.results),
        left_out_images=(retrieve.LeftOut(0, EVIL, 1, 2, 0.5, False),),
    )
    frame = cards.Frame(0, link=EVIL, notice=EVIL)
    scores = replace(evaluate.run(library, evaluate.Request()), protocol=EVIL, checkpoint=EVIL)
    item = cards.QueryItem(EVIL, 1, 3, 1, "")
    for html in (
        cards.results_html(evil, {EVIL: ""}, frame),
        cards.comparison_html(
            compare.Result(evil, (compare.Side(evil, {EVIL: compare.Move(1, 2)}, 1, (), ()),) * 3, EVIL), {}, frame
        ),
        cards.queries_html([item], page=0, first=0, total=1, selected=EVIL, turn=0, modality=EVIL),
        cards.header_html(EVIL, EVIL, 1, 1, True, compare=EVIL),
        cards.error_html(EVIL, frame),
        cards.preparing_html(Progress(1, 2), frame, EVIL),
        cards.hint_html(EVIL, EVIL),
        cards.scores_html([scores, scores], synthetic=True),
        cards.scores_html([], synthetic=True, words=EVIL),
    ):
        assert "<script" not in html
        assert "&lt;script" in html


def test_cards_say_match_in_words_and_in_an_attribute(library: Library) -> None:
    result = ranked(library)
    html = cards.results_html(result, {}, FRAME)
    assert html.count('class="ranked-card') == 10
    matches = sum(card.match for card in result.results)
    assert html.count('data-match="true"') == html.count("</span> match") == matches
    assert html.count('data-match="false"') == html.count("</span> other") == 10 - matches
    assert "image cannot be read" in html


def test_a_query_without_a_match_says_so(library: Library) -> None:
    result = replace(ranked(library), average_precision=None, first_hit=None)
    html = cards.results_html(result, {}, FRAME)
    assert "nothing to find" in html
    assert "None" not in html
    assert "no image of person" in cards.summary(result)


def test_every_result_can_be_clicked_and_says_what_happens(library: Library) -> None:
    result = ranked(library, top_k=3)
    html = cards.results_html(result, {}, FRAME)
    for card in result.results:
        words = html.split(f'<button type="button" class="mun-picture" data-image="{card.image}"')[1].split(">")[0]
        assert f'aria-label="rank {card.rank}, ' in words
    assert html.count('Search with this image"') >= 3


def test_the_other_direction_and_re_ranking_are_labelled(library: Library) -> None:
    plain = cards.results_html(ranked(library), {}, FRAME)
    assert 'data-term="unpublished"' not in plain
    assert 'data-term="rerank"' not in plain
    assert "cosine distance" in plain
    html = cards.results_html(ranked(library, direction="v2i", rerank=True, shots=2), {}, FRAME)
    assert "not a published protocol" in html
    assert "re-ranked by k-reciprocal neighbours" in html
    assert "cosine distance" not in html
    assert "2-shot" in html


def test_images_left_out_are_marked_and_unranked(library: Library) -> None:
    result = ranked(library, query=camera_three(library), with_left_out=True, top_k=12)
    assert result.left_out_images
    html = cards.results_html(result, {}, FRAME)
    assert html.count('class="left-out-card') == len(result.left_out_images) == html.count("</span> left out")
    assert html.count("data-rank=") == 12
    row = cards.row_of(result)
    assert [entry.distance for entry in row] == sorted(entry.distance for entry in row)


def test_back_and_forward_are_there_when_there_is_somewhere_to_go(library: Library) -> None:
    html = cards.results_html(ranked(library), {}, cards.Frame(0, back=True))
    back, forward = (html.split(f'data-action="{name}"')[1].split(">")[0] for name in ("back", "forward"))
    assert "disabled" not in back
    assert "disabled" in forward


def test_a_comparison_names_both_and_counts_what_moved(library: Library) -> None:
    before, after = ranked(library, top_k=2), ranked(library, top_k=2)
    match, other = before.results
    before = replace(before, results=(replace(match, match=True), replace(other, match=False)))
    after = replace(after, checkpoint="second", results=(replace(other, match=False, rank=1),))
    moves = {match.image: compare.Move(1, 9), other.image: compare.Move(2, 1)}
    side = compare.Side(after, moves, 1, (), (match.image,))
    html = cards.comparison_html(compare.Result(before, (side,)), {}, FRAME)
    assert 'data-checkpoint="mun-tiny"' in html
    assert 'data-checkpoint="second"' in html
    assert 'data-gained="0" data-lost="1" data-shared="1"' in html
    assert "1 → 9" in html
    assert "▲ 1" in html
    assert "data-budgets" not in html
    third = replace(side, result=replace(after, checkpoint="third"), moves={match.image: compare.Move(1, None)})
    html = cards.comparison_html(compare.Result(before, (side, third, side), "They differ."), {}, FRAME)
    assert "1 → 9 · \u2013 · 9" in html
    assert 'data-compare="second,third,second"' in html
    assert 'data-budgets="differ">They differ.<' in html


def test_query_buttons_can_be_read_aloud(library: Library) -> None:
    library.embeddings("mun-tiny", "synvi")
    html = views.show_queries(library, views.settle(library, views.first_visit(library)))
    sample = library.collections["synvi"].queries[0]
    assert f'aria-label="query: person {sample.pid}, camera {sample.camid}, image 1"' in html
    assert html.count('aria-pressed="true"') == 1
    visit = views.settle(library, replace(views.first_visit(library), order="hardest"), fresh=True)
    assert "average precision" in views.show_queries(library, visit)


def test_an_empty_page_of_queries_explains_itself() -> None:
    html = cards.queries_html([], page=0, first=0, total=0, selected="", turn=0)
    assert "Nobody with this number" in html


@pytest.mark.parametrize(
    ("preparation", "state", "button"),
    [
        (Progress(3, 12), "loading", ">Stop<"),
        (Progress(3, 12, stopped=True), "stopped", ">Start again<"),
        (Progress(3, 12, problem="no luck"), "error", ">Start again<"),
    ],
)
def test_work_under_way_can_be_stopped_and_begun_again(preparation: Progress, state: str, button: str) -> None:
    html = cards.preparing_html(preparation, FRAME, "mun-tiny")
    assert f'data-state="{state}"' in html
    assert button in html
    assert ("3 of 12" in html) is (state != "error")


def test_the_curve_goes_through_its_values() -> None:
    left, top, right, bottom = cards.CMC_BOX
    points = cards.cmc_points([0.0, 0.5, 1.0])
    assert points == [(left, bottom), ((left + right) / 2, (top + bottom) / 2), (right, top)]


def test_scores_are_drawn_and_said(library: Library) -> None:
    scores = evaluate.run(library, evaluate.Request())
    html = cards.scores_html([scores], synthetic=True)
    assert html.count("<polyline") == 1
    assert html.count("<circle") == 20
    assert f"{100 * scores.cmc[0]:.1f} percent at rank 1" in html
    once = evaluate.run(library, evaluate.Request(rerank=True, trial=2))
    html = cards.scores_html([once], synthetic=False)
    assert "gallery 2 alone, re-ranked" in html
    assert "±" not in html
