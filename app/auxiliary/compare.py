"""Compare auxiliary modalities on one pair: the request, the two images that it names, and the answer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, ClassVar, Self

from pydantic import BeforeValidator

from app.auxiliary.generator import LEARNED, Parts, take_apart
from app.auxiliary.panel import TITLES, Panel, make_panel
from app.library import Library, pairs
from app.library.own_images import OwnImage, read_own
from app.library.pair_encoder import FINAL, PairEncoder, generator_names, generators, kept_steps
from app.library.pairs import ImagePair
from app.shared.request import (
    Choice,
    File,
    Network,
    Number,
    Pictures,
    RefusalError,
    Request,
    Text,
    Whole,
    one_of,
    option,
    shown,
)
from mun.structures import Split

__all__ = ["COLLECTION", "FILES", "OWN", "RENDERED", "Compare", "Look", "Result", "answer", "own_image", "pair_of"]
__all__ += ["run"]

COLLECTION, RENDERED, OWN = "collection", "rendered", "own"
SOURCES = (Choice(COLLECTION, "From the data"), Choice(RENDERED, "Rendered now"), Choice(OWN, "My own two images"))
FILES = ("visible_image", "infrared_image")
MAX_SEED, MAX_NUMBER = 9999, 10**9
ANYBODY = 0
COMPARED = (Choice("", "nothing"), *(Choice(name, title) for name, title in TITLES.items()))
# Fields without meaning for a pair from each source, once the pair is named.
IDLE = {
    COLLECTION: frozenset({"person", "misalignment", *FILES}),
    RENDERED: frozenset({"visible", "infrared", *FILES}),
    OWN: frozenset({"visible", "infrared", "person", "misalignment"}),
}


def a_share(value: object) -> float:
    """Accept a share from 0 to 1, and -1 for the learned share.

    Raises:
        ValueError: It is another number, or not a number.
    """
    good = isinstance(value, int | float) and not isinstance(value, bool) and (0 <= value <= 1 or value == LEARNED)
    if not good:
        raise ValueError(f"expected share to be a number from 0 to 1, or -1 as learned; got {shown(value)}")
    return float(value)  # type: ignore[arg-type]


def only_rendered(request: Request) -> str:
    """Return why the misalignment has no effect; empty if it has one."""
    return "" if request.model_dump()["source"] == RENDERED else "Only a rendered pair uses it."


class Compare(Request):
    """Compare auxiliary modalities on one pair of a visible and an infrared image.

    Returns the request with its defaults, the pair, and each modality with its image as a PNG data URI, its Euclidean
    distances to both sources (also over d(V, I)), the ranks at which it finds the person in both galleries without the
    sources' sites, and how it is shown; which modalities are missing and why; MUN's generator taken apart: branches,
    ratio, share of the visible input in what the image depends on, kept steps.
    """

    checkpoint: Annotated[Text, one_of(lambda library, _: generators(library))] = option(
        "", "Checkpoint", "Name of a usable checkpoint with MUN's generator; empty for the first."
    )
    data: Pictures = option("", "Data", "Name of a data set of /status; empty for the first.")
    source: Annotated[Text, one_of(SOURCES)] = option(
        COLLECTION,
        "The pair",
        "collection; rendered: SynVI, rendered for this request from cameras 2 and 3; own: set when you send images of"
        " your own.",
        control="radio",
    )
    visible: Text = option(
        "", "Visible image", "Key of a visible image, as cam1/0007/0001.jpg; empty to have one chosen."
    )
    infrared: Text = option("", "Infrared image", "Key of an infrared image of that person, or empty.")
    person: Whole = option(
        ANYBODY, "Person", "Number of the person, if no key is given; 0 to have one chosen.", ge=0, le=MAX_NUMBER
    )
    misalignment: Number = option(
        0.0,
        "Misalignment",
        "Of a rendered pair, 0 (one instant, aligned pixel by pixel) to 1 (as in the data).",
        ge=0,
        le=1,
        control="range",
        idle=only_rendered,
    )
    mixup: Number = option(0.5, "Mixup λ", "Share of the visible image in Mixup, 0 to 1.", ge=0, le=1, control="range")
    seed: Whole = option(
        0, "Seed", "Of the rectangle of CutMix and the channel of channel exchange, 0 to 9999.", ge=0, le=MAX_SEED
    )
    share: Annotated[float, BeforeValidator(a_share)] = option(
        LEARNED, "IML share", "Share of the intra-modality learners in MUN's layer scale, 0 to 1; -1 as learned."
    )
    step: Whole = option(
        FINAL, "Step", "A training step whose generator the checkpoint keeps; -1 for the last.", ge=FINAL, le=MAX_NUMBER
    )
    visible_image: File = option(
        "",
        "Your visible image",
        "An image file of your own in base64, or as a data URI, at most 16 MB; it is not kept.",
    )
    infrared_image: File = option("", "Your infrared image", "The infrared image of the pair, in the same form.")

    def settle(self, library: Library) -> Self:
        """Check the step; if the request holds an own image, set `source` to `own`.

        Raises:
            RefusalError: The checkpoint does not keep the generator of that step.
        """
        encoder = self.encoder(library)
        if encoder and self.step != FINAL and self.step not in (steps := kept_steps(library, encoder)[0]):
            listed = ", ".join(map(str, steps[:8])) or "none"
            words = f"expected step to be one that {encoder} keeps ({listed}) or -1, got {self.step}"
            raise RefusalError("step", words)
        own = bool(self.visible_image or self.infrared_image)
        return self.model_copy(update={"source": OWN}) if own else self

    def encoder(self, library: Library) -> str:
        """Return the checkpoint to use: the page's, or the first with MUN's generator; empty for none."""
        names = generator_names(library)
        return self.checkpoint if self.checkpoint in names else next(iter(names), "")


def people(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the people that a visitor can choose, after an entry for an automatic choice."""
    if values["source"] == RENDERED:
        pids = (library.collections[values["data"]].plan or pairs.OTHER_PEOPLE).pids()[Split.TEST]
    else:
        pids = library.collections[values["data"]].shared_pids
    return [Choice(ANYBODY, "automatic"), *(Choice(pid, str(pid)) for pid in pids)]


