"""What most requests ask: a model, and data that it can be used on."""

from __future__ import annotations

from app.shared.request import Checkpoint, Data, Network, Request, option

__all__ = ["OfModel", "OfNetwork"]

MODEL = "Name of a usable checkpoint of /status; empty for the first."
DATA = "Name of a data set of /status; empty for the first."


class OfModel(Request):
    """Something about a model, a network or features of another method, and data."""

    checkpoint: Checkpoint = option("", "Checkpoint", MODEL)
    data: Data = option("", "Data", DATA)


class OfNetwork(Request):
    """Something about a network, which looks at images, and data."""

    checkpoint: Network = option("", "Checkpoint", MODEL)
    data: Data = option("", "Data", DATA)
