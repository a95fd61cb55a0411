"""Lay out the features of a checkpoint in the plane, with the sentence for the picture; some layouts are bundled."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from app.embeddings.numbers import PointSet, measure, name_in_cache, points
from app.embeddings.projector import Report, shared_projector, unwatched
from app.embeddings.request import MODALITIES, PALETTES, SPACES, Project, auxiliary_count
from app.library import Library
from app.library.checkpoints import CheckpointEntry
from app.library.collection import Collection, Direction, Terms
from app.shared.export import checkpoint_words, describe_data
from mun.checkpoint import WEIGHTS
from mun.config import to_json
from mun.evaluation.separation import BANDWIDTH, BINS, MAX_DISTANCE, Separation, centers
from mun.files import read_json, write_text
from mun.projection import unit_length
from mun.structures import Modality

__all__ = ["FOLDER", "Mark", "Point", "Result", "answer", "call", "find", "key_of", "legend", "method_words", "name_of"]
__all__ += ["numbered", "project", "save", "shades"]

FOLDER = Path(__file__).resolve().parents[2] / "assets" / "projections"
FORMAT = 2
DIGITS = 5  # of coordinates
POINT_BYTES = 400
CORRECT = {True: "right at rank 1", False: "wrong at rank 1", None: "no query"}  # in the order of their colours
METRICS = {"cosine": "cosine (rows of unit length)", "euclidean": "Euclidean distance"}


@dataclass(frozen=True)
class Point:
    """A point of the picture.

    Attributes:
        x: Horizontal coordinate.
        y: Vertical coordinate.
        modality: `visible`, `infrared` or `auxiliary`.
        pid: The person in the image.
        camid: Camera of the image; for an auxiliary point, of its visible image.
        image: Key of the image; for an auxiliary point, of its visible image.
        partner: For an auxiliary point, the key of its infrared image; else empty.
        correct: Whether the image, as a query, finds its person at rank 1; `None` if it is not a query.
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
    """A place without an image: the center of a person in a modality, or a modality's prototype, without `pid`."""

    x: float
    y: float
    modality: str
    pid: int | None = None


