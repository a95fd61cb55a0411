"""Export files of the Explain tab: the maps as a figure, as raw values and as a table."""

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from app.explain.explain import Result
from app.explain.subject import Explain
from app.library import Library
from app.library.maps import PALETTE, LayerMap, Scale, fit_scale, veil
from app.shared.export import checkpoint_words, describe_data, safe_stem, synthetic_note, table
from app.shared.figure import SMALL, WIDTHS, figure_bytes, styled
from app.shared.tab import File
from app.shared.tiles import Grid, Tile, canvas, draw_tile
from mun.explain.cams import upsampled

__all__ = ["draw_maps", "write"]

TITLES = {"iml_visible": "IML_v", "iml_infrared": "IML_i", "cml": "CML", "fused": "fused"}
COLUMNS = ("map", "method", "height", "width", "mean", "largest", "inside_change", "center_prior", "random_weights")
DIGITS = 6  # significant ones of a table's numbers
OPACITY = 0.75
PER_ROW = {"two-column": 8, "one-column": 4}
MARGIN, FOOT = 0.03, 0.15  # inches; the foot holds the words below an image
BAR, BAR_HEIGHT, BAR_ROOM = 2.2, 0.07, 0.3  # inches


def write(library: Library, result: Result, what: str, kind: str, scale: str, url: str, width: str, maps: str) -> File:
    """Write a file.

    Args:
        library: The app's library, shared by all visitors.
        result: The explanation on the page.
        what: `maps`, `raw` or `table`.
        kind: Format.
        scale: Of the colours, one of `SCALES`.
        url: Address of the app, for the line of Python that makes the maps again.
        width: Of the figure, one of `WIDTHS`.
        maps: Maps of the figure: those of the first `row`, or `all`.
    """
    image = result.image.image.rpartition(".")[0]
    stem = safe_stem(f"explained-{image}-{result.request.method}-{result.request.checkpoint}")
    call = result.request.call(library, "explain", url, tuple(Explain.model_fields))
    facts = facts_of(library, result)
    if what == "raw":
        return File.of(stem, kind, maps_npz(result, facts, call))
    if what == "table":
        return File.of(stem, kind, write_table(kind, [*facts.items(), ("reproduced by", call)], result))
    shown = result.maps if maps == "all" else result.main
    return File.of(stem, kind, figure_bytes(draw_maps(facts, result, shown, scale, call, width), kind))


def facts_of(library: Library, result: Result) -> dict[str, str]:
    """Return the provenance of the maps, text by name."""
    request = result.request
    return {
        "image": f"{result.image.image} (person {result.image.pid}, {result.modality})",
        "target": result.target_words,
        "cosine": f"{result.similarity:.3f}",
        "checkpoint": checkpoint_words(library, request.checkpoint),
        "data": describe_data(library, request.data),
        "seed": str(request.seed),
        "notes": " ".join(filter(None, (*result.notes, synthetic_note(library, request.data)))),
    }


def maps_npz(result: Result, facts: dict[str, str], call: str) -> bytes:
    """Write every map, raw at its layer's resolution and enlarged to the image, and JSON that describes them.

    Arrays are float32: `image/infrared/layer4` is raw, `image/infrared/layer4@image` is enlarged; `about` is text.
    """
    arrays: dict[str, Any] = {}
    for one in result.maps:
        arrays |= {one.name: one.values, f"{one.name}@image": upsampled(one.values[None], result.size)[0]}
    about = {
        "checkpoint": facts["checkpoint"],
        "data": facts["data"],
        "image": result.image.image,
        "target": result.target_words,
        "similarity": result.similarity,
        "pair": result.pair,
        "methods": {one.name: one.method.value for one in result.maps},
        "seed": result.request.seed,
        "notes": list(result.notes),
        "command": call,
    }
    file = io.BytesIO()
    np.savez_compressed(file, about=np.array(json.dumps(about)), **arrays)
    return file.getvalue()


