"""Compare auxiliary modalities on one pair: MUN's, its rivals' and pixel fusion, and MUN's generator taken apart."""

from __future__ import annotations

import base64
import io
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.actions.auxiliary.bench import Bench, bench
from app.actions.auxiliary.pictures import ORDER, RIVALS, Picture, groups_of, preparing, with_ranks
from app.actions.auxiliary.request import OwnPair, Request, pair_of
from app.library import Library
from app.library.eye import Eye
from app.library.pairs import ImagePair
from mun.evaluation.bridge import Found

__all__ = ["Missing", "Panel", "Request", "Result", "panel", "run"]

MAX_HEIGHT = 384  # pixels of an image that goes out over HTTP


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
        request: As checked.
        pair: The two images.
        pictures: Visible, the auxiliary ones, infrared.
        missing: What would stand among them if its checkpoint were loaded.
        waiting: Why ranks are missing for now; empty where they are there, or cannot be had at all.
        preparing: Whether it is worth asking again soon.
    """

    request: Request
    pair: ImagePair
    pictures: tuple[Picture, ...]
    missing: tuple[Missing, ...]
    waiting: str = ""
    preparing: bool = False

    def __getitem__(self, name: str) -> Picture:
        return next(picture for picture in self.pictures if picture.name == name)


@dataclass(frozen=True, eq=False)
class Result:
    """A panel, and MUN's generator taken apart on the same pair."""

    panel: Panel
    bench: Bench

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/auxiliary` answers: images as PNG data URIs, at most 384 pixels tall."""
        one, pair = self.panel, self.panel.pair
        return {
            **asdict(one.request),
            "pair": {
                "visible": pair.visible.name,
                "infrared": pair.infrared.name,
                "person": pair.pid,
                "words": pair.words,
                "notes": list(pair.notes),
            },
            "modalities": [picture_json(picture) for picture in one.pictures],
            "missing": [asdict(missing) for missing in one.missing],
            "mun": {
                "learned_share": self.bench.learned,
                "share": self.bench.share,
                "visible_dependence": self.bench.dependence,
                "step": self.bench.step,
                "steps": list(self.bench.steps),
                "images": [picture_json(picture) for picture in self.bench.pictures],
                "words": self.bench.words,
            },
        }


def picture_json(picture: Picture) -> dict[str, Any]:
    """Describe a picture in numbers and as a PNG."""
    relative = picture.place.relative or (None, None)
    return {
        "name": picture.name,
        "title": picture.title,
        "checkpoint": picture.checkpoint,
        "words": picture.words,
        "distance_to_visible": picture.place.to_visible,
        "distance_to_infrared": picture.place.to_infrared,
        "distance_between": picture.place.between,
        "relative_to_visible": relative[0],
        "relative_to_infrared": relative[1],
        "visible_gallery": found_json(picture.found[0]),
        "infrared_gallery": found_json(picture.found[1]),
        "visible_dependence": picture.dependence,
        "display": [picture.display.low, picture.display.high],
        "clipped": picture.clipped,
        "image": png_uri(picture.pixels),
    }


def found_json(found: Found | None) -> dict[str, Any] | None:
    """Describe what was found in a gallery."""
    return None if found is None else asdict(found)


def png_uri(pixels: NDArray[np.uint8]) -> str:
    """Return RGB, uint8, `(H, W, 3)`, as a PNG data URI of at most 384 pixels' height."""
    image, file = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((MAX_HEIGHT, MAX_HEIGHT))
    image.save(file, "PNG")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def panel(library: Library, request: Request, pair: ImagePair, *, wait: bool = True) -> Panel:
    """Make every auxiliary image of a pair, and measure where each lies.

    Args:
        library: What all visitors share.
        request: Checked.
        pair: Its images.
        wait: Embed the galleries that ranks need; otherwise ranks are left out until they are there.

    Raises:
        ValueError: A checkpoint has changed on the disk or gives values that are not finite.
    """
    eye = Eye(library, request.checkpoint, request.data, pair)
    groups, absent = groups_of(library, eye, request.mixup, request.seed)
    words, soon = ("", False) if wait or pair.pid is None else preparing(library, groups)
    pictures = [picture for one, measured in groups for picture in with_ranks(library, one, measured, wait=wait)]
    return Panel(
        request,
        pair,
        tuple(sorted(pictures, key=lambda picture: ORDER.index(picture.name))),
        tuple(Missing(name, RIVALS[name][0], why) for name, why in absent.items()),
        words,
        soon,
    )


def run(library: Library, request: Request, own: OwnPair = (None, None), *, wait: bool = True) -> Result:
    """Compare the auxiliary modalities on a pair.

    Args:
        library: What all visitors share.
        request: What is asked.
        own: The visitor's visible and infrared image, where the source says so.
        wait: As `panel`.

    Raises:
        ValueError: The request is not valid, or the data set cannot be embedded.
    """
    request = request.checked(library)
    pair = pair_of(library, request, own)
    eye = Eye(library, request.checkpoint, request.data, pair)
    taken_apart = bench(library, eye, request.share, request.step, wait=wait)
    return Result(panel(library, request, pair, wait=wait), taken_apart)
