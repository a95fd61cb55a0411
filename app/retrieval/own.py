"""Rank the gallery of the other modality for an image that the visitor brings. Nothing of the image is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from app.library import Library
from app.library.own_images import OwnImage, embed_own, from_base64, look_at, other_modality, own_modality, warning
from app.retrieval.rank import protocols
from app.shared.export import checkpoint_words, describe_data, described_csv
from app.shared.request import Choice, Data, File, Network, Request, Text, Whole, one_of, option
from mun.evaluation.metrics import cosine_distances, ranking
from mun.structures import Modality, Sample

__all__ = ["RankedFile", "RankedImage", "Result", "RetrieveImage", "answer", "rank", "rank_gallery", "ranked_csv"]

MODALITIES = (Choice("infrared", "infrared"), Choice("visible", "visible light"))


class RetrieveImage(Request):
    """Rank the images of the other modality for an image of your own; nothing of it is kept.

    Returns the names used, the ranked images with their cosine distance 1 - cos, the gallery's size, what the gallery
    is, and a warning about what such a ranking is worth. A visible image is ranked against all infrared ones.
    """

    checkpoint: Network = option("", "Checkpoint", "Name of a usable checkpoint of /status; empty for the first.")
    data: Data = option("", "Data", "Name of a data set of /status; empty for the first.")
    image: File = option("", "Image", "The image file in base64, or as a data URI, at most 16 MB.")
    modality: Text = option("", "Modality", "What the image was made of, infrared or visible.")
    top_k: Whole = option(10, "Top k", "How many ranked images to return.", ge=1, le=100)
    protocol: Annotated[Text, one_of(protocols)] = option(
        "", "Protocol", "For an infrared image, whose visible gallery is ranked; empty for the first."
    )
    trial: Whole = option(0, "Gallery", "Number of that gallery.", ge=0, le=9)

    @property
    def made_of(self) -> Modality:
        """The modality that the visitor stated; there is no default, because a guess would rank nonsense.

        Raises:
            ValueError: It is neither `visible` nor `infrared`.
        """
        return own_modality("modality", self.modality)


def answer(library: Library, request: RetrieveImage) -> dict[str, Any]:
    """Answer `/retrieve_image`."""
    request.made_of  # noqa: B018 — refused before the image is decoded
    return rank(library, request, look_at(library, from_base64("image", request.image))).to_json()


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


def rank(library: Library, request: RetrieveImage, image: OwnImage) -> Result:
    """Rank the gallery for an image by (distance, gallery index), the distances in float64.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    collection, modality = library.collections[request.data], request.made_of
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


def gallery_for(library: Library, request: RetrieveImage) -> tuple[list[Sample], str]:
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


@dataclass(frozen=True)
class RankedFile:
    """An image of the visitor's gallery at its rank, from 1; `index` is its place in the gallery, from 0."""

    rank: int
    index: int
    distance: float


def rank_gallery(
    library: Library, checkpoint: str, query: NDArray[np.float64], gallery: Sequence[OwnImage], modality: Modality
) -> list[RankedFile]:
    """Rank a visitor's images for a query by (distance, place in the gallery), the distances in float64.

    Args:
        library: What all visitors share.
        checkpoint: Name of the checkpoint.
        query: Unit-length embedding, float64, `(1, D)`.
        gallery: The images.
        modality: What they were made of.

    Raises:
        ValueError: The checkpoint cannot embed them.
    """
    distances = cosine_distances(query, embed_own(library, checkpoint, gallery, modality))[0]
    return [
        RankedFile(place, int(index), float(1 + distances[index]))
        for place, index in enumerate(ranking(distances), start=1)
    ]
