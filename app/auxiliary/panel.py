"""The images of the panel (the pair, MUN's, the formulas', the learned rivals'), with their distances and ranks."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.library import Library
from app.library.pair_encoder import GENERATORS, PairEncoder
from app.library.pairs import ImagePair
from app.library.thumbnails import fitted, png_uri
from mun.auxiliary.panel import UNIT, Display
from mun.auxiliary.pixel import CutMix, channel_exchange, grayscale, mix
from mun.evaluation.bridge import Found, Place, find, place
from mun.structures import Modality

__all__ = ["ORDER", "TITLES", "Draft", "Missing", "Panel", "Picture", "checkpoints_of", "make_panel", "pictures"]

MAX_HEIGHT = 384  # pixels of an image that goes out over HTTP
NOT_KNOWN = (None, None)
BothFound = tuple[Found | None, Found | None]  # in the visible and in the infrared gallery
SIDES = ("visible", "infrared")
WORDS_OF_MUN = "Patterns of each image (IML) and what both share at coarse scale (CML), fused."
CHANNELS = ("red", "green", "blue")
# Titles of the images beside MUN's, in their order.
TITLES = {
    "mun-2": "MUN, nearer to I",
    "x": "X",
    "middle-1": "Middle, of V",
    "middle-2": "Middle, of I",
    "syncretic": "Syncretic",
    "pixel-mean": "Pixel mean",
    "mixup": "Mixup",
    "cutmix": "CutMix",
    "channel-exchange": "Channel exchange",
    "grayscale": "Grayscale",
}
ORDER = ("visible", "mun", *TITLES, "infrared")
# Learned auxiliary modality: title, what it does, and its images.
RIVALS = {
    "x": ("X", "The visible image recoloured by a learned formula per pixel; infrared plays no part.", ("x",)),
    "middle": (
        "Middle",
        "A learned formula per pixel for each image, and one decoder for both.",
        ("middle-1", "middle-2"),
    ),
    "syncretic": ("Syncretic", "A learned fusion of the pair, pixel by pixel.", ("syncretic",)),
}


@dataclass(frozen=True, eq=False)
class Draft:
    """An image of the panel before it is embedded.

    Attributes:
        name: As `mun`, `middle-2`, `mixup`, `visible`.
        title: Title on the page.
        words: A sentence or two: what the image is, and which network embeds it.
        what: Identifies the content, for the cache.
        image: `(1, 3, H, W)`.
        display: Maps the image's values to pixels.
        dependence: Share of the visible input in what it depends on, in [0, 1]; `None` where nothing is learned.
    """

    name: str
    title: str
    words: str
    what: Hashable
    image: Tensor
    display: Display = UNIT
    dependence: float | None = None

    @property
    def pixels(self) -> NDArray[np.uint8]:
        """As shown, RGB, uint8, `(H, W, 3)`."""
        return self.display.pixels(self.image[0])

    @property
    def clipped(self) -> float:
        """Share of the values that the display clips, in [0, 1]."""
        return self.display.clipped(self.image[0])

    @property
    def spread(self) -> float:
        """Standard deviation of its values over places, as a fraction of the range from black to white."""
        return float(self.image[0].std(dim=(1, 2)).mean()) / (self.display.high - self.display.low)


@dataclass(frozen=True, eq=False, kw_only=True)
class Picture(Draft):
    """One image of the panel, with its distances and ranks.

    Attributes:
        checkpoint: The checkpoint whose network embeds it.
        place: Its distances.
        found: The person's rank in the visible and in the infrared gallery; `None` where it is not known (yet).
    """

    checkpoint: str
    place: Place
    found: BothFound

    @property
    def detour(self) -> float | None:
        """Length of the path from V to I through this image, over d(V, I), from 1; `None` if V and I coincide."""
        return sum(self.place.relative) if self.place.relative else None

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/auxiliary` answers for an image: numbers and a PNG."""
        relative = self.place.relative or NOT_KNOWN
        found = [one and asdict(one) for one in self.found]
        return {
            **{name: getattr(self, name) for name in ("name", "title", "checkpoint", "words", "clipped")},
            **{f"distance_{name}": value for name, value in asdict(self.place).items()},
            **{f"relative_to_{side}": value for side, value in zip(SIDES, relative, strict=True)},
            **{f"{side}_gallery": value for side, value in zip(SIDES, found, strict=True)},
            "visible_dependence": self.dependence,
            "display": [self.display.low, self.display.high],
            "image": png_uri(fitted(self.pixels, MAX_HEIGHT)),
        }


