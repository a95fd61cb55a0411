import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import variant

from app.about import status
from app.library import Library, open_library
from app.library.collection import Terms
from app.library.ranking import Item, Order, opening, ordered
from app.retrieval.browse import Browse, disagreement, listed, pick
from app.retrieval.rank import Result, Retrieve, compare, retrieve
from app.retrieval.scores import Scores, score
from app.shared.request import compared
from mun.checkpoint import read_card
from mun.evaluation.corrupted import Corruption
from mun.evaluation.reranking import rerank
from mun.structures import Modality, Sample


def ask(library: Library, with_left_out: bool = False, **values: Any) -> Result:
    return retrieve(library, Retrieve.read(values, library), with_left_out=with_left_out)


def scored(library: Library, **values: Any) -> Scores:
    request = Retrieve.read(values, library)
    return score(library, request.checkpoint, request.data, request.terms)


def test_re_ranking_is_that_of_all_queries_with_the_gallery(library: Library) -> None:
    collection = library.collections["synvi"]
    rows = library.embeddings("mun-tiny", "synvi").astype(np.float64)
    gallery = collection.gallery(Terms("synvi-all", 1))
    distances = rerank(
        rows[[collection.rows[sample.key] for sample in collection.queries]],
        rows[[collection.rows[sample.key] for sample in gallery]],
    )
    for row, query in list(enumerate(collection.queries))[::5]:
        result = ask(library, query=query.key, top_k=100, trial=1, rerank=True)
        assert result.request.rerank
        by_key = {image.key: distances[row, column] for column, image in enumerate(gallery)}
        assert all(ranked.distance == pytest.approx(by_key[ranked.image], abs=1e-12) for ranked in result.results)
        shown = [ranked.distance for ranked in result.results]
        assert shown == sorted(shown)


def test_images_left_out_stand_where_they_would_be_ranked(library: Library) -> None:
    collection = library.collections["synvi"]
    query = next(sample for sample in collection.queries if sample.camid == 3)
    plain = ask(library, query=query.key, top_k=100)
    assert plain.left_out_images == ()
    for top_k in (4, 100):
        result = ask(library, query=query.key, top_k=top_k, with_left_out=True)
        assert result.results == plain.results[:top_k]
        assert {image.camid for image in result.left_out_images} <= {2}
        for image in result.left_out_images:
            assert image.after == sum(ranked.distance <= image.distance for ranked in result.results)
            assert image.distance <= result.results[-1].distance
            assert image.match == (image.pid == query.pid)
    assert 0 < len(result.left_out_images) <= plain.left_out


def test_a_query_whose_person_is_not_in_the_gallery_is_not_scored(tiny_checkpoint, make_sysu) -> None:
    library = open_library(make_sysu({1: (1, 3), 2: (3,), 3: (4, 6)}), tiny_checkpoint)
    result = ask(library, query="cam3/0002/0001.png")
    assert (result.average_precision, result.first_hit, len(result.results)) == (None, None, 2)
    scores = scored(library)
    assert (scores.num_queries, scores.result.num_valid) == (3, 2)


@pytest.mark.parametrize("direction", ["i2v", "v2i"])
def test_multi_shot_scores_in_either_direction(library: Library, direction: str) -> None:
    scores = scored(library, direction=direction, shots=2)
    assert (scores.terms.direction, scores.terms.shots, scores.trials, len(scores.cmc)) == (direction, 2, 10, 20)
    assert list(scores.cmc) == sorted(scores.cmc)
    assert scores.cmc[0] == pytest.approx(scores.result.mean()["rank1"])
    assert scores.gallery_size == (48 if direction == "i2v" else 24)


def test_re_ranked_scores_are_those_of_one_gallery(library: Library) -> None:
    scores = scored(library, rerank=True, trial=3)
    assert (scores.trials, scores.terms.trial, scores.terms.rerank) == (1, 3, True)
    queries = library.collections["synvi"].queries
    results = [ask(library, query=query.key, trial=3, rerank=True) for query in queries]
    assert scores.result.mean()["mean_ap"] == pytest.approx(np.mean([result.average_precision for result in results]))


