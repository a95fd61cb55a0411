"""What most requests ask: a model, data that it can be used on, and a protocol that these allow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from app.library import Library
from app.shared.request import Checkpoint, Choice, Data, Network, Request, Text, one_of, option

__all__ = ["PROTOCOL", "OfModel", "OfNetwork", "Protocol"]

MODEL = "Name of a usable checkpoint of /status; empty for the first."
DATA = "Name of a data set of /status; empty for the first."
PROTOCOL = "One of the data set's; empty for the first."
LABELS = {"all": "all-search", "indoor": "indoor-search", "whole": "every image of the other modality"}
LABELS |= {"cross": "every image of the other modality", "regdb": "RegDB", "llcm": "LLCM"}


def protocols(library: Library, values: Mapping[str, Any]) -> list[Choice]:
    """List the protocols that the data allow."""
    names = library.collections[values["data"]].protocols
    return [Choice(name, LABELS.get(name.rpartition("-")[2], name)) for name in names]


Protocol = Annotated[Text, one_of(protocols)]


class OfModel(Request):
    """Something about a model, a network or features of another method, and data."""

    checkpoint: Checkpoint = option("", "Checkpoint", MODEL)
    data: Data = option("", "Data", DATA)


class OfNetwork(Request):
    """Something about a network, which looks at images, and data."""

    checkpoint: Network = option("", "Checkpoint", MODEL)
    data: Data = option("", "Data", DATA)
