"""Checks of one map at a press: layers made random from the top down, pixels deleted and inserted. Step by step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray

from app.actions.explain.explain import reference_of, run
from app.actions.explain.look import Views, views_of
from app.actions.explain.request import Request
from app.actions.explain.result import LayerMap
from app.actions.explain.subject import Subject, subject_of
from app.actions.explain.truth import random_target
from app.library import Library
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
from mun.structures import Modality

__all__ = ["CURVES", "CascadeStep", "Checked", "NamedCurves", "delete_and_insert", "randomise"]

CURVES = ("the map", "centre prior", "random weights")
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Checked:
    """A map that is checked, and how far the check is.

    Attributes:
        request: Of the explanation.
        name: Of the map.
        layer: Of the map.
        method: Of the map.
        done: Steps done.
        total: Steps to do.
    """

    request: Request
    name: str
    layer: str
    method: str
    done: int
    total: int


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
class Setting:
    """Everything that a check needs again and again."""

    subject: Subject
    network: Network
    views: Views
    target: Similarity
    layer_map: LayerMap


def setting_of(library: Library, request: Request, name: str) -> Setting:
    """Find the map that is meant.

    Raises:
        ValueError: As `explain.run`.
    """
    result = run(library, request)
    subject = subject_of(library, request.checked(library))
    network = library.network(result.request.checkpoint)
    views = views_of(network, subject.sample, subject.pair)
    return Setting(subject, network, views, reference_of(library, subject), result.find(name))


def map_by(setting: Setting, network: Network, target: Similarity) -> Floats:
    """Compute the same map by another network, `(h, w)`."""
    one = setting.layer_map
    wanted = one.layer, one.method
    look = setting.views.single if one.source == "image" else setting.views.pairs[one.number]
    values: Floats = activation_maps(network, look, [target], [wanted])[wanted][0]
    return values


def randomise(library: Library, request: Request, name: str) -> Iterator[tuple[Checked, tuple[CascadeStep, ...]]]:
    """Make the network random from the top down, and compare the map of each step with the first.

    Args:
        library: What all visitors share.
        request: Of the explanation.
        name: Of the map; the last stage of the image where there is none of that name.

    Yields:
        How far it is, and the steps so far.

    Raises:
        ValueError: As `explain.run`, or the method is slow.
    """
    setting = setting_of(library, request, name)
    one, seed = setting.layer_map, setting.subject.request.seed
    if one.method.slow:
        raise ValueError(f"expected a fast method for this check, got {one.method}, which would take minutes")
    parts = cascade_names(setting.network)
    if one.source == "image":  # which the generator does not make
        parts = tuple(part for part in parts if part != "auxiliary")
    checked = Checked(setting.subject.request, one.name, one.layer, one.method.value, 0, len(parts))
    steps: tuple[CascadeStep, ...] = ()
    yield checked, steps
    size = setting.views.single.images.shape[-2:]
    for part, network in islice(cascade(setting.network, seed), len(parts)):
        values = map_by(setting, network, random_target(network, setting.subject.references))
        ranks = rank_correlation(values, one.values)
        whole = values.any() and one.values.any()
        larger = [upsampled(made[None], (size[0], size[1]))[0] for made in (values, one.values)]
        structure = structural_similarity(larger[0], larger[1]) if whole else None
        steps += (CascadeStep(part, None if math.isnan(ranks) else ranks, structure),)
        yield replace(checked, done=len(steps)), steps


def delete_and_insert(
    library: Library, request: Request, name: str
) -> Iterator[tuple[Checked, tuple[NamedCurves, ...]]]:
    """Blur pixels, and bring them back, in the order of a map, of a centre prior, of the same map by random weights.

    Arguments and errors as `randomise`; the pixels are those of the picture that the map lies over.

    Yields:
        How far it is, and the curves so far.
    """
    setting = setting_of(library, request, name)
    one = setting.layer_map
    image, score = scored_picture(setting)
    size = (image.shape[1], image.shape[2])
    chance = randomised(setting.network, setting.subject.request.seed)
    orders: tuple[Callable[[], Floats], ...] = (
        lambda: upsampled(one.values[None], size)[0],
        lambda: center_prior(size),
        lambda: upsampled(map_by(setting, chance, random_target(chance, setting.subject.references))[None], size)[0],
    )
    if one.method.slow:
        orders = orders[:2]
    checked = Checked(setting.subject.request, one.name, one.layer, one.method.value, 0, len(orders))
    made: tuple[NamedCurves, ...] = ()
    yield checked, made
    for kind, order in zip(CURVES, orders, strict=False):
        made += (NamedCurves(kind, curves(score, image, order())),)
        yield replace(checked, done=len(made)), made


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
