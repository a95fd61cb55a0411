"""What is asked of the auxiliary modalities, checked, and which two images it means."""

from __future__ import annotations

from dataclasses import dataclass

from app.actions.auxiliary.bench import FINAL, LEARNED
from app.actions.checks import known, shown, text, whole_number
from app.library import Library
from app.library.eye import generator_names
from app.library.own_images import OwnImage
from app.library.pairs import ImagePair, chosen_samples, collection_pair, opening_pair, own_pair
from app.library.rendered import rendered_pair

__all__ = ["COLLECTION", "MAX_SEED", "OWN", "RENDERED", "SOURCES", "OwnPair", "Request", "fraction", "idle", "pair_of"]

COLLECTION, RENDERED, OWN = "collection", "rendered", "own"
SOURCES = (COLLECTION, RENDERED, OWN)
MAX_SEED, MAX_NUMBER = 9999, 10**9
OwnPair = tuple[OwnImage | None, OwnImage | None]  # visible, infrared


@dataclass(frozen=True)
class Request:
    """What is asked; an empty name stands for the first there is.

    Attributes:
        checkpoint: Name of a checkpoint with MUN's generator; it also embeds the formulas.
        data: Name of the data set.
        source: `collection`, `rendered` (SynVI, rendered for this request) or `own` (two images brought along).
        visible: Key of a visible image of the data set, as `cam1/0007/0001.jpg`; empty to have one chosen.
        infrared: Likewise of an infrared image of the same person.
        person: Whose images are meant where no key says it; 0 for a first choice.
        misalignment: Of a rendered pair, 0 (one instant) … 1.
        mixup: λ, the share of the visible image in Mixup, 0 … 1.
        seed: Of the rectangle of CutMix and the channel of channel exchange, 0 … 9999.
        share: Share of the intra-modality learners in MUN's layer scale, 0 … 1; -1 for what was learned.
        step: A step whose generator the checkpoint keeps; -1 for the last.
    """

    checkpoint: str = ""
    data: str = ""
    source: str = COLLECTION
    visible: str = ""
    infrared: str = ""
    person: int = 0
    misalignment: float = 0.0
    mixup: float = 0.5
    seed: int = 0
    share: float = LEARNED
    step: int = FINAL

    def checked(self, library: Library) -> Request:
        """Return the request with every default filled in but the pair's.

        Raises:
            ValueError: A value is out of bounds or names nothing; the message says what was expected and what came.
        """
        names = generator_names(library)
        if not names:
            raise ValueError("expected a checkpoint with MUN's generator, none is loaded; train one by --auxiliary mun")
        return Request(
            known("checkpoint with MUN's generator", self.checkpoint, names),
            known("data", self.data, library.collections),
            known("source", self.source, SOURCES),
            text("visible", self.visible),
            text("infrared", self.infrared),
            whole_number("person", self.person, 0, MAX_NUMBER),
            fraction("misalignment", self.misalignment),
            fraction("mixup", self.mixup),
            whole_number("seed", self.seed, 0, MAX_SEED),
            LEARNED if self.share == LEARNED and not isinstance(self.share, bool) else fraction("share", self.share),
            whole_number("step", self.step, FINAL, MAX_NUMBER),
        )


def idle(source: str) -> frozenset[str]:
    """Name what of a request has no meaning for a pair from there, once the pair is named."""
    if source == COLLECTION:
        return frozenset({"person", "misalignment"})
    return frozenset(
        {"visible", "infrared"} if source == RENDERED else {"visible", "infrared", "person", "misalignment"}
    )


def fraction(name: str, value: object) -> float:
    """Return a number in [0, 1].

    Raises:
        ValueError: It is no number, or outside.
    """
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ValueError(f"expected {name} to be a number from 0 to 1, got {shown(value)}")
    return float(value)


def pair_of(library: Library, request: Request, own: OwnPair = (None, None)) -> ImagePair:
    """Find, render or take the two images that a checked request is about.

    Args:
        library: What all visitors share.
        request: Checked.
        own: The visitor's visible and infrared image, where the source says so.

    Raises:
        ValueError: There is no such image or person, the person is seen in one modality only, or the keys name two.
    """
    if request.source == OWN:
        return own_pair(*own)
    if request.source == RENDERED:
        pid = request.person or opening_pair(library, request.data)[0].pid
        return rendered_pair(library, request.data, pid, request.misalignment)
    chosen = chosen_samples(library, request.data, request.visible, request.infrared, request.person)
    return collection_pair(library, request.data, *chosen)
