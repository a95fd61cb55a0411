"""A visitor's own small gallery, ranked for one query of the other modality. Nothing of the images is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.actions.checks import known, shown, text, whole_number
from app.actions.provenance import checkpoint_words
from app.actions.retrieval.own_images import (
    OwnImage,
    embed_own,
    look_at,
    other_modality,
    own_modality,
    short_name,
    warning,
)
from app.library import Library
from app.tables import described_csv
from mun.evaluation.metrics import cosine_distances, ranking
from mun.structures import Modality

__all__ = [
    "MAX_IMAGES",
    "Broken",
    "Gallery",
    "RankedFile",
    "Request",
    "Result",
    "look_at_all",
    "rank",
    "ranked_csv",
    "run",
]

MAX_IMAGES = 200
MAX_TOTAL_BYTES = 100_000_000  # of all files together
MAX_TOTAL_PIXELS = 200_000_000  # decoded, of all images together; about five seconds of one core


@dataclass(frozen=True)
class Broken:
    """A file that could not be used: its shortened name, and why."""

    name: str
    reason: str


@dataclass(frozen=True, eq=False)
class Gallery:
    """The files of a visitor after they were looked at: the images in their order, and the files that are none."""

    images: tuple[OwnImage, ...]
    broken: tuple[Broken, ...]


@dataclass(frozen=True)
class Request:
    """What is asked; the query is the visitor's own image where there is one, else an image of the data set.

    Attributes:
        checkpoint: Name of the checkpoint; empty for the first.
        files: Name and bytes of each gallery file, at most 200.
        modality: What the gallery images were made of: `infrared` or `visible`.
        query: An image file of the other modality; empty bytes for an image of the data set.
        data: Name of the data set that `query_key` is of; empty for the first.
        query_key: Key of an image of the other modality, as `cam3/0007/0001.jpg`; empty for the first there is.
        top_k: How many ranked images to return, 1 … 200.
    """

    checkpoint: str = ""
    files: tuple[tuple[str, bytes], ...] = ()
    modality: str = ""
    query: bytes = b""
    data: str = ""
    query_key: str = ""
    top_k: int = 10

    def checked(self, library: Library) -> Request:
        """Return the request with every default filled in; the files themselves are looked at later.

        Raises:
            ValueError: A value is out of bounds or names nothing; the message says what was expected and what came.
        """
        data, modality = known("data", self.data, library.collections), own_modality("modality", self.modality)
        wanted, collection = other_modality(modality), library.collections[data]
        offered = [sample.key for sample in collection.samples if sample.modality is wanted]
        key = text("query_key", self.query_key) or (offered[0] if offered else "")
        if key not in offered:
            images = f"the {wanted} images of {collection.title}"
            raise ValueError(f"expected query_key to be the key of one of {images}, got {shown(key)}")
        return replace(
            self,
            checkpoint=known("checkpoint", self.checkpoint, library.usable),
            modality=str(modality),
            data=data,
            query_key=key,
            top_k=whole_number("top_k", self.top_k, 1, MAX_IMAGES),
        )


@dataclass(frozen=True)
class RankedFile:
    """A gallery image at its rank, from 1; `index` is its place among the readable images, from 0."""

    rank: int
    name: str
    index: int
    distance: float


@dataclass(frozen=True)
class Result:
    """The ranking of a visitor's gallery.

    Attributes:
        checkpoint: As asked, or the default.
        modality: Of the gallery.
        query_modality: The other one.
        query: Key of the query image; `None` where it is the visitor's own.
        results: The closest `top_k` images, or all where there are fewer.
        broken: The files that could not be used.
        gallery_size: Images that were ranked.
        warning: What the ranking is worth, in plain words.
    """

    checkpoint: str
    modality: str
    query_modality: str
    query: str | None
    results: tuple[RankedFile, ...]
    broken: tuple[Broken, ...]
    gallery_size: int
    warning: str

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and dictionaries."""
        return {
            **asdict(self),
            "results": [asdict(ranked) for ranked in self.results],
            "broken": [asdict(file) for file in self.broken],
        }


