from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.actions import compare, retrieve
from app.library import Library, open_library
from mun.checkpoint import FORMAT, Card, build_network, load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def pair(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library with two networks that differ in their random weights."""
    root = tmp_path_factory.mktemp("two") / "checkpoints"
    shutil.copytree(tiny_checkpoint, root)
    _, card = load_checkpoint(root / "mun-tiny")
    other = Card(FORMAT, "other-tiny", card.config, 0, 0, card.data, card.selection, [], ["none"], card.versions)
    save_checkpoint(root / "other-tiny", build_network(card.config, num_classes=3, seed=5).eval(), other)
    return open_library(tiny_synvi, root)


def test_every_move_is_that_of_two_rankings(pair: Library) -> None:
    for query in pair.collections["synvi"].queries[::6]:
        result = compare.run(pair, retrieve.Request(query=query.key, top_k=5), "other-tiny")
        full = [
            retrieve.run(pair, retrieve.Request(checkpoint=name, query=query.key, top_k=100))
            for name in ("mun-tiny", "other-tiny")
        ]
        ranks = [{ranked.image: ranked.rank for ranked in one.results} for one in full]
        assert result.before.results == full[0].results[:5]
        assert result.after.results == full[1].results[:5]
        shown = {ranked.image for ranked in (*result.before.results, *result.after.results)}
        assert set(result.moves) == shown
        for image, move in result.moves.items():
            assert (move.before, move.after) == (ranks[0][image], ranks[1][image])
            assert move.step == ranks[0][image] - ranks[1][image]


def test_gained_lost_and_shared_add_up(pair: Library) -> None:
    for query in pair.collections["synvi"].queries:
        result = compare.run(pair, retrieve.Request(query=query.key, top_k=6), "other-tiny")
        before, after = (
            {ranked.image for ranked in side.results if ranked.match} for side in (result.before, result.after)
        )
        shown = [{ranked.image for ranked in side.results} for side in (result.before, result.after)]
        assert set(result.gained) == after - shown[0]
        assert set(result.lost) == before - shown[1]
        assert result.shared == len(shown[0] & shown[1])


def test_a_checkpoint_beside_itself_moves_nothing(pair: Library) -> None:
    result = compare.run(pair, retrieve.Request(), "mun-tiny")
    assert not any(move.step for move in result.moves.values())
    assert (result.gained, result.lost, result.shared) == ((), (), 10)


def test_an_unknown_second_is_refused(pair: Library) -> None:
    with pytest.raises(ValueError, match="checkpoint to compare with to be one of mun-tiny, other-tiny; got 'x'"):
        compare.run(pair, retrieve.Request(), "x")


def test_moves_without_a_rank() -> None:
    moves = compare.moves({"a": 1}, {"b": 4}, {"a", "b"})
    assert moves == {"a": compare.Move(1, None), "b": compare.Move(None, 4)}
    assert moves["a"].step == 0
