"""The analysis of one model or two from embeddings alone, and its form as JSON and as tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from numpy.typing import ArrayLike

from mun.analysis.distances import Distances, distances
from mun.analysis.facts import Facts
from mun.analysis.outcomes import (
    Confusion,
    Outcomes,
    Person,
    confused_pairs,
    directions,
    disagreements,
    outcomes,
    people,
)
from mun.analysis.slices import Estimate, Slice, axes, slices, whole
from mun.evaluation.protocols import Protocol
from mun.structures import Sample

__all__ = ["Analysis", "Way", "analyse", "flat", "tables"]

MODELS = 2


@dataclass(frozen=True)
class Way:
    """The scores of one direction: the modalities of queries and gallery.

    Attributes:
        name: Such as `infrared → visible`.
        mean_ap: Of each model; empty where the direction cannot be scored.
        rank1: Likewise.
        queries: Number of valid queries.
        problem: Why the direction cannot be scored; else an empty string.
    """

    name: str
    mean_ap: tuple[Estimate, ...]
    rank1: tuple[Estimate, ...]
    queries: int
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Analysis:
    """The results of every query, by one model or two.

    Attributes:
        data: Name of the data, for the record.
        names: Of the models.
        shots: Gallery images per identity and camera.
        trials: Number of galleries.
        models: The outcomes of each model.
        ways: The four directions; the protocol's own one first.
        slices: Of every axis.
        people: By each model, the hardest first.
        confused: By each model, the most confused first.
        only: Queries that only the first model finds, and only the second; empty with one model.
        distances: By each model, in the first gallery.
    """

    data: str
    names: tuple[str, ...]
    shots: int
    trials: int
    models: tuple[Outcomes, ...]
    ways: tuple[Way, ...]
    slices: tuple[Slice, ...]
    people: tuple[tuple[Person, ...], ...]
    confused: tuple[tuple[Confusion, ...], ...]
    only: tuple[tuple[int, ...], ...]
    distances: tuple[Distances, ...]

    def key(self, row: int) -> str:
        """Return the key of an image by its row."""
        return self.models[0].samples[row].key

    def to_json(self) -> dict[str, Any]:
        """Return the analysis with keys of images; fractions, `null` where a query has no match or no interval."""
        first = self.models[0]
        keyed = [
            [{**asdict(one), "query": self.key(one.query), "answer": self.key(one.answer)} for one in each]
            for each in self.confused
        ]
        return {
            "data": self.data,
            "protocol": first.protocol.name,
            "shots": self.shots,
            "trials": self.trials,
            "models": list(self.names),
            "num_valid": int(first.valid.sum()),
            "directions": [self._by_model(way) for way in self.ways],
            "slices": [self._by_model(one) for one in self.slices],
            "queries": [self._query(number) for number in range(len(first.queries))],
            "people": self._named([list(map(asdict, each)) for each in self.people]),
            "confused": self._named(keyed),
            "found_by_one": self._named([[self.key(int(first.queries[one])) for one in each] for each in self.only]),
            "distances": self._named([asdict(one) for one in self.distances]),
        }

    def _named(self, values: Sequence[Any]) -> dict[str, Any]:
        """Return the values by the name of their model; empty without values."""
        return dict(zip(self.names, values, strict=True)) if values else {}

    def _by_model(self, one: Way | Slice) -> dict[str, Any]:
        """Return the fields of a direction or a slice, with the values of each model by its name."""
        each = {name: self._named(value) for name, value in asdict(one).items() if isinstance(value, tuple)}
        return {**asdict(one), **each}

    def _query(self, number: int) -> dict[str, Any]:
        """Return a query and its scores by each model; `None` without a match."""
        first, named = self.models[0], []
        sample, known = first.samples[first.queries[number]], first.valid[number]
        for one in self.models:
            scores = {"AP": one.average_precision, "rank1": one.rank1, "rank": one.first_hit}
            named.append({name: float(values[number]) if known else None for name, values in scores.items()})
        return {"image": sample.key, "pid": sample.pid, "camid": sample.camid, **self._named(named)}


def tables(record: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Turn the record of an analysis into tables by name, each a list of rows; histograms are left out."""
    rows = {name: [flat(one) for one in record[name]] for name in ("queries", "slices", "directions")}
    for name in ("people", "confused"):
        rows[name] = [{"model": model, **one} for model, each in record[name].items() for one in each]
    rows["distances"] = [
        {"model": model, **flat(pair)} for model, each in record["distances"].items() for pair in each["pairs"]
    ]
    rows["thresholds"] = [
        {"model": model, **one}
        for model, each in record["distances"].items()
        for one in (each["fixed"], *each["open_set"])
    ]
    return {name: each for name, each in rows.items() if each}


def flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Flatten nested mappings: a name is the whole path to its value; lists are left out."""
    out: dict[str, Any] = {}
    for name, one in value.items():
        if isinstance(one, Mapping):
            out |= flat(one, f"{before}{name} ")
        elif not isinstance(one, list | tuple):
            out[before + name] = one
    return out


def analyse(
    protocol: Protocol,
    samples: Sequence[Sample],
    facts: Facts,
    models: Mapping[str, ArrayLike],
    *,
    data: str,
    shots: int = 1,
    trials: int = 10,
    seed: int = 0,
) -> Analysis:
    """Analyse one model or two on the same images.

    Args:
        protocol: Queries, gallery, and the images that do not count.
        samples: All samples of the split, N of them.
        facts: Of these images.
        models: Embeddings of these images by the name of the model, `(N, D)`.
        data: Name of the data.
        shots: Gallery images per identity and camera.
        trials: Number of galleries; trial t has seed t; 1 where the gallery is every image.
        seed: Of the bootstrap.

    Raises:
        ValueError: No model or more than two, embeddings that do not fit, one person only, or no query with a match.
    """
    if not 1 <= len(models) <= MODELS:
        raise ValueError(f"expected one model or two, got {len(models)}")
    if len({sample.pid for sample in samples}) < 2:
        raise ValueError("expected at least two people, got one, whom every search would find")

    def search(way: Protocol) -> tuple[Outcomes, ...]:
        return tuple(outcomes(way, samples, rows, shots=shots, trials=trials) for rows in models.values())

    results = search(protocol)
    ways = [
        _way(name, partial(search, way) if way is not protocol else lambda: results, seed)
        for name, way in directions(protocol).items()
    ]
    drawn, sliced = len(results[0].closest), tuple(slices(results, axes(results[0], facts), seed))
    persons, confused = tuple(tuple(people(r)) for r in results), tuple(tuple(confused_pairs(r)) for r in results)
    only = tuple(map(tuple, disagreements(*results))) if len(results) > 1 else ()
    apart = tuple(distances(protocol, samples, rows, shots=shots) for rows in models.values())
    about = (data, tuple(models), shots, drawn)
    return Analysis(*about, results, tuple(ways), sliced, persons, confused, only, apart)


def _way(name: str, search: Callable[[], Sequence[Outcomes]], seed: int) -> Way:
    """Score one direction by each model, or return why it cannot be scored."""
    try:
        results = search()
    except ValueError as error:
        return Way(name, (), (), 0, str(error))
    precision, rank1 = zip(*(whole(one, seed) for one in results), strict=True)
    return Way(name, precision, rank1, int(results[0].valid.sum()))
