"""Rank a gallery for a visitor's own image, or rank a visitor's own gallery. Nothing of the images is kept."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.library import Library, own_images
from app.library.collection import Terms
from app.library.own_images import OwnImage
from app.library.ranking import ImageFacts
from app.library.thumbnails import CARD_HEIGHT, encoded
from app.retrieval.browse import Browse
from app.shared.export import checkpoint_words, describe_data, table
from app.shared.html import html
from app.shared.request import File, OfNetwork, Protocol, Text, Whole, option
from app.shared.tab import Answer, Piece, Press
from mun.evaluation.metrics import cosine_distances, ranking
from mun.structures import Modality, Sample

__all__ = ["Result", "RetrieveImage", "answer", "chooser", "news", "of_page", "own_answer", "rank", "ranked_csv"]


# A ranked image on the page: rank, name, details, distance, picture, and its index in the visitor's gallery, if any.
Card = tuple[int, str, str, float, str, int | None]


class RetrieveImage(OfNetwork):
    """Rank the images of the other modality for an image of your own; the image is not kept.

    Returns the names used, the ranked images with their cosine distance 1 - cos, the gallery's size and description,
    and a warning about the limits of the ranking. For a visible image, all infrared images are ranked.
    """

    image: File = option("", "Image", "The image file in base64, or as a data URI, at most 16 MB.")
    modality: Text = option("", "Modality", "Modality of the image, infrared or visible.")
    top_k: Whole = option(10, "Top k", "How many ranked images to return.", ge=1, le=100)
    protocol: Protocol = option(
        "", "Protocol", "Protocol whose visible gallery is ranked for an infrared image; empty for the first."
    )
    trial: Whole = option(0, "Gallery", "Number of the protocol's random gallery (trial).", ge=0, le=9)

    @property
    def stated_modality(self) -> Modality:
        """The modality that the visitor stated; there is no default, because a wrong guess gives a useless ranking.

        Raises:
            ValueError: It is neither `visible` nor `infrared`.
        """
        if self.modality in (Modality.VISIBLE, Modality.INFRARED):
            return Modality(self.modality)
        raise ValueError(f"expected modality to be visible or infrared, got {self.modality!r:.60}")


def of_page(library: Library, request: Browse, checkpoint: str) -> RetrieveImage:
    """Return the request for the ranking on the page by one of its checkpoints; the image itself is left out."""
    asked = request.model_dump(include={"data", "top_k", "protocol", "trial"})
    return RetrieveImage.read({**asked, "checkpoint": checkpoint, "modality": request.own_modality}, library)


def answer(library: Library, request: RetrieveImage) -> dict[str, Any]:
    """Answer `/retrieve_image`."""
    request.stated_modality  # noqa: B018 — refused before the image is decoded
    return asdict(rank(library, request, own_images.read_own(library, "image", request.image)))


@dataclass(frozen=True)
class RankedImage(ImageFacts):
    """A gallery image at its rank, from 1; `distance` is the cosine distance 1 − cos, in [0, 2]."""

    rank: int
    distance: float


@dataclass(frozen=True)
class Result:
    """The ranking for a visitor's image; the person in it is unknown, so nothing is a match and nothing is scored.

    Attributes:
        checkpoint: As requested, or the default.
        data: As requested, or the default.
        modality: Of the visitor's image.
        gallery_modality: The other modality.
        protocol: The protocol of the ranked gallery; `None` for a visible image: no published protocol ranks for it.
        trial: Number of that gallery; `None` for a visible image.
        results: The closest `top_k` images, or all if there are fewer.
        gallery_size: Number of images that were ranked.
        note: A sentence that describes the gallery.
        warning: The limits of the ranking, in plain words.
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


