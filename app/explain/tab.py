"""The Explain tab: its settings, and the pieces that it draws as the answer to a press."""

import random
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from app.explain.checks import Checked, bars, check, plots, verdict
from app.explain.explain import Result, explained, key_of
from app.explain.subject import GROUPS, LABELS, Explain, Subject, first_image, first_key, subject_of
from app.library import Library
from app.library.background import Progress
from app.library.collection import Terms
from app.library.maps import SCALES, LayerMap, fit_scale, heat_uri, palette
from app.library.ranking import spread_over_cameras
from app.library.thumbnails import STRIP_HEIGHT, png_uri
from app.shared.export import Options as FigureOptions
from app.shared.html import draw_progress, html
from app.shared.plots import place_charts
from app.shared.request import Choice, Switch, Text, Whole, one_of, option
from app.shared.tab import POLL, Answer, Export, File, Menu, Page, Piece, Press
from mun.explain.cams import GENERATOR_LAYERS

__all__ = ["MENUS", "Options", "Shown", "answer", "build", "export"]

OFFERED = 60  # images of one person that are offered
PICKS = ("random", "wrong")
PIECES = ("explain-progress", "explain-maps", "explain-choice", "explain-truth")
MENUS = (
    Menu("Maps", "maps", ("png", "pdf", "svg")),
    Menu("Raw values of all maps", "raw", ("npz",)),
    Menu("Table of all maps", "table", ("csv", "latex")),
)
SETTINGS = {
    "Maps": ("method", "layers", "scale", "seed"),
    "Pair": ("against", "target", "camid"),
    "Check": ("change", "check"),
}
CHIPS = ("method", "layers", "scale", "seed", "against", "camid", "change", "check")


class Options(FigureOptions):
    """How a figure of this tab looks."""

    maps: Annotated[Text, one_of([Choice("row", "those of the first row"), Choice("all", "all")])] = option(
        "row", "Maps"
    )