def write_table(kind: str, facts: Sequence[tuple[str, str]], result: Result) -> bytes:
    """Write a table with a row per map: statistics of its values, and shares of its energy."""
    shares = {one.name: (one.trained, one.prior, one.random) for one in result.truth.shares} if result.truth else {}
    rows = []
    for one in result.maps:
        numbers = (float(one.values.mean()), float(one.values.max()), *shares.get(one.name, (None, None, None)))
        rounded = (None if number is None else float(f"{number:.{DIGITS}g}") for number in numbers)
        rows.append((one.name, one.method.value, *one.values.shape, *rounded))
    return table(kind, facts, COLUMNS, rows)


def draw_maps(
    facts: dict[str, str], result: Result, maps: Sequence[LayerMap], scale: str, call: str, width: str
) -> Figure:
    """Draw what the network sees, then maps over it with one colour scale, eight in a row, four in one column.

    Args:
        facts: Provenance of the maps.
        result: The explanation.
        maps: Its maps to draw.
        scale: Of the colours, one of `SCALES`.
        call: The line of Python that makes the maps again.
        width: One of `WIDTHS`.
    """
    height, wide = result.size
    fitted, per_row = fit_scale(scale, result.maps, result.size), PER_ROW[width]
    tiles = [Tile(picture, name) for name, picture in result.pictures.items()]
    tiles += [map_tile(one, result.pictures[one.over], fitted, result.size) for one in maps]
    with styled():
        grid = Grid(WIDTHS[width], per_row, FOOT, height / wide)
        bottom = grid.bottom(-(-len(tiles) // per_row))
        figure, axes = canvas(grid.width, bottom + BAR_ROOM, caption(facts, result, fitted), call)
        for place, tile in enumerate(tiles):
            draw_tile(axes, grid.box(*divmod(place, per_row)), tile)
        draw_scale(axes, bottom, fitted.top)
    return figure


def map_tile(one: LayerMap, picture: NDArray[np.uint8], scale: Scale, size: tuple[int, int]) -> Tile:
    """Lay a map over its picture in grey, so that all colours belong to the map."""
    heat = scale.heat(one, size)
    light = np.rint(picture @ np.array([0.299, 0.587, 0.114])).astype(np.uint8)
    colours = colormaps[PALETTE](heat)
    colours[..., 3] = OPACITY * veil(heat)
    under = f"{one.method.label} on {one.over.replace('auxiliary', 'aux.')}"
    return Tile(np.repeat(light[:, :, None], 3, axis=2), TITLES.get(one.layer, one.layer), (under,), colours)


def caption(facts: dict[str, str], result: Result, scale: Scale) -> str:
    """Write the sentences below the maps."""
    methods = ", ".join(sorted({one.method.label for one in result.maps}))
    return (
        f"The colours stand for {scale.words}, on a square-root scale; small values are more transparent."
        f" Where the network finds image {facts['image']} similar to the {facts['target']}: cosine {facts['cosine']}."
        f" {methods}, all on one colour scale; {100 * scale.clipped:.1f} % of the pixels lie above it. Checkpoint:"
        f" {facts['checkpoint']}. Data: {facts['data']}. Seed {facts['seed']}. {facts['notes']} To"
        " reproduce these maps while the app runs:"
    )


def draw_scale(axes: Axes, top: float, largest: float) -> None:
    """Draw the colour scale, in full colours, below the images."""
    y = top + 0.08
    ramp = colormaps[PALETTE](np.linspace(0, 1, 256))[None, :, :3]
    axes.imshow(ramp, extent=(MARGIN, MARGIN + BAR, y + BAR_HEIGHT, y), aspect="auto", interpolation="auto")
    for share, place in ((0.0, "left"), (0.5, "center"), (1.0, "right")):
        x = MARGIN + share * BAR
        axes.text(x, y + BAR_HEIGHT + 0.02, f"{share**2 * largest:.3g}", size=SMALL, va="top", ha=place)
