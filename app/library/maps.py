"""Class-activation maps: the images a network takes, one colour scale for all maps, maps of two images' similarity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.library.collection import Collection
from app.library.library import Library
from app.library.thumbnails import png_uri
from mun.auxiliary.panel import UNIT, Display
from mun.data.augment import to_images
from mun.data.pairing import Pair
from mun.evaluation.corrupted import Corruption
from mun.explain.cams import STAGES, Look, Method, activation_maps, upsampled
from mun.explain.targets import Similarity, center
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["PALETTE", "SCALES", "LayerMap", "Scale", "Views", "fit_scale", "heat_uri", "last_stage", "palette"]
__all__ += ["picture_of", "pictures_of", "reference_of", "similarity_map", "stage_words", "veil", "views_of"]

SCALES = ("relative", "raw")
PALETTE = "inferno"  # of Matplotlib: ordered in lightness, so that it reads in grey and for colour-blind eyes
FAINTEST = 0.35  # opacity of a map over its picture where its value is 0
TOP = 99.5  # percent of the pixels that the scale does not clip

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class LayerMap:
    """The map of one layer.

    Attributes:
        layer: Name of the layer.
        source: Input of the network: the `image` itself, the `pair` that makes the auxiliary image, or the
            `target`.
        over: Picture that the map is laid over: `visible`, `infrared`, `auxiliary`, `auxiliary 2`, `target`.
        method: Method that made the map.
        values: Not negative, not scaled, at the layer's resolution, float32, `(h, w)`.
        number: Which auxiliary image of a pair, from 0.
    """

    layer: str
    source: str
    over: str
    method: Method
    values: Floats
    number: int = 0

    @property
    def name(self) -> str:
        """Name of the map, unique within a result."""
        return f"{self.source}/{self.over}/{self.layer}"


@dataclass(frozen=True, eq=False)
class Views:
    """The inputs of the network.

    Attributes:
        single: The image.
        pairs: The pair, once for each auxiliary image; empty without a pair.
        auxiliary: The auxiliary images, float32, `(A, 3, H, W)`.
    """

    single: Look
    pairs: tuple[Look, ...]
    auxiliary: Tensor

    @property
    def modality(self) -> Modality:
        """Modality of the image."""
        return self.single.modality

    def replaced(self, network: Network, image: Tensor) -> Views:
        """Replace the image by another one, `(3, H, W)`, also in the pair."""
        single = Look(image[None].to(self.single.images), self.modality)
        if not self.pairs:
            return Views(single, (), self.auxiliary)
        both = self.pairs[0].images.clone()
        both[0, slice(0, 3) if self.modality is Modality.VISIBLE else slice(3, 6)] = single.images[0]
        return paired_views(network, single, both)


def views_of(network: Network, view: Collection, sample: Sample, pair: Pair | None = None) -> Views:
    """Read an image of a collection, and the pair that its auxiliary images are made of.

    Raises:
        ValueError: An image is broken or gone.
    """
    single = Look(read(network, view, [sample]), sample.modality)
    if pair is None:
        return Views(single, (), single.images[:0])
    return paired_views(network, single, read(network, view, [pair.visible, pair.infrared]).flatten(0, 1)[None])


def paired_views(network: Network, single: Look, both: Tensor) -> Views:
    """Return an image together with a pair, `(1, 6, H, W)`, and its auxiliary images."""
    with torch.inference_mode():
        made = torch.cat(network.generate(both[:, :3], both[:, 3:]))
    count = network.auxiliary.num_images
    return Views(single, tuple(Look(both, Modality.AUXILIARY, number) for number in range(count)), made)


def read(network: Network, view: Collection, samples: list[Sample]) -> Tensor:
    """Read images at the network's size, float32, [0, 1], `(N, 3, H, W)`, on its device."""
    pixels = view.pixels(samples, *network.config.size)
    return to_images(torch.from_numpy(pixels).to(network.mean.device))


def pictures_of(views: Views, display: Display) -> dict[str, Pixels]:
    """Return the network's inputs as pictures, RGB, uint8, `(H, W, 3)`, by the names of `LayerMap.over`."""
    pictures = {views.modality.value: UNIT.pixels(views.single.images[0])}
    if views.pairs:
        both = views.pairs[0].images[0]
        pictures |= {"visible": UNIT.pixels(both[:3]), "infrared": UNIT.pixels(both[3:])}
        names = ["auxiliary", *(f"auxiliary {number}" for number in range(2, len(views.auxiliary) + 1))]
        pictures |= dict(zip(names, map(display.pixels, views.auxiliary), strict=True))
    return pictures


