"""What must stand on a picture of features: where it comes from, how it was made, and the call that makes it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields

from app.actions.embeddings.request import Request
from app.library import Library
from app.shared.export import LOCAL, checkpoint_words, describe_data
from mun.structures import Modality

__all__ = ["METHODS", "SPACES", "call_pieces", "method_words", "sentence"]

METHODS = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
SPACES = {"embedding": "embeddings (after the BN neck)", "features": "features (before the BN neck)"}
METRICS = {"cosine": "cosine (rows of unit length)", "euclidean": "Euclidean distance"}
SHOWN_HASH = 12  # hexadecimal digits


def sentence(
    library: Library, request: Request, counts: Mapping[Modality, int], explained: tuple[float, float] | None
) -> str:
    """Write what must stand on the figure of a checked request.

    Args:
        library: What all visitors share.
        request: What was asked.
        counts: Points by modality.
        explained: Fractions of the variance along both axes of PCA; `None` for the others.
    """
    people = f"people {request.people}" if request.people else f"the first {request.identities} people"
    images = f"{counts[Modality.VISIBLE]} visible and {counts[Modality.INFRARED]} infrared images of {people}"
    parts = [
        f"{method_words(request, explained)} of {SPACES[request.space]}, {METRICS[request.metric]}.",
        f"Checkpoint: {checkpoint_words(library, request.checkpoint)}.",
        f"Data: {describe_data(library, request.data)}; test split, {images}.",
        auxiliary_words(library, request, counts[Modality.AUXILIARY]),
        "Centers and prototypes are laid out along with the points.",
    ]
    return " ".join(parts)


def method_words(request: Request, explained: tuple[float, float] | None = None) -> str:
    """Name the method with its parameters."""
    if request.method == "tsne":
        return f"t-SNE (perplexity {request.perplexity:g}, seed {request.seed}, PCA start)"
    if request.method == "umap":
        parameters = f"{request.neighbors} neighbors, minimal distance {request.min_dist:g}, seed {request.seed}"
        return f"UMAP ({parameters}, PCA start)"
    if explained is None:
        return "PCA"
    return f"PCA ({100 * explained[0]:.1f} % and {100 * explained[1]:.1f} % of the variance)"


def auxiliary_words(library: Library, request: Request, count: int) -> str:
    """Say where the auxiliary points come from, and that labels were used."""
    if not request.auxiliary:
        has = library.network(request.checkpoint).auxiliary.num_images
        return "No auxiliary points are shown." if has else "This checkpoint has no auxiliary modality."
    generator = "a freshly initialised generator (control)" if request.untrained else "the checkpoint's generator"
    control = " (control)" if request.pairing == "mismatched" else ""
    return (
        f"{count} auxiliary points of {request.pairing} pairs{control}, seed {request.seed}, by {generator}; "
        "pairing uses labels."
    )


def call_pieces(request: Request, url: str = LOCAL) -> tuple[str, ...]:
    """Write the call that makes a picture as one line of Python, in pieces between which it may be broken.

    Names of checkpoint and data are always there, other parameters where they differ from their default.
    """
    default = Request()
    named = (
        f"{field.name}={getattr(request, field.name)!r}, "
        for field in fields(Request)
        if field.name in ("checkpoint", "data", "method", "seed")
        or getattr(request, field.name) != getattr(default, field.name)
    )
    start = ("from gradio_client import Client; ", "print(", f"Client({url!r}).predict(")
    return (*start, *named, "api_name='/project'))")
