"""Project points to two dimensions by PCA, t-SNE or UMAP, and measure how far the picture can be trusted."""

import io
import re
import warnings
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = ["Method", "Metric", "Projection", "Say", "Settings", "check_count", "check_points", "neighbors_kept"]
__all__ += ["project", "unit_length"]

Floats = NDArray[np.float64]
Say = Callable[[int, int], None]  # steps done, and their total
MIN_POINTS = 4
T_SNE_STEPS = 1000
KEPT = 10  # neighbours per point in `neighbors_kept`
ROWS = 512  # rows of a distance matrix at once
MEASURED = 5000  # most points whose neighbours are compared


class Method(StrEnum):
    """The method of projection."""

    PCA = "pca"
    TSNE = "tsne"
    UMAP = "umap"


class Metric(StrEnum):
    """The distance between points: by angle (rows are scaled to unit length first), or Euclidean."""

    COSINE = "cosine"
    EUCLIDEAN = "euclidean"


@dataclass(frozen=True)
class Settings:
    """The choices of a projection; each method reads its own.

    Attributes:
        method: As `Method`.
        metric: As `Metric`. Under `cosine` every method sees rows of unit length and their Euclidean distance, which
            orders neighbours as the cosine does.
        perplexity: t-SNE: about how many neighbours a point attends to.
        neighbors: UMAP: size of the neighbourhoods.
        min_dist: UMAP: how tightly points may be packed, in [0, 1).
        seed: t-SNE and UMAP: decides every draw.
    """

    method: Method = Method.TSNE
    metric: Metric = Metric.COSINE
    perplexity: float = 30.0
    neighbors: int = 15
    min_dist: float = 0.1
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Projection:
    """A picture of N points.

    Attributes:
        coordinates: Float64, `(N, 2)`.
        explained: PCA: fractions of the variance along the two axes; `None` for the others.
        kept: Mean fraction of each point's 10 nearest points that are among its 10 nearest in the picture.
    """

    coordinates: Floats
    explained: tuple[float, float] | None
    kept: float


def project(points: NDArray[np.floating], settings: Settings, say: Say | None = None) -> Projection:
    """Project points to the plane; the same points and settings give the same picture on the same machine.

    t-SNE and UMAP start from the first two principal components, so that distant points tend to stay apart.

    Args:
        points: Finite, `(N, D)`, at least 4 points and 2 dimensions.
        settings: Method and parameters.
        say: Called now and then with the progress of t-SNE and UMAP. Standard output is captured meanwhile, so only a
            process that does nothing else can use it.

    Raises:
        ValueError: The points are too few for the method's neighbourhoods, all equal, of length zero under the cosine,
            not finite, or no matrix; or a parameter is out of bounds.
    """
    rows = np.asarray(points, dtype=np.float64)
    check_points(rows, settings)
    if settings.metric is Metric.COSINE:
        rows = unit_length(rows)
    if not np.ptp(rows, axis=0).max() > 1e-9 * max(1.0, float(np.abs(rows).max())):
        raise ValueError(f"expected points that differ, got {len(rows)} equal ones: these features are constant")
    explained = None
    if settings.method is Method.PCA:
        coordinates, explained = principal_components(rows)
    elif settings.method is Method.TSNE:
        coordinates = t_sne(rows, settings, say)
    else:
        coordinates = u_map(rows, settings, say)
    return Projection(coordinates, explained, neighbors_kept(rows, coordinates))


def check_points(points: NDArray[np.floating], settings: Settings) -> None:
    """Refuse points that a method cannot lay out; see `project`.

    Raises:
        ValueError: As `project`, but for constant points.
    """
    if points.ndim != 2 or points.shape[1] < 2:
        raise ValueError(f"expected points of shape (N, D) with two dimensions or more, got {points.shape}")
    check_count(len(points), settings)
    if not np.isfinite(points).all():
        raise ValueError("expected finite points, got NaN or infinity")


def check_count(count: int, settings: Settings) -> None:
    """Refuse too few points for a method's neighbourhoods; see `project`.

    Raises:
        ValueError: There are too few points, or a parameter is out of bounds.
    """
    if count < MIN_POINTS:
        raise ValueError(f"expected at least {MIN_POINTS} points, got {count}; choose more images or people")
    if settings.method is Method.TSNE:
        if not settings.perplexity > 0:
            raise ValueError(f"expected a perplexity above 0, got {settings.perplexity:g}")
        needed = int(np.ceil(3 * settings.perplexity)) + 1  # three neighbours per unit, as the authors' own program
        if count < needed:
            raise ValueError(
                f"expected at least {needed} points for a perplexity of {settings.perplexity:g}, got {count}; choose a"
                f" perplexity of at most {(count - 1) // 3}, or more images or people"
            )
    if settings.method is Method.UMAP:
        if not 2 <= settings.neighbors < count:
            raise ValueError(
                f"expected 2 to {count - 1} neighbors for {count} points, got {settings.neighbors}; "
                "choose fewer neighbors, or more images or people"
            )
        if not 0 <= settings.min_dist < 1:
            raise ValueError(f"expected a minimal distance in [0, 1), got {settings.min_dist:g}")


