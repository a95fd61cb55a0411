"""The request for an explanation, and its subject: the image, its target and its partner."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Annotated, Any, Self

from app.library import Library
from app.library.collection import Collection, Direction, Terms
from app.library.ranking import Ranked, opening
from app.shared.request import Choice, OfNetwork, RefusalError, Text, Whole, one_of, option, shown
from mun.data.pairing import Pair, pair_samples
from mun.explain.cams import GENERATOR_LAYERS, STAGES, Method
from mun.explain.truth import Thing, find_evidence
from mun.structures import Modality, Sample

__all__ = ["BY_LAYER", "GROUPS", "LABELS", "NOTHING", "Explain", "Subject", "first_image", "first_key", "ranked"]
__all__ += ["references_of", "subject_of"]

BY_LAYER, AUTOMATIC, NOTHING = "by layer", "automatic", "nothing"
AGAINST = (Choice("image", "another image"), Choice("center", "a person's center"))
GROUPS = ("everything", "image", "auxiliary")  # of layers
LABELS = {
    "everything": "everything",
    "image": "backbone, this image",
    "auxiliary": "generator and auxiliary image",
    "iml_visible": "IML, visible",
    "iml_infrared": "IML, infrared",
    "cml": "CML",
    "fused": "IML + CML",
    **{stage: f"stage {stage[-1]}" for stage in STAGES},
    **{method.value: f"{method.label} (slow)" if method.slow else method.label for method in Method},
}
RANKED = 10  # images that are offered as targets
TRIED = 12  # queries that are rendered, at most, to find the first image
PLAIN_SHARE = 0.04  # smallest share of the first image's pixels that the change alters


def labelled(*names: str) -> list[Choice]:
    """Return choices with their labels."""
    return [Choice(name, LABELS.get(name, name)) for name in names]


def layers_of(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List groups of layers and single layers, also the stages of a model of the owner."""
    own = library.checkpoints[values["checkpoint"]].own
    return labelled(*dict.fromkeys((*GROUPS, *GENERATOR_LAYERS, *STAGES, *(own.stages if own else ()))))


class Explain(OfNetwork):
    """Show where a network finds an image similar to another one, or to the center of an identity.

    Returns the settings used, the cosine similarities, the maps with their raw values at the layer's resolution, and
    the truth: the similarity before and after the change and the share of each map's energy in the changed region,
    beside those of a centre prior and of random weights.
    """

    image: Text = option("", "Image", "Key of the image to explain, as cam3/0007/0001.jpg; empty to have one chosen.")
    against: Annotated[Text, one_of(AGAINST)] = option(
        "image",
        "Compare with",
        "image: another image; center: the mean embedding of a person's images of the other modality.",
        control="radio",
    )
    target: Text = option(
        "",
        "Target",
        "Key of the image to compare with, or number of the person; empty for the image that is ranked first, or for"
        " the person in the image. Two images of one modality are allowed; a note says so.",
    )
    layers: Annotated[Text, one_of(layers_of, ", names of layers that have a spatial map")] = option(
        GROUPS[0],
        "Layers",
        "everything; image: the backbone's stages on this image; auxiliary: MUN's generator and the stages on the"
        " auxiliary image of this image and a partner, which uses labels; or one of"
        f" {', '.join((*GENERATOR_LAYERS, *STAGES))}.",
    )
    method: Annotated[Text, one_of([Choice(BY_LAYER, "LayerCAM, then Grad-CAM"), *labelled(*Method)])] = option(
        BY_LAYER,
        "Method",
        f"by layer (LayerCAM in the generator, Grad-CAM in the stages), or one of {', '.join(Method)}. Eigen-CAM"
        " ignores the target; Score-CAM is slow and takes one layer at a time.",
    )
    change: Annotated[Text, one_of(labelled(AUTOMATIC, NOTHING, *Thing))] = option(
        AUTOMATIC,
        "What is changed",
        f"On SynVI, to measure the truth: automatic (the first that the image shows), nothing, {', '.join(Thing)}.",
    )
    seed: Whole = option(0, "Seed", "Of the partner and of the random weights.", ge=0, le=9999)

    def settle(self, library: Library) -> Self:
        """Check the values that depend on the data, and refuse a request that would take too long."""
        collection = library.collections[self.data]
        if self.image:
            image_of(collection, "image", self.image)
        if self.target and self.against == "image":
            image_of(collection, "target", self.target)
            if self.target == self.image:
                raise same_image()
        elif self.target and not any(self.target == str(sample.pid) for sample in collection.samples):
            raise RefusalError("target", f"expected target to be the number of a person, got {shown(self.target)}")
        if self.slow and self.layers in GROUPS:
            words = f"expected one layer for {self.method}, which runs the network once per channel; got {self.layers}"
            raise RefusalError("method", words)
        return self

    @property
    def slow(self) -> bool:
        """Whether the method runs the network once per channel."""
        return self.method != BY_LAYER and Method(self.method).slow


