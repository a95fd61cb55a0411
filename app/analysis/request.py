"""What an analysis is asked for: one model or two, on which protocol; and what the tab shows of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from app.library import Library
from app.shared.request import Checkpoint, Choice, Data, RefusalError, Request, Text, Whole, one_of, option
from mun.analysis.curves import KNOBS
from mun.data.corruptions import CORRUPTIONS

__all__ = ["NONE", "PARTNER", "PARTS", "Analyse", "View"]

NONE, PARTNER = "none", "partner"
PARTS = (
    Choice("slices", "Slices"),
    Choice("people", "Queries and people"),
    Choice("distances", "Distances"),
    Choice("probes", "What it knows"),
    Choice("corruptions", "Corruptions"),
    Choice("knobs", "Knobs of SynVI"),
)


def protocols(library: Library, values: Mapping[str, Any]) -> tuple[str, ...]:
    """List the protocols that the data allow."""
    return library.collections[values["data"]].protocols


def comparable(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List what a model can stand beside: its fair partner first, nothing, then all others."""
    mine, entries = values["checkpoint"], library.checkpoints
    partner, fitting = entries.partners[mine], library.fitting(values["data"])
    kind = "the next features" if entries[mine].vectors else "fair partner"
    fair = [Choice(PARTNER, f"{kind}: {partner}")] if partner in fitting else []
    others = (Choice(name, name + words) for name, words in entries.rivals[mine] if name in fitting)
    return [*fair, Choice(NONE, "nothing"), *others]


class Analyse(Request):
    """Say where one model fails, or two: of every query, in slices, by distances.

    Returns what `python -m mun analyse` writes to analysis.json, without probes and curves: scores of every query over
    ten galleries; of four directions; of every slice with its 95 % interval over people and what stands out; people and
    confused pairs; queries that one model alone finds; histograms of distances, the threshold at equal error and the
    open set. Fractions; null where a query has no match or a slice too few people.
    """

    checkpoint: Checkpoint = option("", "Checkpoint", "Name of a usable checkpoint of /status; empty for the first.")
    data: Data = option("", "Data", "Name of a data set of /status; empty for the first.")
    protocol: Annotated[Text, one_of(protocols)] = option("", "Protocol", "One of the data set's; empty for the first.")
    compare: Annotated[Text, one_of(comparable)] = option(
        "", "Compare with", "A second checkpoint, partner or none; empty for the fair partner where there is one."
    )

    def settle(self, library: Library) -> Self:
        """Refuse data of one person, of whom nobody else can be told apart."""
        if library.collections[self.data].num_identities < 2:
            raise RefusalError("data", "expected data of at least two people, got one: whoever is asked for is found")
        return self

    def names(self, library: Library) -> tuple[str, ...]:
        """Name the models: one or two."""
        other = {PARTNER: library.checkpoints.partners[self.checkpoint], NONE: ""}.get(self.compare, self.compare)
        return tuple(name for name in dict.fromkeys((self.checkpoint, other)) if name)


class View(Analyse):
    """What the tab shows of an analysis."""

    follows: ClassVar[tuple[str, ...]] = ("compare", "pair")

    part: Annotated[Text, one_of(PARTS)] = option("slices", "Part")
    pair: Whole = option(0, "Cameras", ge=0, le=10_000)
    corruption: Annotated[Text, one_of(list(CORRUPTIONS))] = option("gaussian_noise", "Corruption")
    knob: Annotated[Text, one_of(list(KNOBS))] = option("colour_infrared_correlation", "Knob")
