"""What leaves the Explain tab: the maps as a figure, as raw values and as a table."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np

from app.explain.explain import Result
from app.explain.subject import Explain
from app.library import Library
from app.library.maps import LayerMap, fit_scale, veil
from app.shared.export import (
    WIDTH_NAMES,
    checkpoint_words,
    describe_data,
    described_csv,
    latex_table,
    pieces_of,
    safe_stem,
)
from app.shared.request import Choice, Request, Text, one_of, option
from app.shared.tab import File, Menu
from mun.explain.cams import upsampled

__all__ = ["MENUS", "Options", "main_maps", "write"]

MENUS = (
    Menu("Maps", "maps", ("png", "pdf", "svg")),
    Menu("Raw values of all maps", "raw", ("npz",)),
    Menu("Table of all maps", "table", ("csv", "latex")),
)
TITLES = {"iml_visible": "IML_v", "iml_infrared": "IML_i", "cml": "CML", "fused": "fused"}
COLUMNS = ("map", "method", "height", "width", "mean", "largest", "inside_change", "center_prior", "random_weights")
DIGITS = 6  # significant ones of a table's numbers


class Options(Request):
    """How a figure of this tab looks."""

    width: Annotated[Text, one_of(WIDTH_NAMES)] = option("two-column", "Width")
    maps: Annotated[Text, one_of([Choice("row", "those of the first row"), Choice("all", "all")])] = option(
        "row", "Maps"
    )


def main_maps(result: Result) -> list[LayerMap]:
    """Choose the maps that matter: the generator's learners and the last stage, or the last two stages."""
    learners = ("iml_visible", "iml_infrared", "cml")
    paired = any(one.layer in learners for one in result.maps)
    stages = list(dict.fromkeys(one.layer for one in result.maps if one.layer not in (*learners, "fused")))
    last = (*stages[-1:], *learners) if paired else stages[-2:]
    return [one for one in result.maps if one.layer in last] or list(result.maps)


def write(library: Library, result: Result, options: Options, what: str, kind: str, scale: str, url: str) -> File:
    """Write a file of the export menu.

    Args:
        library: What all visitors share.
        result: What is shown.
        options: How a figure looks.
        what: Name of the menu's entry.
        kind: Format.
        scale: Of the colours, one of `SCALES`.
        url: Of the app, for the line that makes the maps again.
    """
    image = result.image.image.rpartition(".")[0].replace("/", "-")
    stem = safe_stem(f"explained-{image}-{result.request.method}-{result.request.checkpoint}")
    call = result.request.call(library, "explain", url, tuple(Explain.model_fields))
    if what == "raw":
        return File.of(stem, kind, maps_npz(library, result, call))
    facts = facts_of(library, result)
    if what == "table":
        return File.of(stem, kind, table(kind, [*facts, ("remade by", call)], result))
    return File.of(stem, kind, figure(facts, result, options, kind, scale, call))


def facts_of(library: Library, result: Result) -> list[tuple[str, str]]:
    """Say where maps come from."""
    request = result.request
    synthetic = library.collections[request.data].synthetic
    return [
        ("image", f"{result.image.image} (person {result.image.pid}, {result.modality})"),
        ("target", result.target_words),
        ("cosine", f"{result.similarity:.3f}"),
        ("checkpoint", checkpoint_words(library, request.checkpoint)),
        ("data", describe_data(library, request.data)),
        ("seed", str(request.seed)),
        ("notes", " ".join([*result.notes, *(["SynVI says nothing about real streets."] if synthetic else [])])),
    ]


def maps_npz(library: Library, result: Result, call: str) -> bytes:
    """Write every map, raw at its layer's resolution and enlarged to the image, and JSON that says what it is.

    Arrays are float32: `image/infrared/layer4` is raw, `image/infrared/layer4@image` is enlarged; `about` is text.
    """
    height, width = next(iter(result.pictures.values())).shape[:2]
    arrays: dict[str, Any] = {}
    for one in result.maps:
        arrays[one.name] = one.values
        arrays[f"{one.name}@image"] = upsampled(one.values[None], (height, width))[0]
    facts = {
        "checkpoint": checkpoint_words(library, result.request.checkpoint),
        "data": describe_data(library, result.request.data),
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
    np.savez_compressed(file, about=np.array(json.dumps(facts)), **arrays)
    return file.getvalue()


def table(kind: str, facts: Sequence[tuple[str, str]], result: Result) -> bytes:
    """Write a row for each map: its values, and where its energy is."""
    shares = {one.name: one for one in result.truth.shares} if result.truth else {}
    rows = []
    for one in result.maps:
        share = shares.get(one.name)
        inside = [share.trained, share.prior, share.random] if share else [None, None, None]
        numbers = [float(one.values.mean()), float(one.values.max()), *inside]
        rounded = [None if number is None else float(f"{number:.{DIGITS}g}") for number in numbers]
        row: tuple[object, ...] = (one.name, one.method.value, *one.values.shape, *rounded)
        rows.append(row)
    return (described_csv if kind == "csv" else latex_table)(facts, COLUMNS, rows).encode()


def figure(
    facts: Sequence[tuple[str, str]],
    result: Result,
    options: Options,
    kind: str,
    scale: str,
    call: str,
) -> bytes:
    """Draw maps over what they explain, with one colour scale."""
    from app.explain.figure import MapTile, PictureTile, draw_explain_row  # here: Matplotlib takes long to load
    from app.shared.figure import figure_bytes

    height, width = next(iter(result.pictures.values())).shape[:2]
    fitted = fit_scale(scale, result.maps, (height, width))
    pictures = [PictureTile(name, picture) for name, picture in result.pictures.items()]
    maps = [
        MapTile(
            TITLES.get(one.layer, one.layer),
            result.pictures[one.over],
            f"{one.method.label} on {one.over.replace('auxiliary', 'aux.')}",
            heat,
            veil(heat),
        )
        for one in (result.maps if options.maps == "all" else main_maps(result))
        for heat in (fitted.heat(one, (height, width)),)
    ]
    words = dict(facts)
    methods = ", ".join(sorted({one.method.label for one in result.maps}))
    caption = (
        f"Where the network finds image {words['image']} alike to the {words['target']}: cosine {words['cosine']}."
        f" {methods}, all on one colour scale; {100 * fitted.clipped:.1f} % of the pixels lie above it. Checkpoint:"
        f" {words['checkpoint']}. Data: {words['data']}. Seed {words['seed']}. {words['notes']} Remade by,"
        " where the app runs:"
    )
    drawn = draw_explain_row(pictures, maps, (fitted.top, fitted.words), caption, pieces_of(call), options.width)
    return figure_bytes(drawn, kind)
