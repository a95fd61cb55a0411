"""The outcome of every query of a protocol: its scores, the places of its matches, and confusions of people."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mun.evaluation.galleries import draw_trials, uncounted
from mun.evaluation.metrics import cosine_distances, match_places
from mun.evaluation.protocols import Protocol
from mun.features import unit_rows
from mun.structures import Modality, Sample

__all__ = ["Confusion", "Outcomes", "Person", "confused_pairs", "direction", "directions", "disagreements", "outcomes"]
__all__ += ["people"]

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Scores of Q queries over all galleries, and of the M matches in these galleries.

    Attributes:
        protocol: The protocol.
        samples: The N images.
        queries: Row in `samples` of each query, `(Q,)`.
        average_precision: Mean over the galleries, in [0, 1], `(Q,)`; NaN where a gallery has no match.
        rank1: Share of the galleries whose closest image is a match, `(Q,)`; NaN likewise.
        first_hit: Mean rank of the first match, from 1, `(Q,)`; NaN likewise.
        match_query: Index of the query of each match, `(M,)`.
        match_image: Row in `samples` of each match, `(M,)`.
        match_rank: Rank of each match among the images of other people, from 1, as if it were the only match, `(M,)`.
        closest: Row in `samples` of the closest image of each gallery and query, `(T, Q)`.
    """

    protocol: Protocol
    samples: tuple[Sample, ...]
    queries: Integers
    average_precision: Floats
    rank1: Floats
    first_hit: Floats
    match_query: Integers
    match_image: Integers
    match_rank: Integers
    closest: Integers

    @property
    def pids(self) -> Integers:
        """Identity of each query, `(Q,)`."""
        return np.array([self.samples[row].pid for row in self.queries])

    @property
    def valid(self) -> NDArray[np.bool_]:
        """Whether a query has a match, `(Q,)`."""
        return ~np.isnan(self.average_precision)

    @property
    def mean_ap(self) -> float:
        """Mean average precision, as in `benchmark`."""
        return float(np.nanmean(self.average_precision))


def direction(protocol: Protocol, query: Modality, gallery: Modality) -> Protocol:
    """Change a protocol's modalities: each side gets the protocol's cameras of its modality; no query finds itself."""
    cameras = {protocol.query_modality: protocol.query_cameras, protocol.gallery_modality: protocol.gallery_cameras}
    return replace(
        protocol,
        name=f"{protocol.name} {query}-{gallery}",
        query_modality=query,
        query_cameras=tuple(sorted(cameras[query])),
        gallery_cameras=cameras[gallery],
        same_modality=query is gallery,
        mixed=False,
    )


def directions(protocol: Protocol) -> dict[str, Protocol]:
    """Return a protocol as it is, then in the other directions between the modalities and within each, by name."""
    visible, infrared = Modality.VISIBLE, Modality.INFRARED
    ways = [(infrared, visible), (visible, infrared), (visible, visible), (infrared, infrared)]
    own = f"{protocol.query_modality} → {'both' if protocol.mixed else protocol.gallery_modality}"
    turned = {f"{query} → {gallery}": direction(protocol, query, gallery) for query, gallery in ways}
    return {own: protocol} | {name: way for name, way in turned.items() if name != own}


def outcomes(
    protocol: Protocol, samples: Sequence[Sample], embeddings: ArrayLike, *, shots: int = 1, trials: int = 10
) -> Outcomes:
    """Search every gallery with every query; galleries are seeded, trial t with seed t, as in `benchmark`.

    Args:
        protocol: Queries, gallery, and the images that do not count.
        samples: All samples of the split, N of them.
        embeddings: Of those samples, in their order, real, `(N, D)`; normalised unless of unit length.
        shots: Gallery images per identity and camera.
        trials: Number of galleries.

    Raises:
        ValueError: `embeddings` does not fit, or there is no query, no gallery, or no query with a match.
    """
    rows = np.asarray(unit_rows("embeddings", embeddings), dtype=np.float64)
    if len(rows) != len(samples):
        raise ValueError(f"expected `embeddings` of shape ({len(samples)}, D), got {rows.shape}")
    query_samples, galleries = draw_trials(protocol, samples, shots, trials)
    row_of = {sample: row for row, sample in enumerate(samples)}
    queries, pids = np.array([row_of[one] for one in query_samples]), np.array([one.pid for one in query_samples])
    scores, matches, closest = [], [], []
    for gallery in galleries:
        shown, shown_pids = np.array([row_of[one] for one in gallery]), np.array([one.pid for one in gallery])
        mask = uncounted(protocol, query_samples, gallery)
        table = cosine_distances(rows[queries], rows[shown])
        places = match_places(table, pids, shown_pids, mask)
        count = np.bincount(places.query, minlength=len(pids)).astype(np.float64)
        count[count == 0] = np.nan
        first = np.full(len(pids), np.nan)
        first[places.query[places.nth == 1]] = places.place[places.nth == 1]
        sums = np.bincount(places.query, weights=places.nth / places.place, minlength=len(pids))
        scores.append((sums / count, np.where(np.isnan(first), np.nan, first == 1), first))
        matches.append((places.query, shown[places.gallery], places.place - places.nth + 1))
        nearest = np.argmin(np.where(mask, np.inf, table), axis=1)
        closest.append(np.where(mask.all(axis=1), -1, shown[nearest]))
    precision, rank1, first_hit = (np.mean(column, axis=0) for column in zip(*scores, strict=True))
    query, image, rank = (np.concatenate(column) for column in zip(*matches, strict=True))
    return Outcomes(
        protocol, tuple(samples), queries, precision, rank1, first_hit, query, image, rank, np.array(closest)
    )


