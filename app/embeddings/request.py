"""The request for a projection: images, checkpoint, space and layout; and how the page shows it."""

import base64
import binascii
from collections.abc import Collection as Names
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import Annotated, Any, ClassVar, Self

import numpy as np

from app.library import Library
from app.library.collection import Collection
from app.library.ranking import spread_over_cameras
from app.shared.plots import COLOURS
from app.shared.request import (
    Choice,
    Compared,
    Number,
    OfModel,
    RefusalError,
    Switch,
    Text,
    Whole,
    compared,
    one_of,
    option,
    shown,
)
from mun.data.pairing import Pairing
from mun.projection import Method, Metric, Settings, check_count
from mun.structures import Modality, Sample

__all__ = ["COLOURED_BY", "MARKS", "METHODS", "MODALITIES", "NEUTRAL", "NOBODY", "PALETTES", "SPACES", "Project"]
__all__ += ["View", "auxiliary_count", "select"]

MAX_POINTS = 20_000  # images and auxiliary points
MAX_IMAGES = 50  # per person and modality
MAX_SEED = 2**31 - 1
FEW_POINTS = 7  # t-SNE needs at least as many
MODALITIES = (Modality.VISIBLE, Modality.AUXILIARY, Modality.INFRARED)  # the order of a line
NOBODY = -1

METHODS = (Choice("tsne", "t-SNE"), Choice("umap", "UMAP"), Choice("pca", "PCA"))
SPACES = (Choice("embedding", "embeddings (after the BN neck)"), Choice("features", "features (before the BN neck)"))
GIVEN = (Choice("embedding", "features of another method, at unit length"),)
PAIRINGS = (Choice("matched", "one person"), Choice("mismatched", "two people (control)"))
METRICS = (Choice("cosine", "cosine"), Choice("euclidean", "Euclidean"))
COLOURED_BY = (
    Choice("identity", "person"),
    Choice("modality", "modality"),
    Choice("camera", "camera"),
    Choice("correct", "right at rank 1"),
)

DARK = ("#003e61", "#753300", "#005640", "#70425b", "#2f6380", "#7e5700")
NEUTRAL = "#8a8a8a"  # on white 3.5:1, on the dark page 5:1
MARKS = {"visible": "●", "auxiliary": "▲", "infrared": "■"}
# The colours for each value of `COLOURED_BY`, in the order of the numbers of `numbered`; larger numbers start again.
PALETTES = {
    "identity": (*COLOURS, *DARK),
    "modality": ("#d55e00", "#009e73", "#0072b2"),
    "camera": COLOURS,
    "correct": (COLOURS[0], COLOURS[1], NEUTRAL),
}


def spaces(library: Library, values: Mapping[str, Any]) -> Sequence[Choice]:
    """List the spaces of a model."""
    return GIVEN if library.checkpoints[values["checkpoint"]].vectors else SPACES


def only(method: Method) -> Any:
    """Return an `idle` function for a parameter that only one method uses."""
    name = next(choice.label for choice in METHODS if choice.value == method)
    return lambda request: "" if request.method == method else f"Only {name} uses it."


def without_auxiliary(request: Any) -> str:
    """Return why choices about auxiliary points have no effect; empty if they have one."""
    return "" if request.auxiliary else "No auxiliary points are shown."


