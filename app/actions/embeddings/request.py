"""What a projection is asked for: which images, of which checkpoint, in which space, laid out how."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.actions.checks import known, shown, switch, text, whole_number
from app.library import Library
from app.library.collection import Collection
from mun.data.pairing import Pairing
from mun.embedding import Space
from mun.projection import Method, Metric, Settings, check_count
from mun.structures import Modality, Sample

__all__ = ["MAX_IMAGES", "MAX_POINTS", "Request", "auxiliary_count", "number", "select"]

MAX_POINTS = 4000  # images and auxiliary points; t-SNE of 2,000 takes some five seconds
MAX_IMAGES = 50  # per person and modality
MAX_SEED = 2**31 - 1


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        method: `tsne`, `umap` or `pca`.
        space: `embedding`, after the BN neck, unit length, what is ranked; or `features`, before it.
        identities: How many people: the first ones, by number, of those seen in both modalities.
        people: Numbers of the people instead, as `3, 7, 12`; empty for the first ones.
        images: Images per person and modality at most, dealt round the cameras.
        auxiliary: Whether auxiliary points are shown too, one pair per visible image; a checkpoint without an auxiliary
            modality has none.
        pairing: `matched`, or `mismatched` as a control.
        untrained: Whether the auxiliary images come from a freshly initialised generator, as a control.
        perplexity: Of t-SNE, 2 … 200.
        neighbors: Of UMAP, 2 … 200.
        min_dist: Of UMAP, 0 … 0.99.
        metric: `cosine` or `euclidean`.
        seed: Decides the pairs, the fresh generator, and every draw of t-SNE and UMAP.
    """

    checkpoint: str = ""
    data: str = ""
    method: str = Method.TSNE.value
    space: str = Space.EMBEDDING.value
    identities: int = 12
    people: str = ""
    images: int = 6
    auxiliary: bool = True
    pairing: str = Pairing.MATCHED.value
    untrained: bool = False
    perplexity: float = 30.0
    neighbors: int = 15
    min_dist: float = 0.1
    metric: str = Metric.COSINE.value
    seed: int = 0

    def checked(self, library: Library) -> Request:
        """Return the request with every default filled in; without an auxiliary modality, without its choices.

        Raises:
            ValueError: A value is out of bounds or names nothing, or the images are too many, or too few for the
                method; the message says what was expected and what came.
        """
        checkpoint = known("checkpoint", self.checkpoint, library.usable)
        data = known("data", self.data, library.collections)
        request = Request(
            checkpoint,
            data,
            known("method", self.method or Method.TSNE.value, list(Method)),
            known("space", self.space or Space.EMBEDDING.value, list(Space)),
            whole_number("identities", self.identities, 1, 10_000),
            ", ".join(map(str, numbers("people", self.people))),
            whole_number("images", self.images, 1, MAX_IMAGES),
            switch("auxiliary", self.auxiliary),
            known("pairing", self.pairing, list(Pairing)),
            switch("untrained", self.untrained),
            number("perplexity", self.perplexity, 2, 200),
            whole_number("neighbors", self.neighbors, 2, 200),
            number("min_dist", self.min_dist, 0, 0.99),
            known("metric", self.metric, list(Metric)),
            whole_number("seed", self.seed, 0, MAX_SEED),
        )
        if not request.auxiliary or not auxiliary_count(library, checkpoint):
            request = replace(request, auxiliary=False, pairing=Pairing.MATCHED.value, untrained=False)
        if request.untrained:
            check_learned(library, checkpoint)
        request.check_size(library)
        return request

    def check_size(self, library: Library) -> None:
        """Refuse more points than anybody can look at, too few for the method, and one person where two are needed."""
        samples = select(library.collections[self.data], self)
        visible = sum(sample.modality is Modality.VISIBLE for sample in samples)
        per_pair = auxiliary_count(library, self.checkpoint) if self.auxiliary else 0
        if (total := len(samples) + visible * per_pair) > MAX_POINTS:
            raise ValueError(f"expected at most {MAX_POINTS:,} points, got {total:,}; choose fewer people or images")
        people, modalities = len({sample.pid for sample in samples}), 3 if per_pair else 2
        check_count(total + (people + 1) * modalities, self.settings)  # centers and prototypes are laid out, too
        if self.pairing == Pairing.MISMATCHED and people < 2:
            raise ValueError("expected at least two people for mismatched pairs, got one")

    @property
    def settings(self) -> Settings:
        """The choices of the projection."""
        return Settings(
            Method(self.method), Metric(self.metric), self.perplexity, self.neighbors, self.min_dist, self.seed
        )

    @property
    def drawn(self) -> Request:
        """The request without what the picture alone depends on: two with the same have the same points."""
        fresh = Request()
        seed = self.seed if self.auxiliary else 0
        return replace(
            self,
            method=fresh.method,
            perplexity=fresh.perplexity,
            neighbors=fresh.neighbors,
            min_dist=fresh.min_dist,
            metric=fresh.metric,
            seed=seed,
        )


