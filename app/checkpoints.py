"""The checkpoints of a folder: what each is, or why it cannot be used."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from mun.checkpoint import CARD, WEIGHTS, Card, load_checkpoint
from mun.models.network import Network

__all__ = ["CheckpointEntry", "list_checkpoints", "load_network"]


@dataclass(frozen=True)
class CheckpointEntry:
    """One folder with a checkpoint.

    Attributes:
        name: Name of the folder.
        folder: Where it is; never shown to a visitor.
        content: Hash of card and weights.
        card: What it is; `None` where it cannot be used.
        parameters: Numbers that the network has learned.
        reason: Why it cannot be used, without any folder of the machine; else an empty string.
    """

    name: str
    folder: Path
    content: str = ""
    card: Card | None = None
    parameters: int = 0
    reason: str = ""

    @property
    def title(self) -> str:
        """Name and kind, for a menu."""
        if self.card is None:
            return self.name
        return f"{self.name} (auxiliary: {self.card.config.model.auxiliary})"


def content_hash(folder: Path) -> str:
    """Hash card and weights."""
    digest = hashlib.sha256()
    for name in (CARD, WEIGHTS):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:24]


def load_network(entry: CheckpointEntry) -> Network:
    """Load the network of an entry.

    Raises:
        ValueError: The folder has changed or gone since it was listed.
    """
    try:
        if content_hash(entry.folder) == entry.content:
            return load_checkpoint(entry.folder)[0]
    except OSError:  # its message names a folder of the machine
        pass
    raise ValueError(f"the checkpoint {entry.name} has changed on the disk; start the app again")


def open_entry(folder: Path) -> CheckpointEntry:
    """Try a checkpoint once, so that a broken one is known before a visitor chooses it."""
    try:
        network, card = load_checkpoint(folder)
        json.dumps(card.scores, allow_nan=False)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        return CheckpointEntry(folder.name, folder, content_hash(folder), card, parameters)
    except Exception as error:  # whatever is wrong with one folder must not stop the others
        words = " ".join(str(error).replace(str(folder), folder.name).split())
        return CheckpointEntry(folder.name, folder, reason=words or type(error).__name__)


def list_checkpoints(root: Path) -> list[CheckpointEntry]:
    """Try every checkpoint in a folder, by name; hidden and half-written (`.tmp`) folders are passed over.

    Args:
        root: A folder of checkpoint folders, or one checkpoint folder.

    Raises:
        FileNotFoundError: There is no such folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"expected a folder of checkpoints at {root}, found none")
    if (root / CARD).is_file():
        return [open_entry(root.resolve())]
    folders = [
        folder
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith(".") and not folder.name.endswith(".tmp")
    ]
    return [open_entry(folder) for folder in folders]
