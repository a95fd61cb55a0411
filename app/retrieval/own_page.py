"""A visitor's own image as the query, and own images as the gallery, on the page."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.library import Library
from app.library.own_images import (
    OwnImage,
    brought,
    cut,
    embed_own,
    look_at_text,
    oddities,
    other_modality,
    small,
    warning,
)
from app.library.thumbnails import CARD_HEIGHT, encoded
from app.retrieval.browse import Browse
from app.retrieval.own import RetrieveImage, rank, rank_gallery
from app.shared.html import html
from app.shared.tab import Answer, Piece, Press
from mun.structures import Modality

__all__ = ["chooser", "news", "own_answer"]


def own_answer(library: Library, request: Browse, names: Sequence[str], press: Press) -> Answer:
    """Answer a press about images of the visitor's own.

    Raises:
        ValueError: An image cannot be read, or its modality is not said.
    """
    sheet, image = press.detail.get("gallery"), None
    gallery = cut(library, sheet) if isinstance(sheet, str) and sheet else []
    if request.own_image:
        try:
            image = brought(library, "own_image", request.own_image, "your image")
        except ValueError as error:
            request = request.model_copy(update={"own_image": ""})
            return Answer(request, {"retrieval-own": chooser(request)}, notice=f"{str(error).rstrip('.')}.")
        request = request.model_copy(update={"own_image": small(image)})
    if image is not None and not request.own_modality:
        words = "Say first whether your image is infrared or visible."
        return Answer(request, {"retrieval-own": chooser(request)}, notice=words)
    if image is None and not gallery:
        return Answer(request, {"retrieval-own": chooser(request)}, notice="Bring an image or a gallery of your own.")
    drawn = draw(library, request, names, image, gallery)
    empty = Piece("", str)
    return Answer(
        request,
        {"retrieval-progress": empty, "retrieval-own": chooser(request), "ranking": drawn, "retrieval-scores": empty},
        say="Ranked for your images.",
    )


def news(library: Library, file: object) -> str:
    """Look at one image of a gallery that is being brought, and give its small copy back, or the reason why not."""
    try:
        image = look_at_text(library, "the file", file)
    except ValueError as error:
        return html("own_news.html", error=str(error), uri="")
    return html("own_news.html", error="", uri=small(image))


def chooser(request: Browse) -> str:
    """Draw where images of the visitor's own are brought."""
    return html("own_choose.html", request=request)


def draw(
    library: Library, request: Browse, names: Sequence[str], image: OwnImage | None, gallery: Sequence[OwnImage]
) -> str:
    """Draw the ranking: the data set's or the visitor's gallery, for the data set's or the visitor's query."""
    collection = library.collections[request.data]
    modality = Modality(request.own_modality) if image is not None else request.terms.direction.query_modality
    notes, rows = [], []
    for name in names:
        if gallery:
            if image is not None:
                query = embed_own(library, name, [image], modality)
            else:
                row = collection.rows[request.query]
                query = np.asarray(library.embeddings(name, request.data)[row : row + 1], dtype=np.float64)
            ranked = rank_gallery(library, name, query, gallery, other_modality(modality))[: request.top_k]
            size = max(gallery[0].pixels)
            cards = [
                (
                    one.rank,
                    "",
                    f"file {one.index + 1}",
                    one.distance,
                    encoded(gallery[one.index].pixels[size]),
                    one.index,
                )
                for one in ranked
            ]
            total, note = len(gallery), "Your gallery is ranked by cosine distance alone."
        elif image is not None:
            asked = RetrieveImage.read(
                {
                    "checkpoint": name,
                    "data": request.data,
                    "modality": modality.value,
                    "top_k": request.top_k,
                    "protocol": request.protocol,
                    "trial": request.trial,
                },
                library,
            )
            result = rank(library, asked, image)
            cards = [
                (
                    one.rank,
                    f"Person {one.pid}",
                    f"cam {one.camid}",
                    one.distance,
                    library.thumbnail(request.data, one.image, CARD_HEIGHT),
                    -1,
                )
                for one in result.results
            ]
            total, note = result.gallery_size, result.note
        else:
            continue
        rows.append((library.checkpoints[name].label, name, cards))
        notes = [note]
    if image is not None:
        config = library.network(request.checkpoint).config
        notes += oddities("image", image, (config.height, config.image_width))
        query_uri, query_words = encoded(image.pixels[max(image.pixels)]), f"your {modality} image"
    else:
        sample = collection.samples[collection.rows[request.query]]
        query_uri, query_words = library.thumbnail(request.data, sample.key, CARD_HEIGHT), f"person {sample.pid}"
    return html(
        "own_ranking.html",
        rows=rows,
        total=total,
        notes=notes,
        warning=warning(library, request.checkpoint),
        modality=modality.value,
        query_uri=query_uri,
        query_words=query_words,
    )
