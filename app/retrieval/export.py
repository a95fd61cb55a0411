"""Exports of the Retrieval tab: the ranked list and the CMC curves, as figures and as tables. Loads Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from app.library import Library
from app.library.own_images import read_own
from app.retrieval.browse import ORDERS, Browse, Options, listed
from app.retrieval.own import of_page, rank, ranked_csv
from app.retrieval.rank import Result, queries_of, retrieve
from app.retrieval.scores import Scores, score
from app.shared.export import checkpoint_words, describe_data, pixels_of, safe_stem, shots_words, synthetic_note, table
from app.shared.figure import WIDTHS, draw_plots, figure_bytes, styled
from app.shared.plots import Curve, Plot
from app.shared.request import compared
from app.shared.tab import File, Press
from app.shared.tiles import Grid, Tile, canvas, draw_tile

__all__ = ["PER_ROW", "NamedList", "caption", "draw_lists", "facts_of", "grid_of", "write"]

COLUMNS = ("checkpoint", "rank", "image", "pid", "camid", "distance", "match")
MEASURES = ("rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp")
LONG = 60  # characters of a legend entry that fit into one column
PER_ROW = {"two-column": 10, "one-column": 5}  # ranked images, beside the query
FOOT, NAME, GAP = 0.26, 0.16, 0.1  # inches: text below an image, the name of a list, the gap after it
PAGE = 9.0  # inches of images on a page


def write(library: Library, request: Browse, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: The images are not embedded yet, the data set cannot be embedded, an own image cannot be read, or a
            figure of its ranking is requested.
    """
    names = compared(library, request.checkpoint, *request.compare)
    if not all(library.ready(name, request.data, request.terms.corruption) for name in names):
        raise ValueError("expected every image to be embedded before an export; wait until the ranking is there")
    link = f"{press.url}{request.link(library, 'retrieval')}"
    if what == "cmc":
        scores = [score(library, name, request.data, request.terms) for name in names]
        stem = f"cmc-{request.protocol}-{names[0] if len(names) == 1 else f'{len(names)}-checkpoints'}"
        return File.of(safe_stem(stem), kind, write_scores(library, scores, options, kind, link))
    if press.detail.get("gallery"):
        raise ValueError("expected the gallery of the data; a ranking in a gallery of your own cannot be exported")
    if request.own_image:  # the table holds nothing of the image
        if kind != "csv":
            raise ValueError("expected CSV for the ranking of your own image; no figure can be made of it")
        image = read_own(library, "own_image", request.own_image)
        ranked = ranked_csv(library, rank(library, of_page(library, request, request.checkpoint), image))
        return File.of(safe_stem(f"ranked-own-{request.checkpoint}"), kind, ranked)
    if what == "sheet":
        return write_sheet(library, request, names, options, press.url, link)
    results = ranked_by(library, request, names, options.ranks or request.top_k)
    return File.of(stem_of(results), kind, write_list(library, results, options, kind, press.url))


def ranked_by(library: Library, request: Browse, names: Sequence[str], top_k: int) -> list[Result]:
    """Rank the query with each of the checkpoints."""
    return [retrieve(library, request.model_copy(update={"checkpoint": name, "top_k": top_k})) for name in names]


def facts_of(library: Library, results: Sequence[Result], url: str) -> list[tuple[str, str]]:
    """List the provenance of the rankings of one query, and the Python lines that reproduce them."""
    first, asked = results[0], results[0].request
    facts = [
        *(("checkpoint", f"{checkpoint_words(library, one.request.checkpoint)}: {describe_score(one)}")
          for one in results),
        ("budgets", library.budget_note(one.request.checkpoint for one in results)),
        ("data", describe_data(library, asked.data)),
        ("protocol", f"{asked.protocol}, {shots_words(asked.shots)}, trial {asked.trial}"),
        ("direction", queries_of(library, dict(asked)).way),
        ("query", f"{first.query.image} (person {first.query.pid}, camera {first.query.camid})"),
        ("gallery", f"{first.gallery_size} images ranked, {first.left_out} left out"),
        ("distance", "k-reciprocal re-ranked distance" if asked.rerank else "cosine distance, 1 - cos"),
        ("corruption", first.note),
        *(("reproduced by", one.request.retrieve_call(library, url)) for one in results),
    ]  # fmt: skip
    return [(name, words) for name, words in facts if words]


def describe_score(result: Result) -> str:
    """Describe how well the query was ranked over its whole gallery."""
    if result.average_precision is None or result.first_hit is None:
        return "not scored: the gallery holds no image of the query's person"
    return f"AP {100 * result.average_precision:.1f} %, first match at rank {result.first_hit}"


