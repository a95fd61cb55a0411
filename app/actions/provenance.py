"""Where a ranking comes from: the words and the call with which somebody else gets it again."""

from __future__ import annotations

from dataclasses import dataclass, fields

from app.actions.retrieval import retrieve
from app.library import Library
from app.library.collection import Direction
from mun.files import read_json

__all__ = [
    "DIRECTIONS",
    "LOCAL",
    "SHOWN_HASH",
    "Provenance",
    "call_pieces",
    "checkpoint_words",
    "describe_data",
    "provenance",
    "shots_words",
]

LOCAL = "http://127.0.0.1:7860"  # where `python app.py` answers unless it is told otherwise
SHOWN_HASH = 12  # hexadecimal digits
ALWAYS = ("checkpoint", "data", "protocol", "trial")
DIRECTIONS = {
    Direction.INFRARED_TO_VISIBLE: "infrared → visible",
    Direction.VISIBLE_TO_INFRARED: "visible → infrared (no published protocol)",
}


@dataclass(frozen=True)
class Provenance:
    """What a figure or table says about its ranking.

    Attributes:
        checkpoint: Name and the first 12 digits of the hash over card and weights.
        data: What the images are; of SynVI also level and seed, from which they can be rendered again.
        protocol: Protocol, shots, trial.
        direction: As `infrared → visible`.
        distance: What the distances are.
        score: Average precision and first match, or that there is nothing to find.
        call: One line of Python that asks a running app for the same ranking.
        corruption: What was done to the visible images, in a sentence; empty for clean ones.
    """

    checkpoint: str
    data: str
    protocol: str
    direction: str
    distance: str
    score: str
    call: tuple[str, ...]
    corruption: str = ""


def provenance(library: Library, result: retrieve.Result, url: str = LOCAL) -> Provenance:
    """Describe a ranking.

    Args:
        library: That made it.
        result: The ranking.
        url: Address of the app in the call.
    """
    return Provenance(
        checkpoint_words(library, result.checkpoint),
        describe_data(library, result.data),
        f"{result.protocol}, {shots_words(result.shots)}, trial {result.trial}",
        DIRECTIONS[Direction(result.direction)],
        "k-reciprocal re-ranked distance" if result.rerank else "cosine distance, 1 - cos",
        describe_score(result),
        call_pieces(result, url),
        result.note,
    )


def describe_score(result: retrieve.Result) -> str:
    """Say how well the query was ranked, over its whole gallery."""
    if result.average_precision is None or result.first_hit is None:
        return "not scored: nobody in the gallery is the person asked for"
    return f"AP {100 * result.average_precision:.1f} %, first match at rank {result.first_hit}"


def checkpoint_words(library: Library, name: str) -> str:
    """Name a checkpoint with the first digits of the hash over card and weights."""
    return f"{name} ({library.checkpoints[name].content[:SHOWN_HASH]})"


def describe_data(library: Library, data: str) -> str:
    """Say what the images are; a manifest that is gone or odd leaves its part out."""
    collection = library.collections[data]
    if not collection.synthetic:
        return f"{collection.title}, test split"
    try:
        manifest = read_json(collection.samples[0].path.parents[2] / "manifest.json")
    except (ValueError, OSError):
        manifest = {}
    known = [f"{name} {manifest[name]}" for name in ("level", "seed") if isinstance(manifest.get(name), str | int)]
    return ", ".join([f"{collection.title} (synthetic)", *known])


def shots_words(shots: int) -> str:
    """Write how many gallery images there are per identity and camera."""
    return "single-shot" if shots == 1 else f"{shots}-shot"


def call_pieces(result: retrieve.Result, url: str = LOCAL) -> tuple[str, ...]:
    """Write the call as one line of Python, in pieces between which it may be broken and stays Python.

    The parameters of `/retrieve` are the fields of its request; the first six are named always, others where they
    differ from their default.
    """
    values: dict[str, object] = {"query": result.query.image, "top_k": len(result.results)}
    for field in fields(retrieve.Request):
        if field.name not in values and hasattr(result, field.name):
            value = getattr(result, field.name)
            if field.name in ALWAYS or value not in (None, field.default):
                values[field.name] = value
    named = (f"{field.name}={values[field.name]!r}, " for field in fields(retrieve.Request) if field.name in values)
    return (
        "from gradio_client import Client; ",
        "print(",
        f"Client({url!r}).predict(",
        *named,
        "api_name='/retrieve'))",
    )
