"""The method in what the page tells of it: what the paper says, what was chosen here, and a pair as pictures."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.library import Library
from app.library.eye import Eye, generator_names
from app.library.pairs import collection_pair, opening_pair
from app.library.thumbnails import encoded
from mun.config import Config, GeneratorConfig
from mun.training.card import flag_text

__all__ = ["Choice", "Pictures", "choices", "pictures"]

OPEN, NOT_STATED = "; not stated: ", "not stated in our sources"


@dataclass(frozen=True)
class Choice:
    """One line of the table: a part of the method, what the paper says of it as far as we know, and what is here."""

    part: str
    paper: str
    here: str
    option: str = ""  # name of the option that changes it


@dataclass(frozen=True)
class Pictures:
    """A pair of the data and the auxiliary image that a checkpoint makes of it, as data URIs.

    Attributes:
        visible: The visible image.
        infrared: The infrared image.
        auxiliary: What the checkpoint's generator makes of both.
        words: Where they are from, in a sentence or two.
    """

    visible: str
    infrared: str
    auxiliary: str
    words: str


def known_parts() -> tuple[Choice, ...]:
    """List what the paper's sources do say; the numbers are the defaults of the config."""
    generator = GeneratorConfig()
    kernels = ", ".join(map(str, generator.kernels))
    bins = ", ".join(f"{rows}\N{MULTIPLICATION SIGN}{columns}" for rows, columns in generator.bins)
    return (
        Choice(
            "Auxiliary generator",
            "several intra-modality learners, one cross-modality learner, and a layer scale between them",
            "works on images: a visible and an infrared image of one person give one auxiliary image of that person",
        ),
        Choice(
            "Intra-modality learner",
            "depth-wise convolutions of several kernel sizes, for each modality",
            f"sizes {kernels}; their sum, the normalisation and the path around them are ours",
        ),
        Choice(
            "Cross-modality learner",
            "spatial pyramid pooling, then fusion to what both share",
            f"{bins} bins, fused bin by bin; nothing at full resolution mixes the two, for a pair is not aligned",
        ),
        Choice(
            "Layer scale",
            "a learned ratio of the two branches, which moves during training",
            "one factor per channel, after both branches are brought to one strength, so that the ratio has a meaning",
        ),
        Choice(
            "Identity alignment",
            "triplets over the identities' centers of three modalities, with the hardest positive and negative",
            "centers by identity, never by place in the batch; one mean over all centers",
        ),
        Choice(
            "Modality alignment",
            "prototypes that accumulate over time, with the auxiliary modality as bridge",
            "the accumulated value with the gradient of the batch, so that the accumulation does not damp learning",
        ),
    )


def choices() -> tuple[Choice, ...]:
    """List what the paper says and what was chosen: first its parts, then every option that our sources leave open."""
    return (*known_parts(), *open_options(Config()))


def open_options(group: Any) -> Iterator[Choice]:
    """List the options of a config whose own text says that our sources do not state them."""
    for item in dataclasses.fields(group):
        value, text = getattr(group, item.name), str(item.metadata.get("text", ""))
        if dataclasses.is_dataclass(value):
            yield from open_options(value)
        elif OPEN in text:
            what, _, why = text.partition(OPEN)
            here = why if why.startswith(flag_text(value)) else f"{flag_text(value)}: {why}"
            yield Choice(what, NOT_STATED, here, item.name)


def pictures(library: Library) -> Pictures:
    """Show the method on the pair that a first visitor of the Auxiliary tab sees.

    Raises:
        ValueError: No checkpoint with MUN's generator is loaded, nobody is seen in both modalities, an image is gone,
            or the checkpoint has changed on the disk.
    """
    names, data = generator_names(library), library.default_data
    if not names:
        raise ValueError("expected a checkpoint with MUN's generator, none is loaded; train one by --auxiliary mun")
    pair = collection_pair(library, data, *opening_pair(library, data))
    eye = Eye(library, names[0], data, pair)
    visible, infrared = pair.pixels[eye.network.config.height, eye.network.config.image_width]
    (auxiliary,) = eye.generated()
    return Pictures(
        encoded(visible),
        encoded(infrared),
        encoded(eye.display.pixels(auxiliary[0])),
        f"{pair.words} The third image is what {eye.checkpoint} makes of the two.",
    )
