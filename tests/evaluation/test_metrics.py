import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.evaluation import features, sysu_layout
from mun.evaluation import metrics as module
from mun.evaluation.metrics import cosine_distances, rank_metrics, ranking

HAND = np.array([[0.1, 0.2, 0.3, 0.4, 0.5], [0.5, 0.4, 0.3, 0.2, 0.1]])
HAND_PIDS = [1, 2, 1, 3, 2]


def test_ties_go_by_gallery_index():
    metrics = rank_metrics([[0.5, 0.5, 0.5]], [3], [1, 2, 3], None, distinct_identities=False)
    assert metrics.first_hit.tolist() == [3]
    assert ranking([0.5, 0.1, 0.5, -0.0, 0.0]).tolist() == [3, 4, 1, 0, 2]
    assert ranking(np.zeros(500)).tolist() == list(range(500))


@st.composite
def cases(draw):
    num_query, num_gallery = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    generator = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ties = draw(st.sampled_from([1, 3, 50]))
    num_ids = draw(st.integers(1, 8))
    distances = generator.integers(-ties, ties + 1, (num_query, num_gallery)).astype(np.float64)
    dropped = generator.random((num_query, num_gallery)) < draw(st.sampled_from([0.0, 0.3, 0.9]))
    pids = generator.integers(0, num_ids, num_query), generator.integers(0, num_ids, num_gallery)
    return distances, *pids, dropped, draw(st.booleans()), draw(st.integers(1, 25))


@given(cases())
@settings(max_examples=300, deadline=None)
def test_agrees_with_the_slow_reference(case):
    *arrays, distinct_identities, max_rank = case
    lists = [array.tolist() for array in arrays]
    per_query = [reference.query_scores(*row[:2], lists[2], row[2]) for row in zip(lists[0], lists[1], lists[3])]  # noqa: B905
    if not any(per_query):
        with pytest.raises(ValueError, match="got none"):
            rank_metrics(*arrays, distinct_identities, max_rank)
        return
    cmc, mean_ap, mean_inp, num_valid, scores = reference.metrics(*lists, distinct_identities, max_rank)
    metrics = rank_metrics(*arrays, distinct_identities, max_rank)
    assert metrics.cmc.tolist() == pytest.approx(cmc, abs=1e-12)
    assert (metrics.mean_ap, metrics.mean_inp) == pytest.approx((mean_ap, mean_inp), abs=1e-12)
    assert metrics.num_valid == num_valid
    assert metrics.first_hit.tolist() == [0 if score is None else score[2] for score in scores]
    for index, score in enumerate(scores):
        expected = (np.nan, np.nan) if score is None else score[:2]
        found = (metrics.average_precision[index], metrics.inverse_negative_penalty[index])
        assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)
        order = ranking(arrays[0][index], arrays[3][index])
        assert order.tolist() == reference.kept_order(lists[0][index], lists[3][index])


def test_neither_the_chunks_nor_the_order_of_rows_matter(monkeypatch):
    generator = np.random.default_rng(1)
    distances = generator.standard_normal((50, 30))  # no ties
    query_pids, gallery_pids = generator.integers(0, 9, 50), generator.integers(0, 9, 30)
    dropped = generator.random((50, 30)) < 0.2
    whole = rank_metrics(distances, query_pids, gallery_pids, dropped, distinct_identities=True)
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 100)
    rows, columns = generator.permutation(50), generator.permutation(30)
    other = rank_metrics(
        distances[rows][:, columns], query_pids[rows], gallery_pids[columns], dropped[rows][:, columns], True
    )
    assert other.cmc.tolist() == whole.cmc.tolist()
    assert (other.mean_ap, other.mean_inp) == pytest.approx((whole.mean_ap, whole.mean_inp), abs=1e-12)
    assert other.first_hit.tolist() == whole.first_hit[rows].tolist()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int64])
