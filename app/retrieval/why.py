"""Why a card is ranked where it is: a map on the query and one on the card, each with the other image as target."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from app.library import Library
from app.library.maps import LayerMap, fit_scale, heat_uri, last_stage, palette, similarity_map, stage_words
from app.retrieval.browse import Browse

__all__ = ["why"]

FITTED = (128, 64)  # height and width, pixels, of the maps that the colour scale is fitted to


def maps_of(library: Library, request: Browse, checkpoint: str, pair: tuple[str, str]) -> list[LayerMap]:
    """Compute both maps at the last stage, or at the stage before if one of them is empty at the last."""
    found = list[list[LayerMap]]()
    for layer in (last_stage(library, checkpoint), *library.network(checkpoint).stages[-2:-1]):
        common = (library, checkpoint, request.data)
        compute = partial(similarity_map, *common, layer=layer, corruption=request.terms.corruption)
        found.append([compute(*pair), compute(*pair[::-1])])
        if all(layer_map.values.any() for layer_map in found[-1]):
            return found[-1]
    return found[0]


def why(library: Library, request: Browse, names: Sequence[str], detail: Mapping[str, object]) -> dict[str, Any] | None:
    """Compute the maps of the card that a press names; `None` if it names no card of a shown ranking.

    Args:
        library: The app's library, shared by all visitors.
        request: The request that is shown.
        names: The checkpoints whose rankings are shown.
        detail: `image` and `checkpoint` of the card, as the press sends them.

    Returns:
        Values for the page: `checkpoint`, whose ranking holds the card; `image`, the card's; `heats`, the maps of query
        and card as data URIs, each in its image's proportions; `method`, how and of which layer they are made;
        `empty`, which of the two has a map of zeros; `link`, to the Explain tab with the same pair.

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
    heats = [heat_uri(scale.heat(one, (size[0], size[1])), colours) for one, size in zip(maps, sizes, strict=True)]
    link = {"tab": "explain", "image": request.query, "target": image, "checkpoint": checkpoint, "data": request.data}
    words = f"{maps[0].method.label}, {stage_words(maps[0].layer)}"
    if maps[0].layer != (last := last_stage(library, checkpoint)):
        words += f"; a map of {stage_words(last)} is empty"
    empty = " and ".join(name for name, one in zip(("query", "image"), maps, strict=True) if not one.values.any())
    shown = {"checkpoint": checkpoint, "image": image, "heats": heats, "link": "?" + urlencode(link, safe="/")}
    return {**shown, "method": words, "empty": empty}
