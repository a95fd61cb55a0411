"""What leaves the Auxiliary tab: the pair with its auxiliary images as a figure, their numbers as tables."""

from __future__ import annotations

from typing import Annotated

from app.auxiliary.compare import OWN, RENDERED, Look, Result, run
from app.auxiliary.generator import LEARNED
from app.auxiliary.panel import Picture
from app.library import Library
from app.library.eye import DISPLAY_PAIRS, DISPLAY_SEED
from app.library.film import FINAL
from app.shared.export import WIDTH_NAMES, checkpoint_words, describe_data, described_csv, latex_table, safe_stem
from app.shared.request import Request, Text, one_of, option
from app.shared.tab import File, Menu, Press
from mun.evaluation.bridge import Found

__all__ = ["MENUS", "Options", "write"]

MENUS = (Menu("Pair and auxiliary images", "panel", ("png", "pdf", "svg", "csv", "latex")),)
IN_PAPER = ("title", "relative_to_visible", "relative_to_infrared", "rank_in_visible", "rank_in_infrared")
COLUMNS = (
    *("part", "name", "title", "checkpoint", "d_to_visible", "d_to_infrared", "d_visible_infrared"),
    *("relative_to_visible", "relative_to_infrared", "rank_in_visible", "visible_gallery"),
    *("rank_in_infrared", "infrared_gallery", "visible_dependence", "shown_from", "shown_to", "clipped"),
)


class Options(Request):
    """How the figure looks."""

    width: Annotated[Text, one_of(WIDTH_NAMES)] = option("two-column", "Width")


def write(library: Library, request: Look, options: Options, what: str, kind: str, press: Press) -> File:  # noqa: ARG001
    """Write a file of the export menu; ranks of a checkpoint whose galleries are not embedded yet are left out.

    Raises:
        ValueError: The panel cannot be made.
    """
    result = run(library, request.asked(library), wait=False)
    call = result.request.call(library, "auxiliary", press.url, ("checkpoint", "data"))
    if kind in ("csv", "latex"):
        return File.of(stem_of(result), kind, table(library, result, call, kind).encode())
    from app.auxiliary.figure import Tile, draw_panel  # here: Matplotlib takes a second to load
    from app.shared.figure import figure_bytes

    def tile(picture: Picture, *, chart: bool) -> Tile:
        return Tile(picture.pixels, picture.title, lines_of(picture), picture.place.relative if chart else None)

    tiles = [tile(one, chart=one.name not in ("visible", "infrared")) for one in result.panel.pictures]
    parts = [tile(one, chart=False) for one in result.bench.pictures]
    figure = draw_panel(tiles, parts, caption(library, result), call, width=options.width)
    return File.of(stem_of(result), kind, figure_bytes(figure, kind))


def checkpoints_of(library: Library, result: Result) -> str:
    """Name every checkpoint of the panel with the first digits of its hash."""
    names = dict.fromkeys(picture.checkpoint for picture in result.panel.pictures)
    return ", ".join(checkpoint_words(library, name) for name in names)


def settings(result: Result) -> str:
    """Write what was set by hand."""
    request, bench = result.request, result.bench
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
    seen = result.request.source != OWN and library.collections[result.request.data].synthetic
    synthetic = " SynVI is synthetic: no evidence about real streets." if seen else ""
    depends = result.bench.dependence
    share = "" if depends is None else f" MUN's image depends {100 * depends:.0f} % on V by the size of its gradients."
    return (
        f"{one.pair.words} V: {one.pair.visible.name}; I: {one.pair.infrared.name}. Below each image its distance to V"
        f" and to I over d(V, I) = {one.pictures[0].place.between:.3f} (of its own checkpoint), and the rank of the"
        f" first image of the person in the visible | infrared gallery, both sources and their sites left out."
        f" Formulas are embedded by the network of {result.request.checkpoint}. Auxiliary images of two inputs use the"
        f" identity label. Learned images are shown by one line per checkpoint, fitted to {DISPLAY_PAIRS} pairs, seed"
        f" {DISPLAY_SEED}.{share} Checkpoints: {checkpoints_of(library, result)}. Data:"
        f" {describe_data(library, result.request.data)}. {settings(result)}.{synthetic} Remade by, where the app runs:"
    )


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


def table(library: Library, result: Result, call: str, kind: str) -> str:
    """Write the numbers as a table, CSV or, with the columns that fit into a paper, LaTeX."""
    one = result.panel
    head = {
        "pair": f"{one.pair.words} V: {one.pair.visible.name}; I: {one.pair.infrared.name}",
        "checkpoints": checkpoints_of(library, result),
        "data": describe_data(library, result.request.data),
        "settings": settings(result),
        "distance": "Euclidean between unit-length embeddings; relative ones over d(V, I) of the same checkpoint",
        "ranks": "first image of the person; both sources and their sites left out",
        "uses labels": "auxiliary images of two inputs are made from two images of one person",
        "remade by": call,
    }
    rows = [row_of("panel", picture) for picture in one.pictures]
    rows += [row_of("generator", picture) for picture in result.bench.pictures]
    if kind == "csv":
        return described_csv(head.items(), COLUMNS, rows)
    kept = [COLUMNS.index(name) for name in IN_PAPER]
    cells = [[row[place] for place in kept] for row in rows if row[0] == "panel"]
    short = [[f"{cell:.2f}" if isinstance(cell, float) else cell for cell in row] for row in cells]
    return latex_table(head.items(), IN_PAPER, short)


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
    if result.request.source == OWN:
        return safe_stem(f"auxiliary-own-{result.request.checkpoint}")
    who = one.pair.visible.name.rpartition(".")[0] or f"person-{result.request.person}-rendered"
    return safe_stem(f"auxiliary-{who}-{result.request.checkpoint}")