def rank(library: Library, request: RetrieveImage, image: OwnImage) -> Result:
    """Rank the gallery for an image.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    collection, modality = library.collections[request.data], request.stated_modality
    gallery, note = gallery_for(library, request)
    rows = library.embeddings(request.checkpoint, request.data)[[collection.rows[sample.key] for sample in gallery]]
    query = own_images.embed_own(library, request.checkpoint, [image], modality)
    published = modality is Modality.INFRARED
    ranked = [(gallery[index], place, distance) for place, index, distance in closest(query, rows, request.top_k)]
    return Result(
        request.checkpoint,
        request.data,
        str(modality),
        str(own_images.other_modality(modality)),
        request.protocol if published else None,
        request.trial if published else None,
        tuple(RankedImage(one.key, one.pid, one.camid, place, distance) for one, place, distance in ranked),
        len(gallery),
        note,
        own_images.warning(library, request.checkpoint),
    )


def closest(query: NDArray[Any], rows: NDArray[Any], count: int) -> Iterator[tuple[int, int, float]]:
    """Rank unit-length rows, `(N, D)`, for a query, `(1, D)`, by (cosine distance, row), with distances in float64.

    Returns:
        Rank from 1, row, and distance 1 − cos of each of the `count` closest rows.
    """
    distances = cosine_distances(np.asarray(query, dtype=np.float64), np.asarray(rows, dtype=np.float64))[0]
    for place, row in enumerate(ranking(distances)[:count], start=1):
        yield place, int(row), float(1 + distances[row])


def gallery_for(library: Library, request: RetrieveImage) -> tuple[list[Sample], str]:
    """Return the gallery, which holds images of the other modality, and a sentence that describes it."""
    collection = library.collections[request.data]
    if request.modality == Modality.INFRARED:
        return collection.gallery(Terms(request.protocol, request.trial)), (
            f"Ranked against the visible gallery of {request.protocol}, trial {request.trial}; "
            "your photo has no camera of the protocol, so no image is left out."
        )
    return list(collection.queries), (
        f"Ranked against all infrared images of {collection.title}; "
        "visible to infrared is not a published protocol of this layout."
    )


def ranked_csv(library: Library, result: Result) -> bytes:
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
    return table("csv", facts.items(), ("rank", "image", "pid", "camid", "distance"), rows)


def own_answer(library: Library, request: Browse, names: Sequence[str], press: Press) -> Answer:
    """Answer a press about the visitor's own images.

    Raises:
        ValueError: An image or a gallery cannot be read.
    """
    sheet, image, notice = press.detail.get("gallery"), None, ""
    gallery = own_images.split_gallery(library, sheet) if isinstance(sheet, str) and sheet else []
    if request.own_image:
        try:
            image = own_images.read_own(library, "own_image", request.own_image, "your image")
        except ValueError as error:
            notice = f"{str(error).rstrip('.')}."
        request = request.model_copy(update={"own_image": own_images.small_copy(image) if image else ""})
    if image and not request.own_modality:
        notice = "First choose whether your image is infrared or visible."
    elif not (image or gallery or notice):
        notice = "Add an image or a gallery of your own."
    if notice:
        return Answer(request, {"retrieval-own": chooser(request)}, notice=notice)
    drawn, empty = draw(library, request, names, image, gallery), Piece("", str)
    return Answer(
        request,
        {"retrieval-progress": empty, "retrieval-own": chooser(request), "ranking": drawn, "retrieval-scores": empty},
        say="Ranked for your images.",
    )


def news(library: Library, file: object) -> str:
    """Check one image of the visitor's own gallery; return its small copy, or the reason why it is refused."""
    try:
        image = own_images.read_own(library, "the file", file, "the file")
        return html("own_news.html", error="", uri=own_images.small_copy(image))
    except ValueError as error:
        return html("own_news.html", error=str(error), uri="")


def chooser(request: Browse) -> str:
    """Draw the form in which a visitor adds own images."""
    return html("own_choose.html", request=request)


def draw(
    library: Library, request: Browse, names: Sequence[str], image: OwnImage | None, gallery: Sequence[OwnImage]
) -> str:
    """Draw the ranking: the data set's or the visitor's gallery, for the data set's or the visitor's query."""
    modality = Modality(request.own_modality) if image else request.terms.direction.query_modality
    collection, rows, total, notes = library.collections[request.data], [], len(gallery), list[str]()
    for name in names:
        if image and not gallery:
            result = rank(library, of_page(library, request, name), image)
            total, notes = result.gallery_size, [result.note]
            uris = [library.thumbnail(request.data, one.image, CARD_HEIGHT) for one in result.results]
            cards: list[Card] = [
                (one.rank, f"Person {one.pid}", f"cam {one.camid}", one.distance, uri, None)
                for one, uri in zip(result.results, uris, strict=True)
            ]
        else:
            embed, row = partial(own_images.embed_own, library, name), collection.rows[request.query]
            query_row = embed([image], modality) if image else library.rows(name, request.data, [row])
            files = closest(query_row, embed(gallery, own_images.other_modality(modality)), request.top_k)
            notes = ["Your gallery is ranked by cosine distance alone."]
            cards = [(place, f"file {at + 1}", "", distance, card(gallery[at]), at) for place, at, distance in files]
        rows.append((library.checkpoints[name].label, name, cards))
    if image:
        notes += own_images.image_notes("image", image, library.network(request.checkpoint).config.size)
        query = card(image), f"your {modality} image"
    else:
        sample = collection.samples[collection.rows[request.query]]
        query = library.thumbnail(request.data, sample.key, CARD_HEIGHT), f"person {sample.pid}"
    return html(
        "own_ranking.html",
        rows=rows,
        total=total,
        notes=notes,
        warning=own_images.warning(library, request.checkpoint),
        modality=modality.value,
        query=query,
    )


def card(image: OwnImage) -> str:
    """Return a visitor's image as a data URI, at the largest size that was kept."""
    return encoded(image.pixels[max(image.pixels)])
