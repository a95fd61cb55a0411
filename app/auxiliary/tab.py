"""The Auxiliary tab: what a press draws, and the pieces it is drawn in."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator, Mapping

from app.auxiliary.compare import (
    COLLECTION,
    FILES,
    OWN,
    RENDERED,
    SOURCES,
    Compare,
    Look,
    pair_of,
    people_in_both,
    read_own,
)
from app.auxiliary.export import MENUS, Options, write
from app.auxiliary.generator import LEARNED, Bench, flat_words, take_apart
from app.auxiliary.panel import TITLES, checkpoints_of, make_panel
from app.library import Library
from app.library.eye import DISPLAY_PAIRS, DISPLAY_SEED, Eye
from app.library.film import FINAL, film
from app.library.own_images import OwnImage, small
from app.library.pairs import partners
from app.library.thumbnails import STRIP_HEIGHT, encoded
from app.shared.html import form, html
from app.shared.tab import Answer, Export, Page, Piece, Press
from app.theme import script
from mun.structures import Sample

__all__ = ["answer", "build"]

OFFERED = 24  # images of one person and modality to choose from
POLL, SOON = 1000, 30  # milliseconds
SNAP = 0.005  # a share this near to the learned one means the learned one
SETTINGS = {"The pair": ("source", "person", "misalignment"), "Formulas": ("mixup", "seed"), "": ("compare",)}
CHIPS = ("misalignment", "mixup", "seed", "share", "step")
LOOKING = threading.BoundedSemaphore(2)  # presses pass no queue
STAGE, STRIP, FILM, PEOPLE = "auxiliary-stage", "auxiliary-rivals", "auxiliary-film", "auxiliary-people"


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("auxiliary", "Auxiliary") as tab:
        scripts = {STAGE: script("auxiliary.js"), FILM: script("auxiliary.js")}
        pieces = {name: tab.piece(name, script=scripts.get(name, "")) for name in (STAGE, STRIP, FILM, PEOPLE)}
        pieces["settings"] = tab.settings()
        tab.wire(Look, answer, pieces, CHIPS, Export(MENUS, Options, write))


def answer(library: Library, request: Look, press: Press) -> Answer:
    """Draw what a press asks for: at once the pair and MUN's image, and when the page asks again what is below them.

    Raises:
        ValueError: No checkpoint with MUN's generator is loaded, nobody can be shown, or a checkpoint has changed.
    """
    request, notices = turned(library, request, press)
    settings = Piece(request.model_dump(exclude=set(FILES)), lambda: form("auxiliary", request, library, SETTINGS))
    request, own, words = with_own(library, request)
    notices += words
    if request.source == OWN and len(own) < len(FILES):
        waits = html("auxiliary_own.html", request=request, own=own, sources=SOURCES)
        return Answer(
            request, {STAGE: waits, STRIP: "", FILM: "", PEOPLE: "", "settings": settings}, notice=" ".join(notices)
        )
    asked = request.asked(library)
    if asked.checkpoint != request.checkpoint:
        notices.append(
            f"{library.checkpoints[request.checkpoint].label} has no such generator; {asked.checkpoint} is shown."
        )
    eye = Eye(library, asked.checkpoint, asked.data, pair_of(library, asked))
    known, waiting, polling = readiness(library, eye)
    with LOOKING:
        bench = take_apart(eye, asked.share, asked.step, wait=False)
    if asked.share != LEARNED and bench.learned is not None and abs(asked.share - bench.learned) <= SNAP:
        request, asked = request.model_copy(update={"share": LEARNED}), asked.model_copy(update={"share": LEARNED})
        bench = take_apart(eye, LEARNED, asked.step, wait=False)
    pair = asked.model_dump(exclude={"mixup", "seed", "share", "step"})
    formulas = (request.mixup, request.seed)
    drawn = {
        STAGE: look((asked, request.compare, known, waiting), lambda: stage(request, asked, eye, bench, own, waiting)),
        STRIP: look((pair, formulas, known), lambda: strip(request, asked, eye)),
        FILM: look(pair, lambda: replay(request, eye)),
        PEOPLE: Piece(pair, lambda: people(library, request)),
        "settings": settings,
    }
    later = [name for name in (STRIP, FILM, PEOPLE) if press.drawn.get(name) != drawn[name].digest]
    if later and press.do != "again":
        drawn = {name: piece for name, piece in drawn.items() if name not in later}
    keys = [sample.key for sample in eye.pair.sources]
    return Answer(
        request,
        drawn,
        say=summary(eye, bench["turned"].place.relative),
        chosen=press.chosen if press.chosen in keys else next(reversed(keys), ""),
        notice=" ".join(filter(None, notices)),
        again=SOON if later and press.do != "again" else POLL if polling else 0,
    )


def look(key: object, draw: Callable[[], str]) -> Piece:
    """Make a piece that networks take part in: few at a time, so that who ranks meanwhile is not slowed down."""

    def drawn() -> str:
        with LOOKING:
            return draw()

    return Piece(key, drawn)


def turned(library: Library, request: Look, press: Press) -> tuple[Look, list[str]]:
    """Look at whom a press asks for: somebody else, a person of the list, or the image that another tab looks at."""
    changes: dict[str, object] = {}
    collection, nobody = library.collections[request.data], {"visible": "", "infrared": ""}
    if press.do == "random":
        others = [pid for pid in people_in_both(collection) if pid != request.person]
        source = RENDERED if request.source == RENDERED else COLLECTION
        changes = {**nobody, "source": source, "person": random.SystemRandom().choice(others or [request.person])}
    elif "person" in press.changed and not {"visible", "infrared"} & set(press.changed):
        changes = {**nobody, "person": press.values.get("person")}
    elif (
        press.do == "open"
        and press.chosen in collection.rows
        and press.chosen not in (request.visible, request.infrared)
    ):
        sample = collection.samples[collection.rows[press.chosen]]
        changes = {**nobody, "source": COLLECTION, "person": 0, str(sample.modality): sample.key}
    if not changes:
        return request, []
    request, wrong = Look.repair({**request.model_dump(), **changes}, library)
    return request, list(dict.fromkeys(wrong.values()))


def with_own(library: Library, request: Look) -> tuple[Look, dict[str, OwnImage], list[str]]:
    """Read the visitor's own images and leave their small copies in the request; what cannot be read is dropped."""
    own, notices = dict[str, OwnImage](), []
    for name in FILES if request.source == OWN else ():
        one = request.model_copy(update=dict.fromkeys(FILES, "") | {name: getattr(request, name)})
        try:
            own |= read_own(library, one)
        except ValueError as error:
            notices.append(f"{str(error)[:1].upper()}{str(error)[1:]}.")
    copies = {name: small(own[name]) if name in own else "" for name in FILES}
    return request.model_copy(update=copies) if request.source == OWN else request, own, notices


