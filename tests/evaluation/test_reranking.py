import tracemalloc

import numpy as np
import pytest
import reference

from mun.evaluation import reranking
from mun.evaluation.metrics import rank_metrics
from mun.evaluation.reranking import rerank


def people(num_people: int, images: int, spread: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings that gather around one point per person, and their numbers."""
    generator = np.random.default_rng(seed)
    points = generator.normal(size=(num_people, 8))
    pids = np.repeat(np.arange(num_people), images)
    return points[pids] + spread * generator.normal(size=(len(pids), 8)), pids


@pytest.mark.parametrize(("k1", "k2", "weight"), [(20, 6, 0.3), (4, 1, 0.0), (3, 2, 1.0), (1, 3, 0.5), (200, 90, 0.3)])
def test_equals_the_loops(k1: int, k2: int, weight: float) -> None:
    rows, _ = people(6, 8, 0.7)
    query, gallery = rows[::3], rows[1::3]
    expected = reference.rerank(query.tolist(), gallery.tolist(), k1, k2, weight)
    got = rerank(query, gallery, k1=k1, k2=k2, original_weight=weight)
    np.testing.assert_allclose(got, expected, atol=1e-10)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, _ = people(6, 8, 0.7)
    whole = rerank(rows[:20], rows[20:])
    monkeypatch.setattr(reranking, "CHUNK_ELEMENTS", 100)
    np.testing.assert_allclose(rerank(rows[:20], rows[20:]), whole, atol=1e-12)


def test_identical_images_are_no_trouble() -> None:
    rows = np.ones((7, 3))
    assert np.isfinite(rerank(rows[:2], rows[2:])).all()


def test_helps_where_people_gather() -> None:
    rows, pids = people(30, 12, 0.6, seed=3)
    query, gallery = np.arange(0, len(rows), 2), np.arange(1, len(rows), 2)
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    plain = rank_metrics(-unit[query] @ unit[gallery].T, pids[query], pids[gallery], None, False).mean_ap
    better = rank_metrics(rerank(unit[query], unit[gallery]), pids[query], pids[gallery], None, False).mean_ap
    assert better > plain + 0.02


def test_memory_does_not_grow_with_the_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reranking, "CHUNK_ELEMENTS", 2**16)
    rows, _ = people(400, 10, 0.7)
    tracemalloc.start()
    rerank(rows[:40], rows[40:], k1=8, k2=3)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < len(rows) ** 2 * 8 / 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"k1": 0}, "k1"),
        ({"k2": 0}, "k2"),
        ({"original_weight": 1.5}, "original_weight"),
        ({"original_weight": float("nan")}, "original_weight"),
        ({"gallery": np.ones((3, 5))}, "gallery"),
        ({"gallery": np.zeros((3, 4))}, "zero row"),
        ({"query": np.ones((0, 4))}, "query"),
    ],
)
def test_bad_values_are_refused(values: dict[str, object], message: str) -> None:
    arguments = {"query": np.ones((2, 4)), "gallery": np.ones((3, 4)), **values}
    with pytest.raises(ValueError, match=message):
        rerank(**arguments)
