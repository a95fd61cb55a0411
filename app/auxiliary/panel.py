"""The images of the panel: the pair itself, MUN's, the formulas', the learned rivals', and where each lies."""

from __future__ import annotations

import base64
import io
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from app.library import Library
from app.library.eye import GENERATORS, Eye
from app.library.pairs import ImagePair
from mun.auxiliary.pixel import CutMix
from mun.evaluation.bridge import Found, Place, find, place
from mun.evaluation.protocols import PROTOCOLS
from mun.panel import UNIT, Display
from mun.pixels import channel_exchange, grayscale, mix
from mun.structures import Modality

__all__ = [
    "ORDER",
    "TITLES",
    "Draft",
    "Missing",
    "Panel",
    "Picture",
    "checkpoints_of",
    "make_panel",
    "measured",
    "with_ranks",
]

MAX_HEIGHT = 384  # pixels of an image that goes out over HTTP
Ranks = tuple[Found | None, Found | None]
WORDS_OF_MUN = "Patterns of each image (IML) and what both share at coarse scale (CML), fused."
CHANNELS = ("red", "green", "blue")
# What people call the images that stand beside MUN's, in their order.
TITLES = {
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
RIVALS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "x": ("X", "The visible image recoloured by a learned formula per pixel; infrared plays no part.", ("x",)),
    "middle": (
        "Middle",
        "A learned formula per pixel for each image, and one decoder for both.",
        ("middle-1", "middle-2"),
    ),
    "syncretic": ("Syncretic", "A learned fusion of the pair, pixel by pixel.", ("syncretic",)),
}


@dataclass(frozen=True, eq=False)
class Picture:
    """One image of the panel.

    Attributes:
        name: As `mun`, `middle-2`, `mixup`, `visible`.
        title: What people call it.
        checkpoint: Whose network embeds it.
        words: What it is, and who embeds it, in a sentence or two.
        pixels: As shown, RGB, uint8, `(H, W, 3)`.
        display: From the image's values to `pixels`.
        clipped: Share of the values that the mapping clips, in [0, 1].
        place: Its distances.
        found: The person's rank in the visible and in the infrared gallery; `None` where it is not known (yet).
        dependence: Share of the visible input in what it depends on, in [0, 1]; `None` where nothing is learned.
        spread: Standard deviation of its values over places, over what lies between black and white.
    """

    name: str
    title: str
    checkpoint: str
    words: str
    pixels: NDArray[np.uint8]
    display: Display
    clipped: float
    place: Place
    found: Ranks = (None, None)
    dependence: float | None = None
    spread: float = 0.0

    @property
    def detour(self) -> float | None:
        """The way from V to I by this image over the straight one, from 1; `None` where V and I coincide."""
        return sum(self.place.relative) if self.place.relative else None

    def to_json(self) -> dict[str, Any]:
        """Describe it in numbers and as a PNG, as `/auxiliary` answers."""
        relative = self.place.relative or (None, None)
        found = [None if one is None else asdict(one) for one in self.found]
        return {
            "name": self.name,
            "title": self.title,
            "checkpoint": self.checkpoint,
            "words": self.words,
            "distance_to_visible": self.place.to_visible,
            "distance_to_infrared": self.place.to_infrared,
            "distance_between": self.place.between,
            "relative_to_visible": relative[0],
            "relative_to_infrared": relative[1],
            "visible_gallery": found[0],
            "infrared_gallery": found[1],
            "visible_dependence": self.dependence,
            "display": [self.display.low, self.display.high],
            "clipped": self.clipped,
            "image": png_uri(self.pixels),
        }


Measured = tuple[Picture, NDArray[np.float64]]  # a picture and its point, (1, D)


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return RGB, uint8, `(H, W, 3)`, as a PNG data URI of at most 384 pixels' height."""
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((MAX_HEIGHT, MAX_HEIGHT))
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


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
        pictures: Visible, the auxiliary ones, infrared.
        missing: What would stand among them if its checkpoint were loaded.
    """

    pair: ImagePair
    pictures: tuple[Picture, ...]
    missing: tuple[Missing, ...]

    def __getitem__(self, name: str) -> Picture:
        return next(picture for picture in self.pictures if picture.name == name)


def make_panel(eye: Eye, mixup: float, seed: int, *, wait: bool = True) -> Panel:
    """Make every auxiliary image of a pair, and measure where each lies.

    Args:
        eye: The checkpoint with MUN's generator, and the pair.
        mixup: λ of Mixup.
        seed: Of CutMix and channel exchange.
        wait: Embed the galleries that ranks need; otherwise ranks are left out until they are there.

    Raises:
        ValueError: A checkpoint has changed on the disk or gives values that are not finite.
    """
    own = learned(eye, WORDS_OF_MUN, {"mun": GENERATORS[eye.network.config.auxiliary]})
    groups = [(eye, [*ends(eye), *measured(eye, [*own, *formulas(eye, mixup, seed)])])]
    missing = []
    for name, (title, words, images) in RIVALS.items():
        if checkpoint := checkpoint_for(eye.library, name):
            rival = Eye(eye.library, checkpoint, eye.data, eye.pair)
            groups.append((rival, measured(rival, learned(rival, words, {one: TITLES[one] for one in images}))))
        else:
            command = f"No checkpoint of it is loaded: python -m mun train --auxiliary {name}"
            missing.append(Missing(name, title, f"{words} {command}"))
    pictures = [picture for one, made in groups for picture in with_ranks(one, made, wait=wait)]
    return Panel(eye.pair, tuple(sorted(pictures, key=lambda one: ORDER.index(one.name))), tuple(missing))


def checkpoint_for(library: Library, auxiliary: str) -> str | None:
    """Name the first usable checkpoint that was trained with an auxiliary modality."""
    cards = {name: library.checkpoints[name].card for name in library.usable}
    return next((name for name, card in cards.items() if card and card.config.model.auxiliary == auxiliary), None)


def checkpoints_of(library: Library, checkpoint: str) -> list[str]:
    """Name the checkpoints that a panel is made by, the one with MUN's generator first."""
    rivals = (checkpoint_for(library, name) for name in RIVALS)
    return [checkpoint, *(name for name in rivals if name)]


