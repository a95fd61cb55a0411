"""Distances between queries and gallery: the overlap of same and other people, and the effect of a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.evaluation.galleries import draw_trials, uncounted
from mun.evaluation.metrics import cosine_distances
from mun.evaluation.protocols import Protocol
from mun.evaluation.separation import BINS, MAX_DISTANCE
from mun.features import unit_rows
from mun.structures import Sample

__all__ = ["FALSE_ALARMS", "CameraPair", "Distances", "Operating", "distances", "equal_error"]

FALSE_ALARMS = (0.01, 0.1)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CameraPair:
    """Histograms of cosine distances 1 − cos, 80 bins from 0 to 2, of the queries of one camera and images of another.

    Attributes:
        query: Camera of the queries; `None`: of all of them together.
        gallery: Camera of the images; likewise.
        same: Pairs of one person per bin.
        other: Pairs of two people per bin.
        threshold: Distance at equal error; `None` where either kind of pair is missing.
        equal_error: Share of wrong pairs, of either kind, at this threshold; `None` likewise.
    """

    query: int | None
    gallery: int | None
    same: tuple[int, ...]
    other: tuple[int, ...]
    threshold: float | None
    equal_error: float | None


@dataclass(frozen=True)
class Operating:
    """The effect of a threshold.

    Attributes:
        false_alarms: Share of all queries that raise an alarm though their person is not in the gallery.
        threshold: An image at most this far away raises an alarm.
        detected: Share of the queries with a match whose closest image is a match and raises the alarm.
    """

    false_alarms: float
    threshold: float
    detected: float


@dataclass(frozen=True)
class Distances:
    """Distances in one gallery, and the effects of thresholds.

    Attributes:
        pairs: Histograms and equal errors: of all cameras together first, then of each pair of cameras.
        fixed: The effect of the threshold at equal error of all pairs.
        open_set: Thresholds at 1 % and 10 % false alarms.
    """

    pairs: tuple[CameraPair, ...]
    fixed: Operating
    open_set: tuple[Operating, ...]


def distances(protocol: Protocol, samples: Sequence[Sample], embeddings: ArrayLike, *, shots: int = 1) -> Distances:
    """Measure the distances between the queries and the kept images of the first gallery.

    The open set: each query searches a gallery without its person, where every alarm is false, and the whole gallery.

    Args:
        protocol: Queries, gallery, and the images that do not count.
        samples: All samples of the split, N of them.
        embeddings: Of those samples, in their order, real, `(N, D)`; normalised unless of unit length.
        shots: Gallery images per identity and camera.

    Raises:
        ValueError: `embeddings` does not fit, there is no query with a match, or fewer than two people.

    Source: detection and identification rate in the open set after Liao et al., 2014, arXiv:1408.0872. Departs from it
    in: every query also serves as one whose person is absent, instead of queries of other people.
    """
    rows = np.asarray(unit_rows("embeddings", embeddings), dtype=np.float64)
    queries, (gallery,) = draw_trials(protocol, samples, shots, 1)
    row_of = {sample: row for row, sample in enumerate(samples)}
    query_rows, gallery_rows = (rows[[row_of[one] for one in side]] for side in (queries, gallery))
    table = np.asarray(1 + cosine_distances(query_rows, gallery_rows), dtype=np.float64)
    kept = ~uncounted(protocol, queries, gallery)
    match = np.equal.outer([one.pid for one in queries], [one.pid for one in gallery])
    same, other = kept & match, kept & ~match
    if not same.any() or not other.any():
        raise ValueError("expected pairs of one person and of two people in the gallery, got only one kind")
    cameras = [np.array([one.camid for one in side]) for side in (queries, gallery)]
    pairs = [_pair(table, same, other, None, None)]
    for first in np.unique(cameras[0]):
        for second in np.unique(cameras[1]):
            here = np.logical_and.outer(cameras[0] == first, cameras[1] == second)
            if (kept & here).any():
                pairs.append(_pair(table, same & here, other & here, int(first), int(second)))
    absent = np.sort(np.where(other, table, np.inf).min(axis=1))
    found = _found(table, same, other)
    threshold, _ = equal_error(table[same], table[other])
    fixed = _operating(absent, found, threshold)
    return Distances(
        tuple(pairs), fixed, tuple(_operating(absent, found, _at(absent, share)) for share in FALSE_ALARMS)
    )


def equal_error(same: ArrayLike, other: ArrayLike) -> tuple[float, float]:
    """Find the threshold at which the shares of wrong pairs of both kinds are equal.

    A pair at most as far apart as the threshold counts as one person. Candidates are all distances; of several equally
    good ones the smallest is taken.

    Args:
        same: Distances of pairs of one person, not empty.
        other: Distances of pairs of two people, not empty.

    Returns:
        The threshold, and the mean of the two shares there.
    """
    near, far = np.ravel(same), np.ravel(other)
    values = np.concatenate([near, far])
    order = np.argsort(values)
    ordered, close = values[order], np.cumsum(order < len(near))  # close: pairs of one person up to here
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    missed = 1 - close[last] / len(near)
    accepted = (last + 1 - close[last]) / len(far)
    best = int(np.argmin(np.abs(missed - accepted)))
    return float(ordered[last[best]]), float((missed[best] + accepted[best]) / 2)


def _pair(
    table: Floats, same: NDArray[np.bool_], other: NDArray[np.bool_], query: int | None, gallery: int | None
) -> CameraPair:
    """Describe the distances of some pairs."""
    near, far = table[same], table[other]
    counts = [np.histogram(np.clip(one, 0, MAX_DISTANCE), bins=BINS, range=(0, MAX_DISTANCE))[0] for one in (near, far)]
    error = equal_error(near, far) if len(near) and len(far) else (None, None)
    return CameraPair(query, gallery, tuple(map(int, counts[0])), tuple(map(int, counts[1])), *error)


def _found(table: Floats, same: NDArray[np.bool_], other: NDArray[np.bool_]) -> Floats:
    """Return, for each query with a match, the distance of its closest image if that is a match, else infinity."""
    valid = same.any(axis=1)
    near, far = (np.where(mask[valid], table[valid], np.inf).min(axis=1) for mask in (same, other))
    return np.where(near < far, near, np.inf)


def _at(absent: Floats, share: float) -> float:
    """Return the largest threshold at which at most this share of the sorted distances raises an alarm."""
    return float(np.nextafter(absent[int(share * len(absent))], -np.inf))


def _operating(absent: Floats, found: Floats, threshold: float) -> Operating:
    return Operating(float((absent <= threshold).mean()), threshold, float((found <= threshold).mean()))
