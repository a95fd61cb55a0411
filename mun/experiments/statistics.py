"""Statistics of scores over few seeds, galleries and people: pure functions on arrays."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr

__all__ = ["METRICS", "Paired", "Summary", "holm", "identity_means", "paired_change", "paired_difference"]
__all__ += ["scores_of_queries", "summarise"]

Floats = NDArray[np.float64]
METRICS = ("rank1", "mean_ap", "mean_inp")
DRAWS = 10_000


@dataclass(frozen=True)
class Summary:
    """One score of one row, fractions.

    Attributes:
        mean: Over seeds, galleries and queries.
        seed_sd: Sample standard deviation over seeds of the mean over galleries; NaN with one seed.
        gallery_sd: Mean over seeds of the sample standard deviation over galleries; NaN with one gallery.
    """

    mean: float
    seed_sd: float
    gallery_sd: float


@dataclass(frozen=True)
class Paired:
    """The difference of two rows on the same queries, fractions.

    Attributes:
        mean: Mean over identities.
        low: Lower end of the 95 % interval.
        high: Upper end.
        seed_sd: Sample standard deviation over seeds of the difference of two runs of the same seed, which the interval
            does not include; NaN with one seed, or if the rows have different numbers of seeds.
        p_value: Two-sided p-value of Student's t-test over those differences: the probability of so large a mean by
            seeds alone; NaN likewise, and if all differences are equal.
    """

    mean: float
    low: float
    high: float
    seed_sd: float = math.nan
    p_value: float = math.nan

    def __str__(self) -> str:
        """Write it in points: mean, ± standard deviation over seeds, the interval over people."""
        spread = "" if math.isnan(self.seed_sd) else f" ± {100 * self.seed_sd:.1f}"
        return f"{100 * self.mean:+.1f}{spread} [{100 * self.low:+.1f}, {100 * self.high:+.1f}]"

    def to_json(self) -> dict[str, float]:
        """Return the fields by name, without a NaN."""
        return {name: value for name, value in asdict(self).items() if not math.isnan(value)}


def sample_sd(values: Floats) -> float:
    """Return the standard deviation with divisor n − 1; NaN for a single value."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def summarise(per_query: ArrayLike) -> Summary:
    """Summarise a score.

    Args:
        per_query: The score of each seed, gallery and query, `(S, T, Q)`; NaN where a query was skipped.

    Raises:
        ValueError: Not three axes.
    """
    values = np.asarray(per_query, dtype=np.float64)
    if values.ndim != 3:
        raise ValueError(f"expected scores of shape (seeds, galleries, queries), got {values.shape}")
    per_gallery = np.nanmean(values, axis=2)
    gallery_sd = float(np.mean([sample_sd(galleries) for galleries in per_gallery]))
    return Summary(float(per_gallery.mean()), sample_sd(per_gallery.mean(axis=1)), gallery_sd)


def identity_means(per_query: ArrayLike, pids: ArrayLike) -> Floats:
    """Average a score over seeds, galleries and the queries of each identity.

    Args:
        per_query: `(S, T, Q)`.
        pids: Identity of each query, `(Q,)`.

    Returns:
        Per identity in ascending order, `(I,)`.
    """
    values = np.nanmean(np.asarray(per_query, dtype=np.float64), axis=(0, 1))
    numbers = np.asarray(pids)
    return np.array([np.nanmean(values[numbers == pid]) for pid in np.unique(numbers)])


def seed_differences(first: ArrayLike, second: ArrayLike, pids: ArrayLike) -> Floats:
    """Compare two rows seed by seed: `first − second`, `(S,)`; empty if the numbers of seeds differ."""
    ours, theirs = np.asarray(first), np.asarray(second)
    if len(ours) != len(theirs):
        return np.zeros(0)
    pairs = zip(ours, theirs, strict=True)
    return np.array([np.mean(identity_means(one[None], pids) - identity_means(two[None], pids)) for one, two in pairs])


def paired_difference(first: ArrayLike, second: ArrayLike, pids: ArrayLike, seed: int = 0) -> Paired:
    """Compare two rows on the same queries by a bootstrap over identities.

    Queries of one identity are correlated, so identities are resampled, not queries; each identity has equal weight.
    The confidence interval holds for these runs only; `seed_sd` gives the variation over seeds.

    Args:
        first: `(S, T, Q)`.
        second: `(S', T, Q)`, the same galleries and queries.
        pids: Identity of each query, `(Q,)`.
        seed: Decides the draws.

    Returns:
        Mean of `first − second`, the 2.5 and 97.5 percentiles over 10,000 draws, the spread over seeds and its p-value.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993; the percentile interval.
    """
    differences = identity_means(first, pids) - identity_means(second, pids)
    return bootstrapped(differences, seed_differences(first, second, pids), seed)


def paired_change(after: tuple[ArrayLike, ArrayLike], before: tuple[ArrayLike, ArrayLike], pids: ArrayLike) -> Paired:
    """Compare the differences of two rows in two settings on the same queries: that of `after` minus that of `before`.

    Args:
        after: Both rows in one setting, as in `paired_difference`.
        before: Both rows in the other.
        pids: Identity of each query, `(Q,)`.
    """
    own, other = (identity_means(first, pids) - identity_means(second, pids) for first, second in (after, before))
    seeds, others = (seed_differences(first, second, pids) for first, second in (after, before))
    return bootstrapped(own - other, seeds - others if len(seeds) == len(others) else np.zeros(0), 0)


def bootstrapped(of_people: Floats, of_seeds: Floats, seed: int) -> Paired:
    """Summarise differences over people, `(I,)`, and over seeds, `(S,)`, by a bootstrap over people."""
    generator = np.random.default_rng(seed)
    drawn = generator.integers(len(of_people), size=(DRAWS, len(of_people)))
    low, high = np.percentile(of_people[drawn].mean(axis=1), [2.5, 97.5])
    spread, count = sample_sd(of_seeds), len(of_seeds)
    chance = 2 * stdtr(count - 1, -abs(of_seeds.mean()) / spread * math.sqrt(count)) if spread > 0 else math.nan
    return Paired(float(of_people.mean()), float(low), float(high), spread, float(chance))


def holm(p_values: Sequence[float]) -> list[float]:
    """Correct p-values for multiple comparisons, in their order; NaN stays and does not count.

    Source: Holm, Scandinavian Journal of Statistics 1979, the step-down method. Departs from it in: nothing.
    """
    corrected, highest = [math.nan] * len(p_values), 0.0
    known = sorted((value, place) for place, value in enumerate(p_values) if not math.isnan(value))
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * value))
        corrected[place] = highest
    return corrected


def scores_of_queries(tests: Mapping[str, ArrayLike]) -> dict[str, Floats]:
    """Compute the scores of `METRICS`, `(T, Q)` each, from the stored test of each gallery and query.

    Args:
        tests: `first_hit` (0 where the query was skipped), `average_precision`, `inverse_negative_penalty`.
    """
    hits = np.asarray(tests["first_hit"], dtype=np.float64)
    return {
        "rank1": np.where(hits == 0, np.nan, hits == 1).astype(np.float64),
        "mean_ap": np.asarray(tests["average_precision"], dtype=np.float64),
        "mean_inp": np.asarray(tests["inverse_negative_penalty"], dtype=np.float64),
    }
