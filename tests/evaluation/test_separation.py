"""Separation and the bridge: every number against a slow, obvious version, and every refusal."""

import itertools
import math
import tracemalloc

import numpy as np
import pytest
from made import sample as made_sample

from mun.evaluation.bridge import find, place
from mun.evaluation.protocols import PROTOCOLS
from mun.evaluation.separation import BANDWIDTH, BINS, MAX_DISTANCE, separation, spread
from mun.features import unit_rows
from mun.structures import Modality

V, I, A = Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY

PAIRS = [(V, I, "visible_infrared"), (V, A, "visible_auxiliary"), (I, A, "infrared_auxiliary")]


def sample(people: int = 5, counts: tuple[int, int, int] = (4, 3, 2), gap: float = 0.8) -> tuple[dict, dict]:
    """Points of some people in three modalities; person 2 has no infrared ones."""
    draws = np.random.default_rng(7)
    middles, points, pids = draws.standard_normal((people, 6)), {}, {}
    for modality, count in zip((V, I, A), counts, strict=True):
        shift = gap * draws.standard_normal(6)
        who = np.array([pid for pid in range(people) for _ in range(count) if not (modality is I and pid == 2)])
        points[modality] = (middles[who] + shift + 0.4 * draws.standard_normal((len(who), 6))) * draws.uniform(
            0.5, 3, (len(who), 1)
        )
        pids[modality] = who + 10
    return points, pids


def unit(rows: np.ndarray) -> list[np.ndarray]:
    return [row / math.sqrt(sum(value * value for value in row)) for row in rows]


def center(points: dict, pids: dict, modality: Modality, pid: int) -> np.ndarray:
    return np.mean([row for row, who in zip(unit(points[modality]), pids[modality], strict=True) if who == pid], axis=0)


@pytest.mark.parametrize(("first", "second", "name"), PAIRS)
def test_center_distances(first: Modality, second: Modality, name: str) -> None:
    points, pids = sample()
    shared = set(pids[first].tolist()) & set(pids[second].tolist())
    gaps = [np.linalg.norm(center(points, pids, first, p) - center(points, pids, second, p)) for p in shared]
    assert getattr(separation(points, pids), name) == pytest.approx(np.mean(gaps), abs=1e-12)


def test_the_distance_between_people() -> None:
    points, pids = sample()
    middles = [center(points, pids, V, pid) for pid in range(10, 15)]
    expected = np.mean([np.linalg.norm(a - b) for a, b in itertools.combinations(middles, 2)])
    assert separation(points, pids).between_identities == pytest.approx(expected, abs=1e-12)


def test_the_distances_of_many_people_need_no_copies_of_their_points() -> None:
    points = np.random.default_rng(0).standard_normal((400, 256))
    tracemalloc.start()
    assert spread(points) == pytest.approx(512**0.5, rel=0.01)
    assert tracemalloc.get_traced_memory()[1] < 20e6  # 79,800 distances; differences of all pairs take 163 MB
    tracemalloc.stop()


@pytest.mark.parametrize(("first", "second", "name"), PAIRS)
def test_maximum_mean_discrepancy(first: Modality, second: Modality, name: str) -> None:
    points, pids = sample()

    def mean_kernel(a: list, b: list) -> float:
        return float(np.mean([math.exp(-float(((x - y) ** 2).sum()) / (2 * BANDWIDTH**2)) for x in a for y in b]))

    x, y = unit(points[first]), unit(points[second])
    expected = mean_kernel(x, x) + mean_kernel(y, y) - 2 * mean_kernel(x, y)
    assert expected > 0.01
    assert getattr(separation(points, pids), f"mmd_{name}") == pytest.approx(expected, abs=1e-12)


def slow_silhouette(rows: list[np.ndarray], labels: list[int]) -> float:
    scores = []
    for i, row in enumerate(rows):
        by_label: dict[int, list[float]] = {}
        for j, other in enumerate(rows):
            if i != j:
                by_label.setdefault(labels[j], []).append(float(np.linalg.norm(row - other)))
        if labels[i] not in by_label:
            scores.append(0.0)
            continue
        inside = np.mean(by_label[labels[i]])
        outside = min(np.mean(values) for label, values in by_label.items() if label != labels[i])
        scores.append((outside - inside) / max(inside, outside))
    return float(np.mean(scores))


def test_silhouettes() -> None:
    points, pids = sample()
    rows, who = unit(points[V]) + unit(points[I]), [*pids[V], *pids[I]]
    found = separation(points, pids)
    assert found.silhouette_identity == pytest.approx(slow_silhouette(rows, who), abs=1e-9)
    modality = [0] * len(points[V]) + [1] * len(points[I])
    assert found.silhouette_modality == pytest.approx(slow_silhouette(rows, modality), abs=1e-9)


def test_histograms_and_their_overlap() -> None:
    points, pids = sample()
    width = MAX_DISTANCE / BINS
    same, different = [0] * BINS, [0] * BINS
    for a, p in zip(unit(points[V]), pids[V], strict=True):
        for b, q in zip(unit(points[I]), pids[I], strict=True):
            counts = same if p == q else different
            counts[min(BINS - 1, int((1 - float(a @ b)) / width))] += 1
    found = separation(points, pids).histograms
    assert (list(found.same), list(found.different)) == (same, different)
    expected = sum(min(a / sum(same), b / sum(different)) for a, b in zip(same, different, strict=True))
    assert found.overlap == pytest.approx(expected, abs=1e-12)


def test_without_auxiliary_points_and_with_one_person() -> None:
    points, pids = sample(people=1)
    del points[A], pids[A]
    found = separation(points, pids)
    assert found.visible_auxiliary is found.infrared_auxiliary is found.mmd_visible_auxiliary is None
    assert found.between_identities is found.silhouette_identity is found.histograms.overlap is None
    assert found.visible_infrared > 0
    assert found.silhouette_modality is not None


def test_what_cannot_be_measured_is_refused_in_a_sentence() -> None:
    points, pids = sample()
    with pytest.raises(ValueError, match="got one modality only"):
        separation({V: points[V]}, {V: pids[V]})
    with pytest.raises(ValueError, match="an identity with visible and infrared points, got none"):
        separation(points, {**pids, I: pids[I] + 100})
    with pytest.raises(ValueError, match="of nonzero length"):
        separation({**points, V: np.zeros_like(points[V])}, pids)
    with pytest.raises(ValueError, match=r"expected visible points \(N, D\) and N identities"):
        separation(points, {**pids, V: pids[V][1:]})


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
    sources = [made_sample(1, 1), made_sample(1, 3)]
    gallery = [made_sample(pid, camid) for pid in (1, 2) for camid in (1, 2, 4, 5)]
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
    gallery = [made_sample(2, 4), made_sample(3, 5)]
    rows = np.eye(2)
    assert find(rows, 1, [], gallery, rows, RULE)[0].rank is None
    everything_out = find(rows, 2, [made_sample(2, 4), made_sample(2, 5)], gallery, rows, RULE)
    assert [(found.rank, found.size, found.left_out) for found in everything_out] == [(None, 0, 2)] * 2