def same_image() -> RefusalError:
    """Return the error for a target that is the image itself."""
    return RefusalError("target", "expected another target than the image itself, to which its similarity is always 1")


def image_of(collection: Collection, name: str, key: str) -> Sample:
    """Return an image by its key.

    Raises:
        RefusalError: There is no such image.
    """
    if key not in collection.rows:
        known = f"an image of {collection.title}, as {collection.samples[0].key!r}"
        raise RefusalError(name, f"expected {name} to be the key of {known}; got {shown(key)}")
    return collection.samples[collection.rows[key]]


@dataclass(frozen=True)
class Subject:
    """The images that a checked request names.

    Attributes:
        request: The request, with every default filled in.
        sample: The image.
        references: The images whose mean embedding is the target; one where the target is an image.
        pair: The image and a partner of the same person, for the auxiliary image; `None` where there is none.
        notes: Notes for the visitor, one sentence each.
    """

    request: Explain
    sample: Sample
    references: tuple[Sample, ...]
    pair: Pair | None
    notes: tuple[str, ...]


def subject_of(library: Library, request: Explain) -> Subject:
    """Fill in the image and the target where a request leaves them open, and choose the partner.

    Raises:
        ValueError: The data set cannot be embedded, or the request names an image or a person that is not there.
    """
    collection = library.collections[request.data]
    chosen = request.image or first_image(library, request.checkpoint, request.data)
    request = request.model_copy(update={"image": chosen})
    sample = image_of(collection, "image", request.image)
    if not request.target:
        request = request.model_copy(update={"target": first_target(library, request, sample)})
    if request.against == "image":
        if request.target == sample.key:
            raise same_image()
        references = [image_of(collection, "target", request.target)]
    else:
        references = references_of(collection, int(request.target), sample)
    pair, words = partner_of(library, request, sample, references if request.against == "image" else [])
    if request.against == "center" and pair is not None:  # the images of the pair are no part of the target
        references = [one for one in references if one not in (pair.visible, pair.infrared)] or references
    notes = target_notes(request, sample, references)
    return Subject(request, sample, tuple(references), pair, tuple(filter(None, (*notes, words))))


def first_target(library: Library, request: Explain, sample: Sample) -> str:
    """Choose the target: the person in the image, or the image that is ranked first."""
    if request.against == "center":
        return str(sample.pid)
    found = ranked(library, request.checkpoint, request.data, sample)
    if not found:
        raise ValueError(
            "expected a target, because this image is no query of the protocol and nothing is ranked for it"
        )
    return found[0].image


