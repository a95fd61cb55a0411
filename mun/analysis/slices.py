"""Slices: the scores of queries that share a fact, with intervals over people, and the slices that stand out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from mun.analysis.facts import UNKNOWN, Facts
from mun.analysis.outcomes import Outcomes, check_alike

__all__ = ["FEWEST_PEOPLE", "Axis", "Estimate", "Slice", "axes", "slices", "whole"]

FEWEST_PEOPLE = 5  # fewer give no interval
DRAWS = 1000  # samples of people
LEVEL = 0.05
QUARTERS = ("0 to 45°", "45 to 90°", "90 to 135°", "135 to 180°")
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Axis:
    """One way to slice: a word per query, or per match; empty words belong to no slice.

    Attributes:
        name: Name of the axis.
        labels: A word each, `(Q,)` or `(M,)`.
        matches: Whether the words are of matches: pairs of a query and one image of its person.
    """

    name: str
    labels: NDArray[np.str_]
    matches: bool


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95 % interval over people; no interval (`None`) with fewer than `FEWEST_PEOPLE` people."""

    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Slice:
    """One slice, scored by each model.

    Attributes:
        axis: Name of the axis.
        name: The word that the queries or matches share.
        matches: Whether matches are counted instead of queries: the mean is then of the average precision and rank-1
            of a query whose only match is this one.
        count: Number of queries or matches.
        people: Number of people among them.
        mean_ap: Of each model.
        rank1: Of each model.
        difference: Mean average precision of the second model minus the first's; `None` with one model.
        stands_out: Of each model, mean average precision minus that of the rest of the axis if this is significant
            (5 % over all slices together, Bonferroni); else `None`.
    """

    axis: str
    name: str
    matches: bool
    count: int
    people: int
    mean_ap: tuple[Estimate, ...]
    rank1: tuple[Estimate, ...]
    difference: Estimate | None
    stands_out: tuple[float | None, ...]


