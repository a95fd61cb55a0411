"""Take maps home: the raw values as NPZ, the row as a figure. Bytes only; nothing is written to the disk."""

from __future__ import annotations

import io
import json
from dataclasses import fields
from typing import Any

import numpy as np

from app.actions.checks import known
from app.actions.explain.request import Request
from app.actions.explain.result import Result
from app.actions.explain.scale import fit_scale, veil
from app.library import Library
from app.shared.export import LOCAL, checkpoint_words, describe_data, pixels_of, safe_stem
from mun.explain.cams import upsampled

__all__ = ["KINDS", "call_pieces", "caption", "maps_npz", "row_figure", "stem_of"]

KINDS = ("npz", "png", "pdf")
TITLES = {"iml_visible": "IML_v", "iml_infrared": "IML_i", "cml": "CML", "fused": "fused"}


def stem_of(result: Result) -> str:
    """Name the files: image, method and checkpoint in letters that every system allows."""
    image = result.image.image.rpartition(".")[0].replace("/", "-")
    return safe_stem(f"explained-{image}-{result.request.method}-{result.request.checkpoint}")


def call_pieces(request: Request, url: str = LOCAL) -> tuple[str, ...]:
    """Write the call as one line of Python, in pieces between which it may be broken and stays Python."""
    named = [f"{field.name}={getattr(request, field.name)!r}, " for field in fields(Request)]
    return (
        "from gradio_client import Client; ",
        "print(",
        f"Client({url!r}).predict(",
        *named,
        "api_name='/explain'))",
    )


def maps_npz(library: Library, result: Result) -> bytes:
    """Write every map, raw at its layer's resolution and enlarged to the image, and JSON that says what it is.

    Arrays are float32: `image/infrared/layer4` is raw, `image/infrared/layer4@image` is enlarged; `about` is text.
    """
    size = next(iter(result.pictures.values())).shape[:2]
    arrays: dict[str, Any] = {}
    for one in result.maps:
        arrays[one.name] = one.values
        arrays[f"{one.name}@image"] = upsampled(one.values[None], (size[0], size[1]))[0]
    facts = {
        "checkpoint": f"{result.request.checkpoint} ({library.checkpoints[result.request.checkpoint].content[:12]})",
        "data": describe_data(library, result.request.data),
        "image": result.image.image,
        "target": result.target_words,
        "similarity": result.similarity,
        "pair": result.pair,
        "methods": {one.name: one.method.value for one in result.maps},
        "seed": result.request.seed,
        "notes": list(result.notes),
        "command": "".join(call_pieces(result.request)),
    }
    file = io.BytesIO()
    np.savez_compressed(file, about=np.array(json.dumps(facts)), **arrays)
    return file.getvalue()


def row_figure(library: Library, result: Result, kind: str, scale: object = "relative", url: str = LOCAL) -> bytes:
    """Draw the row as PNG or PDF.

    Raises:
        ValueError: Another kind of file or of scale.
    """
    from app.figures.explain_row import MapTile, PictureTile, draw_explain_row  # here: Matplotlib takes long to load
    from app.shared.figure import figure_bytes

    known("kind of file", kind, KINDS[1:])
    size = next(iter(result.pictures.values())).shape[:2]
    fitted = fit_scale(scale, result.maps, (size[0], size[1]))
    pictures = [PictureTile(name, picture) for name, picture in result.pictures.items()]
    target = None if result.target is None else pixels_of(library, result.request.data, result.target.image)
    if target is not None:
        pictures.insert(0, PictureTile("target", target))
    maps = [
        MapTile(
            TITLES.get(one.layer, one.layer),
            result.pictures[one.over],
            f"{one.method.label} on {one.over.replace('auxiliary', 'aux.')}",
            heat,
            veil(heat),
        )
        for one in result.maps
        for heat in (fitted.heat(one),)
    ]
    words = caption(library, result, fitted.clipped)
    figure = draw_explain_row(pictures, maps, (fitted.top, fitted.words), words, call_pieces(result.request, url))
    return figure_bytes(figure, kind)


def caption(library: Library, result: Result, clipped: float) -> str:
    """Write the sentences below the figure."""
    request = result.request
    methods = sorted({one.method.label for one in result.maps})
    synthetic = " SynVI is synthetic: no evidence about real streets." if request.data == "synvi" else ""
    return (
        f"Where the network finds image {result.image.image} (person {result.image.pid}, {result.modality}) alike to"
        f" the {result.target_words}: cosine {result.similarity:.3f}. {', '.join(methods)}, all on one colour scale;"
        f" {100 * clipped:.1f} % of the pixels lie above it."
        f" Checkpoint: {checkpoint_words(library, request.checkpoint)}. Data: {describe_data(library, request.data)}."
        f" Seed {request.seed}. {' '.join(result.notes)}{synthetic} Remade by, where the app runs:"
    )