def look_at_all(library: Library, files: Iterable[tuple[str, bytes]]) -> Gallery:
    """Look at files one after another, so that only one of them is decoded at a time.

    Args:
        library: Whose checkpoints say which sizes are needed.
        files: Name and bytes of each file.

    Raises:
        ValueError: There are more than 200 files.
    """
    images: list[OwnImage] = []
    broken: list[Broken] = []
    num_bytes = num_pixels = 0
    for count, (name, data) in enumerate(files, start=1):
        if count > MAX_IMAGES:
            raise ValueError(f"expected at most {MAX_IMAGES} images in a gallery, got more")
        num_bytes += len(data)
        if num_bytes > MAX_TOTAL_BYTES or num_pixels > MAX_TOTAL_PIXELS:
            broken.append(Broken(short_name(name), f"passed over: {too_much(num_bytes)}"))
            continue
        try:
            image = look_at(library, data, name, "the file")
        except ValueError as error:
            broken.append(Broken(short_name(name), str(error)))
            continue
        num_pixels += image.height * image.width
        images.append(image)
    return Gallery(tuple(images), tuple(broken))


def too_much(num_bytes: int) -> str:
    """Say which bound a gallery has reached."""
    if num_bytes > MAX_TOTAL_BYTES:
        return f"a gallery has at most {MAX_TOTAL_BYTES // 1_000_000} MB"
    return f"a gallery has at most {MAX_TOTAL_PIXELS // 1_000_000} million pixels"


def run(library: Library, request: Request) -> Result:
    """Look at the files and rank them by (distance, place among the readable images), the distances in float64.

    Raises:
        ValueError: The request is not valid, the query cannot be read, no gallery file can, or there are too many.
    """
    request = request.checked(library)
    query = look_at(library, request.query, what="the query") if request.query else None
    return rank(library, request, look_at_all(library, request.files), query)


def rank(library: Library, request: Request, gallery: Gallery, query: OwnImage | None) -> Result:
    """Rank files that were looked at before; `request.files` and `request.query` are not used.

    Args:
        library: Checkpoints and data sets.
        request: What is asked.
        gallery: The visitor's files.
        query: The visitor's own query; `None` for the image that `request.query_key` names.

    Raises:
        ValueError: As `run`, but for the files.
    """
    request = request.checked(library)
    if not gallery.images:
        found = f"got {len(gallery.broken)} that cannot be read" if gallery.broken else "got none"
        raise ValueError(f"expected at least one readable image in your gallery, {found}")
    modality = Modality(request.modality)
    rows = embed_own(library, request.checkpoint, gallery.images, modality)
    distances = cosine_distances(query_row(library, request, query, other_modality(modality)), rows)[0]
    results = tuple(
        RankedFile(place, gallery.images[index].name, int(index), float(1 + distances[index]))
        for place, index in enumerate(ranking(distances)[: request.top_k], start=1)
    )
    return Result(
        request.checkpoint,
        str(modality),
        str(other_modality(modality)),
        request.query_key if query is None else None,
        results,
        gallery.broken,
        len(gallery.images),
        warning(library, request.checkpoint),
    )


def query_row(library: Library, request: Request, query: OwnImage | None, modality: Modality) -> NDArray[np.float64]:
    """Return the query's unit-length embedding, float64, `(1, D)`."""
    if query is not None:
        return embed_own(library, request.checkpoint, [query], modality)
    row = library.collections[request.data].rows[request.query_key]
    embeddings = library.embeddings(request.checkpoint, request.data)
    return np.asarray(embeddings[row : row + 1], dtype=np.float64)


def ranked_csv(library: Library, result: Result) -> str:
    """Write the ranking of a visitor's gallery as a table, with the names of their files and no picture."""
    facts = {
        "checkpoint": checkpoint_words(library, result.checkpoint),
        "query": f"the visitor's own {result.query_modality} image" if result.query is None else result.query,
        "gallery": f"{result.gallery_size} {result.modality} images of the visitor's own",
        "distance": "cosine distance, 1 - cos",
        "no evidence": result.warning,
    }
    rows = [(one.rank, one.name, one.index + 1, round(one.distance, 6)) for one in result.results]
    return described_csv(facts.items(), ("rank", "file", "number", "distance"), rows)
