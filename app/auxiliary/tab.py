"""The Auxiliary tab: its pieces of HTML, and the answer to every press."""

import random
import threading
from collections.abc import Callable, Mapping

from app.auxiliary.compare import COLLECTION, FILES, OWN, RENDERED, SOURCES, Compare, Look, own_image, pair_of, run
from app.auxiliary.generator import LEARNED, Parts, flat_words, take_apart
from app.auxiliary.panel import checkpoints_of, make_panel
from app.library import Library
from app.library.own_images import OwnImage, small_copy
from app.library.pair_encoder import DISPLAY_PAIRS, DISPLAY_SEED, PairEncoder, film, kept_steps
from app.library.pairs import partners
from app.library.ranking import spread_over_cameras
from app.library.thumbnails import STRIP_HEIGHT, encoded
from app.shared.export import Options
from app.shared.html import as_sentence, html
from app.shared.tab import SOON, Answer, Export, File, Menu, Page, Piece, Press
from app.theme import script

__all__ = ["Options", "answer", "build", "write"]

OFFERED = 24  # images of one person and modality to choose from
POLL = 1000  # milliseconds
SNAP = 0.005  # a share this near to the learned share counts as the learned share
SETTINGS = {"The pair": ("source", "person", "misalignment"), "Formulas": ("mixup", "seed"), "": ("compare",)}
MENUS = (Menu("Pair and auxiliary images", "panel", ("png", "pdf", "svg", "csv", "latex")),)
CHIPS = ("misalignment", "mixup", "seed", "share", "step")
COMPUTING = threading.BoundedSemaphore(2)  # limits answers that use networks, because presses are not queued
STAGE, STRIP, FILM, PEOPLE = "auxiliary-stage", "auxiliary-rivals", "auxiliary-film", "auxiliary-people"


def build(page: Page) -> None:
    """Build the tab."""
    with page.tab("auxiliary", "Auxiliary", strip=False) as tab:
        player = script("auxiliary.js")
        pieces = {name: tab.piece(name, script=player if name == FILM else "") for name in (STAGE, STRIP, FILM, PEOPLE)}
        tab.wire(Look, answer, pieces, Export(MENUS, Options, write), SETTINGS, CHIPS)


def answer(library: Library, request: Look, press: Press) -> Answer:
    """Answer a press: first the pair and MUN's image, then, when the page asks again, the pieces below them.

    Raises:
        ValueError: No checkpoint with MUN's generator is loaded, no pair can be shown, or a checkpoint has changed.
    """
    request, notices = with_pair(library, request, press)
    request, own, words = with_own(library, request)
    notices += words
    if request.source == OWN and len(own) < len(FILES):
        waits = html("auxiliary_own.html", request=request, own=own, sources=SOURCES)
        return Answer(request, {STAGE: waits, STRIP: "", FILM: "", PEOPLE: ""}, notice=" ".join(notices))
    asked = request.asked(library)
    if asked.checkpoint != request.checkpoint:
        label = library.checkpoints[request.checkpoint].label
        notices.append(f"{label} does not have MUN's generator; {asked.checkpoint} is shown.")
    encoder = PairEncoder(library, asked.checkpoint, asked.data, pair_of(library, asked))
    known, waiting, polling = readiness(library, encoder)
    with COMPUTING:
        parts = take_apart(encoder, asked.share, asked.step, wait=False)
    if asked.share != LEARNED and parts.learned is not None and abs(asked.share - parts.learned) <= SNAP:
        request, asked = request.model_copy(update={"share": LEARNED}), asked.model_copy(update={"share": LEARNED})
        parts = take_apart(encoder, LEARNED, asked.step, wait=False)
    pair = asked.model_dump(exclude={"mixup", "seed", "share", "step"})
    formulas = (request.mixup, request.seed)
    drawn = {
        STAGE: network_piece(
            (asked, request.compare, known, waiting), lambda: stage(request, asked, encoder, parts, own, waiting)
        ),
        STRIP: network_piece((pair, formulas, known), lambda: strip(request, asked, encoder)),
        FILM: network_piece(pair, lambda: replay(request, encoder)),
        PEOPLE: Piece(pair, lambda: people(library, request)),
    }
    later = [name for name in (STRIP, FILM, PEOPLE) if press.drawn.get(name) != drawn[name].digest]
    if later and press.do != "again":
        drawn = {name: piece for name, piece in drawn.items() if name not in later}
    keys = [sample.key for sample in encoder.pair.sources]
    return Answer(
        request,
        drawn,
        say=summary(encoder, parts["turned"].place.relative),
        chosen=press.chosen if press.chosen in keys else next(reversed(keys), ""),
        notice=" ".join(filter(None, notices)),
        again=SOON if later and press.do != "again" else POLL if polling else 0,
    )


def network_piece(key: object, draw: Callable[[], str]) -> Piece:
    """Make a piece whose drawing uses networks; few are drawn at a time, so that rankings are not slowed down."""

    def drawn() -> str:
        with COMPUTING:
            return draw()

    return Piece(key, drawn)


def with_pair(library: Library, request: Look, press: Press) -> tuple[Look, list[str]]:
    """Change the pair as a press asks: a random person, a person of the list, or the image chosen on another tab."""
    changes: dict[str, object] = {}
    collection, no_keys = library.collections[request.data], {"visible": "", "infrared": ""}
    opened = press.chosen if press.do == "open" and press.chosen in collection.rows else ""
    if press.do == "random":
        others = [pid for pid in collection.shared_pids if pid != request.person]
        source = RENDERED if request.source == RENDERED else COLLECTION
        changes = {**no_keys, "source": source, "person": random.SystemRandom().choice(others or [request.person])}
    elif "person" in press.changed and not {"visible", "infrared"} & set(press.changed):
        changes = {**no_keys, "person": press.values.get("person")}
    elif opened and opened not in (request.visible, request.infrared):
        sample = collection.samples[collection.rows[opened]]
        changes = {**no_keys, "source": COLLECTION, "person": 0, str(sample.modality): sample.key}
    if not changes:
        return request, []
    request, wrong = Look.repair({**request.model_dump(), **changes}, library)
    return request, list(dict.fromkeys(wrong.values()))