def number(name: str, value: object, low: float, high: float) -> float:
    """Return a number.

    Raises:
        ValueError: It is none (NaN, a boolean, text), or out of bounds.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise ValueError(f"expected {name} to be a number from {low:g} to {high:g}, got {shown(value)}")
    return float(value)


def numbers(name: str, value: object) -> list[int]:
    """Read whole numbers with commas or spaces between them; in their order, each once."""
    words = text(name, value).replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) <= 6 for word in words):
        raise ValueError(f"expected {name} to be numbers such as 3, 7, 12; got {shown(value)}")
    return list(dict.fromkeys(map(int, words)))


def auxiliary_count(library: Library, checkpoint: str) -> int:
    """Return how many auxiliary images a checkpoint makes of a pair."""
    return library.network(checkpoint).auxiliary.num_images


def check_learned(library: Library, checkpoint: str) -> None:
    """Refuse the untrained generator as a control where there is nothing that training changes."""
    if not list(library.network(checkpoint).auxiliary.parameters()):
        raise ValueError(
            f"expected a checkpoint with a learned generator for the untrained control; the auxiliary modality of "
            f"{checkpoint} learns nothing"
        )


def select(collection: Collection, request: Request) -> tuple[Sample, ...]:
    """Choose the images: per person and modality up to `images`, dealt round the cameras in the order of their files.

    Raises:
        ValueError: A person that was named is not there, or not in both modalities; or there are fewer people.
    """
    by_person: dict[int, list[Sample]] = {}
    for sample in collection.samples:
        by_person.setdefault(sample.pid, []).append(sample)
    both = [pid for pid, samples in by_person.items() if len({sample.modality for sample in samples}) > 1]
    chosen = numbers("people", request.people) or sorted(both)[: request.identities]
    if missing := [pid for pid in chosen if pid not in both]:
        raise ValueError(f"expected people seen in both modalities, as {sorted(both)[0]}; got {missing[0]}")
    if not request.people and len(both) < request.identities:
        raise ValueError(
            f"expected at most {len(both)} people, as many as {collection.title} has; got {request.identities}"
        )
    return tuple(
        sample
        for pid in chosen
        for modality in (Modality.VISIBLE, Modality.INFRARED)
        for sample in dealt([one for one in by_person[pid] if one.modality is modality], request.images)
    )


def dealt(samples: list[Sample], count: int) -> list[Sample]:
    """Take images round the cameras: the first of each, then the second of each, up to a number; by camera."""
    turns: dict[str, tuple[int, int]] = {}
    seen: dict[int, int] = {}
    for sample in samples:
        seen[sample.camid] = seen.get(sample.camid, 0) + 1
        turns[sample.key] = (seen[sample.camid], sample.camid)
    kept = sorted(samples, key=lambda sample: turns[sample.key])[:count]
    return sorted(kept, key=lambda sample: (sample.camid, turns[sample.key]))
