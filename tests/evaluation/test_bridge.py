from __future__ import annotations

import numpy as np
import pytest
from samples import sample

from mun.evaluation.bridge import find, place
from mun.evaluation.protocols import PROTOCOLS
from mun.features import unit_rows

RULE = PROTOCOLS["synvi-all"]


def test_distances_are_euclidean_between_unit_vectors() -> None:
    rows = np.random.default_rng(0).normal(size=(3, 8))
    a, v, i = (row / np.linalg.norm(row) for row in rows)
    measured = place(*rows)
    expected = [np.sqrt(2 - 2 * one @ other) for one, other in ((a, v), (a, i), (v, i))]
    assert [measured.to_visible, measured.to_infrared, measured.between] == pytest.approx(expected, abs=1e-12)
    assert measured.relative == pytest.approx((expected[0] / expected[2], expected[1] / expected[2]))
    assert sum(measured.relative) >= 1


def test_points_on_the_way_and_on_one_place() -> None:
    v, i = np.array([1.0, 0.001]), np.array([1.0, -0.001])
    assert place(v + i, v, i).relative == pytest.approx((0.5, 0.5), abs=1e-6)
    assert place(v, v, v).relative is None
    with pytest.raises(ValueError, match="of one shape"):
        place(np.ones(3), np.ones(4), np.ones(3))
    with pytest.raises(ValueError, match="zero row"):
        place(np.zeros(3), np.ones(3), np.ones(3))


def test_sources_and_their_sites_are_left_out() -> None:
    # Cameras 2 and 3 are one site: with an infrared image of camera 3, visible images of camera 2 do not count.
    sources = [sample(1, 1), sample(1, 3)]
    gallery = [sample(pid, camid) for pid in (1, 2) for camid in (1, 2, 4, 5)]
    rows = unit_rows("rows", np.random.default_rng(1).normal(size=(8, 5)))
    points = rows[[2, 7]]  # person 1 by camera 4, person 2 by camera 5
    found = find(points, 1, sources, gallery, rows, RULE)
    kept = [number for number, one in enumerate(gallery) if one.camid in (4, 5)]
    for point, result in zip(points, found, strict=True):
        order = sorted(kept, key=lambda number: (-(rows[number] @ point), number))
        assert result.rank == 1 + next(place for place, number in enumerate(order) if gallery[number].pid == 1)
        assert (result.size, result.left_out) == (4, 4)
    assert found[0].rank == 1


def test_without_the_person_in_the_gallery_there_is_no_rank() -> None:
    gallery = [sample(2, 4), sample(3, 5)]
    rows = np.eye(2)
    assert find(rows, 1, [], gallery, rows, RULE)[0].rank is None
    everything_out = find(rows, 2, [sample(2, 4), sample(2, 5)], gallery, rows, RULE)
    assert [(found.rank, found.size, found.left_out) for found in everything_out] == [(None, 0, 2)] * 2