@dataclass(frozen=True)
class Draft:
    """An auxiliary image, `(1, 3, H, W)`, before it is embedded; `what` names its content."""

    name: str
    title: str
    words: str
    what: Hashable
    image: Tensor
    display: Display = UNIT
    dependence: float | None = None


def ranks(eye: Eye, points: NDArray[np.float64]) -> list[Ranks]:
    """Look for the person in both galleries by some points, `(A, D)`; the embeddings must be there or are made.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    if eye.pair.pid is None:
        return [(None, None)] * len(points)
    collection = eye.library.collections[eye.data]
    rows = np.asarray(eye.library.embeddings(eye.checkpoint, eye.data), dtype=np.float64)
    rule = PROTOCOLS[collection.protocols[0]]
    columns = []
    for modality in (Modality.VISIBLE, Modality.INFRARED):
        gallery = [sample for sample in collection.samples if sample.modality is modality]
        theirs = rows[[collection.rows[sample.key] for sample in gallery]]
        columns.append(find(points, eye.pair.pid, eye.pair.sources, gallery, theirs, rule))
    return list(zip(*columns, strict=True))


def picture(eye: Eye, draft: Draft, point: NDArray[np.float64]) -> Picture:
    """Describe a draft at its point, `(1, D)`; ranks are added later."""
    return Picture(
        draft.name,
        draft.title,
        eye.checkpoint,
        draft.words,
        draft.display.pixels(draft.image[0]),
        draft.display,
        draft.display.clipped(draft.image[0]),
        place(point[0], *eye.sides),
        dependence=draft.dependence,
        spread=float(draft.image[0].std(dim=(1, 2)).mean()) / (draft.display.high - draft.display.low),
    )


def measured(eye: Eye, drafts: Sequence[Draft]) -> list[Measured]:
    """Embed drafts, all new ones at once, and describe them."""
    points = eye.points({draft.what: draft.image for draft in drafts})
    return [(picture(eye, draft, points[draft.what]), points[draft.what]) for draft in drafts]


def ends(eye: Eye) -> list[Measured]:
    """Describe the two images of the pair."""
    made = []
    for row, (name, side) in enumerate((("visible", eye.pair.visible), ("infrared", eye.pair.infrared))):
        point = eye.sides[row : row + 1]
        draft = Draft(name, name.capitalize(), side.name, name, eye.inputs[row])
        made.append((picture(eye, draft, point), point))
    return made


def learned(eye: Eye, words: str, images: Mapping[str, str]) -> list[Draft]:
    """Draft the images of a checkpoint's own auxiliary modality.

    Args:
        eye: The checkpoint, and the pair.
        words: What the modality does.
        images: Titles of its images by their names.
    """
    made = eye.generated()
    depends = eye.dependence() if len(made) == 1 else None  # two images have one share together, which says nothing
    return [
        Draft(name, title, words, f"generated-{number}", made[number], eye.display, depends)
        for number, (name, title) in enumerate(images.items())
    ]


def formulas(eye: Eye, mixup: float, seed: int) -> list[Draft]:
    """Draft the images of the formulas, which MUN's network embeds."""
    visible, infrared = eye.inputs
    channel = int(torch.randint(0, 3, (1,), generator=torch.Generator().manual_seed(seed)))
    (cut,) = CutMix()(visible, infrared, torch.Generator().manual_seed(seed))
    words = f"λ V + (1 \u2212 λ) I with λ = {mixup:.2f}."
    only = f"The {CHANNELS[channel]} channel of V three times; I plays no part."
    exchanged = channel_exchange(visible, torch.tensor([channel]))
    drafts = {
        "pixel-mean": ("½ V + ½ I, pixel by pixel.", "mean", blend(visible, infrared, 0.5)),
        "mixup": (words, ("mixup", mixup), blend(visible, infrared, mixup)),
        "cutmix": (f"A rectangle of I in V, drawn by seed {seed}.", ("cutmix", seed), cut),
        "channel-exchange": (only, ("channel", channel), exchanged),
        "grayscale": ("The luma of V; I plays no part.", "grayscale", grayscale(visible)),
    }
    stem = stem_words(eye)
    return [Draft(name, TITLES[name], f"{said} {stem}", what, image) for name, (said, what, image) in drafts.items()]


def blend(visible: Tensor, infrared: Tensor, share: float) -> Tensor:
    """Blend one pair."""
    return mix(visible, infrared, torch.tensor([share]))


def stem_words(eye: Eye) -> str:
    """Say who embeds a formula's image."""
    own = eye.network.config.auxiliary_stem == "own"
    return f"Embedded by MUN's {'auxiliary' if own else 'visible'} stem, which was not trained on such images."


def with_ranks(eye: Eye, pictures: list[Measured], *, wait: bool) -> list[Picture]:
    """Add to pictures the ranks at which they find the person, where the galleries are embedded, or always.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    if not (wait or eye.library.ready(eye.checkpoint, eye.data)):
        return [picture for picture, _ in pictures]
    found = ranks(eye, np.concatenate([point for _, point in pictures]))
    return [replace(one, found=both) for (one, _), both in zip(pictures, found, strict=True)]
