"""Where a network looks: maps of an image, of the pair that makes its auxiliary image, and the truth beside them."""

from __future__ import annotations

import numpy as np
import torch

from app.actions.explain.look import Views, pictures_of, views_of
from app.actions.explain.request import BY_LAYER, Request
from app.actions.explain.result import LayerMap, Result
from app.actions.explain.subject import Subject, ranked, subject_of
from app.actions.explain.truth import find_truth
from app.library import Library
from app.library.eye import fitted_display
from app.library.ranking import ImageFacts
from mun.explain.cams import GENERATOR_LAYERS, STAGES, Look, Method, activation_maps, default_method
from mun.explain.targets import Similarity, center
from mun.models.network import Network
from mun.panel import UNIT
from mun.structures import Modality

__all__ = ["Request", "Result", "explain", "reference_of", "run"]

OVER = {"iml_visible": "visible", "iml_infrared": "infrared"}  # what a generator layer lies over, else the auxiliary


def run(library: Library, request: Request) -> Result:
    """Explain a similarity; each answer is computed once for all visitors.

    Raises:
        ValueError: The request is not valid, the data set cannot be embedded, or an image is broken.
    """
    checked = request.checked(library)
    key = (
        "explain",
        library.checkpoints[checked.checkpoint].content,
        library.collections[checked.data].content,
        checked,
    )
    return library.cache.get(key, lambda: explain(library, subject_of(library, checked)), lambda made: made.num_bytes)


def reference_of(library: Library, subject: Subject) -> Similarity:
    """Make the target of a subject: the mean direction of its references' embeddings."""
    request = subject.request
    rows = library.collections[request.data].rows
    embeddings = library.embeddings(request.checkpoint, request.data)[[rows[one.key] for one in subject.references]]
    return Similarity(torch.from_numpy(center(embeddings)).to(library.device))


def wanted_layers(request: Request, network: Network, *, paired: bool) -> list[str]:
    """List the layers that a request asks for, of a single image or of a pair."""
    layers = [layer for layer in network.explainable_layers() if paired or layer in STAGES]
    if request.layers in ("everything", "auxiliary" if paired else "image"):
        return layers
    return [layer for layer in layers if layer == request.layers]


def all_maps(
    network: Network, request: Request, views: Views, target: Similarity, over: str | None = None
) -> list[LayerMap]:
    """Compute the maps that a request asks for: all, or those that lie over one of the pictures."""
    layers = wanted_layers(request, network, paired=False)
    maps = look_at(network, request, views.single, target, views.modality.value, layers, over)
    layers = wanted_layers(request, network, paired=True) if views.pairs else []
    for look in views.pairs:
        picture = "auxiliary" if look.number == 0 else f"auxiliary {look.number + 1}"
        chosen = [layer for layer in layers if look.number == 0 or layer not in GENERATOR_LAYERS]
        maps += look_at(network, request, look, target, picture, chosen, over)
    return maps


def look_at(
    network: Network,
    request: Request,
    look: Look,
    target: Similarity,
    picture: str,
    layers: list[str],
    over: str | None,
) -> list[LayerMap]:
    """Compute maps of one look; those that would lie over another picture than `over` are left out."""
    chosen = [layer for layer in layers if over in (None, OVER.get(layer, picture))]
    by_layer = request.method == BY_LAYER
    methods = {layer: default_method(layer) if by_layer else Method(request.method) for layer in chosen}
    made = activation_maps(network, look, [target], methods.items()) if methods else {}
    source = "pair" if look.paired else "image"
    return [
        LayerMap(layer, source, OVER.get(layer, picture), method, values[0], look.number)
        for (layer, method), values in made.items()
    ]


def explain(library: Library, subject: Subject) -> Result:
    """Compute maps, similarities and the truth of a subject.

    Raises:
        ValueError: An image is broken, or a method does not fit the layers.
    """
    request, network = subject.request, library.network(subject.request.checkpoint)
    views, target = views_of(network, subject.sample, subject.pair), reference_of(library, subject)
    maps = all_maps(network, request, views, target)
    if not maps:
        raise ValueError(f"expected layers that there are, the checkpoint {request.checkpoint} has no {request.layers}")
    display = fitted_display(library, request.checkpoint, request.data) if views.pairs else UNIT
    truth, words = find_truth(library, subject, network, views, target, maps, all_maps)
    similarity, *others = similarities(network, views, target)
    empty = [one.layer for one in maps if not one.values.any()]
    notes = [*subject.notes, words]
    if empty:
        notes.append(f"Nothing at {', '.join(empty)} speaks for this similarity: the map is empty.")
    whole = subject.references[0] if request.against == "image" else None
    return Result(
        request,
        ImageFacts.of(subject.sample),
        subject.sample.modality,
        None if whole is None else ImageFacts.of(whole),
        target_words(subject),
        similarity,
        tuple(others),
        None if subject.pair is None else (subject.pair.visible.key, subject.pair.infrared.key),
        pictures_of(views, display),
        float(np.mean([display.clipped(image) for image in views.auxiliary])) if views.pairs else 0.0,
        tuple(maps),
        ranked(library, request.checkpoint, request.data, subject.sample),
        truth,
        tuple(filter(None, notes)),
    )


def similarities(network: Network, views: Views, target: Similarity) -> list[float]:
    """Return the cosine of the image and the target, then of each auxiliary image."""
    with torch.inference_mode():
        points = network.embed(views.single.images, views.modality)
        if views.pairs:
            points = torch.cat([points, network.embed(views.auxiliary, Modality.AUXILIARY)])
        return [float(target(point)) for point in points]


def target_words(subject: Subject) -> str:
    """Say what a target is."""
    first, count = subject.references[0], len(subject.references)
    if subject.request.against == "image":
        return f"{first.modality} image {first.key} of person {first.pid}"
    kinds = sorted({one.modality.value for one in subject.references})
    return f"center of person {first.pid}, {count} {' and '.join(kinds)} image{'s' if count > 1 else ''}"
