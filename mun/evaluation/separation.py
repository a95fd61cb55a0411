"""Distances between modalities and between people: the numbers behind a picture of embeddings."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mun.structures import Modality

__all__ = ["BANDWIDTH", "BINS", "MAX_DISTANCE", "Histograms", "Separation", "centers", "discrepancy", "separation"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

BANDWIDTH = 1.0  # σ of the one Gaussian kernel; unrelated unit vectors lie √2 apart
ROWS = 2048  # rows of a matrix of distances at once: 20,000 points have 400 million distances
BINS, MAX_DISTANCE = 80, 2.0  # of the histograms: cosine distances from 0 to 2 in steps of 0.025
VISIBLE, INFRARED, AUXILIARY = Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY


@dataclass(frozen=True)
class Histograms:
    """Cosine distances 1 − cos of all visible-infrared pairs, counted in 80 bins from 0 to 2.

    Attributes:
        same: Pairs of one identity per bin.
        different: Pairs of two identities per bin.
        overlap: Σ min(p, q) over the bins, p and q being each histogram's fractions: 0 for separate histograms, 1 for
            equal ones; `None` where there is only one identity.
    """

    same: tuple[int, ...]
    different: tuple[int, ...]
    overlap: float | None


@dataclass(frozen=True)
class Separation:
    """Measures of separation of points scaled to unit length, so that checkpoints can be compared. `None`: undefined.

    Attributes:
        visible_infrared: Mean over identities of the distance between the visible and the infrared center.
        visible_auxiliary: Likewise, visible and auxiliary.
        infrared_auxiliary: Likewise, infrared and auxiliary.
        between_identities: Mean distance between the visible centers of two identities: the scale of the other ones.
        mmd_visible_infrared: Squared maximum mean discrepancy, see `discrepancy`.
        mmd_visible_auxiliary: Likewise, visible and auxiliary.
        mmd_infrared_auxiliary: Likewise, infrared and auxiliary.
        silhouette_identity: Mean silhouette of visible and infrared points by identity, in [−1, 1].
        silhouette_modality: Likewise by modality; 0 means that the modalities cannot be told apart.
        histograms: Distances within and between identities, across the modalities.
    """

    visible_infrared: float
    visible_auxiliary: float | None
    infrared_auxiliary: float | None
    between_identities: float | None
    mmd_visible_infrared: float
    mmd_visible_auxiliary: float | None
    mmd_infrared_auxiliary: float | None
    silhouette_identity: float | None
    silhouette_modality: float | None
    histograms: Histograms


def separation(points: Mapping[Modality, NDArray[np.floating]], pids: Mapping[Modality, Integers]) -> Separation:
    """Measure how far apart modalities and identities lie.

    Args:
        points: By modality, finite, `(N_m, D)`, in features before or embeddings after the BN neck; rows are scaled to
            unit length here. The auxiliary modality may be missing.
        pids: Identity of each point, `(N_m,)`.

    Raises:
        ValueError: Visible or infrared points are missing, no identity has both, a row has length zero, or shapes do
            not fit together.
    """
    rows = {
        modality: checked(modality, points[modality], pids[modality]) for modality in points if len(points[modality])
    }
    if VISIBLE not in rows or INFRARED not in rows:
        raise ValueError("expected visible and infrared points, got one modality only")
    means = {modality: centers(values, pids[modality]) for modality, values in rows.items()}
    if not means[VISIBLE].keys() & means[INFRARED].keys():
        raise ValueError("expected an identity with visible and infrared points, got none")

    def apart(first: Modality, second: Modality) -> float | None:
        if first not in means or second not in means:
            return None
        shared = sorted(means[first].keys() & means[second].keys())
        gaps = [float(np.linalg.norm(means[first][pid] - means[second][pid])) for pid in shared]
        return float(np.mean(gaps)) if gaps else None

    def mmd(first: Modality, second: Modality) -> float | None:
        return discrepancy(rows[first], rows[second]) if first in rows and second in rows else None

    images = np.concatenate([rows[VISIBLE], rows[INFRARED]])
    people = np.concatenate([pids[VISIBLE], pids[INFRARED]])
    modality = np.repeat([0, 1], [len(rows[VISIBLE]), len(rows[INFRARED])])
    return Separation(
        float(apart(VISIBLE, INFRARED) or 0.0),
        apart(VISIBLE, AUXILIARY),
        apart(INFRARED, AUXILIARY),
        spread(np.stack(list(means[VISIBLE].values()))),
        discrepancy(rows[VISIBLE], rows[INFRARED]),
        mmd(VISIBLE, AUXILIARY),
        mmd(INFRARED, AUXILIARY),
        silhouette(images, people),
        silhouette(images, modality),
        histograms(rows[VISIBLE], pids[VISIBLE], rows[INFRARED], pids[INFRARED]),
    )


def checked(modality: Modality, points: NDArray[np.floating], pids: Integers) -> Floats:
    """Return points scaled to unit length, float64.

    Raises:
        ValueError: Not a matrix, another number of identities, not finite, or a row of length zero.
    """
    rows = np.asarray(points, dtype=np.float64)
    if rows.ndim != 2 or np.shape(pids) != (len(rows),):
        raise ValueError(f"expected {modality} points (N, D) and N identities, got {rows.shape} and {np.shape(pids)}")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(rows).all() or not (lengths > 0).all():
        raise ValueError(f"expected finite {modality} points of nonzero length, got others")
    scaled: Floats = rows / lengths
    return scaled


def centers(points: NDArray[np.floating], pids: Integers) -> dict[int, Floats]:
    """Average the points of each identity; by identity, ascending."""
    return {int(pid): np.asarray(points[np.asarray(pids) == pid].mean(axis=0)) for pid in np.unique(pids)}


def spread(points: Floats) -> float | None:
    """Return the mean distance of two different rows; `None` for one row."""
    from scipy.spatial.distance import pdist  # here: only this needs it

    return float(pdist(points).mean()) if len(points) > 1 else None


def discrepancy(first: Floats, second: Floats) -> float:
    """Return the squared maximum mean discrepancy of two samples under one Gaussian kernel, biased, never negative.

    `mean k(x, x') + mean k(y, y') − 2 mean k(x, y)`, `k = exp(−‖x − y‖² / 2σ²)`, the means over all pairs.

    Source: Gretton et al., JMLR 2012. Departs from it in: nothing; the bandwidth is fixed to make numbers comparable.
    """

    def kernel(a: Floats, b: Floats) -> float:
        parts = []
        for start in range(0, len(a), ROWS):
            part = a[start : start + ROWS]
            squares = (part**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * part @ b.T
            parts.append(float(np.exp(-np.maximum(squares, 0) / (2 * BANDWIDTH**2)).sum()))
        return sum(parts) / (len(a) * len(b))

    return max(0.0, kernel(first, first) + kernel(second, second) - 2 * kernel(first, second))


def silhouette(points: Floats, labels: Integers) -> float | None:
    """Return the mean silhouette by Euclidean distance; `None` unless there are 2 to N − 1 labels.

    Source: Rousseeuw, J. Comput. Appl. Math. 1987, as in scikit-learn.
    """
    from sklearn import config_context  # here: it takes a second to load
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(labels)) < len(points):
        return None
    with config_context(working_memory=256):  # MiB
        return float(silhouette_score(points, labels))


def histograms(visible: Floats, visible_pids: Integers, infrared: Floats, infrared_pids: Integers) -> Histograms:
    """Count the distances of all visible-infrared pairs, of one identity and of two."""
    same, different = np.zeros(BINS, dtype=np.int64), np.zeros(BINS, dtype=np.int64)
    for start in range(0, len(visible), ROWS):
        distances = np.clip(1 - visible[start : start + ROWS] @ infrared.T, 0.0, MAX_DISTANCE)
        match = np.asarray(visible_pids)[start : start + ROWS, None] == np.asarray(infrared_pids)[None, :]
        for counts, mask in ((same, match), (different, ~match)):
            counts += np.histogram(distances[mask], bins=BINS, range=(0.0, MAX_DISTANCE))[0]
    overlap = None
    if same.sum() and different.sum():
        overlap = float(np.minimum(same / same.sum(), different / different.sum()).sum())
    return Histograms(tuple(map(int, same)), tuple(map(int, different)), overlap)