def ranked(library: Library, checkpoint: str, data: str, sample: Sample) -> tuple[Ranked, ...]:
    """Rank the other modality's images as the Retrieval tab does by default; empty where the image is no query.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    way = Direction.INFRARED_TO_VISIBLE if sample.modality is Modality.INFRARED else Direction.VISIBLE_TO_INFRARED
    collection = library.collections[data]
    for protocol in collection.protocols:
        row = collection.query_sets[protocol, way].rows.get(sample.key)
        if row is not None:
            return library.table(checkpoint, data, Terms(protocol, direction=way)).top(row, RANKED)
    return ()


def references_of(collection: Collection, pid: int, sample: Sample) -> list[Sample]:
    """List the images that make the center of a person: those of the other modality, or all where there are none.

    Raises:
        ValueError: The person has no other image than the one to be explained.
    """
    others = [other for other in collection.samples if other.pid == pid and other != sample]
    if not others:
        raise ValueError(
            f"expected a person with other images than this one, person {pid} has none; choose somebody else"
        )
    return [other for other in others if other.modality is not sample.modality] or others


def target_notes(request: Explain, sample: Sample, references: list[Sample]) -> list[str]:
    """List what is unusual about a target, one sentence each."""
    notes = []
    if {one.modality for one in references} == {sample.modality}:
        what = "Image and target are" if request.against == "image" else "The image and all images of the center are"
        notes.append(f"{what} both {sample.modality}: a search across modalities would not compare them.")
    if request.method == Method.EIGEN_CAM:
        notes.append("Eigen-CAM shows what varies most at a layer; it does not look at the target.")
    return notes


def partner_of(library: Library, request: Explain, sample: Sample, references: list[Sample]) -> tuple[Pair | None, str]:
    """Choose the pair that the auxiliary image is made of, or return a sentence that says why there is none.

    The seed decides the pairs; an infrared image has several pairs, and one without the target is preferred.

    Raises:
        ValueError: The request names only the auxiliary image, and there is none.
    """
    if request.layers == "image":
        return None, ""
    card = library.checkpoints[request.checkpoint].card
    name = card.config.model.auxiliary if card is not None else "none"
    words = f"The checkpoint {request.checkpoint} has no auxiliary modality: there is no generator to look into."
    pairs = list[Pair]()
    if library.network(request.checkpoint).auxiliary.num_images:
        own = [other for other in library.collections[request.data].samples if other.pid == sample.pid]
        with suppress(ValueError):  # the person is seen in one modality only
            pairs = [pair for pair in pair_samples(own, seed=request.seed) if sample in (pair.visible, pair.infrared)]
        words = (
            f"No image of the other modality pairs with this one of person {sample.pid}: there is no auxiliary image."
        )
    if not pairs:
        if request.layers in ("auxiliary", *GENERATOR_LAYERS):
            raise ValueError(f"expected layers that can be shown; {words[0].lower()}{words[1:]}")
        return None, words
    apart = [pair for pair in pairs if not {pair.visible, pair.infrared} & set(references)]
    pair = (apart or pairs)[0]
    partner = pair.infrared if pair.visible == sample else pair.visible
    words = (
        f"The auxiliary image (by {name}) is made of this image and {partner.key}, another image of the same person"
        f" drawn by seed {request.seed}; this uses labels."
    )
    return pair, words if apart else f"{words} The partner belongs to the target."


def first_image(library: Library, checkpoint: str, data: str) -> str:
    """Choose the image that a visitor sees first, once for each checkpoint and data set.

    It is the first query, in the order of identities, that has a match at rank 1 and clearly shows a bag of the person;
    if there is none, the query with the median average precision.

    Raises:
        ValueError: The data set cannot be embedded.
    """
    collection = library.collections[data]
    terms = Terms(collection.protocols[0])

    def choose() -> str:
        library.embeddings(checkpoint, data)
        collection, items = library.collections[data], library.queries(checkpoint, data, terms)
        if (plan := collection.plan) is not None:
            recipes = ((one.sample.key, collection.recipe(one.sample.key)) for one in items if one.first_hit == 1)
            carrying = ((key, one) for key, one in recipes if one and one.identity.bag.kind != "none")
            for key, recipe in islice(carrying, TRIED):
                if find_evidence(recipe, plan.size, (Thing.BAG,), PLAIN_SHARE):
                    return key
        return opening(items)

    return library.cache.get(first_key(library, checkpoint, data), choose, lambda _: 100)


def first_key(library: Library, checkpoint: str, data: str) -> tuple[str, ...]:
    """Return the cache key of the first image."""
    return ("explain-first", library.checkpoints[checkpoint].content, library.collections[data].content)
