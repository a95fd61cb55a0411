"""What is to be explained, checked: which image, alike to what, by which layers, made with which partner."""

from __future__ import annotations

from dataclasses import dataclass

from app.actions import checks
from app.actions.checks import known, text, whole_number
from app.library import Library
from app.library.collection import Collection
from mun.explain.cams import GENERATOR_LAYERS, STAGES, Method
from mun.explain.truth import Thing
from mun.structures import Sample

__all__ = [
    "AGAINST",
    "AUTOMATIC",
    "BY_LAYER",
    "CHANGES",
    "LAYERS",
    "MAX_SEED",
    "METHODS",
    "NOTHING",
    "Request",
    "image_of",
]

BY_LAYER, AUTOMATIC, NOTHING = "by layer", "automatic", "nothing"
METHODS = (BY_LAYER, *Method)
LAYERS = ("everything", "image", "auxiliary", *GENERATOR_LAYERS, *STAGES)
AGAINST = ("image", "center")
CHANGES = (AUTOMATIC, NOTHING, *Thing)
MAX_SEED = 9999


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is.

    Attributes:
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        image: Key of the image to explain, as `cam3/0007/0001.jpg`; empty to have one chosen.
        against: What it is alike to: another `image`, or the `center` of an identity.
        target: Key of that image, or number of the person; empty for the image that is ranked first, or for the
            person in the image.
        layers: `everything`; the stages for the `image`; the generator and the stages for the `auxiliary` image; or one
            layer, where it has one.
        method: `by layer` (LayerCAM in the generator, Grad-CAM in the stages), or one for all layers.
        change: What is changed to have the truth, on SynVI: a `Thing`, `automatic` for the first of them that the image
            shows, or `nothing`.
        seed: Of the partner and of the random weights, 0 … 9999.
    """

    checkpoint: str = ""
    data: str = ""
    image: str = ""
    against: str = "image"
    target: str = ""
    layers: str = "everything"
    method: str = BY_LAYER
    change: str = AUTOMATIC
    seed: int = 0

    def checked(self, library: Library) -> Request:
        """Return the request with every default filled in but those that a ranking decides.

        Raises:
            ValueError: A value is out of bounds or names nothing; the message says what was expected and what came.
        """
        data = known("data", self.data, library.collections)
        collection = library.collections[data]
        image = text("image", self.image)
        if image:
            image_of(collection, "image", image)
        against, target = known("against", self.against, AGAINST), text("target", self.target)
        if target and against == "image":
            image_of(collection, "target", target)
            if target == image:
                raise ValueError("expected another target than the image itself, to which its similarity is always 1")
        elif target and not any(target == str(sample.pid) for sample in collection.samples):
            raise ValueError(f"expected target to be the number of a person, got {checks.shown(target)}")
        return Request(
            known("checkpoint", self.checkpoint, library.usable),
            data,
            image,
            against,
            target,
            checked_layers(self.layers),
            known("method", self.method, METHODS),
            known("change", self.change, CHANGES),
            whole_number("seed", self.seed, 0, MAX_SEED),
        ).bearable()

    def bearable(self) -> Request:
        """Return a request that does not take too long.

        Raises:
            ValueError: A slow method is asked for at several layers.
        """
        if self.method in METHODS[1:] and Method(self.method).slow and self.layers in LAYERS[:3]:
            raise ValueError(
                f"expected one layer for {self.method}, which runs the network once per channel; got {self.layers}"
            )
        return self


def checked_layers(value: object) -> str:
    """Return which layers are meant; others than those offered have no spatial map."""
    if isinstance(value, str) and value and value not in LAYERS:
        listed = ", ".join(LAYERS)
        raise ValueError(f"expected layers that have a spatial map, one of {listed}; got {checks.shown(value)}")
    return known("layers", value, LAYERS)


def image_of(collection: Collection, name: str, key: str) -> Sample:
    """Return an image by its key.

    Raises:
        ValueError: There is no such image.
    """
    if key not in collection.rows:
        example = collection.samples[0].key
        raise ValueError(
            f"expected {name} to be the key of an image of {collection.title}, as {example!r}; got {checks.shown(key)}"
        )
    return collection.samples[collection.rows[key]]