@dataclass(frozen=True)
class Confusion:
    """Two people who are confused with one another.

    Attributes:
        first: The lower number.
        second: The higher number.
        share: Of the searches for either, the share whose closest image shows the other, in [0, 1].
        query: Row in `samples` of the query in the most frequent wrong result between the two.
        answer: Row of the image of the other person in this result.
    """

    first: int
    second: int
    share: float
    query: int
    answer: int


def confused_pairs(results: Outcomes, most: int = 12) -> list[Confusion]:
    """List the pairs of people who are most confused, by the share of searches; ties by number.

    Args:
        results: All searches, T galleries by the valid queries.
        most: Largest number of pairs.
    """
    pids, searches = results.pids, Counter[int]()
    wrong: Counter[tuple[int, int]] = Counter()
    found: Counter[tuple[int, int, int, int]] = Counter()
    for closest in results.closest:
        for number in np.flatnonzero(results.valid):
            pid, other = int(pids[number]), results.samples[closest[number]].pid
            searches[pid] += 1
            if other != pid:
                pair = (min(pid, other), max(pid, other))
                wrong[pair] += 1
                found[(*pair, int(results.queries[number]), int(closest[number]))] += 1
    best: dict[tuple[int, int], tuple[int, int, int]] = {}
    for (first, second, query, answer), count in found.items():
        best[first, second] = max(best.get((first, second), (0, 0, 0)), (count, -query, -answer))
    shares = {pair: count / (searches[pair[0]] + searches[pair[1]]) for pair, count in wrong.items()}
    ordered = sorted(shares, key=lambda pair: (-shares[pair], pair))[:most]
    return [Confusion(*pair, shares[pair], -best[pair][1], -best[pair][2]) for pair in ordered]


@dataclass(frozen=True)
class Person:
    """How well one person is found: mean average precision and rank-1 over the person's valid queries."""

    pid: int
    queries: int
    mean_ap: float
    rank1: float


def people(results: Outcomes) -> list[Person]:
    """Score every person who has a valid query, the hardest first; ties by number."""
    scored = []
    for pid in np.unique(results.pids[results.valid]):
        rows = results.valid & (results.pids == pid)
        means = (float(scores[rows].mean()) for scores in (results.average_precision, results.rank1))
        scored.append(Person(int(pid), int(rows.sum()), *means))
    return sorted(scored, key=lambda person: (person.mean_ap, person.pid))


def disagreements(first: Outcomes, second: Outcomes) -> tuple[list[int], list[int]]:
    """List the queries that only one model finds; found means that the closest image of most galleries is a match.

    Args:
        first: Outcomes of one model.
        second: Outcomes of another model on the same queries.

    Returns:
        Indices of queries that only the first finds, then those that only the second finds; the largest difference in
        average precision first.

    Raises:
        ValueError: The queries or the protocols differ.
    """
    check_alike(first, second)
    gap = np.nan_to_num(first.average_precision - second.average_precision)
    found = [np.nan_to_num(one.rank1) > 0.5 for one in (first, second)]

    def listed(mask: NDArray[np.bool_], sign: int) -> list[int]:
        return sorted(map(int, np.flatnonzero(mask)), key=lambda query: (-sign * gap[query], query))

    return listed(found[0] & ~found[1] & first.valid, 1), listed(found[1] & ~found[0] & first.valid, -1)


def check_alike(first: Outcomes, second: Outcomes) -> None:
    """Refuse the outcomes of two models on different queries or protocols.

    Raises:
        ValueError: The queries or the protocols differ.
    """
    keys = [tuple(one.samples[row].key for row in one.queries) for one in (first, second)]
    if keys[0] != keys[1] or first.protocol != second.protocol:
        raise ValueError(
            f"expected two models on the same queries, got {len(keys[0])} and {len(keys[1])} queries that differ"
        )
