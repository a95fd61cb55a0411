from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.actions.retrieval import compare, retrieve
from app.library import Library, open_library
from mun.checkpoint import FORMAT, Card, build_network, load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def four(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with four networks that differ in their random weights; the last was trained for longer."""
    root = tmp_path_factory.mktemp("two") / "checkpoints"
    shutil.copytree(tiny_checkpoint, root)
    _, card = load_checkpoint(root / "mun-tiny")
    for seed, (name, steps) in enumerate({"other-tiny": 0, "third-tiny": 0, "trained-tiny": 9000}.items(), start=5):
        other = Card(FORMAT, name, card.config, 0, steps, card.data, card.selection, [], ["none"], card.versions)
        save_checkpoint(root / name, build_network(card.config, num_classes=3, seed=seed).eval(), other)
    return open_library(tiny_synvi, root)


def test_every_move_is_that_of_two_rankings(four: Library) -> None:
    for query in four.collections["synvi"].queries[::6]:
        result = compare.run(four, retrieve.Request(query=query.key, top_k=5), ["other-tiny"])
        full = [
            retrieve.run(four, retrieve.Request(checkpoint=name, query=query.key, top_k=100))
            for name in ("mun-tiny", "other-tiny")
        ]
        ranks = [{ranked.image: ranked.rank for ranked in one.results} for one in full]
        assert result.before.results == full[0].results[:5]
        (side,) = result.sides
        assert side.result.results == full[1].results[:5]
        shown = {ranked.image for ranked in (*result.before.results, *side.result.results)}
        assert set(side.moves) == shown
        for image, move in side.moves.items():
            assert (move.before, move.after) == (ranks[0][image], ranks[1][image])
            assert move.step == ranks[0][image] - ranks[1][image]


def test_gained_lost_and_shared_add_up(four: Library) -> None:
    for query in four.collections["synvi"].queries:
        result = compare.run(four, retrieve.Request(query=query.key, top_k=6), ["other-tiny"])
        (side,) = result.sides
        before, after = (
            {ranked.image for ranked in one.results if ranked.match} for one in (result.before, side.result)
        )
        shown = [{ranked.image for ranked in one.results} for one in (result.before, side.result)]
        assert set(side.gained) == after - shown[0]
        assert set(side.lost) == before - shown[1]
        assert side.shared == len(shown[0] & shown[1])


def test_four_checkpoints_are_each_set_against_the_first(four: Library) -> None:
    request = retrieve.Request(top_k=4)
    others = ["other-tiny", "third-tiny", "trained-tiny"]
    result = compare.run(four, request, others)
    assert [one.checkpoint for one in result.results] == ["mun-tiny", *others]
    for name, side in zip(others, result.sides, strict=True):
        assert compare.run(four, request, [name]).sides == (side,)
    assert len({tuple(side.moves.items()) for side in result.sides}) == 3


def test_different_budgets_are_said_and_equal_ones_are_not(four: Library) -> None:
    request = retrieve.Request()
    assert compare.run(four, request, ["other-tiny", "third-tiny"]).note == ""
    note = compare.run(four, request, ["other-tiny", "trained-tiny"]).note
    assert note == "These checkpoints have different budgets and are no comparison of methods."


def test_a_checkpoint_beside_itself_moves_nothing(four: Library) -> None:
    (side,) = compare.run(four, retrieve.Request(), ["mun-tiny"]).sides
    assert not any(move.step for move in side.moves.values())
    assert (side.gained, side.lost, side.shared) == ((), (), 10)


@pytest.mark.parametrize("others", [[], ["other-tiny"] * 4])
def test_none_and_more_than_three_others_are_refused(four: Library, others: list[str]) -> None:
    with pytest.raises(ValueError, match=f"expected 1 to 3 checkpoints to compare with, got {len(others)}"):
        compare.run(four, retrieve.Request(), others)


def test_others_are_named_once_and_never_the_first(four: Library) -> None:
    known = compare.known_others
    assert known(four, "mun-tiny", ["third-tiny", "mun-tiny", "third-tiny"]) == ("third-tiny",)
    assert known(four, "mun-tiny", list(four.usable)) == tuple(four.usable[1:])
    with pytest.raises(ValueError, match="expected at most 3 checkpoints to compare with, got more"):
        known(four, "mun-tiny", ["other-tiny"] * 5)
    with pytest.raises(ValueError, match="expected a list of checkpoints to compare with, got 'other-tiny'"):
        known(four, "mun-tiny", "other-tiny")


def test_an_unknown_second_is_refused(four: Library) -> None:
    with pytest.raises(
        ValueError,
        match="checkpoint to compare with to be one of mun-tiny, other-tiny, third-tiny, trained-tiny; got 'x'",
    ):
        compare.run(four, retrieve.Request(), ["x"])


def test_moves_without_a_rank() -> None:
    moves = compare.moves({"a": 1}, {"b": 4}, {"a", "b"})
    assert moves == {"a": compare.Move(1, None), "b": compare.Move(None, 4)}
    assert moves["a"].step == 0
