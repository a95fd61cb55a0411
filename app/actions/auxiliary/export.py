"""Take the auxiliary images of a pair home: a figure for a paper and a table. Bytes only; nothing is written."""

from __future__ import annotations

from dataclasses import fields

from app.actions.auxiliary.auxiliary import Result
from app.actions.auxiliary.bench import FINAL, LEARNED
from app.actions.auxiliary.pictures import Picture
from app.actions.auxiliary.request import OWN, RENDERED, Request, idle
from app.actions.checks import known
from app.library import Library
from app.library.eye import DISPLAY_PAIRS, DISPLAY_SEED
from app.shared.export import LOCAL, WIDTH_NAMES, checkpoint_words, describe_data, described_csv, safe_stem
from mun.evaluation.bridge import Found

__all__ = ["KINDS", "call_pieces", "caption", "panel_csv", "panel_figure", "stem_of"]

KINDS = ("png", "pdf", "csv")
COLUMNS = (
    *("part", "name", "title", "checkpoint", "d_to_visible", "d_to_infrared", "d_visible_infrared"),
    *("relative_to_visible", "relative_to_infrared", "rank_in_visible", "visible_gallery"),
    *("rank_in_infrared", "infrared_gallery", "visible_dependence", "shown_from", "shown_to", "clipped"),
)


def call_pieces(result: Result, url: str = LOCAL) -> tuple[str, ...]:
    """Write one line of Python that asks a running app for the same panel, in pieces between which it may break.

    A visitor's own images are not in it: where they belong, it says so.
    """
    request = result.panel.request
    own = request.source == OWN
    named = [
        f"{part.name}={getattr(request, part.name)!r}, "
        for part in fields(Request)
        if part.name in ("checkpoint", "data") or getattr(request, part.name) != part.default
        if part.name not in idle(request.source)
    ]
    if own:
        named += ["visible_image='<base64>', ", "infrared_image='<base64>', "]
    start = ("from gradio_client import Client; ", "print(", f"Client({url!r}).predict(")
    return (*start, *named, "api_name='/auxiliary'))")


def checkpoints_of(library: Library, result: Result) -> str:
    """Name every checkpoint of the panel with the first digits of its hash."""
    names = dict.fromkeys(picture.checkpoint for picture in result.panel.pictures)
    return ", ".join(checkpoint_words(library, name) for name in names)


def settings(result: Result) -> str:
    """Write what was set by hand."""
    request, bench = result.panel.request, result.bench
    words = [f"Mixup λ = {request.mixup:.2f}", f"seed {request.seed} of CutMix and channel exchange"]
    if request.source == RENDERED:
        words.append(f"misalignment {request.misalignment:.2f}")
    if bench.share is not None and bench.learned is not None:
        how = "as learned" if request.share == LEARNED else f"turned from the learned {100 * bench.learned:.1f} %"
        words.append(f"IML share {100 * bench.share:.1f} % ({how})")
    if request.step != FINAL:
        words.append(f"generator of step {request.step}")
    return ", ".join(words)


def caption(library: Library, result: Result) -> str:
    """Write the sentences below the figure."""
    one = result.panel
    seen = one.request.source != OWN and library.collections[one.request.data].synthetic
    synthetic = " SynVI is synthetic: no evidence about real streets." if seen else ""
    depends = result.bench.dependence
    share = "" if depends is None else f" MUN's image depends {100 * depends:.0f} % on V by the size of its gradients."
    return (
        f"{one.pair.words} V: {one.pair.visible.name}; I: {one.pair.infrared.name}. Below each image its distance to V"
        f" and to I over d(V, I) = {one.pictures[0].place.between:.3f} (of its own checkpoint), and the rank of the"
        f" first image of the person in the visible | infrared gallery, both sources and their sites left out."
        f" Formulas are embedded by the network of {one.request.checkpoint}. Auxiliary images of two inputs use the"
        f" identity label. Learned images are shown by one line per checkpoint, fitted to {DISPLAY_PAIRS} pairs, seed"
        f" {DISPLAY_SEED}.{share} Checkpoints: {checkpoints_of(library, result)}. Data:"
        f" {describe_data(library, one.request.data)}. {settings(result)}.{synthetic} Remade by, where the app runs:"
    )


