"""What a visitor may ask a training run to be: presets, bounds, and the recipe that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import torch

from app.actions.checks import known, shown, whole_number
from app.jobs import zerogpu
from app.jobs.limits import Limits
from app.jobs.record import RENDER, Data, Recipe
from app.library import Library
from mun.auxiliary.registry import AUXILIARIES
from mun.config import Config, LossConfig, ModelConfig, TrainConfig
from mun.data.sources import read_ids
from mun.synvi import LEVELS

__all__ = ["BACKBONES", "DEVICES", "PRESETS", "Request", "has_gpu", "preset", "preset_problem", "trainable"]

BACKBONES = ("resnet18", "resnet34", "resnet50")
DEVICES = ("auto", "cpu", "cuda")
MOST_IDS, MOST_SEED = 8000, 2**31 - 1


@dataclass(frozen=True)
class Request:
    """A run to start; the defaults are those of the preset *taste*.

    Attributes:
        preset: Name of a preset, whose values stand for all that are not given.
        data: `render` for SynVI rendered for the run, or the name of a loaded data set that has a train split.
        level: Of SynVI where it is rendered; likewise the next four.
        train_ids: Identities to train on.
        val_ids: Identities to validate on.
        images: Per identity and camera.
        data_seed: Of the people.
        auxiliary: Name of the auxiliary modality.
        backbone: `resnet18`, `resnet34` or `resnet50`.
        width: Multiplies every channel count of the backbone.
        height: Of the images, pixels.
        image_width: Likewise.
        minutes: Time budget from the start of the run; 0 where `epochs` are given instead.
        epochs: Passes over the images; 0 where there is a time budget.
        ids_per_batch: People per batch.
        instances_per_id: Images of each, per modality.
        lr: Highest learning rate.
        identity_alignment: Weight of the identity alignment loss.
        modality_alignment: Weight of the modality alignment loss.
        triplet: Weight of a batch-hard triplet, which MUN does not have.
        seed: Of the run.
        device: `auto`, `cpu` or `cuda`.
    """

    preset: str = "taste"
    data: str = RENDER
    level: str = "easy"
    train_ids: int = 24
    val_ids: int = 10
    images: int = 2
    data_seed: int = 1
    auxiliary: str = "mun"
    backbone: str = "resnet18"
    width: float = 0.25
    height: int = 64
    image_width: int = 32
    minutes: float = 1.0
    epochs: int = 0
    ids_per_batch: int = 8
    instances_per_id: int = 2
    lr: float = 2e-3
    identity_alignment: float = 1.0
    modality_alignment: float = 0.5
    triplet: float = 0.0
    seed: int = 0
    device: str = "auto"

    @classmethod
    def of(cls, values: object) -> Request:
        """Read a request from a JSON object; what it does not give is its preset's.

        Raises:
            ValueError: It is no object, has an unknown name, or names an unknown preset.
        """
        if values is None:
            values = {}
        if not isinstance(values, Mapping) or not all(isinstance(name, str) for name in values):
            raise ValueError(f"expected the run as an object of names and values, got {shown(values)}")
        names = [field.name for field in fields(cls)]
        if unknown := [name for name in values if name not in names]:
            raise ValueError(f"expected the names {', '.join(names)}; got {shown(unknown[0])}")
        chosen = preset(known("preset", values.get("preset", ""), PRESETS))
        given = dict(values)
        if given.get("epochs") and "minutes" not in given:
            given["minutes"] = 0
        return replace(chosen, **{**given, "preset": chosen.preset})

    def checked(self, library: Library, limits: Limits) -> Request:
        """Return the request with every value checked against what is possible and what is allowed here.

        Raises:
            ValueError: A value is out of bounds, or more is asked than this app allows.
        """
        checked = replace(
            self,
            preset=known("preset", self.preset, PRESETS),
            data=known("data", self.data, [RENDER, *trainable(library)]),
            level=known("level", self.level, LEVELS),
            train_ids=whole_number("train_ids", self.train_ids, 2, MOST_IDS),
            val_ids=whole_number("val_ids", self.val_ids, 2, 1000),
            images=whole_number("images", self.images, 1, 50),
            data_seed=whole_number("data_seed", self.data_seed, 0, MOST_SEED),
            auxiliary=known("auxiliary", self.auxiliary, AUXILIARIES),
            backbone=known("backbone", self.backbone, BACKBONES),
            width=number("width", self.width, 0.0625, limits.width, limits),
            height=whole_number("height", self.height, 32, 512),
            image_width=whole_number("image_width", self.image_width, 32, 512),
            minutes=number("minutes", self.minutes, 0, limits.minutes, limits),
            epochs=whole_number("epochs", self.epochs, 0, 5000),
            ids_per_batch=whole_number("ids_per_batch", self.ids_per_batch, 2, 64),
            instances_per_id=whole_number("instances_per_id", self.instances_per_id, 1, 16),
            lr=number("lr", self.lr, 1e-6, 1.0),
            identity_alignment=number("identity_alignment", self.identity_alignment, 0, 100),
            modality_alignment=number("modality_alignment", self.modality_alignment, 0, 100),
            triplet=number("triplet", self.triplet, 0, 100),
            seed=whole_number("seed", self.seed, 0, MOST_SEED),
            device=known("device", self.device, DEVICES),
        )
        checked.check_together(limits)
        return checked

    def check_together(self, limits: Limits) -> None:
        """Check the values that matter together.

        Raises:
            ValueError: They do not fit one another, or more is asked than is allowed.
        """
        if bool(self.minutes) == bool(self.epochs):
            raise ValueError("expected either a time budget in minutes or a number of epochs, the other at 0")
        if self.height * self.image_width > limits.pixels:
            size = f"{self.height} by {self.image_width}"
            raise ValueError(limits.refusal(f"expected images of at most {limits.pixels} pixels here, got {size}"))
        if (count := self.data_of("").count) > limits.images:
            raise ValueError(limits.refusal(f"expected at most {limits.images} rendered images here, got {count}"))
        if (batch := self.ids_per_batch * self.instances_per_id) > limits.batch:
            raise ValueError(limits.refusal(f"expected batches of at most {limits.batch} images, got {batch}"))
        if self.data == RENDER and self.ids_per_batch > self.train_ids:
            raise ValueError(
                f"expected at most {self.train_ids} people per batch, as there are; got {self.ids_per_batch}"
            )
        if self.device == "cuda" and not has_gpu():
            raise ValueError("expected a device that is here, got cuda, and this machine has no GPU")

    def data_of(self, root: str) -> Data:
        """Say what the run is trained on; `root` is the folder of a loaded data set."""
        return Data(self.data, self.level, self.train_ids, self.val_ids, self.images, self.data_seed, root)

    def recipe(self, library: Library, limits: Limits) -> Recipe:
        """Turn a checked request into a recipe."""
        root = "" if self.data == RENDER else str(folder_of(library, self.data))
        model = ModelConfig(self.auxiliary, self.backbone, self.width, self.height, self.image_width)
        loss = LossConfig(self.identity_alignment, self.modality_alignment, self.triplet)
        train = TrainConfig(
            epochs=max(1, self.epochs),
            ids_per_batch=self.ids_per_batch,
            instances_per_id=self.instances_per_id,
            lr=self.lr,
            weight_decay=0.05,
            pad=max(2, self.height // 21),
            recalibration=10,
        )
        config = Config(model, loss, train)
        return Recipe(self.data_of(root), config, self.minutes, self.seed, self.device, limits.minutes)


PRESETS: dict[str, tuple[str, dict[str, Any]]] = {
    "taste": ("One-minute taste", {}),
    "ten": (
        "Ten minutes",
        {
            "level": "standard", "train_ids": 150, "val_ids": 30, "width": 0.5, "height": 96, "image_width": 48,
            "minutes": 10.0, "instances_per_id": 4, "lr": 1e-3,
        },
    ),
    "gpu": (
        "Small GPU run",
        {
            "level": "standard", "train_ids": 1000, "val_ids": 100, "width": 0.5, "height": 128, "image_width": 64,
            "minutes": 15.0, "ids_per_batch": 16, "instances_per_id": 4, "lr": 1e-3, "device": "cuda",
        },
    ),
}  # fmt: skip


def preset(name: str) -> Request:
    """Return the request of a preset."""
    return Request(**{"preset": name, **PRESETS[name][1]})


def preset_problem(name: str, limits: Limits) -> str:
    """Say why a preset cannot be had here; nothing where it can."""
    request = preset(name)
    if request.device == "cuda" and not has_gpu():
        return f"{PRESETS[name][0]}: this machine has no GPU"
    if request.minutes > limits.minutes or request.data_of("").count > limits.images:
        return limits.refusal(f"{PRESETS[name][0]}: more than the {limits.minutes:g} minutes that are allowed here")
    return ""


def has_gpu() -> bool:
    """Say whether there is a GPU, lent ones included."""
    return zerogpu.lent() or torch.cuda.is_available()


def trainable(library: Library) -> list[str]:
    """List the loaded data sets that have people to train on."""
    return [name for name in library.collections if train_ids(folder_of(library, name))]


def train_ids(root: Path) -> list[int]:
    """Read the training identities of a data set; none where there is no such list."""
    try:
        return read_ids(root / "exp" / "train_id.txt")
    except (ValueError, OSError):
        return []


def folder_of(library: Library, name: str) -> Path:
    """Find the folder of a loaded data set, from its first image: `cam3/0007/0001.jpg` lies three levels below."""
    return library.collections[name].samples[0].path.resolve().parents[2]


def number(name: str, value: object, low: float, high: float, limits: Limits | None = None) -> float:
    """Return a number.

    Raises:
        ValueError: It is no finite number, or out of bounds; where `limits` set the upper one, what may be done.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12 or math.isnan(value):
        raise ValueError(f"expected {name} to be a number from {low:g} to {high:g}, got {shown(value)}")
    if not low <= value <= high:
        words = f"expected {name} to be a number from {low:g} to {high:g}, got {value:g}"
        raise ValueError(limits.refusal(words) if limits and value > high else words)
    return float(value)