def cameras(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the cameras."""
    numbers = sorted({sample.camid for sample in library.collections[values["data"]].samples})
    return [Choice(0, "any"), *(Choice(number, str(number)) for number in numbers)]


class Shown(Explain):
    """The request of the page: the fields of `Explain`, the colours, and the map to check."""

    follows: ClassVar[tuple[str, ...]] = ("image", "target")

    scale: Annotated[Text, one_of([Choice(SCALES[0], "share of each map"), Choice(SCALES[1], "raw values")])] = option(
        SCALES[0], "Colours", "Raw values of two layers have no common unit.", control="radio"
    )
    focus: Text = option("", "Map to check")
    camid: Annotated[Whole, one_of(cameras)] = option(0, "Camera", "Of the images that are offered.")
    check: Switch = option(True, "Delete and insert pixels, make layers random", "Checks the map that is chosen.")

    def settle(self, library: Library) -> Self:
        """Replace a group of layers by the last stage for a slow method, which takes one layer at a time."""
        stages = library.network(self.checkpoint).stages
        layers = stages[-1] if stages and self.slow and self.layers in GROUPS else self.layers
        return super(Shown, self.model_copy(update={"layers": layers})).settle(library)

    def asked(self, library: Library) -> Explain:
        """Return the request to `/explain` with the same values."""
        return Explain.read(self.model_dump(include=set(Explain.model_fields)), library)


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("explain", "Explain") as tab:
        pieces = {name: tab.piece(name) for name in PIECES}
        tab.wire(Shown, answer, pieces, Export(MENUS, Options, export), settings, CHIPS)


def settings(library: Library, request: Shown) -> dict[str, tuple[str, ...]]:
    """Group the settings; only images of SynVI can be changed."""
    return SETTINGS if library.collections[request.data].synthetic else {**SETTINGS, "Check": ("check",)}


def export(library: Library, request: Shown, options: Options, what: str, kind: str, press: Press) -> File:
    """Write a file of the export menu.

    Raises:
        ValueError: The maps are not drawn yet.
    """
    ready = request.image and library.ready(request.checkpoint, request.data)
    subject = subject_of(library, request.asked(library)) if ready else None
    if subject is None or key_of(library, subject.request) not in library.cache:
        raise ValueError("expected maps to export, but they are not drawn yet; wait until they are")
    from app.explain.figure import write  # here: Matplotlib takes a second to load

    result = explained(library, subject)
    return write(library, result, what, kind, request.scale, press.url, options.width, options.maps)


def answer(library: Library, request: Shown, press: Press) -> Answer:
    """Answer a press with the maps, or with the progress of the work."""
    if late := press.wait_for_embeddings(library, [request.checkpoint], request.data):
        progress, words = late
        return Answer.late(request, progress, {"explain-progress": words}, press.do if press.do in PICKS else "")
    request = with_image(library, request, press)
    try:
        return draw(library, request, press)
    except ValueError as error:
        return Answer(request, {"explain-progress": ""}, notice=f"This cannot be shown: {error}.")


def with_image(library: Library, request: Shown, press: Press) -> Shown:
    """Replace the image where a press asks for another one; the target is then chosen again."""
    if "image" in press.changed and "target" not in press.changed:
        return request.model_copy(update={"target": ""})
    image = ""
    if press.do in PICKS:
        image = pick(library, request, press.do)
    elif press.do == "open" and press.chosen in library.collections[request.data].rows:
        image = press.chosen
    if image in ("", request.image):
        return request
    return request.model_copy(update={"image": image, "target": "", "camid": 0})


def pick(library: Library, request: Shown, how: str) -> str:
    """Choose another query at random; for `wrong`, one whose closest image shows another person, if any."""
    terms = Terms(library.collections[request.data].protocols[0])
    items = library.queries(request.checkpoint, request.data, terms)
    wrong = [one for one in items if (one.first_hit or 1) > 1] if how == "wrong" else []
    others = [one for one in wrong or items if one.key != request.image]
    return random.SystemRandom().choice(others).sample.key if others else request.image


def waiting(request: Shown, progress: Progress) -> Answer:
    """Show the progress of the maps."""
    words, stopped = "The maps appear by themselves.", ("Stopped", "Nothing is kept.")
    drawn = draw_progress(progress, progress.words, words, "The maps cannot be made", stopped)
    return Answer.late(request, progress, {"explain-progress": drawn})


def draw(library: Library, request: Shown, press: Press) -> Answer:
    """Draw the maps, the images to choose a pair from, and the check, each as soon as it is ready.

    Raises:
        ValueError: The request names an image, a person or a layer that is not there.
    """
    names, speed = (request.checkpoint, request.data), "slow " * request.slow
    if not request.image:
        choose, begun = partial(first_image, library, *names), Progress(0, 100, words="Choosing an image")
        progress = press.wait_for(library, first_key(library, *names), choose, begun)
        if not progress.ready:
            return waiting(request, progress)
    subject = subject_of(library, request.asked(library))
    key, (image, target) = key_of(library, subject.request), (subject.sample.key, subject.request.target)
    request = request.model_copy(update={"image": image, "target": target})

    def report(share: float) -> None:
        library.background.report(key, round(100 * share))

    begun = Progress(0, 100, words=f"Computing the maps of {request.checkpoint}")
    progress = press.wait_for(library, key, lambda: explained(library, subject, report), begun, f"{speed}maps")
    if not progress.ready:
        return waiting(request, progress)
    result = explained(library, subject)
    checking = run_check(library, request, subject, result, press, f"{speed}checks of maps")
    known = (checking.made.done if checking.made else -1, checking.ended, checking.problem)
    return Answer(
        request,
        {
            "explain-progress": "",
            "explain-maps": Piece((key, request.scale, request.focus), lambda: maps_html(request, result)),
            "explain-choice": Piece((key, request.camid), lambda: choice_html(library, request, result)),
            "explain-truth": Piece((key, request.focus, *known), lambda: truth_html(request, result, checking)),
        },
        say=f"Cosine {result.similarity:.3f} to the {result.target_words}; {len(result.maps)} maps.",
        chosen=request.image,
        again=0 if checking.ended else POLL,
    )


def run_check(library: Library, request: Shown, subject: Subject, result: Result, press: Press, kind: str) -> Progress:
    """Check the chosen map in the background; `made` holds the results so far."""
    one = result.find(request.focus)
    key = ("explain-check", *key_of(library, subject.request)[1:], one.name)
    if not request.check:
        library.background.stop(key, press.visitor)
        return Progress(stopped=True)

    def compute() -> Checked:
        made = Checked(0)
        for made in check(library, subject, one):
            library.background.report(key, made.done, total=made.total, made=made)
        return made

    def keep() -> Checked:
        return library.cache.get(key, compute, lambda made: 2000 * len(made.curves) + 1000)

    progress = press.wait_for(library, key, keep, Progress(0, 100, words="Checking the map"), kind)
    return Progress(100, 100, ready=True, made=keep()) if progress.ready else progress


def maps_html(request: Shown, result: Result) -> str:
    """Draw the main maps in one row, the others folded."""
    scale, colours = fit_scale(request.scale, result.maps, result.size), palette()
    stops = [f"rgb({red} {green} {blue})" for red, green, blue in colours[np.linspace(0, 255, 12).astype(int)]]
    groups = dict[str, list[LayerMap]]()
    for one in sorted(result.maps, key=lambda one: one.layer not in GENERATOR_LAYERS):
        title = "Auxiliary generator" if one.layer in GENERATOR_LAYERS else f"Backbone, {one.over}"
        groups.setdefault(title, []).append(one)
    return html(
        "explain_maps.html",
        request=request,
        result=result,
        groups=groups,
        heats={one.name: heat_uri(scale.heat(one, result.size), colours) for one in result.maps},
        focus=result.find(request.focus),
        label=label_of,
        scale=scale,
        stops=", ".join(stops),
    )


def label_of(name: str) -> str:
    """Return the label of a layer or a method."""
    return LABELS.get(name, name)


def choice_html(library: Library, request: Shown, result: Result) -> str:
    """Draw the images of the person, and those that are ranked closest, to choose a pair from."""
    collection, image = library.collections[request.data], result.image
    own = [one for one in collection.samples if one.pid == image.pid and request.camid in (0, one.camid)]
    ranked = [collection.samples[collection.rows[one.image]] for one in result.ranking]
    offered = [*spread_over_cameras(own, OFFERED, image.image), *ranked]
    return html(
        "explain_choice.html",
        request=request,
        result=result,
        own=offered[: len(offered) - len(ranked)],
        thumbnails={one.key: library.thumbnail(request.data, one.key, STRIP_HEIGHT) for one in offered},
        ranked=result.ranking,
        centers=list(dict.fromkeys([image.pid, *(one.pid for one in result.ranking)])),
        people=sorted({one.pid: one.key for one in reversed(collection.samples)}.items()),  # the first image of each
    )


def truth_html(request: Shown, result: Result, checking: Progress) -> str:
    """Draw the results for the chosen map: a sentence, a bar chart, and the details folded."""
    one, truth, checked = result.find(request.focus), result.truth, checking.made
    share = next((share for share in truth.shares if share.name == one.name), None) if truth else None
    even, label, cover = truth.evidence.share if truth else 0.0, label_of(one.layer), ""
    if truth:
        shade = np.zeros((*truth.evidence.mask.shape, 4), np.uint8)
        shade[~truth.evidence.mask] = (8, 12, 18, 200)  # clear inside, dark outside
        cover = png_uri(shade)
    return html(
        "explain_truth.html",
        result=result,
        truth=truth,
        focus=one,
        label=label_of,
        verdict=verdict(share, even, checked, label),
        bars=bars(share, even, checked),
        checked=checked,
        checking=checking,
        check=request.check,
        charts=place_charts(plots(checked)) if checked else [],
        cover=cover,
    )
