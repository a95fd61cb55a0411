"""Say what is loaded."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch

from app.library import Library
from app.library.checkpoints import CheckpointEntry
from mun import __version__

__all__ = ["CheckpointStatus", "DataStatus", "Result", "run"]


@dataclass(frozen=True)
class CheckpointStatus:
    """One checkpoint; what only a usable one can tell is `None` where `usable` is false, and `reason` says why."""

    name: str
    title: str
    usable: bool
    reason: str | None
    auxiliary: str | None
    backbone: str | None
    width: float | None
    parameters: int | None
    trained_on: str | None
    scores: list[dict[str, Any]]


@dataclass(frozen=True)
class DataStatus:
    """One data set, its test split."""

    name: str
    title: str
    synthetic: bool
    protocols: tuple[str, ...]
    identities: int
    images: int
    queries: int


@dataclass(frozen=True)
class Result:
    """Everything that is loaded."""

    version: str
    device: str
    checkpoints: tuple[CheckpointStatus, ...]
    data: tuple[DataStatus, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/status` answers."""
        return {
            "version": self.version,
            "device": self.device,
            "checkpoints": [asdict(checkpoint) for checkpoint in self.checkpoints],
            "data": [{**asdict(data), "protocols": list(data.protocols)} for data in self.data],
        }


def describe(entry: CheckpointEntry) -> CheckpointStatus:
    """Describe one checkpoint."""
    if entry.card is None:
        return CheckpointStatus(entry.name, entry.title, False, entry.reason, None, None, None, None, None, [])
    model, trained_on = entry.card.config.model, entry.card.data.get("name")
    return CheckpointStatus(
        entry.name,
        entry.title,
        True,
        None,
        model.auxiliary,
        model.backbone,
        model.width,
        entry.parameters,
        trained_on if isinstance(trained_on, str) else None,
        entry.card.scores,
    )


def run(library: Library) -> Result:
    """Describe the library."""
    device = torch.cuda.get_device_name(library.device) if library.device.type == "cuda" else library.device.type
    return Result(
        __version__,
        device,
        tuple(describe(entry) for entry in library.checkpoints.values()),
        tuple(
            DataStatus(
                name,
                collection.title,
                collection.synthetic,
                collection.protocols,
                collection.num_identities,
                len(collection.samples),
                len(collection.queries),
            )
            for name, collection in library.collections.items()
        ),
    )
