"""What one visitor has chosen in the Embeddings tab, and the same as the query part of an address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from urllib.parse import urlencode

from app.actions.checks import known, shown, text, whole_number
from app.actions.embeddings.project import Request
from app.actions.embeddings.request import select
from app.library import Library

__all__ = ["COLOURINGS", "TAB", "EmbeddingVisit", "opening", "read", "write"]

TAB = "embeddings"
COLOURINGS = {"identity": "person", "modality": "modality", "camera": "camera", "correct": "right at rank 1"}
SWITCHES = ("lines", "prototypes", "controls")
MAX_SELECTED = 4000
MAX_DIGITS = 12
FITTED = ("identities", "perplexity")  # what a first visit sees of them depends on the data


@dataclass(frozen=True)
class EmbeddingVisit:
    """One visitor's choices: names and numbers only.

    Attributes:
        request: What is laid out, checked.
        compare: Name of a second checkpoint; empty for none.
        colour: One of `COLOURINGS`.
        lines: Whether lines lead from each visible center through the auxiliary to the infrared one.
        prototypes: Whether the modalities' prototypes are shown.
        controls: Whether the numbers of the controls stand beside those of the picture.
        chosen: Side (0 left, 1 right) and row of the point that is looked at; `None` for none.
        selected: Side and rows of the lasso's points.
        wanted: Key of an image whose point is chosen as soon as the pictures are there; empty for none.
        joined: Requests that this visit waits for.
        notice: A sentence to say once.
        turn: Grows with every answer, so that the browser draws each anew.
    """

    request: Request
    compare: str = ""
    colour: str = "identity"
    lines: bool = False
    prototypes: bool = False
    controls: bool = False
    chosen: tuple[int, int] | None = None
    selected: tuple[int, tuple[int, ...]] = (0, ())
    wanted: str = ""
    joined: tuple[Request, ...] = field(default=())
    notice: str = ""
    turn: int = 0

    @property
    def requests(self) -> tuple[Request, ...]:
        """What is laid out: one request, or two that differ in the checkpoint; not checked."""
        if not self.compare:
            return (self.request,)
        return self.request, replace(self.request, checkpoint=self.compare)

    def checked(self, library: Library) -> tuple[Request, ...]:
        """Return the requests with what each checkpoint lacks left out.

        Raises:
            ValueError: As `Request.checked`.
        """
        return tuple(request.checked(library) for request in self.requests)

    def next_turn(self) -> EmbeddingVisit:
        """Begin the next answer: what was to be said once has been said."""
        return replace(self, turn=self.turn + 1, notice="")


def opening(library: Library) -> EmbeddingVisit:
    """Return what a visitor sees first: the default checkpoint, beside its like without an auxiliary modality."""
    request = Request(checkpoint=library.default_checkpoint, data=library.default_data)
    without = plain_twin(library, library.default_checkpoint)
    if not without:
        return EmbeddingVisit(fitted(library, request))
    return EmbeddingVisit(fitted(library, replace(request, checkpoint=without)), library.default_checkpoint)


def plain_twin(library: Library, checkpoint: str) -> str:
    """Name the checkpoint with the same network but no auxiliary modality, else any without; empty where none is."""
    cards = {name: library.checkpoints[name].card for name in library.usable}
    models = {name: card.config.model for name, card in cards.items() if card is not None}
    if models[checkpoint].auxiliary == "none":
        return ""
    plain = [name for name, model in models.items() if model.auxiliary == "none"]
    wanted = replace(models[checkpoint], auxiliary="none")
    return next((name for name in plain if models[name] == wanted), plain[0] if plain else "")


def fitted(library: Library, request: Request) -> Request:
    """Ask for no more people than the data have, and for a perplexity that their images allow."""
    collection = library.collections[request.data]
    request = replace(request, identities=min(request.identities, max(1, collection.num_identities // 2)))
    images = len(select(collection, request))
    return replace(request, perplexity=float(max(2, min(int(request.perplexity), (images - 1) // 3))))


def write(visit: EmbeddingVisit) -> str:
    """Return a visit as `?tab=embeddings&checkpoint=…`; what is as by default is left out."""
    default, values = (
        Request(),
        {"tab": TAB, "checkpoint": visit.request.checkpoint, "compare": visit.compare or "none"},
    )
    for one in fields(Request):
        value = getattr(visit.request, one.name)
        if one.name in FITTED or (one.name != "checkpoint" and value != getattr(default, one.name)):
            values[one.name] = str(int(value)) if isinstance(value, bool) else f"{value}".removesuffix(".0")
    if visit.colour != "identity":
        values["colour"] = visit.colour
    values |= {name: "1" for name in SWITCHES if getattr(visit, name)}
    return "?" + urlencode(values, safe="/,")


def read(library: Library, values: Mapping[str, object]) -> EmbeddingVisit:
    """Return the visit that a link describes; what it does not say is as by default.

    Args:
        library: What all visitors share.
        values: The address's values by name; names that are none of ours are passed over.

    Raises:
        ValueError: A value is out of bounds or names nothing.
    """
    first, default = opening(library), Request()
    said: dict[str, object] = {}
    for one in fields(Request):
        if one.name in values:
            said[one.name] = converted(one.name, text(one.name, values[one.name]), getattr(default, one.name))
    request = replace(first.request, **said)  # type: ignore[arg-type]
    compare = first.compare if "checkpoint" not in said else ""
    if "compare" in values:
        word = known("compare", values["compare"], ["none", *library.usable])
        compare = "" if word == "none" else word
    visit = EmbeddingVisit(
        request,
        "" if compare == request.checkpoint else compare,
        known("colour", values.get("colour", "identity"), COLOURINGS),
        **{
            name: bool(whole_number(name, as_number(name, text(name, values[name])), 0, 1))
            for name in SWITCHES
            if name in values
        },  # type: ignore[arg-type]
    )
    visit.checked(library)
    return visit


def converted(name: str, word: str, default: object) -> object:
    """Read a value of the same kind as the default."""
    if isinstance(default, bool):
        return bool(whole_number(name, as_number(name, word), 0, 1))
    if isinstance(default, int | float):
        number = as_number(name, word)
        return float(number) if isinstance(default, float) else number
    return word


def as_number(name: str, word: str) -> float:
    """Read a number of at most 12 characters.

    Raises:
        ValueError: It is none.
    """
    try:
        if len(word) > MAX_DIGITS or not word.isascii():
            raise ValueError
        return float(word)
    except ValueError:
        raise ValueError(f"expected {name} to be a number, got {shown(word)}") from None