@dataclass(frozen=True)
class Missing:
    """A modality that cannot be shown, and why."""

    name: str
    title: str
    words: str


@dataclass(frozen=True, eq=False)
class Panel:
    """All auxiliary images of one pair.

    Attributes:
        pair: The two images.
        pictures: The visible image, the auxiliary images, the infrared image.
        missing: The modalities of which no checkpoint is loaded.
    """

    pair: ImagePair
    pictures: tuple[Picture, ...]
    missing: tuple[Missing, ...]

    def __getitem__(self, name: str) -> Picture:
        return next(picture for picture in self.pictures if picture.name == name)


def make_panel(encoder: PairEncoder, mixup: float, seed: int, *, wait: bool = True) -> Panel:
    """Make every auxiliary image of a pair, and measure distances and ranks of each.

    Args:
        encoder: The checkpoint with MUN's generator, and the pair.
        mixup: λ of Mixup.
        seed: Seed of CutMix and channel exchange.
        wait: Embed the galleries that ranks need; otherwise leave out ranks until the galleries are embedded.

    Raises:
        ValueError: A checkpoint has changed on the disk or gives values that are not finite.
    """
    names = [("mun", GENERATORS[encoder.network.config.auxiliary]), ("mun-2", TITLES["mun-2"])]
    own = learned(encoder, WORDS_OF_MUN, names[: encoder.network.auxiliary.num_images])
    made = pictures(encoder, [*ends(encoder), *own, *formulas(encoder, mixup, seed)], wait=wait)
    missing = []
    for name, (title, words, images) in RIVALS.items():
        if checkpoint := checkpoint_for(encoder.library, name):
            rival = PairEncoder(encoder.library, checkpoint, encoder.data, encoder.pair)
            drafts = learned(rival, words, [(image, TITLES[image]) for image in images])
            made += pictures(rival, drafts, wait=wait)
        else:
            command = f"No checkpoint of it is loaded: python -m mun train --auxiliary {name}"
            missing.append(Missing(name, title, f"{words} {command}"))
    return Panel(encoder.pair, tuple(sorted(made, key=lambda one: ORDER.index(one.name))), tuple(missing))


def checkpoint_for(library: Library, auxiliary: str) -> str | None:
    """Return the first usable checkpoint that was trained with an auxiliary modality; `None` if there is none."""
    return next((name for name, kind in library.checkpoints.kinds.items() if kind == auxiliary), None)


def checkpoints_of(library: Library, checkpoint: str) -> list[str]:
    """List the checkpoints that make a panel, the one with MUN's generator first."""
    return [checkpoint, *filter(None, (checkpoint_for(library, name) for name in RIVALS))]


