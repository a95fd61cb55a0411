"""Lay the features of a checkpoint out in the plane, with the numbers that the picture only suggests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.actions.embeddings.points import PointSet, Watch, numbers, points
from app.actions.embeddings.request import Request
from app.actions.embeddings.words import sentence
from app.library import Library
from app.library.collection import Direction, Terms
from app.projector import shared_projector
from mun.evaluation.separation import BANDWIDTH, BINS, MAX_DISTANCE, Separation, centers
from mun.projection import unit_length
from mun.structures import Modality

__all__ = ["Mark", "Point", "Request", "Result", "kept", "key_of", "run"]

DIGITS = 5  # of coordinates
MODALITIES = (Modality.VISIBLE, Modality.AUXILIARY, Modality.INFRARED)  # the order of a line


@dataclass(frozen=True)
class Point:
    """A point of the picture.

    Attributes:
        x: Where it is.
        y: Where it is.
        modality: `visible`, `infrared` or `auxiliary`.
        pid: Whom it shows.
        camid: Of the image; of an auxiliary point, of its visible image.
        image: Key of the image; of an auxiliary point, of its visible image.
        partner: Of an auxiliary point, the key of its infrared image; else empty.
        correct: Whether the image, as a query, finds its person at rank 1; `None` where it is no query.
    """

    x: float
    y: float
    modality: str
    pid: int
    camid: int
    image: str
    partner: str = ""
    correct: bool | None = None


@dataclass(frozen=True)
class Mark:
    """A place that is no image: the center of a person in a modality, or, with no person, a modality's prototype."""

    x: float
    y: float
    modality: str
    pid: int | None = None


@dataclass(frozen=True)
class Result:
    """A picture and its numbers.

    Attributes:
        request: What was asked, every default filled in.
        points: N points: images by person, modality, camera; then auxiliary points.
        centers: Of each person in each modality: the mean of their points.
        prototypes: Of each modality: the mean over people of their mean unit-length point.
        separation: The numbers.
        kept: Mean fraction of each point's 10 true nearest points that are among its 10 nearest in the picture.
        explained: PCA: fractions of the variance along both axes; `None` for the others.
        sentence: What must stand on the figure: data, split, method, parameters, seed, pairing, use of labels.
    """

    request: Request
    points: tuple[Point, ...]
    centers: tuple[Mark, ...]
    prototypes: tuple[Mark, ...]
    separation: Separation
    kept: float
    explained: tuple[float, float] | None
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/project` answers."""
        measured = asdict(self.separation)
        histograms = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in measured.pop("histograms").items()
        }
        return {
            **asdict(self.request),
            "points": [asdict(point) for point in self.points],
            "centers": [asdict(mark) for mark in self.centers],
            "prototypes": [asdict(mark) for mark in self.prototypes],
            "numbers": {**measured, "bandwidth": BANDWIDTH, "neighbors_kept": self.kept},
            "histograms": {"bins": BINS, "to": MAX_DISTANCE, **histograms},
            "explained": None if self.explained is None else list(self.explained),
            "uses_labels": self.request.auxiliary,
            "sentence": self.sentence,
        }


def run(library: Library, request: Request, watch: Watch | None = None) -> Result:
    """Lay out the points of a request, with the centers and the prototypes, which take part in the layout.

    Args:
        library: What all visitors share.
        request: What is asked.
        watch: Sees how far it is, and can stop it.

    Raises:
        ValueError: The request is not valid, the images cannot be embedded, or the points cannot be laid out.
        StoppedError: The watch was stopped while points were made.
        Cancelled: The watch was stopped while they were laid out.
    """
    request = request.checked(library)
    return library.cache.get(
        key_of(library, request), lambda: make(library, request, watch or Watch()), lambda made: 400 * len(made.points)
    )


def key_of(library: Library, request: Request) -> tuple[object, ...]:
    """Name the result of a checked request in the cache, by content."""
    content = library.checkpoints[request.checkpoint].content, library.collections[request.data].content
    return ("project", *content, astuple(request))


def kept(library: Library, request: Request, result: Result) -> Result:
    """Put a result that was made before into the cache."""
    return library.cache.get(key_of(library, request), lambda: result, lambda made: 400 * len(made.points))


def make(library: Library, request: Request, watch: Watch) -> Result:
    """Make the result of a checked request."""
    made = points(library, request, watch)
    spots, marks = anchors(made)
    watch.say("measuring")
    measured = numbers(library, request, watch)
    right = correct_at_rank_1(library, request)
    watch.say(f"laying out {len(made.values):,} points")
    picture = shared_projector().project(np.concatenate([made.values, spots]), request.settings, watch.stopped)
    places = picture.coordinates.round(DIGITS)
    drawn = [described(made, row, places[row], right) for row in range(len(made.values))]
    placed = [
        Mark(float(x), float(y), modality.value, pid)
        for (modality, pid), (x, y) in zip(marks, places[len(made.values) :].tolist(), strict=True)
    ]
    return Result(
        request,
        tuple(drawn),
        tuple(mark for mark in placed if mark.pid is not None),
        tuple(mark for mark in placed if mark.pid is None),
        measured,
        picture.kept,
        picture.explained,
        sentence(library, request, counts(made), picture.explained),
    )


def anchors(made: PointSet) -> tuple[NDArray[np.float64], list[tuple[Modality, int | None]]]:
    """Return centers and prototypes in the true space, `(M, D)`, and whose they are.

    A center is the mean of a person's points in a modality, as the identity alignment loss takes it; a prototype is the
    mean over people of their mean unit-length point, as the modality alignment loss takes it of a batch. (A checkpoint
    does not carry the prototypes that accumulated over its training.)
    """
    rows: list[NDArray[np.float64]] = []
    whose: list[tuple[Modality, int | None]] = []
    prototypes = {}
    for modality in MODALITIES:
        index = made.rows(modality)
        if not len(index):
            continue
        values = made.values[index].astype(np.float64)
        for pid, center in centers(values, made.pids[index]).items():
            rows.append(center)
            whose.append((modality, pid))
        units = centers(unit_length(values), made.pids[index])
        prototypes[modality] = np.mean(list(units.values()), axis=0)
    rows += list(prototypes.values())
    return np.stack(rows), whose + [(modality, None) for modality in prototypes]


def counts(made: PointSet) -> Mapping[Modality, int]:
    """Count the points by modality."""
    return {modality: len(made.rows(modality)) for modality in MODALITIES}


def correct_at_rank_1(library: Library, request: Request) -> dict[str, bool]:
    """Say of every query whether it finds its person at rank 1, by key: first protocol, first gallery, both ways.

    Queries whose person is not in the gallery are left out.
    """
    collection = library.collections[request.data]
    found: dict[str, bool] = {}
    for direction in Direction:
        terms = Terms(collection.protocols[0], direction=direction)
        first = library.metrics(request.checkpoint, request.data, terms).first_hit
        samples = collection.asked(terms.protocol, direction).samples
        found |= {sample.key: bool(hit == 1) for sample, hit in zip(samples, first.tolist(), strict=True) if hit}
    return found


def described(made: PointSet, row: int, place: NDArray[np.float64], right: Mapping[str, bool]) -> Point:
    """Describe one point."""
    x, y = place.tolist()
    if (pair := made.pair_of(row)) is not None:
        visible = pair.visible
        return Point(x, y, Modality.AUXILIARY.value, visible.pid, visible.camid, visible.key, pair.infrared.key)
    sample = made.samples[row]
    return Point(x, y, sample.modality.value, sample.pid, sample.camid, sample.key, correct=right.get(sample.key))