def reference_of(
    library: Library, checkpoint: str, data: str, keys: Sequence[str], corruption: Corruption | None = None
) -> Similarity:
    """Make a target from images: the mean direction of their embeddings.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    rows = library.collections[data].rows
    embeddings = library.embeddings(checkpoint, data, corruption)[[rows[key] for key in keys]]
    return Similarity(torch.from_numpy(center(embeddings)).to(library.device))


def similarity_map(
    library: Library,
    checkpoint: str,
    data: str,
    image: str,
    target: str,
    *,
    layer: str = "",
    method: Method = Method.GRAD_CAM,
    corruption: Corruption | None = None,
) -> LayerMap:
    """Map where a network finds one image similar to another; computed once for all visitors.

    Args:
        library: State that all visitors share.
        checkpoint: Name of the checkpoint.
        data: Name of the data set.
        image: Key of the image that the map is of.
        target: Key of the image that it is compared to.
        layer: A stage of the backbone; the last one by default.
        method: How the map is made.
        corruption: Corruption of the visible images.

    Raises:
        ValueError: The data set cannot be embedded, or an image is broken or gone.
    """
    view, layer = library.view(data, corruption), layer or last_stage(library, checkpoint)
    sample = view.samples[view.rows[image]]

    def compute() -> LayerMap:
        network = library.network(checkpoint)
        look = views_of(network, view, sample).single
        reference = reference_of(library, checkpoint, data, [target], corruption)
        values = activation_maps(network, look, [reference], [(layer, method)])[layer, method][0]
        return LayerMap(layer, "image", sample.modality.value, method, values)

    key = ("alike", library.checkpoints[checkpoint].content, view.content, image, target, layer, method)
    return library.cache.get(key, compute, lambda made: made.values.nbytes + 500)


def last_stage(library: Library, checkpoint: str) -> str:
    """Return the last layer for which maps of single images can be made.

    Raises:
        ValueError: The owner's own model names no layer.
    """
    if stages := library.network(checkpoint).stages:
        return stages[-1]
    raise ValueError(
        f"expected a model that names layers for maps, got {checkpoint} without any; set OwnModel(..., layers=[...])"
    )


def stage_words(layer: str) -> str:
    """Return the display name of a layer."""
    return f"stage {layer[-1]}" if layer in STAGES else f"layer {layer}"


def picture_of(library: Library, checkpoint: str, data: str, key: str) -> Pixels:
    """Read an image at the size that a network takes, RGB, uint8, `(H, W, 3)`.

    Raises:
        ValueError: It is broken or gone.
    """
    collection = library.collections[data]
    sample = collection.samples[collection.rows[key]]
    return np.asarray(collection.pixels([sample], *library.network(checkpoint).config.size)[0], np.uint8)


@dataclass(frozen=True)
class Scale:
    """Scale a map's values to [0, 1]: the square root of value / top.

    Attributes:
        kind: `relative`, each map divided by its own mean, so that 1 is an even map; or `raw`, the values as they are.
        top: What is shown as 1, after that division.
        clipped: Share of all pixels above it.
    """

    kind: str
    top: float
    clipped: float

    @property
    def words(self) -> str:
        """The unit of the scale's numbers."""
        return "times the map's mean" if self.kind == "relative" else "raw value of the method"

    def heat(self, layer_map: LayerMap, size: tuple[int, int]) -> Floats:
        """Enlarge a map to a height and width and scale it to [0, 1], by the square root of its values.

        The peaks of a fine layer are high and narrow; on a linear scale all other pixels would be black.
        """
        return np.asarray(np.sqrt(np.clip(enlarged(layer_map, self.kind, size) / self.top, 0, 1)), np.float32)


def enlarged(layer_map: LayerMap, kind: str, size: tuple[int, int]) -> Floats:
    """Enlarge a map to a height and width; divide it by its mean if `kind` is `relative`."""
    values = upsampled(layer_map.values[None], size)[0]
    mean = float(values.mean())
    return np.asarray(values / mean if kind == "relative" and mean > 0 else values, np.float32)


def veil(heat: Floats) -> Floats:
    """Return the opacity of a map over its picture, [0, 1], for values in [0, 1]; small values are faint."""
    return np.asarray(FAINTEST + (1 - FAINTEST) * heat, np.float32)


def fit_scale(kind: str, maps: Sequence[LayerMap], size: tuple[int, int]) -> Scale:
    """Fit one scale to all maps.

    Args:
        kind: One of `SCALES`.
        maps: At least one.
        size: Height and width of the images.
    """
    values = np.concatenate([enlarged(one, kind, size).ravel() for one in maps])
    top = float(np.percentile(values, TOP)) or float(values.max()) or 1.0
    return Scale(kind, top, float((values > top).mean()))


def palette() -> Pixels:
    """Return the 256 colours of the scale, RGB, uint8, `(256, 3)`."""
    from matplotlib import colormaps  # here: Matplotlib takes a second to load

    return np.asarray(np.rint(colormaps[PALETTE](np.linspace(0, 1, 256))[:, :3] * 255), np.uint8)


def heat_uri(heat: Floats, colours: Pixels) -> str:
    """Colour values in [0, 1], `(H, W)`, as a PNG data URI; small values are more transparent."""
    levels = np.rint(255 * heat).astype(np.uint8)
    return png_uri(np.dstack([colours[levels], np.rint(255 * veil(heat)).astype(np.uint8)]))