def test_status_lists_what_is_loaded(library: Library) -> None:
    answer = status.answer(library, status.Nothing())
    assert set(answer) == {"version", "device", "checkpoints", "data"}
    (checkpoint,), (data,) = answer["checkpoints"], answer["data"]
    assert (checkpoint["name"], checkpoint["usable"], checkpoint["reason"]) == ("mun-tiny", True, None)
    assert checkpoint["parameters"] > 0
    assert (data["name"], data["identities"], data["queries"], data["synthetic"]) == ("synvi", 6, 24, True)


@pytest.mark.parametrize("direction", ["i2v", "v2i"])
def test_a_corruption_changes_the_visible_side_alone(library: Library, direction: str) -> None:
    collection = library.collections["synvi"]
    clean, foggy = (library.embeddings("mun-tiny", "synvi", one) for one in (None, Corruption("fog", 5)))
    values = {"top_k": 100, "direction": direction, "corruption": "fog", "severity": 5}
    result = ask(library, **values)
    asked, answered = (clean, foggy) if direction == "i2v" else (foggy, clean)
    for ranked in result.results:
        cosine = asked[collection.rows[result.query.image]].astype(float) @ answered[collection.rows[ranked.image]]
        assert ranked.distance == pytest.approx(1 - cosine, abs=1e-6)
    assert result.note == "Visible images corrupted: fog, severity 5, seed 0; not the clean protocol."
    plain = ask(library, **{**values, "corruption": ""})
    for made, said in ((result, ("fog", 5)), (plain, ("", None))):
        assert (made.to_json()["corruption"], made.to_json()["severity"]) == said
    assert plain.note == ""
    assert [one.distance for one in plain.results] != [one.distance for one in result.results]


def test_mixed_draws_its_own_severities(library: Library) -> None:
    requests = [Retrieve.read({"corruption": "mixed", "severity": severity}, library) for severity in (1, 5)]
    assert requests[0] == requests[1]
    result = retrieve(library, requests[0])
    assert result.to_json()["severity"] is None
    assert "mixed, one of 20 for every image, severity drawn from 1 to 5, seed 0" in result.note