def write_list(library: Library, results: Sequence[Result], options: Options, kind: str, url: str) -> bytes:
    """Write the rankings of one query as a table, or as a figure below one another."""
    facts, first = facts_of(library, results, url), results[0]
    if kind in ("csv", "latex"):
        rows = [
            (one.request.checkpoint, x.rank, x.image, x.pid, x.camid, round(x.distance, 6), int(x.match))
            for one in results
            for x in one.results
        ]
        return table(kind, facts, COLUMNS, rows)
    begin = (
        f"Query {dict(facts)['query']} and the closest {len(first.results)} of {first.gallery_size} gallery images"
        f" ({first.left_out} are left out)"
    )
    names = "; ".join(words for name, words in facts if name == "checkpoint")
    text = caption(library, first, dict(facts), begin, names, "To reproduce the first list while the app runs:")
    call, drawn = first.request.retrieve_call(library, url), [drawn_lists(library, results, options)]
    return figure_bytes(draw_lists(drawn, text, call, width=options.width, named=len(results) > 1), kind)


def write_sheet(library: Library, request: Browse, names: Sequence[str], options: Options, url: str, link: str) -> File:
    """Write the ranked lists of several queries, from the current query on, in the order of the page's list."""
    keys = [item.key for item in listed(library, request)]
    start = keys.index(request.query) if request.query in keys else 0
    keys = (keys[start:] + keys[:start])[: options.queries] or [request.query]
    top_k = min(options.ranks or request.top_k, PER_ROW[options.width])
    rows = [ranked_by(library, request.model_copy(update={"query": key}), names, top_k) for key in keys]
    first, order = rows[0][0], dict(ORDERS)[request.order]
    kept = [f"{name} {value}" for name, value in (("person", request.pid), ("camera", request.camid)) if value]
    begin = (
        f"{len(rows)} queries in the order of the list ({', '.join([order, *kept])}), from {first.query.image} on,"
        f" each with the closest {len(first.results)} gallery images"
    )
    listing = "; ".join(checkpoint_words(library, name) for name in names)
    text = caption(library, first, dict(facts_of(library, rows[0], url)), begin, listing, "Shown at:")
    pages = draw_lists([drawn_lists(library, one, options) for one in rows], text, link, width=options.width)
    stem = f"sheet-{len(keys)}-queries-{request.protocol}-trial{request.trial}-{request.checkpoint}"
    return File.of(safe_stem(stem), "pdf", figure_bytes(pages, "pdf"))


def drawn_lists(library: Library, results: Sequence[Result], options: Options) -> tuple[Tile, list[NamedList]]:
    """Return the image of one query and its ranked lists as tiles of a figure."""
    first = results[0]
    keys = {first.query.image, *(each.image for one in results for each in one.results)}
    images = {key: pixels_of(library, first.request.data, key, first.request.terms.corruption) for key in keys}
    lists = []
    for one in results:
        tiles = []
        for x in one.results:
            distance = (f"d {x.distance:.3f}",) if options.distances else ()
            lines = (f"id {x.pid} · c{x.camid}", *distance)
            tiles.append(Tile(images[x.image], f"{x.rank}", lines, match=x.match))
        lists.append(NamedList(f"{one.request.checkpoint}: {describe_score(one)}", tiles))
    return Tile(images[first.query.image], "query", (f"id {first.query.pid} · c{first.query.camid}",)), lists


def caption(library: Library, first: Result, facts: dict[str, str], begin: str, names: str, end: str) -> str:
    """Write the caption of ranked lists with these facts."""
    return (
        f"{begin}, {facts['direction']}. Checkpoint: {names}. {facts.get('budgets', '')} Data: {facts['data']}."
        f" Protocol: {facts['protocol']}; images that its rule leaves out for a query have no rank. {first.note} Solid"
        " frame and ✓: the person in the query; dashed frame and ✗: another person; id: person, c: camera, d:"
        f" {facts['distance']}. {synthetic_note(library, first.request.data)} {end}"
    )


def stem_of(results: Sequence[Result]) -> str:
    """Return a file name for a ranked list, with characters that every system allows."""
    first, asked = results[0], results[0].request
    query = first.query.image.rpartition(".")[0]
    corrupted = f"-{asked.corruption}{asked.severity}" if asked.corruption else ""
    who = f"{len(results)}-checkpoints" if len(results) > 1 else asked.checkpoint
    return safe_stem(f"ranked-{query}-{asked.protocol}-trial{asked.trial}{corrupted}-{who}")