class Look(Compare):
    """A comparison on the page: the fields of `Compare`, the page's checkpoint, and the image under MUN's image."""

    follows: ClassVar[tuple[str, ...]] = ("visible", "infrared", "person", "step")

    checkpoint: Network = option("", "Checkpoint")
    person: Annotated[Whole, one_of(people)] = option(ANYBODY, "Person", control="select")
    compare: Annotated[Text, one_of(COMPARED)] = option("", "Compare with")

    def settle(self, library: Library) -> Self:
        """Fill in the keys and the person of the pair, so that a link leads to it.

        Raises:
            RefusalError: There is no such image, person or step.
        """
        super().settle(library)
        if self.source != COLLECTION:
            return self
        try:
            visible, infrared = pairs.chosen_samples(library, self.data, self.visible, self.infrared, self.person)
        except ValueError as error:
            given = [name for name in ("infrared", "visible", "person") if getattr(self, name)]
            if not given:  # there is no pair to show: the answer says so
                return self
            named = str(error).split()[1]
            raise RefusalError(named if named in given else given[0], str(error)) from None
        return self.model_copy(update={"visible": visible.key, "infrared": infrared.key, "person": visible.pid})

    def changed_fields(self, library: Library) -> dict[str, Any]:
        """Return the fields that differ from their defaults, without those that have no meaning for this pair."""
        return {name: value for name, value in super().changed_fields(library).items() if name not in IDLE[self.source]}

    def asked(self, library: Library) -> Compare:
        """Return the comparison as a request of the HTTP function.

        Raises:
            ValueError: No checkpoint with MUN's generator is loaded.
        """
        names = Compare.model_fields.keys() - IDLE[self.source]
        return Compare.read({**self.model_dump(include=names), "checkpoint": self.encoder(library)}, library)


def own_image(library: Library, request: Compare, name: str) -> OwnImage | None:
    """Decode the visitor's own image in a field; `None` if the field is empty.

    Raises:
        ValueError: The file is broken, too large or not an image.
    """
    value = getattr(request, name)
    return read_own(library, name, value, f"the {name.replace('_', ' ')}") if value else None


def pair_of(library: Library, request: Compare) -> ImagePair:
    """Return the two images of a request: found in the data, rendered, or the visitor's own.

    Raises:
        ValueError: There is no such image or person, the person is seen in one modality only, the keys name two people,
            or an image of the visitor's own is missing or broken.
    """
    if request.source == OWN:
        return pairs.own_pair(*(own_image(library, request, name) for name in FILES))
    if request.source == RENDERED:
        pid = request.person or pairs.opening_pair(library, request.data)[0].pid
        return pairs.rendered_pair(library, request.data, pid, request.misalignment)
    chosen = pairs.chosen_samples(library, request.data, request.visible, request.infrared, request.person)
    return pairs.collection_pair(library, request.data, *chosen)


@dataclass(frozen=True, eq=False)
class Result:
    """A panel, and MUN's generator taken apart on the same pair."""

    request: Compare
    panel: Panel
    parts: Parts

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/auxiliary` answers: images as PNG data URIs, at most 384 pixels tall."""
        pair = self.panel.pair
        names = {"visible": pair.visible.name, "infrared": pair.infrared.name}
        return {
            **self.request.model_dump(exclude=set(FILES)),
            "pair": {**names, "person": pair.pid, "words": pair.words, "notes": list(pair.notes)},
            "modalities": [picture.to_json() for picture in self.panel.pictures],
            "missing": [asdict(missing) for missing in self.panel.missing],
            "mun": self.parts.to_json(),
        }


def run(library: Library, request: Compare, *, wait: bool = True) -> Result:
    """Compare the auxiliary modalities on a pair.

    Args:
        library: The app's library, shared by all visitors.
        request: A checked request.
        wait: Embed the galleries that ranks need; otherwise leave out ranks in galleries that are not embedded yet.

    Raises:
        ValueError: There is no such pair, an image is broken, or the data set cannot be embedded.
    """
    encoder = PairEncoder(library, request.checkpoint, request.data, pair_of(library, request))
    parts = take_apart(encoder, request.share, request.step, wait=wait)
    return Result(request, make_panel(encoder, request.mixup, request.seed, wait=wait), parts)


def answer(library: Library, request: Compare) -> dict[str, Any]:
    """Answer `/auxiliary`."""
    return run(library, request).to_json()
