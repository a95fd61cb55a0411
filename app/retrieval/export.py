"""What leaves the Retrieval tab: the ranked list and the CMC curves as figures, both as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.library import Library
from app.library.own_images import brought
from app.retrieval.browse import ORDERS, Browse, listed
from app.retrieval.own import of_page, rank, ranked_csv
from app.retrieval.rank import Result, asked_of, retrieve
from app.retrieval.scores import Scores, score
from app.shared.export import (
    Options as FigureOptions,
)
from app.shared.export import (
    checkpoint_words,
    describe_data,
    pixels_of,
    safe_stem,
    shots_words,
    table,
)
from app.shared.plots import Curve, Plot
from app.shared.request import Switch, Whole, option
from app.shared.tab import File, Menu, Press

if TYPE_CHECKING:
    from app.retrieval.figure import NamedList
    from app.shared.tiles import Tile

__all__ = ["MENUS", "Options", "write"]

MENUS = (
    Menu("Ranked list", "list", ("png", "pdf", "svg", "csv", "latex")),
    Menu("Contact sheet", "sheet", ("pdf",)),
    Menu("CMC curves", "cmc", ("png", "pdf", "svg", "csv", "latex")),
)
COLUMNS = ("checkpoint", "rank", "image", "pid", "camid", "distance", "match")
MEASURES = ("rank1", "rank5", "rank10", "rank20", "mean_ap", "mean_inp")
LONG = 60  # letters of a legend's entry that fit into one column


class Options(FigureOptions):
    """How a figure of this tab looks."""

    ranks: Whole = option(0, "Ranks in the figure (0: as many as on the page)", ge=0, le=100)
    distances: Switch = option(True, "Distances")
    queries: Whole = option(6, "Queries of the sheet", "From this one on, in the order of the list.", ge=1, le=24)


def write(library: Library, request: Browse, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: The images are not embedded yet, or the data set cannot be embedded.
    """
    names = (request.checkpoint, *request.others(library))
    if not all(library.ready(name, request.data, request.terms.corruption) for name in names):
        raise ValueError("expected every image to be embedded before an export; wait until the ranking is there")
    link = f"{press.url}{request.link(library, 'retrieval')}"
    if what == "cmc":
        scores = [score(library, name, request.data, request.terms) for name in names]
        stem = f"cmc-{request.protocol}-{names[0] if len(names) == 1 else f'{len(names)}-checkpoints'}"
        return File.of(safe_stem(stem), kind, write_scores(library, scores, options, kind, link))
    if request.own_image:
        return File.of(safe_stem(f"ranked-own-{request.checkpoint}"), kind, write_own(library, request, kind))
    if what == "sheet":
        return write_sheet(library, request, names, options, press.url, link)
    if options.ranks:
        request = request.model_copy(update={"top_k": options.ranks})
    results = [retrieve(library, request.model_copy(update={"checkpoint": name})) for name in names]
    return File.of(stem_of(results), kind, write_list(library, results, options, kind, press.url))


def write_own(library: Library, request: Browse, kind: str) -> bytes:
    """Write the ranking for a visitor's own image as a table; nothing of the image is in it.

    Raises:
        ValueError: Another format, or the image cannot be read.
    """
    if kind != "csv":
        raise ValueError("expected CSV for the ranking of your own image, of which no figure is made")
    image = brought(library, "own_image", request.own_image)
    return ranked_csv(library, rank(library, of_page(library, request, request.checkpoint), image)).encode()


def facts_of(library: Library, results: Sequence[Result], url: str) -> list[tuple[str, str]]:
    """Say where rankings of one query come from: what made them, and how to get them again."""
    first, asked = results[0], results[0].request
    note = library.budget_note(one.request.checkpoint for one in results)
    scores = [(checkpoint_words(library, one.request.checkpoint), describe_score(one)) for one in results]
    calls = [one.request for one in results]
    return [
        *(("checkpoint", f"{name}: {words}") for name, words in scores),
        *([("budgets", note)] if note else []),
        ("data", describe_data(library, asked.data)),
        ("protocol", f"{asked.protocol}, {shots_words(asked.shots)}, trial {asked.trial}"),
        ("direction", asked_of(library, dict(asked)).way),
        ("query", f"{first.query.image} (person {first.query.pid}, camera {first.query.camid})"),
        ("gallery", f"{first.gallery_size} images ranked, {first.left_out} left out"),
        ("distance", "k-reciprocal re-ranked distance" if asked.rerank else "cosine distance, 1 - cos"),
        *([("corruption", first.note)] if first.note else []),
        *(("remade by", one.retrieve_call(library, url)) for one in calls if isinstance(one, Browse)),
    ]


def describe_score(result: Result) -> str:
    """Say how well the query was ranked, over its whole gallery."""
    if result.average_precision is None or result.first_hit is None:
        return "not scored: nobody in the gallery is the person asked for"
    return f"AP {100 * result.average_precision:.1f} %, first match at rank {result.first_hit}"


def write_list(library: Library, results: Sequence[Result], options: Options, kind: str, url: str) -> bytes:
    """Write rankings of one query, below one another."""
    facts, first = facts_of(library, results, url), results[0]
    if kind in ("csv", "latex"):
        rows = [
            (name, x.rank, x.image, x.pid, x.camid, round(x.distance, 6), int(x.match))
            for name, one in ((one.request.checkpoint, one) for one in results)
            for x in one.results
        ]
        return table(kind, facts, COLUMNS, rows)
    from app.retrieval.figure import draw_lists  # here: Matplotlib takes a second to load
    from app.shared.figure import figure_bytes

    words = dict(facts)
    begin = (
        f"Query {words['query']} and the closest {len(first.results)} of {first.gallery_size} gallery images"
        f" ({first.left_out} are left out)"
    )
    names = "; ".join(text for name, text in facts if name == "checkpoint")
    said = caption(library, first, words, begin, names, "The first list is remade by, where the app runs:")
    call = next(text for name, text in facts if name == "remade by")
    drawn = [drawn_lists(library, results, options)]
    return figure_bytes(draw_lists(drawn, said, call, width=options.width, named=len(results) > 1)[0], kind)


