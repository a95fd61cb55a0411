"""The pieces of the Auxiliary tab: from what a visitor has chosen to HTML, and to the address bar; no Gradio."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from urllib.parse import urlencode

from app.actions.auxiliary.auxiliary import Panel
from app.actions.auxiliary.bench import FINAL, LEARNED, Bench
from app.actions.auxiliary.pictures import Picture
from app.actions.auxiliary.request import OWN, Request, idle
from app.actions.checks import shown, text
from app.cards import render
from app.library import Library
from app.library.collection import Collection
from app.library.eye import DISPLAY_PAIRS, DISPLAY_SEED
from app.library.pairs import partners
from app.library.thumbnails import STRIP_HEIGHT, encoded
from mun.evaluation.bridge import Found
from mun.structures import Sample

__all__ = [
    "TAB",
    "AuxiliaryVisit",
    "bench_html",
    "compare_html",
    "message_html",
    "panel_html",
    "people_of",
    "picker_html",
    "read_link",
    "write_link",
]

TAB = "auxiliary"
OFFERED = 24  # images of one person and modality to choose from
MAX_DIGITS = 9


@dataclass(frozen=True)
class AuxiliaryVisit:
    """What one visitor looks at in this tab: names and numbers only.

    Attributes:
        request: As asked; once something was drawn it names the pair.
        turn: Grows with every answer, so that the browser draws each anew; 0 before the first.
        notice: A sentence to say once.
    """

    request: Request = field(default_factory=Request)
    turn: int = 0
    notice: str = ""

    def next(self, **changes: object) -> AuxiliaryVisit:
        """Return the visit with some of its request changed, for the next answer."""
        return AuxiliaryVisit(replace(self.request, **changes), self.turn + 1)  # type: ignore[arg-type]


@dataclass(frozen=True)
class Card:
    """A picture's numbers as words."""

    name: str
    title: str
    words: str
    checkpoint: str
    uri: str
    to_visible: str
    to_infrared: str
    bars: tuple[float, float]
    ranks: tuple[tuple[str, str], tuple[str, str]]
    shown: str
    depends: str


def write_link(request: Request) -> str:
    """Write a view as `?tab=auxiliary&…`; a visitor's own images have no address."""
    if request.source == OWN:
        return f"?tab={TAB}"
    default = Request()
    values = {
        name: value
        for name, value in asdict(request).items()
        if name not in idle(request.source) and (value != getattr(default, name) or name == "checkpoint")
    }
    named = {name: f"{value:.4g}" if isinstance(value, float) else value for name, value in values.items()}
    return "?" + urlencode({"tab": TAB, **named}, safe="/")


def read_link(values: Mapping[str, object]) -> Request:
    """Read a view from an address; what it does not say is as for a first visit. Names and bounds are checked later.

    Raises:
        ValueError: A value is no number where one is needed, or asks for images that have no address.
    """
    said: dict[str, object] = {}
    for part in fields(Request):
        if not values.get(part.name):
            continue
        word = text(part.name, values[part.name])
        said[part.name] = word if isinstance(part.default, str) else as_number(part.name, word, part.default)
    if said.get("source") == OWN:
        raise ValueError("expected a link to images of the data; a visitor's own images have none")
    return Request(**said)  # type: ignore[arg-type]


def as_number(name: str, word: str, default: object) -> int | float:
    """Read a number of the kind that the default has."""
    try:
        if len(word) <= MAX_DIGITS:
            return float(word) if isinstance(default, float) else int(word)
    except ValueError:
        pass
    raise ValueError(f"expected {name} to be a number, got {shown(word)}")


def panel_html(library: Library, panel: Panel, visit: AuxiliaryVisit) -> str:
    """Draw the pair, the auxiliary images between the two, and the chart of their distances."""
    cards = [card_of(picture) for picture in panel.pictures]
    between = panel.pictures[0].place.between
    inner = cards[1:-1]
    top = max([1.25, *(value for card in inner for value in card.bars)])
    return render(
        "auxiliary_panel.html",
        panel=panel,
        visit=visit,
        link=write_link(visit.request),
        cards=cards,
        inner=inner,
        top=top,
        between=between,
        collection=library.collections[panel.request.data],
        display_pairs=DISPLAY_PAIRS,
        display_seed=DISPLAY_SEED,
        say=summary(panel),
    )


