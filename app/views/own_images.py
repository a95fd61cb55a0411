"""What a visitor sees of their own images: from what they brought to pieces of HTML, without Gradio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.actions.retrieval import own_gallery, retrieve_image
from app.actions.retrieval.own_images import OwnImage
from app.cards import render
from app.library import Library
from app.library.thumbnails import CARD_HEIGHT
from app.tables import csv_address

__all__ = ["Card", "broken_html", "gallery_html", "image_html", "message_html", "own_html"]


@dataclass(frozen=True)
class Card:
    """One ranked image: its lines of text and its picture as a data URI, empty where it cannot be read."""

    rank: int
    words: tuple[str, str]
    distance: float
    uri: str


def own_html(library: Library, result: retrieve_image.Result, image: OwnImage, turn: int) -> str:
    """Draw a visitor's image and the cards ranked for it."""
    collection = library.collections[result.data]
    cards = [
        Card(
            one.rank,
            (f"Person {one.pid}", f"cam {one.camid}"),
            one.distance,
            library.thumbnail(result.data, collection.samples[collection.rows[one.image]], CARD_HEIGHT),
        )
        for one in result.results
    ]
    heading = f"Closest {len(cards)} of {result.gallery_size} {result.gallery_modality} images"
    table = retrieve_image.ranked_csv(library, result)
    words = f"your {result.modality} image"
    return ranking_html(image.preview, words, heading, result.note, result.warning, cards, table, turn)


def gallery_html(
    library: Library,
    result: own_gallery.Result,
    gallery: own_gallery.Gallery,
    query_uri: str,
    query_words: str,
    turn: int,
) -> str:
    """Draw a query and the visitor's ranked files."""
    cards = [
        Card(one.rank, (one.name, f"file {one.index + 1}"), one.distance, gallery.images[one.index].preview)
        for one in result.results
    ]
    heading = f"Closest {len(cards)} of your {result.gallery_size} {result.modality} images"
    note = "Ranked by cosine distance alone; nobody has said who is in your images, so nothing is marked."
    table = own_gallery.ranked_csv(library, result)
    return ranking_html(query_uri, query_words, heading, note, result.warning, cards, table, turn)


def ranking_html(
    query_uri: str,
    query_words: str,
    heading: str,
    note: str,
    warning: str,
    cards: Sequence[Card],
    table: str,
    turn: int,
) -> str:
    """Fill the template that both rankings share."""
    return render(
        "own_image.html",
        query_uri=query_uri,
        query_words=query_words,
        heading=heading,
        note=note,
        warning=warning,
        cards=cards,
        file=csv_address(table),
        turn=turn,
    )


def image_html(image: OwnImage, label: str, turn: int) -> str:
    """Show what was uploaded, as it was decoded."""
    words = f"{image.name}, {image.width}×{image.height} pixels"  # noqa: RUF001 the sign of a size
    return render("own_shown.html", images=[image], label=label, words=words, broken=(), turn=turn)


def broken_html(gallery: own_gallery.Gallery, turn: int) -> str:
    """Show the images of a gallery, and the files that are none with their reasons."""
    count, bad = len(gallery.images), len(gallery.broken)
    words = f"{count} image{'' if count == 1 else 's'} read" + (f", {bad} passed over" if bad else "")
    return render(
        "own_shown.html", images=gallery.images, label="Your gallery", words=words, broken=gallery.broken, turn=turn
    )


def message_html(words: str, turn: int, *, error: bool = True) -> str:
    """Say a plain sentence in place of a ranking."""
    return render("own_message.html", words=words, error=error, turn=turn)
