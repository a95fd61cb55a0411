"""The checkpoints of a folder: the card of each, or the reason why it cannot be used."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from mun.checkpoint import CARD, WEIGHTS, Card, load_checkpoint
from mun.models.network import Network
from mun.own import OwnModel, load_own, own_card
from mun.search import Vectors

__all__ = ["CheckpointEntry", "Entries", "by_budget", "list_checkpoints", "load_network", "open_entry", "own_entry"]

DEFAULT = "mun-resnet18-w0.5"


@dataclass(frozen=True)
class CheckpointEntry:
    """One checkpoint folder, the owner's own model, or a features file.

    Attributes:
        name: Name of the folder, model or features file.
        folder: Path of the folder; never shown to a visitor.
        content: Hash of card and weights.
        card: Its card; `None` for a features file, or if the checkpoint cannot be used.
        parameters: Number of parameters of the network.
        reason: Why it cannot be used, without any path of the machine; else an empty string.
        own: The owner's own model, which lies in no checkpoint folder; else `None`.
        file: File name of a features file; else an empty string.
        vectors: Features of that file, in the order of the samples that they embed; there is no network.
        embedded: `content` of the data set that the features file embeds.
    """

    name: str
    folder: Path
    content: str = ""
    card: Card | None = None
    parameters: int = 0
    reason: str = ""
    own: OwnModel | None = None
    file: str = ""
    vectors: Vectors | None = field(default=None, compare=False)
    embedded: str = ""

    @cached_property
    def title(self) -> str:
        """Kind, steps and name, for a menu."""
        if self.vectors:
            return f"{self.name} · features of another method"
        if self.own is not None:
            return f"{self.name} (a model of your own)"
        return self.name if self.card is None else f"{self.label}, {self.steps:,} steps · {self.name}"

    @cached_property
    def label(self) -> str:
        """Short name of the method."""
        kind = "" if self.card is None or self.own is not None else self.card.config.model.auxiliary
        names = {"mun": "MUN", "none": "Two modalities"}
        return names.get(kind, f"{kind.replace('-', ' ').capitalize()} (auxiliary)" if kind else self.name)

    @cached_property
    def steps(self) -> int:
        """Training steps; from 1,000 rounded to hundreds, because equal runs keep weights of different steps."""
        done = 0 if self.card is None else self.card.steps
        return done if done < 1000 else round(done, -2)

    @cached_property
    def pairs(self) -> int:
        """Visible images per training step; there are as many infrared images."""
        return self.card.config.train.pairs if self.card else 0

    @cached_property
    def identities(self) -> int | None:
        """Number of training identities; `None` if the card does not say."""
        splits = self.card.data.get("splits") if self.card else None
        train = splits.get("train") if isinstance(splits, dict) else None
        count = train.get("identities") if isinstance(train, dict) else None
        return count if isinstance(count, int) else None

    @cached_property
    def budget(self) -> str:
        """Training budget, as far as the card says: network, image size, steps and pairs, identities."""
        if self.card is None:
            return ""
        model = self.card.config.model
        if self.own is not None:
            return f"{self.name}, {model.height}x{model.image_width}, trained elsewhere"
        backbone = re.sub(r"^resnet(?=\d)", "ResNet-", model.backbone)
        trained = f"{self.steps:,} steps of {self.pairs} pairs"
        words = [f"{backbone} x{model.width:g}", f"{model.height}x{model.image_width}", trained]
        return ", ".join(words if self.identities is None else [*words, f"{self.identities:,} identities"])

    def against(self, other: CheckpointEntry) -> str:
        """Return why this checkpoint is not comparable with another one; an empty string if it is."""
        if self.vectors or other.vectors:
            return " · features of another method" if self.vectors else " · a network"
        if self.budget == other.budget:
            return ""
        if self.own is not None or other.own is not None:
            return " · not comparable: trained elsewhere"
        if self.steps != other.steps:
            return f" · not comparable: {self.steps:,} against {other.steps:,} steps"
        return " · not comparable: another network, image size or number of people"


class Entries(dict[str, CheckpointEntry]):
    """Checkpoints by name, never changed; a missing name raises `ValueError`, because runs can be deleted."""

    def __missing__(self, name: str) -> CheckpointEntry:
        raise ValueError("expected a checkpoint that is loaded, got one that no longer exists; choose another")

    @cached_property
    def kinds(self) -> dict[str, str]:
        """The auxiliary modality of each usable checkpoint, by name; the default first, the others in their order.

        The default is this project's own checkpoint if present, else the first with MUN's generator, else the first.
        """
        kinds = {entry.name: entry.card.config.model.auxiliary for entry in self.values() if entry.card is not None}
        first = DEFAULT if DEFAULT in kinds else next((name for name, kind in kinds.items() if kind == "mun"), None)
        return {name: kinds[name] for name in sorted(kinds, key=lambda name: first is not None and name != first)}

    @cached_property
    def usable(self) -> list[str]:
        """Names of the usable checkpoints, the default first."""
        return list(self.kinds)

    @cached_property
    def models(self) -> list[str]:
        """Names of all models that give embeddings: features files of other methods, in order, then `usable`."""
        return [name for name, entry in self.items() if entry.vectors] + self.usable

    @cached_property
    def titles(self) -> dict[str, str]:
        """The titles of `models`, by name."""
        return {name: self[name].title for name in self.models}

    @cached_property
    def networks(self) -> dict[str, str]:
        """The titles of `usable`, by name."""
        return {name: self.titles[name] for name in self.usable}

    @cached_property
    def partners(self) -> dict[str, str]:
        """The fair partner of each checkpoint, by name; empty if it has none.

        The partner has the same budget and only two modalities; the partner of a two-modality checkpoint is MUN. The
        partner of a features file is the first other features file of the same images.
        """

        def fair(one: CheckpointEntry, other: CheckpointEntry) -> bool:
            if one.vectors or one.card is None or other.card is None:
                return one is not other and one.vectors is not None and one.embedded == other.embedded
            wanted = "mun" if one.card.config.model.auxiliary == "none" else "none"
            return one.budget == other.budget and other.card.config.model.auxiliary == wanted

        return {
            one.name: next((other.name for other in self.values() if fair(one, other)), "") for one in self.values()
        }

    @cached_property
    def rivals(self) -> dict[str, list[tuple[str, str]]]:
        """For each model, all others sorted by budget, each with the reason why it is not comparable."""
        usable = by_budget(self[name] for name in self.models)
        return {one.name: [(other.name, other.against(one)) for other in usable if other is not one] for one in usable}


def by_budget(entries: Iterable[CheckpointEntry]) -> list[CheckpointEntry]:
    """Sort checkpoints by ascending budget, then by name; unusable ones come last."""

    def key(entry: CheckpointEntry) -> tuple[Any, ...]:
        if entry.card is None:
            return True, entry.vectors is None, entry.name
        model = entry.card.config.model
        size = (model.backbone, model.width, model.height, model.image_width)
        return False, *size, entry.card.steps * entry.pairs, entry.identities or 0, entry.name

    return sorted(entries, key=key)


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
        ValueError: The folder was changed or removed after it was listed.
    """
    if entry.own is not None:
        return entry.own
    try:
        if content_hash(entry.folder) == entry.content:
            return load_checkpoint(entry.folder)[0]
    except OSError:  # its message names a folder of the machine
        pass
    raise ValueError(f"the checkpoint {entry.name} has changed on the disk; start the app again")