def card_of(picture: Picture) -> Card:
    """Write a picture's numbers as words."""
    relative = picture.place.relative
    learned = picture.display.low != 0.0 or picture.display.high != 1.0
    line = f"{picture.display.low:.2f} is black, {picture.display.high:.2f} white; " if learned else ""
    percent = None if picture.dependence is None else round(100 * picture.dependence)
    return Card(
        picture.name,
        picture.title,
        picture.words,
        picture.checkpoint,
        encoded(picture.pixels),
        "\u2013" if relative is None else f"{relative[0]:.2f}",
        "\u2013" if relative is None else f"{relative[1]:.2f}",
        relative or (0.0, 0.0),
        (rank_words(picture.found[0]), rank_words(picture.found[1])),
        f"Shown: {line}{100 * picture.clipped:.1f} % clipped." if learned or picture.clipped else "",
        "" if percent is None else f"Depends {percent} % on V, {100 - percent} % on I.",
    )


def rank_words(found: Found | None) -> tuple[str, str]:
    """Write a rank and of how many; a dash where nothing is known, or nobody can be found."""
    return ("\u2013", "") if found is None or found.rank is None else (f"{found.rank:,}", f"of {found.size:,}")


def summary(panel: Panel) -> str:
    """Say the panel in a sentence, for who does not see it."""
    relative = panel["mun"].place.relative
    if relative is None:
        return panel.pair.words
    return f"{panel.pair.words} MUN's auxiliary image lies {relative[0]:.2f} from V and {relative[1]:.2f} from I."


def compare_html(panel: Panel, turn: int) -> str:
    """Draw MUN's image and the pixel mean on one place, with a slider between them."""
    return render(
        "auxiliary_compare.html",
        mun=encoded(panel["mun"].pixels),
        mean=encoded(panel["pixel-mean"].pixels),
        title=panel["mun"].title,
        turn=turn,
    )


def bench_html(bench: Bench, visit: AuxiliaryVisit) -> str:
    """Draw the generator's output at a ratio, its branches alone, and what it depends on."""
    request = visit.request
    return render(
        "auxiliary_bench.html",
        bench=bench,
        cards=[card_of(picture) for picture in bench.pictures],
        turned=request.share != LEARNED and bench.share != bench.learned,
        earlier=request.step != FINAL,
        visit=visit,
        link=write_link(request),
    )


def message_html(words: str, visit: AuxiliaryVisit) -> str:
    """Say in place of the panel what is wrong, or missing."""
    return render("auxiliary_message.html", words=words, visit=visit)


def picker_html(library: Library, visit: AuxiliaryVisit, pid: int) -> str:
    """Draw the images of a person to choose from.

    Raises:
        ValueError: There is no such person, or the person is seen in one modality only.
    """
    request = visit.request
    visible, infrared = partners(library.collections[request.data], pid)

    def strip(samples: list[Sample], chosen: str) -> list[tuple[Sample, str]]:
        return [(one, library.thumbnail(request.data, one, STRIP_HEIGHT)) for one in few(samples, chosen)]

    strips = [
        ("Visible", "visible", strip(visible, request.visible), request.visible),
        ("Infrared", "infrared", strip(infrared, request.infrared), request.infrared),
    ]
    return render("auxiliary_picker.html", strips=strips, pid=pid, turn=visit.turn)


def few(samples: list[Sample], chosen: str) -> Iterator[Sample]:
    """Take as many images as are offered, by camera in turn, the chosen one always among them."""
    numbers: dict[int, int] = {}
    order = []
    for sample in samples:
        numbers[sample.camid] = numbers.get(sample.camid, 0) + 1
        order.append((sample.key != chosen, numbers[sample.camid], sample.camid, sample))
    kept = {sample.key for *_, sample in sorted(order, key=lambda item: item[:3])[:OFFERED]}
    return (sample for sample in samples if sample.key in kept)


def people_of(collection: Collection) -> list[int]:
    """List everybody in the data."""
    return sorted({sample.pid for sample in collection.samples})
