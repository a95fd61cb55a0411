"""The pieces of the Explain tab as HTML and as an address, without Gradio."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.actions.checks import known, spelled, text, whole_number
from app.actions.explain.checks import CascadeStep, Checked, NamedCurves
from app.actions.explain.request import CHANGES, LAYERS, MAX_SEED, METHODS, Request
from app.actions.explain.result import LayerMap, Result
from app.actions.explain.scale import SCALES, fit_scale, palette, veil
from app.cards import Frame, preparing_html, render
from app.library import Library
from app.library.background import Progress
from app.library.thumbnails import STRIP_HEIGHT, encoded
from mun.explain.cams import GENERATOR_LAYERS, Method

__all__ = ["TAB", "ExplainVisit", "cascade_html", "curves_html", "images_html", "message_html", "read_link", "row_html"]
__all__ += ["label_of", "targets_html", "truth_html", "waiting_html", "write_link"]

TAB = "explain"
DEFAULTS = Request()
LABELS = {
    "iml_visible": "IML, visible",
    "iml_infrared": "IML, infrared",
    "cml": "CML",
    "fused": "IML + CML",
    **{method.value: f"{method.label} (slow)" if method.slow else method.label for method in Method},
    "everything": "everything",
    "image": "backbone, this image",
    "auxiliary": "generator and auxiliary image",
    **{f"layer{stage}": f"stage {stage}" for stage in range(1, 5)},
}
OFFERED = 60  # images of one person at once
PLOT = (34.0, 10.0, 386.0, 150.0)  # left, top, right, bottom of a plot's field


@dataclass(frozen=True)
class ExplainVisit:
    """What one visitor looks at.

    Attributes:
        request: What is explained.
        scale: Of the colours, one of `SCALES`.
        focus: Name of the map that is checked; empty for a first choice.
        camid: Only images by this camera are offered; 0 for all.
        notice: A sentence to say once.
        turn: Grows with every answer, so that the browser draws each anew.
    """

    request: Request = DEFAULTS
    scale: str = SCALES[0]
    focus: str = ""
    camid: int = 0
    notice: str = ""
    turn: int = 0

    def next(self, **changes: Any) -> ExplainVisit:
        """Begin the next answer, with some fields of the request changed."""
        return replace(self, request=replace(self.request, **changes), notice="", turn=self.turn + 1)


def label_of(name: str) -> str:
    """Name a layer, a method or a change as people read it."""
    return LABELS.get(name, name)


def write_link(visit: ExplainVisit) -> str:
    """Return a visit as `?tab=explain&…`; what is as for a first visit is left out."""
    values: dict[str, object] = {"tab": TAB}
    for field in fields(Request):
        if (value := getattr(visit.request, field.name)) != field.default:
            values[field.name] = value
    values |= {"scale": visit.scale} if visit.scale != SCALES[0] else {}
    values |= {"focus": visit.focus} if visit.focus else {}
    return "?" + urlencode(values, safe="/")


def read_link(library: Library, values: Mapping[str, object]) -> ExplainVisit:
    """Return the visit that an address describes; names that are none of ours are passed over.

    Raises:
        ValueError: A value is out of bounds or names nothing.
    """
    said = {field.name: text(field.name, values[field.name]) for field in fields(Request) if values.get(field.name)}
    seed = said.pop("seed", "0")
    number = whole_number("seed", spelled(seed), 0, MAX_SEED)
    request = Request(**said, seed=number).checked(library)
    scale = known("scale", values.get("scale") or SCALES[0], SCALES)
    return ExplainVisit(request, scale, text("focus", values.get("focus") or ""), turn=1)


def images_html(library: Library, visit: ExplainVisit, result: Result) -> str:
    """Draw the images of the person, to choose from."""
    collection = library.collections[result.request.data]
    own = [one for one in collection.samples if one.pid == result.image.pid and visit.camid in (0, one.camid)]
    chosen = next((place for place, one in enumerate(own) if one.key == result.image.image), 0)
    first = chosen // OFFERED * OFFERED  # the chosen image is among those shown
    items = [(one, library.thumbnail(result.request.data, one, STRIP_HEIGHT)) for one in own[first : first + OFFERED]]
    entry = own[chosen].key if own else ""
    return render(
        "explain_images.html",
        items=items,
        chosen=result.image.image,
        entry=entry,
        pid=result.image.pid,
        turn=visit.turn,
    )


def targets_html(library: Library, visit: ExplainVisit, result: Result) -> str:
    """Draw the closest images of the other modality, to choose a target from."""
    collection = library.collections[result.request.data]
    items = [
        (one, library.thumbnail(result.request.data, collection.samples[collection.rows[one.image]], STRIP_HEIGHT))
        for one in result.ranking
    ]
    chosen = "" if result.target is None else result.target.image
    return render("explain_targets.html", items=items, chosen=chosen, result=result, turn=visit.turn)


def row_html(library: Library, visit: ExplainVisit, result: Result) -> str:
    """Draw all maps in one row."""
    size = next(iter(result.pictures.values())).shape[:2]
    scale = fit_scale(visit.scale, result.maps, (size[0], size[1]))
    colours, bases = palette(), {name: encoded(picture) for name, picture in result.pictures.items()}
    tiles: dict[str, list[tuple[LayerMap, str]]] = {}
    for one in result.maps:
        tiles.setdefault(group_of(one), []).append((one, heat_uri(scale.heat(one), colours)))
    target = None
    if result.target is not None:
        collection = library.collections[result.request.data]
        sample = collection.samples[collection.rows[result.target.image]]
        target = library.thumbnail(result.request.data, sample, 2 * STRIP_HEIGHT)
    stops = ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in colours[np.linspace(0, 255, 12).astype(int)])
    return render(
        "explain_row.html",
        visit=visit,
        result=result,
        link=write_link(visit),
        groups=tiles,
        bases=bases,
        target=target,
        partner=partner_of(result),
        focus=result.find(visit.focus),
        label=label_of,
        scale=scale,
        stops=stops,
        aspect=f"{size[1]} / {size[0]}",
        say=f"Similarity {result.similarity:.3f} to the {result.target_words}; {len(result.maps)} maps are shown.",
    )


def group_of(one: LayerMap) -> str:
    """Name the group of a map."""
    if one.layer in GENERATOR_LAYERS:
        return "Auxiliary generator"
    return f"Backbone, {one.over}"


def partner_of(result: Result) -> str:
    """Return the key of the other image of the pair; empty without one."""
    return next((key for key in result.pair or () if key != result.image.image), "")


def heat_uri(heat: NDArray[np.float32], colours: NDArray[np.uint8]) -> str:
    """Colour values in [0, 1], `(H, W)`, as a PNG data URI; small ones let the picture below through."""
    levels = np.rint(255 * heat).astype(np.uint8)
    return png_uri(Image.fromarray(np.dstack([colours[levels], np.rint(255 * veil(heat)).astype(np.uint8)])))


def mask_uri(mask: NDArray[np.bool_]) -> str:
    """Draw a mask as a PNG data URI: clear inside, dark outside."""
    cover = np.zeros((*mask.shape, 4), np.uint8)
    cover[~mask] = (8, 12, 18, 200)
    return png_uri(Image.fromarray(cover))


def png_uri(image: Image.Image) -> str:
    """Return an image as a PNG data URI."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def truth_html(visit: ExplainVisit, result: Result) -> str:
    """Draw the change, what it does to the similarity, and where the maps' energy is."""
    truth = result.truth
    if truth is None:
        return render("explain_truth.html", truth=None, visit=visit, words=result.notes[-1] if result.notes else "")
    shares = [value for one in truth.shares for value in (one.trained, one.prior, one.random) if value is not None]
    evidence = truth.evidence
    return render(
        "explain_truth.html",
        truth=truth,
        visit=visit,
        words="",
        before=encoded(evidence.before),
        after=encoded(evidence.after),
        mask=mask_uri(evidence.mask),
        top=max([*shares, evidence.share, 1e-9]),
        label=label_of,
        aspect=f"{evidence.mask.shape[1]} / {evidence.mask.shape[0]}",
    )