def pictures(encoder: PairEncoder, drafts: Sequence[Draft], *, wait: bool) -> list[Picture]:
    """Embed drafts, and measure distances and ranks of each.

    Args:
        encoder: The checkpoint that embeds the drafts, and the pair.
        drafts: One or more.
        wait: Embed the galleries that ranks need; otherwise leave out ranks until the galleries are embedded.

    Raises:
        ValueError: The data set cannot be embedded, or values are not finite.
    """
    sides: dict[Hashable, NDArray[np.float64]] = {"visible": encoder.sides[:1], "infrared": encoder.sides[1:]}
    made = encoder.points({draft.what: draft.image for draft in drafts if draft.what not in sides})
    points = [{**made, **sides}[draft.what] for draft in drafts]
    found: Iterable[BothFound] = [NOT_KNOWN] * len(points)
    if encoder.pair.pid is not None and (wait or encoder.library.ready(encoder.checkpoint, encoder.data)):
        found = ranks(encoder, encoder.pair.pid, np.concatenate(points))
    return [
        Picture(**vars(draft), checkpoint=encoder.checkpoint, place=place(point[0], *encoder.sides), found=ranked)
        for draft, point, ranked in zip(drafts, points, found, strict=True)
    ]


def ranks(encoder: PairEncoder, pid: int, points: NDArray[np.float64]) -> Iterable[BothFound]:
    """Find the person in the visible and in the infrared gallery, with each of the points, `(A, D)`, as the query.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    collection = encoder.library.collections[encoder.data]
    rows = np.asarray(encoder.library.embeddings(encoder.checkpoint, encoder.data), dtype=np.float64)
    rule = collection.search(collection.protocols[0])

    def among(modality: Modality) -> list[Found]:
        gallery = [sample for sample in collection.samples if sample.modality is modality]
        theirs = rows[[collection.rows[sample.key] for sample in gallery]]
        return find(points, pid, encoder.pair.sources, gallery, theirs, rule)

    return zip(among(Modality.VISIBLE), among(Modality.INFRARED), strict=True)


def ends(encoder: PairEncoder) -> list[Draft]:
    """Draft the two images of the pair."""
    sides = zip(SIDES, (encoder.pair.visible, encoder.pair.infrared), encoder.inputs, strict=True)
    return [Draft(name, name.capitalize(), side.name, name, image) for name, side, image in sides]


def learned(encoder: PairEncoder, words: str, images: Sequence[tuple[str, str]]) -> list[Draft]:
    """Draft the images of a checkpoint's own auxiliary modality.

    Args:
        encoder: The checkpoint, and the pair.
        words: What the modality does.
        images: Names and titles of its images.
    """
    made, depends = encoder.generated(), encoder.dependence(encoder.network.auxiliary)
    return [
        Draft(name, title, words, f"generated-{number}", made[number], encoder.display, depends)
        for number, (name, title) in enumerate(images)
    ]


def formulas(encoder: PairEncoder, mixup: float, seed: int) -> list[Draft]:
    """Draft the images by formula, which MUN's network embeds."""
    visible, infrared = encoder.inputs
    channel = int(torch.randint(0, 3, (1,), generator=torch.Generator().manual_seed(seed)))
    (cut,) = CutMix()(visible, infrared, torch.Generator().manual_seed(seed))
    half, blend = (mix(visible, infrared, torch.tensor([share])) for share in (0.5, mixup))
    words = f"λ V + (1 \u2212 λ) I with λ = {mixup:.2f}."
    only = f"The {CHANNELS[channel]} channel of V three times; I plays no part."
    own = encoder.network.config.auxiliary_stem == "own"
    stem = f"Embedded by MUN's {'auxiliary' if own else 'visible'} stem, which was not trained on such images."
    drafts: dict[str, tuple[str, Hashable, Tensor]] = {
        "pixel-mean": ("½ V + ½ I, pixel by pixel.", "mean", half),
        "mixup": (words, ("mixup", mixup), blend),
        "cutmix": (f"A rectangle of I in V, drawn by seed {seed}.", ("cutmix", seed), cut),
        "channel-exchange": (only, ("channel", channel), channel_exchange(visible, torch.tensor([channel]))),
        "grayscale": ("The luma of V; I plays no part.", "grayscale", grayscale(visible)),
    }
    return [Draft(name, TITLES[name], f"{said} {stem}", what, image) for name, (said, what, image) in drafts.items()]