def write_scores(library: Library, scores: Sequence[Scores], options: Options, kind: str, link: str) -> bytes:
    """Write the scores of one or more checkpoints on the whole set."""
    one, terms = scores[0], scores[0].terms
    way = library.collections[one.data].query_sets[terms.protocol, terms.direction].way
    galleries = f"mean ± sd over {one.trials} galleries" if one.trials > 1 else f"gallery {terms.trial} alone"
    facts = [
        *(("checkpoint", checkpoint_words(library, each.checkpoint)) for each in scores),
        ("budgets", library.budget_note(each.checkpoint for each in scores)),
        ("data", describe_data(library, one.data)),
        ("protocol", f"{terms.protocol}, {shots_words(terms.shots)}, {way}, {galleries}"),
        ("queries", f"{one.result.num_valid} against {one.gallery_size} gallery images"),
        ("corruption", terms.corruption.description if terms.corruption else ""),
        ("shown at", link),
    ]
    facts = [(name, words) for name, words in facts if words]
    if kind in ("csv", "latex"):
        rows = [
            (each.checkpoint, *(round(value[name], 4) for name in MEASURES for value in (mean, sd)))
            for each in scores
            for mean, sd in ((each.result.mean(), each.result.sd()),)
        ]
        header = ("checkpoint", *(f"{name}{end}" for name in MEASURES for end in ("", "_sd")))
        return table(kind, facts, header, rows)
    curves = tuple(
        Curve(each.in_words, tuple((rank, 100 * value) for rank, value in enumerate(each.cmc, start=1)))
        for each in scores
    )
    ticks = tuple((at, str(at)) for at in (1, 5, 10, 15, 20))
    plot = Plot("", curves, "rank", "queries found, %", (0, 100), ticks=ticks)
    width = "two-column" if any(len(curve.name) > LONG for curve in curves) else options.width
    words = "CMC. " + " ".join(f"{name.capitalize()}: {text}." for name, text in facts)
    return figure_bytes(draw_plots([plot], words, (), width, one_legend=True), kind)


@dataclass(frozen=True, eq=False)
class NamedList:
    """A ranked list: the name above it, and its images in the order of their ranks, in one or more rows."""

    name: str
    ranked: Sequence[Tile]


Query = tuple[Tile, Sequence[NamedList]]  # the query and its lists, which are drawn below one another


def grid_of(width: str) -> Grid:
    """Return the grid of a figure of this width; the query is in the first column."""
    return Grid(WIDTHS[width], PER_ROW[width] + 1, FOOT)


def height_of(query: Query, grid: Grid, name: float) -> float:
    """Return the height of a query with its lists, inches; `name` is the height of a list's name, inches."""
    rows = (-(-len(one.ranked) // (grid.per_row - 1)) for one in query[1])
    return sum(name + grid.bottom(count) + GAP for count in rows)


def draw_lists(
    queries: Sequence[Query], caption: str, command: str, *, width: str = "two-column", named: bool = True
) -> list[Figure]:
    """Draw queries with their ranked images, as many queries as fit on a page; every page has the caption.

    Args:
        queries: At least one, each with as many lists as the first.
        caption: Sentences below the images.
        command: The link that shows the lists, or the Python line that reproduces them.
        width: `two-column` (6.875 inches) or `one-column` (3.25 inches).
        named: Whether the names of the lists are shown.

    Raises:
        ValueError: There is no query.
    """
    if not queries:
        raise ValueError("expected at least one query for a figure, got none")
    grid, name = grid_of(width), NAME * named
    each = max(1, int(PAGE // height_of(queries[0], grid, name)))
    with styled():
        pages = [queries[first : first + each] for first in range(0, len(queries), each)]
        return [draw_page(page, grid, name, caption, command) for page in pages]


def draw_page(queries: Sequence[Query], grid: Grid, name: float, caption: str, command: str) -> Figure:
    """Draw one page."""
    figure, axes = canvas(grid.width, sum(height_of(one, grid, name) for one in queries), caption, command)
    top = 0.0
    for query, lists in queries:
        draw_tile(axes, grid.box(0, 0, top + name), query)
        for one in lists:
            if name:
                axes.text(grid.box(0, 1)[0], top + 0.04, one.name, size=6.6, weight="bold", va="top")
            for place, tile in enumerate(one.ranked):
                row, column = divmod(place, grid.per_row - 1)
                draw_tile(axes, grid.box(row, column + 1, top + name), tile)
            top += height_of((query, [one]), grid, name)
    return figure