def message_html(words: str, visit: ExplainVisit) -> str:
    """Say in a plain sentence what is wrong."""
    words = f"{words[:1].upper()}{words[1:].rstrip('.')}."
    return render("explain_message.html", words=words, visit=visit, link=write_link(visit))


def waiting_html(preparation: Progress, visit: ExplainVisit) -> str:
    """Say how far the embedding of the images is."""
    return preparing_html(preparation, Frame(visit.turn), visit.request.checkpoint)


def points(xs: Sequence[float], ys: Sequence[float | None], low: float, high: float) -> list[tuple[float, float]]:
    """Place values in a plot's field; xs are in [0, 1]."""
    left, top, right, bottom = PLOT
    return [
        (round(left + (right - left) * x, 1), round(bottom - (bottom - top) * (y - low) / (high - low), 1))
        for x, y in zip(xs, ys, strict=True)
        if y is not None
    ]


def cascade_html(checked: Checked, steps: Sequence[CascadeStep], turn: int, *, stopped: bool = False) -> str:
    """Draw how alike the map stays while the network becomes random."""
    xs = [place / max(1, checked.total) for place in range(len(steps) + 1)]
    lines = [
        ("Spearman", points(xs, [1.0, *(step.ranks for step in steps)], -1, 1)),
        ("SSIM", points(xs, [1.0, *(step.structure for step in steps)], -1, 1)),
    ]
    return render(
        "explain_cascade.html",
        checked=checked,
        steps=steps,
        lines=lines,
        box=PLOT,
        turn=turn,
        label=label_of,
        stopped=stopped,
        done=checked.done == checked.total,
    )


def curves_html(checked: Checked, made: Sequence[NamedCurves], turn: int) -> str:
    """Draw deletion and insertion curves."""
    values = [value for one in made for value in (*one.curves.deletion, *one.curves.insertion)]
    low, high = (min(values), max(values)) if values else (0.0, 1.0)
    high = max(high, low + 1e-6)
    plots = [
        (
            title,
            [
                (one.name, points(one.curves.shares.tolist(), getattr(one.curves, title).tolist(), low, high))
                for one in made
            ],
        )
        for title in ("deletion", "insertion")
    ]
    return render(
        "explain_curves.html",
        checked=checked,
        plots=plots,
        made=made,
        low=low,
        high=high,
        box=PLOT,
        turn=turn,
        label=label_of,
        done=checked.done == checked.total,
    )


MENUS = {  # what the tab's controls offer: label and value
    "method": [(label_of(name), name) for name in METHODS],
    "layers": [(label_of(name), name) for name in LAYERS],
    "change": [(label_of(name), name) for name in CHANGES],
    "scale": [("one scale of shares", "relative"), ("one scale of raw values", "raw")],
}