def test_any_real_type_is_ranked(dtype):
    table = np.array([[3, 1, 2], [1, 1, 1]], dtype)
    metrics = rank_metrics(table, [1, 1], [1, 2, 1], np.array([[False] * 3, [True, True, False]]), True)
    assert metrics.first_hit.tolist() == [2, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distances": np.zeros(3)}, r"expected `distances` of shape \(Q, G\), neither of them 0, got \(3,\)"),
        ({"distances": np.zeros((0, 5))}, r"neither of them 0, got \(0, 5\)"),
        ({"distances": HAND.astype(complex)}, "expected `distances` of a real numeric type, got complex128"),
        ({"distances": np.where(HAND == 0.2, np.nan, HAND)}, "expected finite `distances`"),
        ({"query_pids": [1]}, r"expected `query_pids` of shape \(2,\), got \(1,\)"),
        ({"query_pids": [1.0, 2.0]}, "expected `query_pids` of an integer type, got float64"),
        ({"query_pids": [True, False]}, "integer type, got bool"),
        ({"gallery_pids": [1, 2]}, r"expected `gallery_pids` of shape \(5,\), got \(2,\)"),
        ({"dropped": np.zeros((5, 2), bool)}, r"expected `dropped` of shape \(2, 5\) and type bool, got \(5, 2\)"),
        ({"dropped": np.zeros((2, 5))}, "of float64"),
        ({"dropped": np.ones((2, 5), bool)}, "expected a match in the kept gallery .* got none for 2 queries"),
        ({"query_pids": [8, 9]}, "expected a match in the kept gallery .* got none for 2 queries"),
        ({"max_rank": 0}, "expected `max_rank` of at least 1, got 0"),
    ],
)
def test_bad_input_is_refused(change, message):
    good = {"distances": HAND, "query_pids": [1, 2], "gallery_pids": HAND_PIDS, "dropped": None, "max_rank": 20}
    with pytest.raises(ValueError, match=message):
        rank_metrics(**{**good, **change}, distinct_identities=True)


@pytest.mark.parametrize("k", [0, -1, 21])
def test_a_rank_beyond_the_curve_is_refused(k):
    metrics = rank_metrics(HAND, [1, 2], HAND_PIDS, None, distinct_identities=True)
    with pytest.raises(ValueError, match=r"expected a rank in \[1, 20\]"):
        metrics.rank(k)


def test_scores_are_python_floats_and_need_twenty_ranks():
    metrics = rank_metrics(HAND, [1, 2], HAND_PIDS, None, distinct_identities=True)
    assert list(metrics.scores()) == ["rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp"]
    assert {type(value) for value in metrics.scores().values()} == {float}
    with pytest.raises(ValueError, match="expected a rank"):
        rank_metrics(HAND, [1, 2], HAND_PIDS, None, distinct_identities=True, max_rank=10).scores()


@pytest.mark.parametrize(
    ("distances", "dropped", "message"),
    [
        (HAND, None, r"expected `distances` of shape \(G,\), not empty, got \(2, 5\)"),
        ([], None, "not empty"),
        ([0.1, np.nan], None, "expected finite"),
        ([0.1, 0.2], np.array([True]), r"expected `dropped` of shape \(2,\)"),
        ([0.1, 0.2], [0, 1], "and type bool"),
    ],
)
def test_ranking_refuses_bad_input(distances, dropped, message):
    with pytest.raises(ValueError, match=message):
        ranking(distances, dropped)


def test_cosine_distances_keep_the_type():
    query, gallery = features(sysu_layout("sysu-indoor"))
    distances = cosine_distances(query, gallery)
    assert distances.dtype == np.float64
    assert np.array_equal(distances, -(query @ gallery.T))
    assert cosine_distances(query.astype(np.float32), gallery.astype(np.float32)).dtype == np.float32
    assert cosine_distances([[1, 0]], [[1, 0], [0, 1]]).tolist() == [[-1, 0]]


@pytest.mark.parametrize(
    ("query", "gallery", "message"),
    [
        ([[1.0, 0.0]], [[1.0]], r"expected `query` of shape \(Q, D\) .* got \(1, 2\) and \(1, 1\)"),
        ([1.0], [[1.0]], r"`gallery` of shape \(G, D\), got \(1,\) and \(1, 1\)"),
        ([["a"]], [[1.0]], "expected `query` of a real numeric type"),
    ],
)
def test_cosine_distances_refuse_bad_input(query, gallery, message):
    with pytest.raises(ValueError, match=message):
        cosine_distances(query, gallery)