def open_entry(folder: Path) -> CheckpointEntry:
    """Load a checkpoint once, so that a broken one is detected before a visitor chooses it."""
    try:
        network, card = load_checkpoint(folder)
        parameters = sum(parameter.numel() for parameter in network.parameters())
        return CheckpointEntry(folder.name, folder, content_hash(folder), card, parameters)
    except Exception as error:  # whatever is wrong with one folder must not stop the others
        words = " ".join(str(error).replace(str(folder), folder.name).split())
        return CheckpointEntry(folder.name, folder, reason=words or type(error).__name__)


def own_entry(text: str) -> CheckpointEntry:
    """Load the owner's own model that `NAME=package.module:function` names.

    Raises:
        ValueError: As `load_own`.
    """
    name, network = load_own(text)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return CheckpointEntry(name, Path(), network.digest()[:24], own_card(name, text, network), parameters, own=network)


def list_checkpoints(root: Path) -> list[CheckpointEntry]:
    """Load every checkpoint in a folder once, sorted by name; skip hidden and half-written (`.tmp`) folders.

    Args:
        root: A folder of checkpoint folders, or one checkpoint folder.

    Raises:
        FileNotFoundError: The folder does not exist.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"expected a folder of checkpoints at {root}, found none")
    if (root / CARD).is_file():
        return [open_entry(root.resolve())]
    folders = sorted(filter(Path.is_dir, root.iterdir()))
    return [open_entry(one) for one in folders if not (one.name.startswith(".") or one.name.endswith(".tmp"))]
