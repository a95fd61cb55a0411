"""Projection: against NumPy, by seed, and every refusal."""

import tracemalloc
from collections.abc import Sequence

import numpy as np
import pytest

from mun.projection import Method, Metric, Settings, neighbors_kept, project, unit_length


def blobs(people: int = 4, images: int = 12, size: int = 8, seed: int = 0) -> np.ndarray:
    draws = np.random.default_rng(seed)
    middles = 4 * draws.standard_normal((people, size))
    return middles.repeat(images, 0) + 0.3 * draws.standard_normal((people * images, size))


def test_pca_is_the_eigenvectors_of_the_covariance() -> None:
    points = blobs()
    made = project(points, Settings(Method.PCA, Metric.EUCLIDEAN))
    values, vectors = np.linalg.eigh(np.cov(points.T, bias=True))
    for axis in range(2):
        vector = vectors[:, -1 - axis]
        vector = vector * np.sign(vector[np.abs(vector).argmax()])
        np.testing.assert_allclose(made.coordinates[:, axis], (points - points.mean(0)) @ vector, atol=1e-9)
    np.testing.assert_allclose(made.explained, values[::-1][:2] / values.sum(), atol=1e-12)


def test_the_cosine_is_the_euclidean_distance_of_unit_rows() -> None:
    points = blobs()
    scaled = points * np.linspace(0.1, 9, len(points))[:, None]
    by_cosine = project(scaled, Settings(Method.PCA, Metric.COSINE)).coordinates
    np.testing.assert_allclose(
        by_cosine, project(unit_length(points), Settings(Method.PCA, Metric.EUCLIDEAN)).coordinates, atol=1e-9
    )


def test_t_sne_keeps_people_together_and_repeats_by_seed() -> None:
    points, settings = blobs(), Settings(Method.TSNE, perplexity=8, seed=3)
    made = project(points, settings)
    again = project(points, settings)
    np.testing.assert_array_equal(made.coordinates, again.coordinates)
    assert made.explained is None
    assert made.kept > 0.6
    people = np.arange(4).repeat(12)
    distances = np.linalg.norm(made.coordinates[:, None] - made.coordinates[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    assert (people[distances.argmin(1)] == people).all()


def test_neighbors_kept_counts_what_a_picture_keeps(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(1).standard_normal((40, 6))
    assert neighbors_kept(points, points) == 1.0
    shuffled = points[np.random.default_rng(2).permutation(40)]

    def nearest(rows: np.ndarray, row: int) -> set[int]:
        others = [other for other in range(40) if other != row]
        return set(sorted(others, key=lambda other: np.linalg.norm(rows[other] - rows[row]))[:5])

    def slow(rows: Sequence[int] = range(40)) -> float:
        return float(np.mean([len(nearest(points, row) & nearest(shuffled, row)) / 5 for row in rows]))

    assert neighbors_kept(points, shuffled, 5) == pytest.approx(slow())
    assert 0 < neighbors_kept(points, shuffled) < 0.6
    monkeypatch.setattr("mun.projection.MEASURED", 4)
    assert neighbors_kept(points, shuffled, 5) == pytest.approx(slow((0, 13, 26, 39)))


def test_neighbors_of_many_points_are_looked_for_in_little_memory() -> None:
    points = np.random.default_rng(0).standard_normal((6000, 2))
    tracemalloc.start()
    neighbors_kept(points, points)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 150e6  # all columns of the rows looked at are 240 MB


@pytest.mark.parametrize(
    ("points", "settings", "words"),
    [
        (np.zeros(5), Settings(), r"expected points of shape \(N, D\)"),
        (np.zeros((5, 1)), Settings(), "two dimensions or more"),
        (blobs()[:3], Settings(Method.PCA), "expected at least 4 points, got 3"),
        (np.full((20, 3), np.nan), Settings(Method.PCA), "expected finite points"),
        (np.ones((20, 3)), Settings(Method.PCA), "these features are constant"),
        (np.ones((20, 3)), Settings(Method.TSNE, perplexity=2), "these features are constant"),
        (np.zeros((20, 3)), Settings(Method.PCA), "it has no cosine"),
        (
            blobs(),
            Settings(Method.TSNE, perplexity=16),
            "at least 49 points for a perplexity of 16, got 48; .* at most 15",
        ),
        (blobs(), Settings(Method.TSNE, perplexity=0), "expected a perplexity above 0"),
        (blobs(), Settings(Method.UMAP, neighbors=48), "expected 2 to 47 neighbors for 48 points, got 48"),
        (blobs(), Settings(Method.UMAP, min_dist=1.0), "expected a minimal distance in"),
    ],
)
def test_what_cannot_be_laid_out_is_refused_in_a_sentence(points, settings, words) -> None:
    with pytest.raises(ValueError, match=words):
        project(points, settings)


@pytest.mark.slow
def test_umap_keeps_people_together_and_repeats_by_seed() -> None:
    points, settings = blobs(), Settings(Method.UMAP, neighbors=6, seed=1)
    made = project(points, settings)
    np.testing.assert_array_equal(made.coordinates, project(points, settings).coordinates)
    assert made.kept > 0.5