def unit_length(points: Floats) -> Floats:
    """Scale rows to unit length.

    Raises:
        ValueError: A row has length zero.
    """
    lengths = np.linalg.norm(points, axis=1, keepdims=True)
    if not (lengths > 0).all():
        raise ValueError("expected points with a direction, got one of length zero: it has no cosine")
    scaled: Floats = points / lengths
    return scaled


def principal_components(points: Floats) -> tuple[Floats, tuple[float, float]]:
    """Return the first two principal components, `(N, 2)`, and the fractions of the variance along them.

    The largest weight of each axis is positive, so that the picture does not flip from run to run.
    """
    centered = points - points.mean(axis=0)
    _, singular, axes = np.linalg.svd(centered, full_matrices=False)
    axes = axes[:2]
    signs = np.sign(axes[np.arange(2), np.abs(axes).argmax(axis=1)])
    shares = singular**2 / np.sum(singular**2)
    coordinates: Floats = centered @ (axes * signs[:, None]).T
    return coordinates, (float(shares[0]), float(shares[1]))


class Steps(io.TextIOBase):
    """A text stream that finds the steps in the output of an algorithm and reports them.

    Args:
        say: Called with the steps.
        pattern: Finds the number of the step and, optionally, the total.
        total: The total, if the pattern does not find one.
    """

    def __init__(self, say: Say, pattern: str, total: int = 0) -> None:
        self.say, self.pattern, self.total = say, re.compile(pattern), total

    def write(self, text: str) -> int:
        """Look for a step in some text."""
        if found := self.pattern.search(text):
            done, *total = map(int, found.groups())
            self.say(done, total[0] if total else self.total)
        return len(text)


def t_sne(points: Floats, settings: Settings, say: Say | None = None) -> Floats:
    """Run Barnes-Hut t-SNE.

    Source: van der Maaten, JMLR 2014, as in scikit-learn, with its learning rate N / 48 (at least 50).
    """
    from sklearn.manifold import TSNE  # here: it takes seconds to load

    start, _ = principal_components(points)
    start *= 1e-4 / start[:, 0].std()
    init, verbose = start.astype(np.float32), 2 if say else 0
    made = TSNE(perplexity=settings.perplexity, init=init, random_state=settings.seed, verbose=verbose)
    with redirect_stdout(Steps(say, r"Iteration (\d+)", T_SNE_STEPS)) if say else nullcontext():
        return np.asarray(made.fit_transform(points.astype(np.float32)), dtype=np.float64)


def u_map(points: Floats, settings: Settings, say: Say | None = None) -> Floats:
    """Run UMAP on one thread, which a seed requires.

    Source: McInnes, Healy, Melville, arXiv:1802.03426, as in umap-learn.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns at import that TensorFlow is missing
        from umap import UMAP  # here: it takes ten seconds and more to load

        start, _ = principal_components(points)
        written = {"disable": False, "bar_format": "{n}/{total}"}
        bar = {**written, "file": Steps(say, r"(\d+)/(\d+)")} if say else None
        made = UMAP(
            n_neighbors=settings.neighbors,
            min_dist=settings.min_dist,
            init=(10 * start / np.abs(start).max()).astype(np.float32),
            random_state=settings.seed,
            n_jobs=1,
            tqdm_kwds=bar,
        )
        return np.asarray(made.fit_transform(points.astype(np.float32)), dtype=np.float64)


def neighbors_kept(points: Floats, coordinates: Floats, count: int = KEPT) -> float:
    """Measure how much of each point's neighbourhood a picture keeps, in [0, 1].

    Args:
        points: `(N, D)`.
        coordinates: `(N, 2)`, row by row the same points.
        count: Neighbours k; at most N − 1 are compared.

    Returns:
        The mean over points of |true k nearest ∩ k nearest in the picture| / k, by Euclidean distance; over 5,000 of
        them, evenly spread, where there are more.
    """
    count = min(count, len(points) - 1)
    rows = np.linspace(0, len(points) - 1, min(len(points), MEASURED)).astype(int)
    true, shown = nearest(points, rows, count), nearest(coordinates, rows, count)
    return float(np.mean([len(set(a) & set(b)) for a, b in zip(true.tolist(), shown.tolist(), strict=True)]) / count)


def nearest(points: Floats, of: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the `count` nearest other points of M points, given by their rows `(M,)`; `(M, count)`."""
    squares = (points**2).sum(axis=1)
    found = []
    for start in range(0, len(of), ROWS):
        rows = of[start : start + ROWS]
        distances = squares[rows, None] + squares[None, :] - 2 * points[rows] @ points.T
        distances[np.arange(len(rows)), rows] = np.inf
        found.append(np.argpartition(distances, count - 1, axis=1)[:, :count].copy())  # a view would keep all columns
    return np.concatenate(found)