@pytest.fixture(scope="module")
def four(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with four networks that differ in their random weights; the last was trained for longer."""
    root = shutil.copytree(tiny_checkpoint, tmp_path_factory.mktemp("two") / "checkpoints")
    card = read_card(root / "mun-tiny")
    variant(root, "other-tiny", card, seed=5)
    variant(root, "third-tiny", card, seed=6, auxiliary="none")
    variant(root, "trained-tiny", card, seed=7, steps=9000)
    return open_library(tiny_synvi, root)


def test_every_move_is_that_of_two_rankings(four: Library) -> None:
    for query in four.collections["synvi"].queries[::6]:
        request = Retrieve.read({"query": query.key, "top_k": 5}, four)
        before, (side,) = compare(four, request, ["other-tiny"])
        full = [ask(four, checkpoint=name, query=query.key, top_k=100) for name in ("mun-tiny", "other-tiny")]
        ranks = [{ranked.image: ranked.rank for ranked in one.results} for one in full]
        assert before.results == full[0].results[:5]
        assert side.result.results == full[1].results[:5]
        mine, theirs = ({one.image for one in result.results} for result in (side.result, before))
        assert set(side.moves) == mine | theirs
        for image, move in side.moves.items():
            assert (move.before, move.after) == (ranks[0][image], ranks[1][image])
            assert move.step == ranks[0][image] - ranks[1][image]
        matches = [{one.image for one in result.results if one.match} for result in (side.result, before)]
        assert side.shared == len(mine & theirs)
        assert (side.gained, side.lost) == (len(matches[0] - theirs), len(matches[1] - mine))


def test_the_fair_partner_has_two_modalities_and_the_same_budget(four: Library) -> None:
    def compared_by(values: dict[str, object]) -> tuple[str, ...]:
        request = Browse.read(values, four)
        return compared(four, request.checkpoint, *request.compare)

    partners = four.checkpoints.partners
    assert (partners["mun-tiny"], partners["third-tiny"], partners["trained-tiny"]) == ("third-tiny", "mun-tiny", "")
    assert compared_by({}) == ("mun-tiny", "third-tiny")
    several = compared_by({"compare": ("partner", "third-tiny", "other-tiny")})
    assert several == ("mun-tiny", "third-tiny", "other-tiny")
    assert compared_by({"checkpoint": "trained-tiny"}) == ("trained-tiny",)
    shown = {"checkpoint": "mun-tiny", "data": four.default_data}
    labels = [choice.label for choice in Browse.offers["compare"].choices(four, shown)]
    assert labels[0] == "fair partner: third-tiny"
    assert "trained-tiny · not comparable: 9,000 against 0 steps" in labels
    assert not any(label.startswith("mun-tiny") for label in labels)
    with pytest.raises(ValueError, match="expected at most 3 in compare, got 4"):
        Browse.read({"compare": ("partner", "other-tiny", "third-tiny", "trained-tiny")}, four)


def item(pid: int, camid: int, precision: float | None, first_hit: int | None = 1) -> Item:
    path = Path(f"cam{camid}/{pid:04d}/0001.jpg")
    return Item(Sample(path, pid, camid, Modality.INFRARED), 1, precision, None if precision is None else first_hit)


ITEMS = [item(2, 3, 0.5), item(1, 6, 0.9), item(3, 3, None), item(1, 3, 0.5), item(4, 6, 0.1, 7)]


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (Order.PERSON, [(1, 3), (1, 6), (2, 3), (3, 3), (4, 6)]),
        (Order.CAMERA, [(1, 3), (2, 3), (3, 3), (1, 6), (4, 6)]),
        (Order.HARDEST, [(4, 6), (1, 3), (2, 3), (1, 6), (3, 3)]),
        (Order.EASIEST, [(1, 6), (1, 3), (2, 3), (4, 6), (3, 3)]),
    ],
)
def test_orders_are_stable_and_put_the_unscored_last(order: Order, expected: list[tuple[int, int]]) -> None:
    assert [(one.sample.pid, one.sample.camid) for one in ordered(ITEMS, order)] == expected


def test_the_page_opens_with_a_query_of_middling_difficulty() -> None:
    assert opening(ITEMS) == "cam3/0002/0001.jpg"  # of 0.9, 0.5, 0.5, 0.1
    assert opening([item(1, 3, None), item(2, 3, None)]) == "cam3/0001/0001.jpg"


@pytest.mark.parametrize("direction", ["i2v", "v2i"])
def test_scores_of_queries_are_those_of_their_rankings(library: Library, direction: str) -> None:
    request = Browse.read({"direction": direction, "shots": 2, "trial": 3, "order": "hardest"}, library)
    items = listed(library, request)
    precisions = [one.average_precision for one in items]
    assert precisions == sorted(precisions)
    for one in items[::5]:
        result = ask(library, query=one.sample.key, direction=direction, shots=2, trial=3)
        assert one.average_precision == pytest.approx(result.average_precision, abs=1e-12)
        assert one.first_hit == result.first_hit


def test_filters_let_only_their_queries_through(library: Library) -> None:
    pid = library.collections["synvi"].queries[-1].pid
    request = Browse.read({"pid": pid, "camid": 6}, library)
    found = [(one.sample.pid, one.sample.camid, one.number) for one in listed(library, request)]
    assert found == [(pid, 6, 1), (pid, 6, 2)]
    for how in ("random", "hard", "disagree", "nonsense"):
        assert {request.query, pick(library, request, how)} == {one.key for one in listed(library, request)}
    with pytest.raises(ValueError, match="camid to be one of 0, 3, 6; got 4"):
        Browse.read({"camid": 4}, library)


def test_hard_queries_and_those_on_which_two_disagree(four: Library) -> None:
    for name in ("mun-tiny", "third-tiny"):
        four.embeddings(name, "synvi")
    request = Browse.read({}, four)
    hardest = {one.sample.key for one in ordered(listed(four, request), Order.HARDEST)[:5]}
    assert {pick(four, request, "hard") for _ in range(8)} <= hardest
    gaps = disagreement(four, request)
    for query, gap in list(gaps.items())[::6]:
        mine, theirs = (
            ask(four, checkpoint=name, query=query).average_precision for name in ("mun-tiny", "third-tiny")
        )
        assert gap == pytest.approx(abs(mine - theirs), abs=1e-12)
    assert gaps[pick(four, request, "disagree")] >= sorted(gaps.values())[-4]
    assert disagreement(four, Browse.read({"compare": ()}, four)) == {}


def test_before_the_embeddings_are_there_people_stand_in(fresh: Library) -> None:
    items = fresh.queries("mun-tiny", "synvi", Terms("synvi-all"))
    assert [one.sample for one in items] == list(fresh.collections["synvi"].queries)
    assert items[0].average_precision is None
