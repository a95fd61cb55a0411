"""The method in what the page tells of it: a pair as pictures, and what our sources leave open."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from app.library import Library
from app.library.thumbnails import encoded
from mun.auxiliary.panel import fit_display
from mun.data.cache import decode_samples
from mun.data.pairing import pair_samples
from mun.embedding import auxiliary_images
from mun.training.card import flag_text

__all__ = ["STEPS", "Choice", "Pictures", "open_options", "pictures"]

STEPS = 4  # drawings of the tour
SAMPLED = 16  # pairs that the mapping from the generator's values to pixels is fitted to
OPEN = "; not stated: "


@dataclass(frozen=True)
class Choice:
    """Something that our sources leave open: what it is, what is chosen here and why, the option that changes it."""

    part: str
    here: str
    option: str


@dataclass(frozen=True)
class Pictures:
    """A pair of the data and the auxiliary image that a checkpoint makes of it, as data URIs.

    Attributes:
        visible: The visible image.
        infrared: The infrared image.
        auxiliary: What the checkpoint's generator makes of both.
        words: Where they are from, in a sentence.
    """

    visible: str
    infrared: str
    auxiliary: str
    words: str


def open_options(group: Any) -> Iterator[Choice]:
    """List the options of a config whose own text says that our sources do not state them."""
    for item in dataclasses.fields(group):
        value, text = getattr(group, item.name), str(item.metadata.get("text", ""))
        if dataclasses.is_dataclass(value):
            yield from open_options(value)
        elif OPEN in text:
            what, _, why = text.partition(OPEN)
            here = why if why.startswith(flag_text(value)) else f"{flag_text(value)}: {why}"
            yield Choice(what, here, item.name)


def pictures(library: Library, data: str) -> Pictures:
    """Show the method on the first pair of a data set, once for all visitors.

    Raises:
        ValueError: No checkpoint with MUN's generator is loaded, nobody is seen in both modalities, or an image or the
            checkpoint is gone from the disk.
    """
    cards = ((name, library.checkpoints[name].card) for name in library.usable)
    names = [name for name, card in cards if card is not None and card.config.model.auxiliary == "mun"]
    if not names:
        raise ValueError("expected a checkpoint with MUN's generator, none is loaded; train one by --auxiliary mun")
    collection = library.collections[data]
    key = ("about-pictures", library.checkpoints[names[0]].content, collection.content)

    def make() -> Pictures:
        network, pairs = library.network(names[0]), pair_samples(collection.samples)
        sampled = [pairs[row] for row in range(0, len(pairs), max(1, len(pairs) // SAMPLED))][:SAMPLED]
        try:
            images = auxiliary_images(network, sampled)[:, 0]
            sides = decode_samples(
                [pairs[0].visible, pairs[0].infrared], network.config.height, network.config.image_width
            )
        except OSError:
            raise ValueError(f"an image of {collection.title} is gone from the disk; start the app again") from None
        third = fit_display(images).pixels(torch.from_numpy(images[0]))
        words = f"Person {pairs[0].visible.pid} of {collection.title}; {names[0]} makes the third image of the two."
        return Pictures(encoded(sides[0]), encoded(sides[1]), encoded(third), words)

    return library.cache.get(key, make, lambda made: len(repr(made)))