class Project(OfModel):
    """Lay visible, infrared and auxiliary features out in the plane, with the numbers behind the picture.

    Returns the request with its defaults; points with x, y, modality, pid, camid, image, partner and whether the image
    is right at rank 1 as a query; centers of each person in each modality and prototypes of the modalities, in the same
    layout; numbers of unit-length points: distances of centers, MMD at one bandwidth, silhouettes, histograms of
    distances with their overlap; and the sentence that a figure must carry.
    """

    method: Annotated[Text, one_of(METHODS)] = option("tsne", "Method", "tsne, umap or pca.")
    space: Annotated[Text, one_of(spaces)] = option("embedding", "Space", "embedding, or features before the BN neck.")
    identities: Whole = option(
        12, "People", "How many people; the first ones by number.", ge=1, le=10_000,
        idle=lambda request: "People are chosen by number." if request.people else "",
    )  # fmt: skip
    people: Text = option("", "People by number", "Numbers of the people to show instead, such as 3, 7, 12.")
    images: Whole = option(
        6, "Images per person and modality", "Maximum, spread over the cameras.", ge=1, le=MAX_IMAGES, control="range"
    )
    auxiliary: Switch = option(
        True, "Auxiliary points", "One pair per visible image; a checkpoint may have no auxiliary modality."
    )
    pairing: Annotated[Text, one_of(PAIRINGS)] = option(
        "matched", "Pairs of", "matched (one person), or mismatched (two people) as a control.", idle=without_auxiliary
    )
    untrained: Switch = option(
        False, "Untrained generator", "Auxiliary images of a freshly initialised generator, as a control.",
        idle=without_auxiliary,
    )  # fmt: skip
    perplexity: Number = option(
        30.0, "Perplexity", "Of t-SNE; it needs three points per unit.", ge=2, le=200, idle=only(Method.TSNE)
    )
    neighbors: Whole = option(15, "Neighbors", "Of UMAP.", ge=2, le=200, idle=only(Method.UMAP))
    min_dist: Number = option(0.1, "Minimal distance", "Of UMAP.", ge=0, le=0.99, idle=only(Method.UMAP))
    metric: Annotated[Text, one_of(METRICS)] = option("cosine", "Metric", "cosine or euclidean.")
    seed: Whole = option(
        0, "Seed", "Decides the pairs, the fresh generator, and every draw of t-SNE and UMAP.", ge=0, le=MAX_SEED
    )

    def settle(self, library: Library) -> Self:
        """Drop what the checkpoint lacks; refuse more points than can be shown, or too few for the method."""
        collection, per_pair = library.collections[self.data], auxiliary_count(library, self.checkpoint)
        people = ", ".join(map(str, parse_people(self.people)))
        settled = self.model_copy(update={"people": people, **self.fitting(collection)})
        if not self.auxiliary or not per_pair:
            per_pair = 0
            settled = settled.model_copy(update={"auxiliary": False, "pairing": "matched", "untrained": False})
        if settled.untrained and not list(library.network(self.checkpoint).auxiliary.parameters()):
            words = "expected a checkpoint with a learned generator for the untrained control"
            raise RefusalError("untrained", f"{words}; the auxiliary modality of {self.checkpoint} learns nothing")
        samples = select(collection, settled)
        total = len(samples) + per_pair * sum(sample.modality is Modality.VISIBLE for sample in samples)
        if total > MAX_POINTS:
            words = f"expected at most {MAX_POINTS:,} points, got {total:,}; choose fewer people or images"
            raise RefusalError(self.blamed("images", "people", "identities"), words)
        num_people, modalities = len({sample.pid for sample in samples}), 3 if per_pair else 2
        try:
            check_count(total + (num_people + 1) * modalities, settled.settings)  # centers and prototypes take part
        except ValueError as error:
            own = "perplexity" if self.method == Method.TSNE else "neighbors"
            raise RefusalError(self.blamed(own, "images", "people", "identities", "method"), str(error)) from None
        if settled.pairing == Pairing.MISMATCHED and num_people < 2:
            raise RefusalError("pairing", "expected at least two people for mismatched pairs, got one")
        return settled

    def fitting(self, collection: Collection) -> dict[str, Any]:
        """Return smaller values for fields at their default, if the data have fewer people than the default."""
        usual = {name: field.default for name, field in Project.model_fields.items()}
        both = len(collection.shared_pids)
        if self.people or self.identities != usual["identities"] or not 0 < both < self.identities:
            return {}
        fewer = self.model_copy(update={"identities": both})
        free = [name for name, default in usual.items() if getattr(self, name) == default]
        return {"identities": both, **fewer.limited(collection, free)}

    def limited(self, collection: Collection, free: Names[str]) -> dict[str, Any]:
        """Return the parameters among `free` that depend on the number of images, reduced to what it allows."""
        count = len(select(collection, self))
        allowed = {
            "perplexity": float(max(2, min(int(self.perplexity), (count - 1) // 3))),
            "neighbors": max(2, min(self.neighbors, count - 1)),
            "method": self.method if count >= FEW_POINTS else Method.PCA.value,
        }
        return {name: value for name, value in allowed.items() if name in free}

    def blamed(self, *names: str) -> str:
        """Return the field that a refusal names: the first of `names` that the request sets, else the last."""
        return next((name for name in names if name in self.model_fields_set), names[-1])

    @property
    def settings(self) -> Settings:
        """The choices of the projection."""
        method, metric = Method(self.method), Metric(self.metric)
        return Settings(method, metric, self.perplexity, self.neighbors, self.min_dist, self.seed)

    @property
    def drawn(self) -> tuple[object, ...]:
        """All that decides the points, besides checkpoint and data: requests that agree in it have the same points."""
        images = (self.space, self.identities, self.people, self.images)
        return (*images, self.auxiliary, self.pairing, self.untrained, self.seed if self.auxiliary else 0)


class View(Project):
    """Pictures on the page: the fields of `Project`, a second checkpoint, the marks on them, the chosen points."""

    follows: ClassVar[tuple[str, ...]] = (
        "identities", "images", "untrained", "pairing", "perplexity", "neighbors", "compare", "point", "selected",
    )  # fmt: skip

    compare: Compared = option("", "Compare with")
    colour: Annotated[Text, one_of(COLOURED_BY)] = option("identity", "Colour by", control="radio")
    lines: Switch = option(False, "Centers", "Lines join the visible, auxiliary and infrared center of each person.")
    prototypes: Switch = option(False, "Prototypes", "The mean of a modality over people.")
    controls: Switch = option(
        False, "Numbers of the controls", "Mismatched pairs and an untrained generator, in the table.",
        idle=without_auxiliary,
    )  # fmt: skip
    side: Whole = option(0, ge=0, le=1)
    point: Whole = option(NOBODY, ge=NOBODY, le=MAX_POINTS)
    selected: str = option("", max_length=MAX_POINTS // 6 + 2, strict=True)  # a mask, see `rows`

    def settle(self, library: Library) -> Self:
        """Fill in people and neighbourhoods that the data allow, if the visitor has not set them."""
        collection = library.collections[self.data]
        free = View.model_fields.keys() - self.model_fields_set
        most = max(1, collection.num_identities // 2) if "identities" in free else self.identities
        view = self.model_copy(update={"identities": min(self.identities, most)})
        view = view.model_copy(update=view.limited(collection, free))
        self.rows()
        return view.model_copy(update={"people": view.sides(library, self.model_fields_set)[0].people})

    def selecting(self, rows: Iterable[int]) -> Self:
        """Return the view with these points selected; see `rows`."""
        bits = np.zeros(MAX_POINTS, dtype=bool)
        bits[list(rows)] = True
        mask = np.packbits(bits, bitorder="little").tobytes().rstrip(b"\0")
        return self.model_copy(update={"selected": base64.urlsafe_b64encode(mask).decode().rstrip("=")})

    def sides(self, library: Library, given: set[str] | None = None) -> tuple[Project, ...]:
        """Return the projections to lay out: one request, or two that differ in the checkpoint.

        Args:
            library: The app's library, shared by all visitors.
            given: Fields that a refusal may name, because the visitor has set them; by default those that are set.

        Raises:
            RefusalError: A checkpoint cannot show the projection.
        """
        fields = {name: getattr(self, name) for name in Project.model_fields}
        names = compared(library, self.checkpoint, self.compare)
        given = self.model_fields_set if given is None else given
        requests = (Project.model_construct(given, **{**fields, "checkpoint": name}) for name in names)
        return tuple(request.settle(library) for request in requests)

    def rows(self) -> list[int]:
        """Return the rows of the selected points: bit r of the mask, in URL-safe base64, stands for row r.

        Raises:
            RefusalError: `selected` is not a mask.
        """
        try:
            mask = base64.b64decode(self.selected + "=" * (-len(self.selected) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            words = f"expected selected to be a mask of points, got {shown(self.selected)}"
            raise RefusalError("selected", words) from None
        bits = np.unpackbits(np.frombuffer(mask, dtype=np.uint8), bitorder="little")
        return [int(row) for row in np.flatnonzero(bits)]


def parse_people(people: str) -> list[int]:
    """Read numbers of people, separated by commas or spaces, in their order and without duplicates.

    Raises:
        RefusalError: The text holds something other than numbers.
    """
    words = people.replace(",", " ").split()
    if not all(word.isascii() and word.isdigit() and len(word) <= 6 for word in words):
        raise RefusalError("people", f"expected people to be numbers such as 3, 7, 12; got {shown(people)}")
    return list(dict.fromkeys(map(int, words)))


def auxiliary_count(library: Library, checkpoint: str) -> int:
    """Return how many auxiliary images a checkpoint makes from a pair; 0 for features of another method."""
    if library.checkpoints[checkpoint].vectors:
        return 0
    return library.network(checkpoint).auxiliary.num_images


def select(collection: Collection, request: Project) -> tuple[Sample, ...]:
    """Choose up to `images` images per person and modality, taken from the cameras in turn, in the order of files.

    Raises:
        RefusalError: A named person is not there, or not in both modalities; or the data have fewer people.
    """
    both = collection.shared_pids
    chosen = parse_people(request.people) or both[: request.identities]
    if missing := [pid for pid in chosen if pid not in both]:
        words = f"expected people seen in both modalities, such as {min(both, default='none')}; got {missing[0]}"
        raise RefusalError("people", words)
    if not request.people and len(both) < request.identities:
        words = f"expected at most {len(both)} people, as many as {collection.title} has; got {request.identities}"
        raise RefusalError("identities", words)
    images: dict[tuple[int, Modality], list[Sample]] = {}
    for sample in collection.samples:
        images.setdefault((sample.pid, sample.modality), []).append(sample)
    groups = product(chosen, (Modality.VISIBLE, Modality.INFRARED))
    return tuple(sample for group in groups for sample in spread_over_cameras(images[group], request.images))