@dataclass(frozen=True)
class Result:
    """A picture and its numbers.

    Attributes:
        request: The request, with every default filled in.
        points: N points: images by person, modality, camera; then auxiliary points.
        centers: Of each person in each modality: the mean of their points.
        prototypes: Of each modality: the mean over people of their mean unit-length point.
        separation: The numbers.
        kept: Mean fraction of a point's 10 true nearest points that are among its 10 nearest in the picture; over 5,000
            points if there are more.
        explained: PCA: fractions of the variance along both axes; `None` for other methods.
        sentence: The text that a figure must carry: data, split, method, parameters, seed, pairing, use of labels.
    """

    request: Project
    points: tuple[Point, ...]
    centers: tuple[Mark, ...]
    prototypes: tuple[Mark, ...]
    separation: Separation
    kept: float
    explained: tuple[float, float] | None
    sentence: str

    @property
    def axes(self) -> tuple[str, str]:
        """Labels of the axes; empty unless the method is PCA."""
        if self.explained is None:
            return "", ""
        one, two = (f"PC {number}: {100 * share:.1f} %" for number, share in enumerate(self.explained, 1))
        return one, two

    @property
    def lines(self) -> list[list[Mark]]:
        """A line per person: visible center, auxiliary center if there is one, infrared center."""
        lines: dict[int | None, dict[str, Mark]] = {}
        for mark in self.centers:
            lines.setdefault(mark.pid, {})[mark.modality] = mark
        return [[marks[modality] for modality in MODALITIES if modality in marks] for marks in lines.values()]

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/project` answers."""
        values = asdict(self)
        measured, kept, _ = values.pop("separation"), values.pop("kept"), values.pop("request")
        histograms = {"bins": BINS, "to": MAX_DISTANCE, **measured.pop("histograms")}
        numbers = {**measured, "bandwidth": BANDWIDTH, "neighbors_kept": kept}
        more = {"numbers": numbers, "histograms": histograms, "uses_labels": self.request.auxiliary}
        return {**self.request.model_dump(), **values, **more}


RESULT = TypeAdapter(Result)
NOT_SAVED = {"request", "sentence"}  # fields of a result that are rebuilt when it is read from a file


def answer(library: Library, request: Project) -> dict[str, Any]:
    """Answer `/project`."""
    with library.background.wanted(key_of(library, request)):
        return project(library, request).to_json()


def project(library: Library, request: Project, report: Report = unwatched) -> Result:
    """Lay out the points of a checked request, with the centers and the prototypes, which take part in the layout.

    Args:
        library: The app's library, shared by all visitors.
        request: A checked request.
        report: Called with the progress; it can stop the work.

    Raises:
        ValueError: The images cannot be embedded, or the points cannot be laid out.
        StoppedError: The work was stopped.
    """
    key = key_of(library, request)
    return library.cache.get(key, lambda: make(library, request, report), lambda made: POINT_BYTES * len(made.points))


def key_of(library: Library, request: Project) -> tuple[object, ...]:
    """Return the cache key, by content, of a checked request's result."""
    return name_in_cache(library, "project", request)


def make(library: Library, request: Project, report: Report) -> Result:
    """Make the result of a checked request."""
    made = points(library, request, report)
    spots, owners = anchors(made)
    measured = measure(library, request, report)
    right = correct_at_rank_1(library, request)
    picture = shared_projector().project(np.concatenate([made.values, spots]), request.settings, report)
    places = picture.coordinates.round(DIGITS).tolist()
    count = len(made.values)
    marks = [Mark(x, y, modality.value, pid) for (x, y), (modality, pid) in zip(places[count:], owners, strict=True)]
    return Result(
        request,
        tuple(described(made, row, places[row], right) for row in range(count)),
        tuple(mark for mark in marks if mark.pid is not None),
        tuple(mark for mark in marks if mark.pid is None),
        measured,
        picture.kept,
        picture.explained,
        sentence(library, request, Counter(made.modalities), picture.explained),
    )


def anchors(made: PointSet) -> tuple[NDArray[np.float64], list[tuple[Modality, int | None]]]:
    """Return centers and prototypes before projection, `(M, D)`, and the modality and person of each.

    A center is the mean of a person's points in a modality, as the identity alignment loss takes it; a prototype is the
    mean over people of their mean unit-length point, as the modality alignment loss takes it of a batch. (A checkpoint
    does not carry the prototypes that accumulated over its training.)
    """
    found: dict[tuple[Modality, int | None], NDArray[np.float64]] = {}
    prototypes: dict[tuple[Modality, int | None], NDArray[np.float64]] = {}
    for modality in MODALITIES:
        if len(index := made.rows(modality)):
            values, pids = made.values[index].astype(np.float64), made.pids[index]
            found |= {(modality, pid): center for pid, center in centers(values, pids).items()}
            prototypes[modality, None] = np.mean(list(centers(unit_length(values), pids).values()), axis=0)
    found |= prototypes
    return np.stack(list(found.values())), list(found)


def correct_at_rank_1(library: Library, request: Project) -> dict[str, bool]:
    """Return by key whether a query finds its person at rank 1: first protocol, first gallery, both directions.

    Queries whose person is not in the gallery are left out.
    """
    collection = library.collections[request.data]
    found: dict[str, bool] = {}
    for direction in Direction:
        terms = Terms(collection.protocols[0], direction=direction)
        if not library.countable(request.checkpoint, request.data, terms):
            continue
        first = library.metrics(request.checkpoint, request.data, terms).first_hit
        samples = collection.query_sets[terms.protocol, direction].samples
        found |= {sample.key: bool(hit == 1) for sample, hit in zip(samples, first.tolist(), strict=True) if hit}
    return found


def described(made: PointSet, row: int, place: Sequence[float], right: Mapping[str, bool]) -> Point:
    """Describe one point."""
    pair = made.pair_of(row)
    image, partner = (pair.visible, pair.infrared.key) if pair else (made.samples[row], "")
    correct = None if pair else right.get(image.key)
    x, y = place
    return Point(x, y, made.modalities[row].value, image.pid, image.camid, image.key, partner, correct)


def sentence(
    library: Library, request: Project, counts: Mapping[Modality, int], explained: tuple[float, float] | None
) -> str:
    """Write the text that a figure of a checked request must carry.

    Args:
        library: The app's library, shared by all visitors.
        request: A checked request.
        counts: Number of points by modality.
        explained: Fractions of the variance along both axes of PCA; `None` for other methods.
    """
    people = f"people {request.people}" if request.people else f"the first {request.identities} people"
    images = f"{counts[Modality.VISIBLE]} visible and {counts[Modality.INFRARED]} infrared images of {people}"
    split = "" if library.collections[request.data].origin else "; test split"
    vectors = library.checkpoints[request.checkpoint].vectors
    space = "features at unit length" if vectors else dict(SPACES)[request.space]
    return (
        f"{method_words(request, explained)} of {space}, {METRICS[request.metric]}."
        f" Checkpoint: {checkpoint_words(library, request.checkpoint)}."
        f" Data: {describe_data(library, request.data)}{split}, {images}."
        f" {auxiliary_words(library, request, counts[Modality.AUXILIARY])}"
        " Centers and prototypes are laid out along with the points."
    )


def method_words(request: Project, explained: tuple[float, float] | None = None) -> str:
    """Name the method with its parameters."""
    if request.method == "tsne":
        return f"t-SNE (perplexity {request.perplexity:g}, seed {request.seed}, PCA start)"
    if request.method == "umap":
        parameters = f"{request.neighbors} neighbors, minimal distance {request.min_dist:g}, seed {request.seed}"
        return f"UMAP ({parameters}, PCA start)"
    if explained is None:
        return "PCA"
    return f"PCA ({100 * explained[0]:.1f} % and {100 * explained[1]:.1f} % of the variance)"


def auxiliary_words(library: Library, request: Project, count: int) -> str:
    """Describe where the auxiliary points come from, and that labels were used."""
    if not request.auxiliary:
        has = auxiliary_count(library, request.checkpoint)
        what = "These features have" if library.checkpoints[request.checkpoint].vectors else "This checkpoint has"
        return "No auxiliary points are shown." if has else f"{what} no auxiliary modality."
    generator = "a freshly initialised generator (control)" if request.untrained else "the checkpoint's generator"
    control = " (control)" if request.pairing == "mismatched" else ""
    return (
        f"{count} auxiliary points of {request.pairing} pairs{control}, seed {request.seed}, by {generator}; "
        "pairing uses labels."
    )


def numbered(points: Sequence[Point], colour: str) -> list[int]:
    """Return the colour number of each point, as in `PALETTES`: people by first appearance, cameras from 0."""
    people = {pid: number for number, pid in enumerate(dict.fromkeys(point.pid for point in points))}
    number: dict[str, Callable[[Point], int]] = {
        "identity": lambda point: people[point.pid],
        "modality": lambda point: MODALITIES.index(Modality(point.modality)),
        "camera": lambda point: point.camid - 1,
        "correct": lambda point: [*CORRECT].index(point.correct),
    }
    return list(map(number[colour], points))


def shades(points: Sequence[Point], colour: str) -> list[str]:
    """Return the colour of each point, by one of `COLOURED_BY`."""
    palette = PALETTES[colour]
    return [palette[number % len(palette)] for number in numbered(points, colour)]


def legend(points: Sequence[Point], colour: str) -> list[tuple[str, str]]:
    """List colours and their meanings: of people, the first twelve; empty for modalities, which have markers."""
    words: dict[str, Callable[[Point], str]] = {
        "identity": lambda point: f"person {point.pid}",
        "camera": lambda point: f"camera {point.camid}",
        "correct": lambda point: CORRECT[point.correct],
    }
    if colour not in words:
        return []
    numbers, palette = dict(zip(numbered(points, colour), points, strict=True)), PALETTES[colour]
    shown = sorted(numbers)[: len(palette)]
    return [(palette[number % len(palette)], words[colour](numbers[number])) for number in shown]


def call(library: Library, request: Project, url: str) -> str:
    """Return the Python line that reproduces a picture; checkpoint, data, method and seed are always named."""
    return request.call(library, "project", url, ("checkpoint", "data", "method", "seed"))


def name_of(library: Library, request: Project) -> str:
    """Return the file name of a bundled picture: a hash of weights and model, all images' bytes, every parameter.

    Raises:
        OSError: The weights are gone.
        ValueError: An image is gone.
    """
    collection = library.collections[request.data]
    images = library.cache.get(("bytes", collection.content), lambda: hash_of(collection), lambda _: 200)
    entry = library.checkpoints[request.checkpoint]
    weights = library.cache.get(("weights", entry.content), lambda: weights_of(entry), lambda _: 200)
    words = [FORMAT, images, weights, *list(request.model_dump().values())[1:]]
    return f"{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]}.json"


def hash_of(collection: Collection) -> str:
    """Hash the names and bytes of all images: whether an image is right at rank 1 depends on all of them."""
    digest = hashlib.sha256()
    with collection.readable():
        for sample in collection.samples:
            digest.update(sample.key.encode())
            digest.update(sample.path.read_bytes())
    return digest.hexdigest()


def weights_of(entry: CheckpointEntry) -> str:
    """Hash a checkpoint's weights and the model's config; its scores and the rest of its card may change."""
    digest = hashlib.sha256((entry.folder / WEIGHTS).read_bytes())
    if entry.card is not None:
        digest.update(json.dumps(to_json(entry.card.config.model), sort_keys=True).encode())
    return digest.hexdigest()


def save(library: Library, result: Result, folder: Path = FOLDER) -> Path:
    """Write a result, and return the path of its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(library, result.request)
    write_text(path, RESULT.dump_json(result, exclude=NOT_SAVED, exclude_defaults=True).decode() + "\n")
    return path


def find(library: Library, request: Project, folder: Path = FOLDER) -> Result | None:
    """Return a picture that is bundled or in the cache; `None` if it must be computed.

    A bundled picture also serves a checkpoint of the same content under another name.
    """
    if key_of(library, request) in library.cache:
        return project(library, request)
    if not folder.is_dir():
        return None
    try:  # request and sentence are rebuilt, because the checkpoint may have another name here
        value = read_json(folder / name_of(library, request))
        made = RESULT.validate_python({**value, "request": request, "sentence": ""})
        counts = Counter(Modality(point.modality) for point in made.points)
        result = replace(made, sentence=sentence(library, request, counts, made.explained))
    except (OSError, ValueError, KeyError, TypeError):  # no file, or a damaged one: the picture is computed
        return None
    return library.cache.get(key_of(library, request), lambda: result, lambda made: POINT_BYTES * len(made.points))
