"""Scores without a trained network: features and distances that each use one kind of information, and chance.

A bound says how much of a score is in the data already. Nothing here renders or reads files: the input is pixels, masks
of parts or attributes, the output features or distances. All features are compared by the cosine distance.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mun.auxiliary.pixel import LUMA
from mun.evaluation.benchmark import BenchmarkResult, Distances, score_trials
from mun.evaluation.galleries import GallerySampler, draw_trials, queries, sample_gallery, uncounted
from mun.evaluation.protocols import Protocol
from mun.structures import Sample
from mun.synvi import Part

__all__ = ["attribute_codes", "benchmark_distances", "chance", "disagreement", "grey_feature", "hog_feature"]
__all__ += ["random_features", "silhouette_feature", "standard_errors"]

WEIGHTS = np.array(LUMA, dtype=np.float32)
SILHOUETTE = (32, 16)  # rows and columns: a pixel is about 6 cm of the person
HEM_STEP = 0.05  # of the body height, about six pixels of a 128-pixel-high image
SLEEVE_STEP = 1 / 3  # of the arm: none, short, three-quarter, long
UNSEEN = -1
GARMENTS = ("upper", "upper_pattern", "upper_hem", "sleeve", "lower", "lower_pattern", "lower_hem")
ATTRIBUTES = (*GARMENTS, "hair", "hat", "beard", "bag", "boots")


def grey_feature(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the grey pixels of an image minus their mean; this bound sees every pixel and learns nothing.

    Args:
        pixels: RGB, uint8, [0, 255], `(H, W, 3)`.

    Returns:
        float32, `(H·W,)`.
    """
    grey = (pixels @ WEIGHTS).ravel()
    centered: NDArray[np.float32] = grey - grey.mean()
    return centered