def with_own(library: Library, request: Look) -> tuple[Look, dict[str, OwnImage], list[str]]:
    """Read the visitor's own images and put small copies into the request; drop files that cannot be read."""
    own, notices = dict[str, OwnImage](), list[str]()
    if request.source != OWN:
        return request, own, notices
    for name in FILES:
        try:
            if image := own_image(library, request, name):
                own[name] = image
        except ValueError as error:
            notices.append(as_sentence(error))
    copies = {name: small_copy(own[name]) if name in own else "" for name in FILES}
    return request.model_copy(update=copies), own, notices


def readiness(library: Library, encoder: PairEncoder) -> tuple[tuple[bool, ...], str, bool]:
    """Start embedding the galleries that ranks need, one checkpoint after another.

    Returns:
        Whether the galleries of each checkpoint are ready; a sentence on why others are not; whether to ask again.
    """
    names = checkpoints_of(library, encoder.checkpoint)
    known = tuple(library.ready(name, encoder.data) for name in names)
    if encoder.pair.pid is None or all(known):
        return known, "", False
    name = names[known.index(False)]
    state = library.prepare(name, encoder.data)
    if state.problem:
        return known, f"The ranks of {name} cannot be computed: {state.problem}.", False
    if state.stopped:
        return known, f"Ranks are missing: the embedding by {name} was stopped on the Retrieval tab.", False
    return known, f"Ranks by {name} appear once it has embedded all {state.total:,} images.", True


def summary(encoder: PairEncoder, relative: tuple[float, float] | None) -> str:
    """Describe the picture in a sentence for screen readers."""
    if relative is None:
        return encoder.pair.words
    return f"{encoder.pair.words} MUN's auxiliary image lies {relative[0]:.2f} from V and {relative[1]:.2f} from I."


def stage(
    request: Look, asked: Compare, encoder: PairEncoder, parts: Parts, own: Mapping[str, OwnImage], waiting: str
) -> str:
    """Draw the pair, MUN's image at the chosen ratio and step, the image under it, and its branches."""
    rivals = make_panel(encoder, asked.mixup, asked.seed, wait=False).pictures if request.compare else ()
    bins = encoder.network.config.generator.bins
    return html(
        "auxiliary_stage.html",
        request=request,
        pair=encoder.pair,
        pixels=encoder.pair.pixels[encoder.size],
        parts=parts,
        made=parts["turned"],
        below=next((one for one in rivals if one.name == request.compare), None),
        flat={one.name: flat_words(one.name, one.spread, bins) for one in parts.pictures[1:]},
        turned=asked.share != LEARNED and parts.share != parts.learned,
        own=own,
        sources=SOURCES,
        waiting=waiting,
    )


def strip(request: Look, asked: Compare, encoder: PairEncoder) -> str:
    """Draw the other auxiliary modalities, and the table of all numbers."""
    panel = make_panel(encoder, asked.mixup, asked.seed, wait=False)
    return html(
        "auxiliary_rivals.html",
        request=request,
        panel=panel,
        top=max([1.25, *(value for picture in panel.pictures[1:-1] for value in picture.place.relative or ())]),
        checkpoint=asked.checkpoint,
        collection=encoder.library.collections[asked.data],
        fitted=(DISPLAY_PAIRS, DISPLAY_SEED),
        zip=zip,
    )


def replay(request: Look, encoder: PairEncoder) -> str:
    """Draw the image at each kept step of training."""
    card = encoder.library.checkpoints[encoder.checkpoint].card
    _, absent = kept_steps(encoder.library, encoder.checkpoint)
    frames = [] if absent else [(step, encoded(pixels)) for step, pixels in film(encoder)]
    return html("auxiliary_film.html", request=request, frames=frames, last=card.steps if card else 0, absent=absent)


def people(library: Library, request: Look) -> str:
    """Draw the images of the person to choose from; empty if the pair is not from the data.

    Raises:
        ValueError: The person is seen in one modality only.
    """
    if request.source != COLLECTION:
        return ""
    images, chosen = partners(library.collections[request.data], request.person), (request.visible, request.infrared)
    strips = {}
    for name, own, key in zip(("visible", "infrared"), images, chosen, strict=True):
        offered = spread_over_cameras(own, OFFERED, key)
        strips[name] = [
            (one, library.thumbnail(request.data, one.key, STRIP_HEIGHT), one.key == key) for one in offered
        ]
    return html("auxiliary_people.html", request=request, strips=strips)


def write(library: Library, request: Look, options: Options, what: str, kind: str, press: Press) -> File:  # noqa: ARG001
    """Write a file of the export menu; ranks of a checkpoint whose galleries are not embedded yet are left out.

    Raises:
        ValueError: The panel cannot be made.
    """
    from app.auxiliary import figure  # here: Matplotlib takes a second to load

    result = run(library, request.asked(library), wait=False)
    call = result.request.call(library, "auxiliary", press.url, ("checkpoint", "data"))
    if kind in ("csv", "latex"):
        return File.of(figure.stem_of(result), kind, figure.write_table(library, result, call, kind))
    return File.of(figure.stem_of(result), kind, figure.panel_bytes(library, result, call, kind, options.width))