def panel_figure(library: Library, result: Result, kind: str, *, width: str = "two-column") -> bytes:
    """Draw a panel as PNG or PDF.

    Raises:
        ValueError: Another kind or width.
    """
    from app.figures.auxiliary_panel import PanelTile, draw_auxiliary_panel  # Matplotlib takes a second to load
    from app.shared.figure import figure_bytes

    width = known("width", width, WIDTH_NAMES)

    def tile(picture: Picture, *, chart: bool) -> PanelTile:
        return PanelTile(picture.pixels, picture.title, lines_of(picture), picture.place.relative if chart else None)

    ends = ("visible", "infrared")
    figure = draw_auxiliary_panel(
        [tile(picture, chart=picture.name not in ends) for picture in result.panel.pictures],
        [tile(picture, chart=False) for picture in result.bench.pictures],
        caption(library, result),
        call_pieces(result),
        width=width,
    )
    return figure_bytes(figure, kind)


def lines_of(picture: Picture) -> tuple[str, ...]:
    """Write the numbers below an image."""
    relative = picture.place.relative
    first = "V and I coincide" if relative is None else f"V {relative[0]:.2f} · I {relative[1]:.2f}"
    ranks = [None if found is None else found.rank for found in picture.found]
    second = (
        "" if ranks == [None, None] else "rank " + " | ".join("none" if rank is None else str(rank) for rank in ranks)
    )
    third = f"clipped {100 * picture.clipped:.1f} %" if picture.clipped else ""
    return tuple(line for line in (first, second, third) if line)


def panel_csv(library: Library, result: Result) -> str:
    """Write the numbers as a table, below lines that begin with # and say where they come from."""
    one = result.panel
    head = {
        "pair": f"{one.pair.words} V: {one.pair.visible.name}; I: {one.pair.infrared.name}",
        "checkpoints": checkpoints_of(library, result),
        "data": describe_data(library, one.request.data),
        "settings": settings(result),
        "distance": "Euclidean between unit-length embeddings; relative ones over d(V, I) of the same checkpoint",
        "ranks": "first image of the person; both sources and their sites left out",
        "uses labels": "auxiliary images of two inputs are made from two images of one person",
        "remade by": "".join(call_pieces(result)),
    }
    rows = [row_of("panel", picture) for picture in one.pictures]
    rows += [row_of("generator", picture) for picture in result.bench.pictures]
    return described_csv(head.items(), COLUMNS, rows)


def row_of(part: str, picture: Picture) -> tuple[object, ...]:
    """Write one image's numbers."""
    place, relative = picture.place, picture.place.relative or (None, None)
    ranks = [number for found in picture.found for number in rank_of(found)]
    return (
        part,
        picture.name,
        picture.title,
        picture.checkpoint,
        *(round(value, 6) for value in (place.to_visible, place.to_infrared, place.between)),
        *(None if value is None else round(value, 6) for value in relative),
        *ranks,
        None if picture.dependence is None else round(picture.dependence, 6),
        *(round(value, 6) for value in (picture.display.low, picture.display.high, picture.clipped)),
    )


def rank_of(found: Found | None) -> tuple[int | None, int | None]:
    """Return a rank and the size of its gallery."""
    return (None, None) if found is None else (found.rank, found.size)


def stem_of(result: Result) -> str:
    """Name the files in letters that every system allows."""
    one = result.panel
    if one.request.source == OWN:
        return safe_stem(f"auxiliary-own-{one.request.checkpoint}")
    who = one.pair.visible.name.rpartition(".")[0] or f"person-{one.request.person}-rendered"
    return safe_stem(f"auxiliary-{who}-{one.request.checkpoint}")
