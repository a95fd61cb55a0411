"""Rank the gallery of the other modality for an image that the visitor brings. Nothing of the image is kept."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from app.actions.checks import known, whole_number
from app.actions.provenance import checkpoint_words, describe_data
from app.actions.retrieval.own_images import OwnImage, embed_own, look_at, other_modality, own_modality, warning
from app.actions.retrieval.retrieve import MAX_TOP_K, MAX_TRIAL
from app.library import Library
from app.tables import described_csv
from mun.evaluation.metrics import cosine_distances, ranking
from mun.structures import Modality, Sample

__all__ = ["RankedImage", "Request", "Result", "rank", "ranked_csv", "run"]


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is, but the modality has to be said.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set whose images are ranked.
        image: The image file, at most 16 MB.
        modality: What the image was made of: `infrared` or `visible`.
        top_k: How many ranked images to return, 1 … 100.
        protocol: Name of a protocol that the data allow; it says which visible images an infrared photo is ranked with.
        trial: Number of that protocol's gallery, 0 … 9.
    """

    checkpoint: str = ""
    data: str = ""
    image: bytes = b""
    modality: str = ""
    top_k: int = 10
    protocol: str = ""
    trial: int = 0

    def checked(self, library: Library) -> Request:
        """Return the request with every default filled in; the image itself is looked at later.

        Raises:
            ValueError: A value is out of bounds or names nothing; the message says what was expected and what came.
        """
        data = known("data", self.data, library.collections)
        return replace(
            self,
            checkpoint=known("checkpoint", self.checkpoint, library.usable),
            data=data,
            modality=str(own_modality("modality", self.modality)),
            top_k=whole_number("top_k", self.top_k, 1, MAX_TOP_K),
            protocol=known("protocol", self.protocol, library.collections[data].protocols),
            trial=whole_number("trial", self.trial, 0, MAX_TRIAL),
        )


@dataclass(frozen=True)
class RankedImage:
    """A gallery image at its rank, from 1; `distance` is the cosine distance 1 − cos, in [0, 2]."""

    rank: int
    image: str
    pid: int
    camid: int
    distance: float


@dataclass(frozen=True)
class Result:
    """The ranking for a visitor's image; nobody knows who is in it, so nothing is a match and nothing is scored.

    Attributes:
        checkpoint: As asked, or the default; likewise `data`.
        data: See `checkpoint`.
        modality: Of the visitor's image.
        gallery_modality: The other one.
        protocol: Whose gallery was ranked; `None` for a visible photo, which no published protocol ranks.
        trial: Number of that gallery; `None` likewise.
        results: The closest `top_k` images, or all where there are fewer.
        gallery_size: Images that were ranked.
        note: What the gallery is, in a sentence.
        warning: What the ranking is worth, in plain words.
    """

    checkpoint: str
    data: str
    modality: str
    gallery_modality: str
    protocol: str | None
    trial: int | None
    results: tuple[RankedImage, ...]
    gallery_size: int
    note: str
    warning: str

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/retrieve_image` answers."""
        return {**asdict(self), "results": [asdict(ranked) for ranked in self.results]}


def run(library: Library, request: Request) -> Result:
    """Look at the image and rank the gallery by (distance, gallery index), the distances in float64.

    Raises:
        ValueError: The request is not valid, the image cannot be read, or the data set cannot be embedded.
    """
    request = request.checked(library)
    return rank(library, request, look_at(library, request.image))


def rank(library: Library, request: Request, image: OwnImage) -> Result:
    """Rank the gallery for an image that was looked at before; `request.image` is not used.

    Raises:
        ValueError: As `run`, but for the image.
    """
    request = request.checked(library)
    collection, modality = library.collections[request.data], Modality(request.modality)
    gallery, note = gallery_for(library, request)
    rows = np.asarray(library.embeddings(request.checkpoint, request.data), dtype=np.float64)
    query = embed_own(library, request.checkpoint, [image], modality)
    distances = cosine_distances(query, rows[[collection.rows[sample.key] for sample in gallery]])[0]
    results = tuple(
        RankedImage(place, sample.key, sample.pid, sample.camid, float(1 + distances[index]))
        for place, index in enumerate(ranking(distances)[: request.top_k], start=1)
        for sample in (gallery[index],)
    )
    published = modality is Modality.INFRARED
    return Result(
        request.checkpoint,
        request.data,
        str(modality),
        str(other_modality(modality)),
        request.protocol if published else None,
        request.trial if published else None,
        results,
        len(gallery),
        note,
        warning(library, request.checkpoint),
    )


def gallery_for(library: Library, request: Request) -> tuple[list[Sample], str]:
    """Return the images of the other modality, and a sentence that says which they are."""
    collection = library.collections[request.data]
    if request.modality == Modality.INFRARED:
        gallery = list(collection.gallery(request.protocol, request.trial))
        return gallery, (
            f"Ranked against the visible gallery of {request.protocol}, trial {request.trial}; "
            "your photo has no camera of the protocol, so no image is left out."
        )
    return list(collection.queries), (
        f"Ranked against all infrared images of {collection.title}; "
        "visible to infrared is no published protocol of this layout."
    )


def ranked_csv(library: Library, result: Result) -> str:
    """Write a ranking as a table; nothing of the visitor's image is in it."""
    facts = {
        "checkpoint": checkpoint_words(library, result.checkpoint),
        "data": describe_data(library, result.data),
        "query": f"the visitor's own {result.modality} image",
        "gallery": f"{result.gallery_size} {result.gallery_modality} images. {result.note}",
        "distance": "cosine distance, 1 - cos",
        "no evidence": result.warning,
    }
    rows = [(one.rank, one.image, one.pid, one.camid, round(one.distance, 6)) for one in result.results]
    return described_csv(facts.items(), ("rank", "image", "pid", "camid", "distance"), rows)
