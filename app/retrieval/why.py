"""Why a card is ranked where it is: maps of the query and the card, each towards the other, laid over both in place."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from app.library import Library
from app.library.maps import LayerMap, alike, fit_scale, heat_uri, last_stage, palette, stage_words
from app.retrieval.browse import Browse

__all__ = ["why"]

FITTED = (128, 64)  # pixels of a map that the scale is fitted to


def maps_of(library: Library, request: Browse, checkpoint: str, pair: tuple[str, str]) -> list[LayerMap]:
    """Compute both maps at the last stage, or at the one before where one of them is empty at the last."""
    found = list[list[LayerMap]]()
    for layer in (last_stage(library, checkpoint), *library.network(checkpoint).stages[-2:-1]):
        look = partial(alike, library, checkpoint, request.data, layer=layer, corruption=request.terms.corruption)
        found.append([look(*pair), look(*pair[::-1])])
        if all(made.values.any() for made in found[-1]):
            return found[-1]
    return found[0]


def why(library: Library, request: Browse, names: Sequence[str], detail: Mapping[str, object]) -> dict[str, Any] | None:
    """Compute the maps of the card that a press names; nothing where it names none of a ranking that is shown.

    Args:
        library: What all visitors share.
        request: What is ranked.
        names: The checkpoints whose rankings are shown.
        detail: What the press says: `image` and `checkpoint`.

    Returns:
        What the page shows: by whose ranking (`checkpoint`) which ranked `image`; `heats`, the maps of the query and of
        the ranked image as data URIs, each in its image's proportions; `method`, how and of which layer they are made;
        `empty`, which of the two has a map without any value; `link`, the Explain tab with the same pair.

    Raises:
        ValueError: An image is broken or gone.
    """
    view = library.view(request.data, request.terms.corruption)
    checkpoint, image = str(detail.get("checkpoint", "")), str(detail.get("image", ""))
    if checkpoint not in names or image not in view.rows or image == request.query:
        return None
    pair = (request.query, image)
    maps = maps_of(library, request, checkpoint, pair)
    scale, colours = fit_scale("relative", maps, FITTED), palette()
    sizes = [library.view(request.data).image(view.samples[view.rows[key]]).shape for key in pair]
    heats = [heat_uri(scale.heat(made, (size[0], size[1])), colours) for made, size in zip(maps, sizes, strict=True)]
    said = {"tab": "explain", "image": request.query, "target": image, "checkpoint": checkpoint, "data": request.data}
    words = f"{maps[0].method.label}, {stage_words(maps[0].layer)}"
    if maps[0].layer != (last := last_stage(library, checkpoint)):
        words += f"; a map of {stage_words(last)} is empty"
    empty = " and ".join(name for name, made in zip(("query", "card"), maps, strict=True) if not made.values.any())
    shown = {"checkpoint": checkpoint, "image": image, "heats": heats, "link": "?" + urlencode(said, safe="/")}
    return {**shown, "method": words, "empty": empty}
