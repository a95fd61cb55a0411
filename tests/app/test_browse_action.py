from __future__ import annotations

from pathlib import Path

import pytest

from app.actions.retrieval import browse, retrieve
from app.actions.retrieval.browse import Item, Order
from app.library import Library, open_library
from app.library.collection import Terms
from mun.structures import Modality, Sample

TERMS = Terms("synvi-all")


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
    assert [(one.sample.pid, one.sample.camid) for one in browse.ordered(ITEMS, order)] == expected


def test_the_page_opens_kindly_but_not_with_the_best() -> None:
    assert browse.opening(ITEMS) == "cam3/0001/0001.jpg"  # the median of 0.9, 0.5, 0.5
    assert browse.opening([item(1, 3, 0.2, 5), item(2, 3, 0.3, 4)]) == "cam3/0002/0001.jpg"
    assert browse.opening([item(1, 3, None), item(2, 3, None)]) == "cam3/0001/0001.jpg"


@pytest.mark.parametrize("direction", ["i2v", "v2i"])
def test_scores_are_those_of_the_ranking(library: Library, direction: str) -> None:
    library.embeddings("mun-tiny", "synvi")
    terms = retrieve.Request(direction=direction, shots=2, trial=3).checked(library).terms
    listed = browse.run(library, browse.Request("mun-tiny", "synvi", terms, "hardest"))
    assert not listed.waiting
    precisions = [one.average_precision for one in listed.items]
    assert precisions == sorted(precisions)
    for one in listed.items[::5]:
        request = retrieve.Request(query=one.sample.key, direction=direction, shots=2, trial=3)
        result = retrieve.run(library, request)
        assert one.average_precision == pytest.approx(result.average_precision, abs=1e-12)
        assert one.first_hit == result.first_hit


def test_filters_and_orders(library: Library) -> None:
    library.embeddings("mun-tiny", "synvi")
    pid = library.collections["synvi"].queries[-1].pid
    listed = browse.run(library, browse.Request("mun-tiny", "synvi", TERMS, pid=pid, camid=6))
    assert [(one.sample.pid, one.sample.camid, one.number) for one in listed.items] == [(pid, 6, 1), (pid, 6, 2)]
    with pytest.raises(ValueError, match="order to be one of person, camera, hardest, easiest"):
        browse.run(library, browse.Request("mun-tiny", "synvi", TERMS, "worst"))


def test_before_the_embeddings_are_there_persons_stand_in(tiny_synvi: Path, tiny_checkpoint: Path) -> None:
    library = open_library(tiny_synvi, tiny_checkpoint)
    listed = browse.run(library, browse.Request("mun-tiny", "synvi", TERMS, "hardest"))
    assert listed.waiting
    assert [one.sample for one in listed.items] == list(library.collections["synvi"].queries)
    assert listed.items[0].average_precision is None
