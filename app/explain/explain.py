"""Explanations of a similarity: maps of an image and of the pair that makes its auxiliary image, and the truth."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.explain.setting import Setting
from app.explain.subject import BY_LAYER, Explain, Subject, ranked, subject_of
from app.explain.truth import Truth, find_truth
from app.library import Library
from app.library.maps import LayerMap, last_stage, picture_of, pictures_of, similarity_map
from app.library.pair_encoder import fitted_display
from app.library.ranking import ImageFacts, Ranked
from mun.auxiliary.panel import UNIT
from mun.explain.cams import GENERATOR_LAYERS, Method, Report, activation_maps, default_method, part
from mun.models.network import Network
from mun.structures import Modality

__all__ = ["Result", "answer", "explain", "explained", "key_of", "run"]

OVER = {"iml_visible": "visible", "iml_infrared": "infrared"}  # picture under a layer; of others, the auxiliary image
DIGITS = 5  # significant digits of a map's values in JSON
MAPS_SHARE = 0.6  # share of the work that is done before the truth is measured


@dataclass(frozen=True, eq=False)
class Result:
    """Maps, and the similarity that they explain.

    Attributes:
        request: The request, with every default filled in.
        image: The explained image.
        modality: Modality of the image.
        target: The target image; `None` for a center.
        target_words: Description of the target.
        similarity: Cosine of image and target, in [−1, 1].
        auxiliary_similarities: Cosine of each auxiliary image and the target.
        pair: Keys of the visible and the infrared image that make the auxiliary image; `None` without one.
        pictures: Pictures under the maps, RGB, uint8, `(H, W, 3)`, by name, as the network sees them.
        clipped: Share of the auxiliary images' values that their display clips.
        maps: In the order in which they are shown.
        ranking: The closest images of the other modality, which are offered as targets.
        truth: What happens to the similarity when one thing is changed; `None` where that is not known.
        notes: Notes for the visitor, one sentence each.
    """

    request: Explain
    image: ImageFacts
    modality: Modality
    target: ImageFacts | None
    target_words: str
    similarity: float
    auxiliary_similarities: tuple[float, ...]
    pair: tuple[str, str] | None
    pictures: Mapping[str, NDArray[np.uint8]]
    clipped: float
    maps: tuple[LayerMap, ...]
    ranking: tuple[Ranked, ...]
    truth: Truth | None
    notes: tuple[str, ...] = field(default=())

    @property
    def num_bytes(self) -> int:
        """Size in memory, bytes."""
        maps = sum(one.values.nbytes for one in self.maps)
        pictures = sum(picture.nbytes for picture in self.pictures.values())
        return maps + pictures + (self.truth.num_bytes if self.truth else 0) + 20_000

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the pictures."""
        height, width = next(iter(self.pictures.values())).shape[:2]
        return height, width

    @property
    def main(self) -> list[LayerMap]:
        """The main maps: of the generator's learners and the last stage, or of the last two stages."""
        learners = ("iml_visible", "iml_infrared", "cml")
        stages = list(dict.fromkeys(one.layer for one in self.maps if one.layer not in (*learners, "fused")))
        paired = any(one.layer in learners for one in self.maps)
        last = (*stages[-1:], *learners) if paired else stages[-2:]
        return [one for one in self.maps if one.layer in last] or list(self.maps)

    def find(self, name: str) -> LayerMap:
        """Return a map by its name; if there is none, the last stage of the image, or else the last map."""
        named = {one.name: one for one in self.maps}
        last = [one for one in self.maps if one.source == "image"] or list(self.maps)
        return named.get(name, last[-1])

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/explain` answers."""
        return {
            **self.request.model_dump(),
            "image": asdict(self.image),
            "target": {"words": self.target_words, "image": None if self.target is None else asdict(self.target)},
            **{name: getattr(self, name) for name in ("modality", "similarity")},
            **{name: list(getattr(self, name)) for name in ("auxiliary_similarities", "notes")},
            "pair": None if self.pair is None else dict(zip(("visible", "infrared"), self.pair, strict=True)),
            "maps": [map_json(one) for one in self.maps],
            "truth": None if self.truth is None else self.truth.to_json(),
        }


def map_json(one: LayerMap) -> dict[str, Any]:
    """Describe one map with its values, rounded to five digits."""
    return {
        **{name: getattr(one, name) for name in ("layer", "source", "over", "method")},
        "shape": list(one.values.shape),
        "values": [[float(f"{value:.{DIGITS}g}") for value in row] for row in one.values.tolist()],
    }


def answer(library: Library, request: Explain) -> dict[str, Any]:
    """Answer `/explain`."""
    return run(library, subject_of(library, request)).to_json()


def key_of(library: Library, request: Explain) -> tuple[object, ...]:
    """Return the cache key of a request with every default filled in."""
    content = library.checkpoints[request.checkpoint].content, library.collections[request.data].content
    return ("explain", *content, *request.model_dump().values())


def run(library: Library, subject: Subject, report: Report | None = None) -> Result:
    """Explain a similarity; each result is computed once for all visitors.

    Args:
        library: The app's library, shared by all visitors.
        subject: The image, its target and its partner.
        report: Called with the share of the work that is done.

    Raises:
        ValueError: The data set cannot be embedded, an image is broken, or a method does not fit the layers.
    """
    key = key_of(library, subject.request)
    return library.cache.get(key, lambda: explain(library, subject, report), lambda made: made.num_bytes)


def explained(library: Library, subject: Subject, report: Report | None = None) -> Result:
    """Explain a similarity for the page, from both sides: the map of the target image follows the others.

    Raises:
        ValueError: As `run`.
    """
    result, request = run(library, subject, report), subject.request
    stages = library.network(request.checkpoint).stages
    stage = request.layers if request.layers in stages else stages[-1]
    if result.target is None or request.layers == "auxiliary" or request.layers in GENERATOR_LAYERS:
        return result
    names, method = (request.checkpoint, request.data), method_of(request, stage)
    made = similarity_map(library, *names, request.target, request.image, layer=stage, method=method)
    pictures = {**result.pictures, "target": picture_of(library, *names, request.target)}
    return replace(result, maps=(*result.maps, replace(made, source="target", over="target")), pictures=pictures)


def method_of(request: Explain, layer: str) -> Method:
    """Return the method for the map of a layer."""
    return default_method(layer) if request.method == BY_LAYER else Method(request.method)


def wanted_layers(request: Explain, network: Network, *, paired: bool) -> list[str]:
    """List the layers that a request asks for, of a single image or of a pair."""
    layers = [layer for layer in network.explainable_layers() if paired or layer in network.stages]
    whole = request.layers in ("everything", "auxiliary" if paired else "image")
    return [layer for layer in layers if whole or layer == request.layers]


def all_maps(
    setting: Setting, request: Explain, over: str | None = None, report: Report | None = None
) -> list[LayerMap]:
    """Compute the maps that a request asks for: all, or those that lie over one of the pictures."""
    network, views = setting.network, setting.views
    single, paired = (wanted_layers(request, network, paired=paired) for paired in (False, True))
    tasks = [(views.single, views.modality.value, single)]
    for look in views.pairs:
        picture = "auxiliary" if look.number == 0 else f"auxiliary {look.number + 1}"
        tasks.append((look, picture, [name for name in paired if look.number == 0 or name not in GENERATOR_LAYERS]))
    maps = []
    for place, (look, picture, layers) in enumerate(tasks):
        chosen = [layer for layer in layers if over in (None, OVER.get(layer, picture))]
        within = part(report, place / len(tasks), (place + 1) / len(tasks))
        wanted = {layer: method_of(request, layer) for layer in chosen}.items()
        made = activation_maps(network, look, [setting.target], wanted, within) if chosen else {}
        source = "pair" if look.paired else "image"
        for (layer, method), values in made.items():
            maps.append(LayerMap(layer, source, OVER.get(layer, picture), method, values[0], look.number))
    return maps


def explain(library: Library, subject: Subject, report: Report | None = None) -> Result:
    """Compute maps, similarities and the truth of a subject.

    Raises:
        ValueError: An image is broken, or a method does not fit the layers.
    """
    request = subject.request
    last_stage(library, request.checkpoint)  # refuses a model without layers
    setting = Setting.of(library, subject)
    views = setting.views
    maps = all_maps(setting, request, report=part(report, 0, MAPS_SHARE))
    if not maps:
        raise ValueError(f"expected layers that the checkpoint {request.checkpoint} has, got {request.layers}")
    display = fitted_display(library, request.checkpoint, request.data) if views.pairs else UNIT

    def again(other: Setting) -> list[LayerMap]:
        return all_maps(other, request, views.modality.value, part(report, MAPS_SHARE, 1))

    truth, words = find_truth(library, subject, setting, maps, again)
    similarity, *others = setting.similarities(len(views.pairs))
    empty = [one.layer for one in maps if not one.values.any()]
    notes = [*subject.notes, words]
    if empty:
        notes.append(f"The map of {', '.join(empty)} is empty: nothing there supports this similarity.")
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


def target_words(subject: Subject) -> str:
    """Describe the target in words."""
    first, count = subject.references[0], len(subject.references)
    if subject.request.against == "image":
        return f"{first.modality} image {first.key} of person {first.pid}"
    kinds = sorted({one.modality.value for one in subject.references})
    return f"center of person {first.pid}, {count} {' and '.join(kinds)} image{'s' if count > 1 else ''}"
