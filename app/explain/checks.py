"""Checks of one map: pixels deleted and inserted in its order, layers made random from the top down. Step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from app.explain.explain import Result
from app.explain.subject import Subject
from app.explain.truth import random_target
from app.library import Library
from app.library.maps import LayerMap, Views, reference_of, views_of
from mun.explain.cams import activation_maps, upsampled
from mun.explain.faithfulness import (
    Curves,
    cascade,
    cascade_names,
    center_prior,
    curves,
    randomised,
    rank_correlation,
    structural_similarity,
)
from mun.explain.targets import Similarity
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["CURVES", "CascadeStep", "Checked", "NamedCurves", "check"]

CURVES = ("map", "centre prior", "random weights")
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class CascadeStep:
    """How alike the map is to the trained network's once a part, and all above it, is random.

    Attributes:
        part: The part that was made random last.
        ranks: Spearman's correlation at the layer's resolution; `None` where a map is constant.
        structure: SSIM of the maps at the image's size, each scaled to a maximum of 1; `None` where a map is empty.
    """

    part: str
    ranks: float | None
    structure: float | None


@dataclass(frozen=True, eq=False)
class NamedCurves:
    """The curves of one order of the pixels, by one of `CURVES`."""

    name: str
    curves: Curves


@dataclass(frozen=True, eq=False)
class Checked:
    """A map that is checked, and what is known of it so far.

    Attributes:
        total: Steps to do.
        curves: Cosine to the target while pixels go or come, in the order of the map and of its two controls.
        steps: How alike the map stays while the network becomes random; none for a slow method.
    """

    total: int
    curves: tuple[NamedCurves, ...] = ()
    steps: tuple[CascadeStep, ...] = ()

    @property
    def done(self) -> int:
        """Steps done."""
        return len(self.curves) + len(self.steps)


@dataclass(frozen=True, eq=False)
class Setting:
    """Everything that a check needs again and again."""

    network: Network
    views: Views
    target: Similarity
    references: tuple[Sample, ...]
    seed: int
    layer_map: LayerMap

    @classmethod
    def of(cls, library: Library, subject: Subject, one: LayerMap) -> Setting:
        """Read what a map was made of; that of a target is a map of it towards the image."""
        request, sample, references = subject.request, subject.sample, subject.references
        if one.source == "target":
            sample, references, one = references[0], (sample,), replace(one, source="image")
        network = library.network(request.checkpoint)
        views = views_of(network, library.collections[request.data], sample, subject.pair)
        target = reference_of(library, request.checkpoint, request.data, [other.key for other in references])
        return cls(network, views, target, references, request.seed, one)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.network.config.height, self.network.config.image_width

    def map_by(self, network: Network, target: Similarity) -> Floats:
        """Compute the same map by another network, `(h, w)`."""
        wanted = self.layer_map.layer, self.layer_map.method
        look = self.views.single if self.layer_map.source == "image" else self.views.pairs[self.layer_map.number]
        values: Floats = activation_maps(network, look, [target], [wanted])[wanted][0]
        return values


def check(library: Library, subject: Subject, result: Result, name: str) -> Iterator[Checked]:
    """Check one of the maps of a result, with a slow method only by pixels in its own and the centre prior's order.

    Args:
        library: What all visitors share.
        subject: What the result explains.
        result: Holds the map.
        name: Of the map; the last stage of the image where there is none of that name.

    Yields:
        What is known so far, after each step; first nothing.

    Raises:
        ValueError: An image is broken or gone.
    """
    setting = Setting.of(library, subject, result.find(name))
    network, one = setting.network, setting.layer_map
    orders = pixel_orders(setting)
    parts = () if one.method.slow else cascade_names(network)
    if one.source == "image":  # which the generator does not make
        parts = tuple(part for part in parts if part != "auxiliary")
    checked = Checked(len(orders) + len(parts))
    yield checked
    image, score = scored_picture(setting)
    for kind, order in orders.items():
        made = NamedCurves(kind, curves(score, image, order()))
        checked = replace(checked, curves=(*checked.curves, made))
        yield checked
    for part, other in islice(cascade(network, setting.seed), len(parts)):
        checked = replace(checked, steps=(*checked.steps, compare(setting, part, other)))
        yield checked


def pixel_orders(setting: Setting) -> dict[str, Callable[[], Floats]]:
    """Say in which orders pixels go: those of the map, of a centre prior, of the same map by random weights."""
    one, size = setting.layer_map, setting.size

    def by_chance() -> Floats:
        chance = randomised(setting.network, setting.seed)
        values = setting.map_by(chance, random_target(chance, setting.references))
        larger: Floats = upsampled(values[None], size)[0]
        return larger

    orders = (lambda: upsampled(one.values[None], size)[0], partial(center_prior, size), by_chance)
    return dict(zip(CURVES, orders[:2] if one.method.slow else orders, strict=False))


def compare(setting: Setting, part: str, network: Network) -> CascadeStep:
    """Compare the map with that of a network that is random down to a part."""
    one = setting.layer_map
    values = setting.map_by(network, random_target(network, setting.references))
    ranks = rank_correlation(values, one.values)
    larger = [upsampled(made[None], setting.size)[0] for made in (values, one.values)]
    whole = values.any() and one.values.any()
    structure = structural_similarity(larger[0], larger[1]) if whole else None
    return CascadeStep(part, None if math.isnan(ranks) else ranks, structure)


def scored_picture(setting: Setting) -> tuple[Floats, Callable[[Floats], Floats]]:
    """Return the picture under a map, `(3, H, W)`, and what scores changed versions of it: the cosine to the target."""
    network, views, one = setting.network, setting.views, setting.layer_map

    def embed(batch: torch.Tensor) -> torch.Tensor:
        if one.source == "image":
            return network.embed(batch, views.modality)
        if one.over.startswith("auxiliary"):
            return network.embed(batch, Modality.AUXILIARY)
        both = views.pairs[0].images.expand(len(batch), -1, -1, -1)
        parts = (batch, both[:, 3:]) if one.over == "visible" else (both[:, :3], batch)
        return network.embed(network.generate(*parts)[one.number], Modality.AUXILIARY)

    def score(batch: Floats) -> Floats:
        with torch.inference_mode():
            rows = embed(torch.from_numpy(batch).to(network.mean.device))
            reference = torch.nn.functional.normalize(setting.target.reference.to(rows), dim=0)
            similar: Floats = (rows @ reference).cpu().numpy()
            return similar

    if one.source == "image":
        picture = views.single.images[0]
    elif one.over.startswith("auxiliary"):
        picture = views.auxiliary[one.number]
    else:
        picture = views.pairs[0].images[0][:3] if one.over == "visible" else views.pairs[0].images[0][3:]
    return picture.cpu().numpy(), score