def axes(results: Outcomes, facts: Facts) -> list[Axis]:
    """List the axes: cameras, and the facts about the images; an axis with only one word is left out.

    Args:
        results: The queries and their matches.
        facts: Of `results.samples`.
    """
    cameras = np.array([str(sample.camid) for sample in results.samples])
    query, match = results.queries[results.match_query], results.match_image
    pairs = np.char.add(np.char.add(cameras[query], " → "), cameras[match])
    found = [Axis("query camera", cameras[results.queries], False), Axis("cameras", pairs, True)]
    found += [Axis(name, np.array(words)[results.queries], False) for name, words in facts.columns.items()]
    if facts.covered:
        covered = np.array(facts.covered)
        one, other = covered[query], covered[match]
        either = np.where((one == "occluded") | (other == "occluded"), "in either image", "in neither")
        found.append(Axis("occlusion of a pair", np.where((one == "") | (other == ""), UNKNOWN, either), True))
    if "yaw" in facts.numbers:
        yaw = facts.numbers["yaw"]
        turned = np.abs((yaw[query] - yaw[match] + np.pi) % (2 * np.pi) - np.pi)
        quarter = np.minimum(np.nan_to_num(turned) // (np.pi / 4), 3).astype(np.int64)
        found.append(Axis("yaw difference", np.where(np.isnan(turned), UNKNOWN, np.array(QUARTERS)[quarter]), True))
    return [axis for axis in found if len(set(axis.labels.tolist()) - {UNKNOWN}) > 1]


def slices(models: Sequence[Outcomes], ways: Sequence[Axis], seed: int = 0) -> list[Slice]:
    """Score every slice of every axis, with intervals by the bootstrap over people.

    People are drawn with replacement, 1,000 times, and bring all their queries and matches: the 95 % interval is from
    the 2.5th to the 97.5th percentile of the means. A slice stands out where it differs from the rest of its axis by
    more than chance: |difference| / bootstrap standard error above the normal quantile at 5 % / number of slices.

    Args:
        models: One or two models on the same queries.
        ways: The axes, as `axes` lists them.
        seed: Of the draws.

    Raises:
        ValueError: The models have different queries or protocols.
    """
    for other in models[1:]:
        check_alike(models[0], other)
    first = models[0]
    _, person = np.unique(first.pids, return_inverse=True)
    weights = _draws(int(person.max()) + 1, seed)
    names = [(axis, str(name)) for axis in ways for name in _order(axis.labels)]
    bound = float(-ndtri(LEVEL / max(1, len(names)) / 2))
    scored = []
    for axis, name in names:
        who = person[first.match_query] if axis.matches else person
        usable = np.ones(len(who), dtype=bool) if axis.matches else first.valid
        known, inside = usable & (axis.labels != UNKNOWN), usable & (axis.labels == name)
        values = [_values(one, axis.matches) for one in models]
        count, num_people = int(inside.sum()), len(np.unique(who[inside]))
        if not num_people:
            continue
        means = [_Means.of(one[0], who, inside, weights) for one in values]
        rest = [_Means.of(one[0], who, known & ~inside, weights) for one in values]
        enough = num_people >= FEWEST_PEOPLE
        precision = tuple(one.estimate(enough) for one in means)
        rank1 = tuple(_Means.of(one[1], who, inside, weights).estimate(enough) for one in values)
        change = means[1].minus(means[0]).estimate(enough) if len(means) > 1 else None
        beyond = tuple(one.minus(other).beyond(bound, enough) for one, other in zip(means, rest, strict=True))
        scored.append(Slice(axis.name, name, axis.matches, count, num_people, precision, rank1, change, beyond))
    return scored


def whole(results: Outcomes, seed: int = 0) -> tuple[Estimate, Estimate]:
    """Return mean average precision and rank-1 over all valid queries, with their intervals."""
    _, person = np.unique(results.pids, return_inverse=True)
    weights = _draws(int(person.max()) + 1, seed)
    enough = len(np.unique(person[results.valid])) >= FEWEST_PEOPLE
    precision, rank1 = (_Means.of(one, person, results.valid, weights) for one in _values(results, False))
    return precision.estimate(enough), rank1.estimate(enough)


def _order(labels: NDArray[np.str_]) -> list[str]:
    """List the words of an axis, sorted by the numbers in them."""
    words = set(labels.tolist()) - {UNKNOWN}
    return sorted(words, key=lambda word: ([int(number) for number in re.findall(r"\d+", word)], word))


def _values(results: Outcomes, matches: bool) -> tuple[Floats, Floats]:
    """Return average precision and rank-1 of each query, or of each match as if it were the only one."""
    if matches:
        return 1 / results.match_rank, (results.match_rank == 1).astype(np.float64)
    return results.average_precision, results.rank1


def _draws(people: int, seed: int) -> Floats:
    """Draw people with replacement: how often each person is drawn, `(DRAWS, people)`."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(people, np.full(people, 1 / people), size=DRAWS).astype(np.float64)


@dataclass(frozen=True, eq=False)
class _Means:
    """A mean, and the means over draws of people, `(DRAWS,)`; NaN where nobody of the slice was drawn."""

    mean: float
    drawn: Floats

    @classmethod
    def of(cls, values: Floats, who: NDArray[np.int64], inside: NDArray[np.bool_], weights: Floats) -> _Means:
        """Average the values inside; `who` holds the person of each value."""
        counts = np.bincount(who[inside], minlength=weights.shape[1])
        sums = np.bincount(who[inside], weights=values[inside], minlength=weights.shape[1])
        chosen = np.flatnonzero(counts)
        if not len(chosen):
            return cls(np.nan, np.full(len(weights), np.nan))
        drawn = weights[:, chosen]
        with np.errstate(invalid="ignore"):
            return cls(float(sums.sum() / counts.sum()), (drawn @ sums[chosen]) / (drawn @ counts[chosen]))

    def minus(self, other: _Means) -> _Means:
        """Return the difference, draw by draw."""
        return _Means(self.mean - other.mean, self.drawn - other.drawn)

    def estimate(self, enough: bool) -> Estimate:
        """Return the mean with its interval, where there are enough people."""
        if not enough:
            return Estimate(self.mean, None, None)
        low, high = np.nanpercentile(self.drawn, [2.5, 97.5])
        return Estimate(self.mean, float(low), float(high))

    def beyond(self, bound: float, enough: bool) -> float | None:
        """Return the mean if it is more than `bound` standard errors from zero, else `None`."""
        spread = float(np.nanstd(self.drawn, ddof=1)) if enough and np.isfinite(self.drawn).sum() > 1 else 0.0
        return self.mean if spread > 0 and abs(self.mean) > bound * spread else None