def hog_feature(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the histogram of oriented gradients of an image; this bound sees every edge but not its sign.

    Nine unsigned orientations in cells of 8×8 pixels, blocks of 2×2 cells normalised by L2-Hys.

    Args:
        pixels: RGB, uint8, [0, 255], `(H, W, 3)`; only their grey values are used.

    Returns:
        float32, `(D,)`; 3,780 numbers for 128×64.

    Raises:
        ValueError: scikit-image is not installed.

    Source: Dalal and Triggs, CVPR 2005, as in scikit-image.
    """
    try:
        from skimage.feature import hog  # imported here, because only this bound needs it
    except ImportError:
        raise ValueError("expected scikit-image for the HOG bound: pip install 'scikit-image>=0.24,<1'") from None
    feature: NDArray[np.float32] = hog(
        pixels @ WEIGHTS / 255, orientations=9, pixels_per_cell=(8, 8), cells_per_block=(2, 2), block_norm="L2-Hys"
    ).astype(np.float32)
    return feature


def silhouette_feature(parts: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the small, soft mask of a person minus its mean; this bound sees the person's pixels and nothing else.

    Bags and hats belong to the person; what an occluder hides does not.

    Args:
        parts: The true mask, values of `Part`, uint8, `(H, W)`.

    Returns:
        float32, `(32·16,)`, averaged over boxes of pixels.
    """
    mask = (parts != Part.BACKGROUND) & (parts != Part.OCCLUDER)
    small = Image.fromarray(np.uint8(255) * mask).resize(SILHOUETTE[::-1], Image.Resampling.BOX)
    values = np.asarray(small, dtype=np.float32).ravel() / 255
    centered: NDArray[np.float32] = values - values.mean()
    return centered


def random_features(count: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw features without information, standard normal, float32, `(count, 64)`."""
    return np.random.default_rng(seed).standard_normal((count, 64)).astype(np.float32)


def attribute_codes(readings: Sequence[Mapping[str, Any]]) -> NDArray[np.int64]:
    """Code the attributes that a perfect reader finds in each image as numbers.

    The reader knows the true names of what the image shows: kinds of garments, their patterns, how far hems (in steps
    of 0.05 of the body height) and sleeves (in thirds of the arm) reach, hair, hat, beard, bag, boots. It knows no
    colour and no reflectance, because neither means the same in the other modality, and no build, which has no names.
    A garment seen without a pattern counts as plain, although infrared or the side seen may hide its pattern.

    Args:
        readings: Attributes of the N images, as in the truth of SynVI; `None` where the image does not show them.

    Returns:
        One column per attribute, equal numbers for equal values, −1 where unseen, `(N, A)`.
    """
    columns = [[_reading(shown, name) for shown in readings] for name in ATTRIBUTES]
    return np.array([_numbered(column) for column in columns], dtype=np.int64).T.reshape(len(readings), len(ATTRIBUTES))


def _reading(shown: Mapping[str, Any], name: str) -> object:
    """Read one attribute; hems and sleeves are rounded to their steps."""
    value = shown[name]
    if name.endswith("_pattern"):
        return value or ("plain" if shown[name.removesuffix("_pattern")] else None)
    if value is None or isinstance(value, str | bool):
        return value
    return round(value / (SLEEVE_STEP if name == "sleeve" else HEM_STEP))


def _numbered(column: Sequence[object]) -> list[int]:
    numbers: dict[object, int] = {}
    return [UNSEEN if value is None else numbers.setdefault(value, len(numbers)) for value in column]


def disagreement(query: NDArray[np.int64], gallery: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the share of attributes that differ among those seen in both images.

    Every attribute has the same weight. Images without a common attribute have the largest distance.

    Args:
        query: Numbers of `attribute_codes`, `(Q, A)`.
        gallery: Likewise, `(G, A)`.

    Returns:
        Distances in [0, 1], `(Q, G)`.
    """
    both, differ = (np.zeros((len(query), len(gallery))) for _ in range(2))
    for in_query, in_gallery in zip(query.T[:, :, None], gallery.T[:, None], strict=True):
        seen = (in_query != UNSEEN) & (in_gallery != UNSEEN)
        both += seen
        differ += seen & (in_query != in_gallery)
    return np.where(both > 0, differ / np.maximum(both, 1), 1.0)


def benchmark_distances(
    protocol: Protocol, samples: Sequence[Sample], distances: Distances, *, data: str, name: str, trials: int = 10
) -> BenchmarkResult:
    """Score distances as `benchmark` scores embeddings: single-shot, seeded galleries, trial t with seed t.

    Args:
        protocol: Queries, gallery, and the images that do not count.
        samples: All samples of the split, N of them.
        distances: Function from the rows of queries and of a gallery in `samples` to their distances.
        data: Name of the data, for the record.
        name: Of the distance, for the record.
        trials: Number of galleries.

    Raises:
        ValueError: As `draw_trials` and `rank_metrics`.
    """
    metrics = score_trials(protocol, samples, *draw_trials(protocol, samples, 1, trials), distances)
    return BenchmarkResult(data, protocol.name, GallerySampler.SEEDED, 1, False, metrics, distance=name)


def chance(protocol: Protocol, samples: Sequence[Sample]) -> dict[str, float]:
    """Compute the expected scores of a random order of a single-shot gallery: `rank1` and `mean_ap`, fractions.

    With m matches among n kept images, rank-1 is m / n, and AP is [H + (n − H)(m − 1)/(n − 1)] / n with
    H = 1 + 1/2 + … + 1/n: place i holds a match with chance m/n, and then (i − 1)(m − 1)/(n − 1) others precede it.
    Every gallery has the same identities and cameras, so the result is the same for all galleries.

    Raises:
        ValueError: As `sample_gallery`, or no query has a match.
    """
    query_samples, gallery = queries(protocol, samples), sample_gallery(protocol, samples, 1, 0)
    kept = ~uncounted(protocol, query_samples, gallery)
    match = np.equal.outer([sample.pid for sample in query_samples], [sample.pid for sample in gallery]) & kept
    n, m = kept.sum(1), match.sum(1)
    n, m = n[m > 0], m[m > 0]
    if not len(m):
        raise ValueError(f"expected a match in the gallery of at least one query of {protocol.name}, got none")
    harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n.max() + 1))])[n]
    precision = (harmonic + (n - harmonic) * (m - 1) / np.maximum(n - 1, 1)) / n
    return {"rank1": float((m / n).mean()), "mean_ap": float(precision.mean())}


def standard_errors(result: BenchmarkResult, pids: Sequence[int]) -> dict[str, float]:
    """Return the standard errors of `rank1` and `mean_ap` over identities, fractions.

    The ten galleries show the same people, so their spread is no measure of this error. Scores are averaged over the
    queries of each identity and all galleries; the error is the standard deviation of these means over √identities.

    Args:
        result: The scores.
        pids: Identity of each query, `(Q,)`.

    Raises:
        ValueError: `pids` has another length, or fewer than two identities have a valid query.
    """
    hits = np.mean([np.where(trial.first_hit > 0, trial.first_hit == 1, np.nan) for trial in result.per_trial], axis=0)
    precision = np.mean([trial.average_precision for trial in result.per_trial], axis=0)
    if len(pids) != len(hits):
        raise ValueError(f"expected `pids` of shape ({len(hits)},), got ({len(pids)},)")
    valid = ~np.isnan(hits)
    _, identity = np.unique(np.asarray(pids)[valid], return_inverse=True)
    counts = np.bincount(identity)
    if len(counts) < 2:
        raise ValueError(f"expected valid queries of at least two identities, got {len(counts)}")
    return {
        name: float(np.std(np.bincount(identity, values[valid]) / counts, ddof=1) / np.sqrt(len(counts)))
        for name, values in (("rank1", hits), ("mean_ap", precision))
    }