def readiness(library: Library, eye: Eye) -> tuple[tuple[bool, ...], str, bool]:
    """Start embedding the galleries that ranks need, one checkpoint after another.

    Returns:
        Whether each checkpoint's are there; why others are not, in a sentence; whether to ask again.
    """
    names = checkpoints_of(library, eye.checkpoint)
    known = tuple(library.ready(name, eye.data) for name in names)
    if eye.pair.pid is None or all(known):
        return known, "", False
    name = names[known.index(False)]
    state = library.prepare(name, eye.data)
    if state.problem:
        return known, f"The ranks of {name} cannot be had: {state.problem}.", False
    if state.stopped:
        return known, f"Ranks are missing: the embedding by {name} was stopped on the Retrieval tab.", False
    return known, f"Ranks follow when {name} has looked at all {state.total:,} images.", True


def summary(eye: Eye, relative: tuple[float, float] | None) -> str:
    """Say the picture in a sentence, for a screen reader."""
    if relative is None:
        return eye.pair.words
    return f"{eye.pair.words} MUN's auxiliary image lies {relative[0]:.2f} from V and {relative[1]:.2f} from I."


def stage(request: Look, asked: Compare, eye: Eye, bench: Bench, own: Mapping[str, OwnImage], waiting: str) -> str:
    """Draw the pair, MUN's image at the chosen ratio and step, what lies under it, and its branches."""
    rival = make_panel(eye, asked.mixup, asked.seed, wait=False) if request.compare else None
    below = next((one for one in rival.pictures if one.name == request.compare), None) if rival else None
    visible, infrared = eye.pair.pixels[eye.size]
    bins = eye.network.config.generator.bins
    return html(
        "auxiliary_stage.html",
        request=request,
        pair=eye.pair,
        sides=(("visible", eye.pair.visible, encoded(visible)), ("infrared", eye.pair.infrared, encoded(infrared))),
        bench=bench,
        made=bench["turned"],
        below=below,
        compared=TITLES.get(request.compare, ""),
        flat={one.name: flat_words(one, bins) for one in bench.pictures[1:]},
        turned=asked.share != LEARNED and bench.share != bench.learned,
        own=own,
        sources=SOURCES,
        waiting=waiting,
        uri=encoded,
    )


def strip(request: Look, asked: Compare, eye: Eye) -> str:
    """Draw the other auxiliary modalities, and the table of all numbers."""
    panel = make_panel(eye, asked.mixup, asked.seed, wait=False)
    inner = panel.pictures[1:-1]
    top = max([1.25, *(value for picture in inner for value in picture.place.relative or ())])
    return html(
        "auxiliary_rivals.html",
        request=request,
        panel=panel,
        rivals=[picture for picture in inner if picture.name != "mun"],
        top=top,
        checkpoint=asked.checkpoint,
        collection=eye.library.collections[asked.data],
        display_pairs=DISPLAY_PAIRS,
        display_seed=DISPLAY_SEED,
        uri=encoded,
    )


def replay(request: Look, eye: Eye) -> str:
    """Draw the image as it formed in training, from kept step to kept step."""
    card = eye.library.checkpoints[eye.checkpoint].card
    frames = [(step, encoded(pixels)) for step, pixels in film(eye)]
    last, notes = card.steps if card else 0, take_apart(eye, wait=False).words
    return html("auxiliary_film.html", request=request, frames=frames, final=FINAL, last=last, notes=notes)


def people(library: Library, request: Look) -> str:
    """Draw the images of the person to choose from; nothing where the pair is not of the data.

    Raises:
        ValueError: The person is seen in one modality only.
    """
    if request.source != COLLECTION:
        return ""

    def thumbnails(samples: list[Sample], chosen: str) -> list[tuple[Sample, str]]:
        return [(one, library.thumbnail(request.data, one, STRIP_HEIGHT)) for one in few(samples, chosen)]

    visible, infrared = partners(library.collections[request.data], request.person)
    strips = (
        ("visible", thumbnails(visible, request.visible)),
        ("infrared", thumbnails(infrared, request.infrared)),
    )
    return html("auxiliary_people.html", request=request, strips=strips)


def few(samples: list[Sample], chosen: str) -> Iterator[Sample]:
    """Take as many images as are offered, by camera in turn, the chosen one always among them."""
    numbers: dict[int, int] = {}
    order = []
    for sample in samples:
        numbers[sample.camid] = numbers.get(sample.camid, 0) + 1
        order.append((sample.key != chosen, numbers[sample.camid], sample.camid, sample))
    kept = {sample.key for *_, sample in sorted(order, key=lambda item: item[:3])[:OFFERED]}
    return (sample for sample in samples if sample.key in kept)