def write_sheet(library: Library, request: Browse, names: Sequence[str], options: Options, url: str, link: str) -> File:
    """Write the ranked lists of several queries, from the one that is shown on, in the order of the page's list."""
    from app.retrieval import figure  # here: Matplotlib takes a second to load
    from app.shared.figure import figure_bytes

    keys = [item.key for item in listed(library, request)]
    start = keys.index(request.query) if request.query in keys else 0
    keys = (keys[start:] + keys[:start])[: options.queries] or [request.query]
    request = request.model_copy(update={"top_k": min(options.ranks or request.top_k, figure.PER_ROW[options.width])})
    rows = [
        [retrieve(library, request.model_copy(update={"query": key, "checkpoint": name})) for name in names]
        for key in keys
    ]
    first, order = rows[0][0], next(choice.label for choice in ORDERS if choice.value == request.order)
    kept = [f"{what} {value}" for what, value in (("person", request.pid), ("camera", request.camid)) if value]
    begin = (
        f"{len(rows)} queries in the order of the list ({', '.join([order, *kept])}), from {first.query.image} on,"
        f" each with the closest {len(first.results)} gallery images"
    )
    listing = "; ".join(checkpoint_words(library, name) for name in names)
    said = caption(library, first, dict(facts_of(library, rows[0], url)), begin, listing, "Shown at:")
    drawn = [drawn_lists(library, one, options) for one in rows]
    pages = figure.draw_lists(drawn, said, link, width=options.width)
    stem = f"sheet-{len(keys)}-queries-{request.protocol}-trial{request.trial}-{request.checkpoint}"
    return File.of(safe_stem(stem), "pdf", figure_bytes(pages, "pdf"))


def drawn_lists(library: Library, results: Sequence[Result], options: Options) -> tuple[Tile, list[NamedList]]:
    """Read the images of rankings of one query, for a figure."""
    from app.retrieval.figure import NamedList
    from app.shared.tiles import Tile

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


def caption(library: Library, first: Result, words: dict[str, str], begin: str, names: str, end: str) -> str:
    """Write the sentences below ranked lists, of which `words` are the facts."""
    synthetic = library.collections[first.request.data].synthetic
    return (
        f"{begin}, {words['direction']}. Checkpoint: {names}. {words.get('budgets', '')} Data: {words['data']}."
        f" Protocol: {words['protocol']}; images from the query's site are left out. {first.note} Solid frame and ✓:"
        f" the person in the query; dashed frame and ✗: another person; id: person, c: camera, d: {words['distance']}."
        f"{' SynVI is synthetic: no evidence about real streets.' if synthetic else ''} {end}"
    )


def stem_of(results: Sequence[Result]) -> str:
    """Name the files of a ranked list in letters that every system allows."""
    first, asked = results[0], results[0].request
    query = first.query.image.rpartition(".")[0].replace("/", "-")
    corrupted = f"-{asked.corruption}{asked.severity}" if asked.corruption else ""
    who = f"{len(results)}-checkpoints" if len(results) > 1 else asked.checkpoint
    return safe_stem(f"ranked-{query}-{asked.protocol}-trial{asked.trial}{corrupted}-{who}")


def write_scores(library: Library, scores: Sequence[Scores], options: Options, kind: str, link: str) -> bytes:
    """Write the scores of the whole set by one checkpoint or more."""
    one, terms = scores[0], scores[0].terms
    note = library.budget_note(each.checkpoint for each in scores)
    way = library.collections[one.data].asked[terms.protocol, terms.direction].way
    galleries = f"mean ± sd over {one.trials} galleries" if one.trials > 1 else f"gallery {terms.trial} alone"
    facts = [
        *(("checkpoint", checkpoint_words(library, each.checkpoint)) for each in scores),
        *([("budgets", note)] if note else []),
        ("data", describe_data(library, one.data)),
        ("protocol", f"{terms.protocol}, {shots_words(terms.shots)}, {way}, {galleries}"),
        ("queries", f"{one.result.num_valid} against {one.gallery_size} gallery images"),
        *([("corruption", terms.corruption.description)] if terms.corruption else []),
        ("shown at", link),
    ]
    if kind in ("csv", "latex"):
        rows = [
            (each.checkpoint, *(round(value[name], 4) for name in MEASURES for value in (mean, sd)))
            for each in scores
            for mean, sd in ((each.result.mean(), each.result.sd()),)
        ]
        header = ("checkpoint", *(f"{name}{end}" for name in MEASURES for end in ("", "_sd")))
        return table(kind, facts, header, rows)
    from app.shared.figure import draw_plots, figure_bytes  # here: Matplotlib takes a second to load

    curves = tuple(
        Curve(each.in_words, tuple((rank, 100 * value) for rank, value in enumerate(each.cmc, start=1)))
        for each in scores
    )
    ticks = tuple((at, str(at)) for at in (1, 5, 10, 15, 20))
    plot = Plot("", curves, "rank", "queries found, %", (0, 100), ticks=ticks)
    width = "two-column" if any(len(curve.name) > LONG for curve in curves) else options.width
    words = "CMC. " + " ".join(f"{name.capitalize()}: {text}." for name, text in facts)
    return figure_bytes(draw_plots([plot], words, (), width, one_legend=True), kind)
