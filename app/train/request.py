"""Requests for a training run: presets, bounds, and the recipe that a request becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, ClassVar

import torch
from pydantic import BeforeValidator, Field, model_validator

from app.library import Library
from app.library.collection import Collection
from app.shared.request import Choice, Number, Request, Text, Whole, bounds, one_of, option, shown
from app.train.host import Limits, lent
from app.train.record import RENDER, Data, Recipe
from mun.auxiliary.registry import AUXILIARIES
from mun.config import Config, LossConfig, ModelConfig, TrainConfig
from mun.experiments.tables import LABELS
from mun.synvi import LEVELS

__all__ = ["METHODS", "MOST_BESIDE", "PRESETS", "RENDERED", "Look", "Start", "Stop", "Train", "Watch", "presets"]

MOST_IDS, MOST_SEED = 8000, 2**31 - 1
MOST_BESIDE = 4  # runs whose curves are compared
RENDERED = ("level", "train_ids", "val_ids", "images", "data_seed")  # settings of people who are rendered for the run
# Auxiliary modalities, as the page names them.
METHODS = {name: LABELS.get(name, name) for name in AUXILIARIES}
METHODS |= {"none": "two modalities (baseline)", "feature-mean": "mean of the stems' maps"}
NO_GPU = "this machine has no GPU"
TITLES = {"taste": "One-minute taste", "ten": "Ten minutes", "gpu": "Small GPU run"}
PRESETS: dict[str, dict[str, Any]] = {
    "taste": {},
    "ten": {
        "level": "standard", "train_ids": 150, "val_ids": 30, "width": 0.5, "height": 96, "image_width": 48,
        "minutes": 10.0, "instances_per_id": 4, "lr": 1e-3,
    },
    "gpu": {
        "level": "standard", "train_ids": 1000, "val_ids": 100, "width": 0.5, "height": 128, "image_width": 64,
        "minutes": 15.0, "ids_per_batch": 16, "instances_per_id": 4, "lr": 1e-3, "device": "cuda",
    },
}  # fmt: skip


def offered_data(library: Library, _: Mapping[str, Any]) -> list[Choice]:
    """List what can be trained on: SynVI rendered for the run, and the loaded data sets with people to train on."""
    given = library.collections.items()
    loaded = [Choice(name, one.title) for name, one in given if one.source is not None and one.source.train]
    return [Choice(RENDER, "SynVI, rendered for the run"), *loaded]


def has_gpu() -> bool:
    """Say whether there is a GPU, lent ones included."""
    return lent() or torch.cuda.is_available()


def only_rendered(request: Train) -> str:
    """Say why a setting of rendered people has no effect; empty where it has."""
    return "" if request.data == RENDER else "Only for people who are rendered for the run."


def only_auxiliary(request: Train) -> str:
    """Say why a loss on the auxiliary modality has no effect; empty where it has."""
    return "" if request.auxiliary != "none" else "There is no auxiliary modality."


class Train(Request):
    """A run to start; fields that are not given have the values of the preset."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = PRESETS

    preset: Annotated[Text, one_of([Choice(name, title) for name, title in TITLES.items()])] = option("taste", "Preset")
    data: Annotated[Text, one_of(offered_data)] = option(RENDER, "Data to train on")
    level: Annotated[Text, one_of(tuple(LEVELS))] = option("easy", "Level of SynVI", idle=only_rendered)
    train_ids: Whole = option(24, "People to train on", ge=2, le=MOST_IDS, idle=only_rendered)
    val_ids: Whole = option(10, "People to validate on", ge=2, le=1000, idle=only_rendered)
    images: Whole = option(2, "Images per person and camera", ge=1, le=50, idle=only_rendered)
    data_seed: Whole = option(1, "Seed of the people", ge=0, le=MOST_SEED, idle=only_rendered)
    auxiliary: Annotated[Text, one_of([Choice(name, METHODS[name]) for name in AUXILIARIES])] = option(
        "mun", "Auxiliary modality"
    )
    backbone: Annotated[Text, one_of(("resnet18", "resnet34", "resnet50"))] = option("resnet18", "Backbone")
    width: Number = option(0.25, "Width", "Multiplies every channel count of the backbone.", ge=0.0625, le=2.0)
    height: Whole = option(64, "Image height, pixels", ge=32, le=512)
    image_width: Whole = option(32, "Image width, pixels", ge=32, le=512)
    minutes: Number = option(1.0, "Time budget, minutes", "From the start, everything included.", ge=0)
    epochs: Whole = option(0, "Or epochs", "Passes over the images; 0: as many as fit the time budget.", ge=0, le=5000)
    ids_per_batch: Whole = option(8, "People per batch", ge=2, le=64)
    instances_per_id: Whole = option(2, "Images of each per modality", ge=1, le=16)
    lr: Number = option(2e-3, "Highest learning rate", ge=1e-6, le=1.0)
    identity_alignment: Number = option(1.0, "Identity alignment loss", "Its weight.", ge=0, le=100)
    modality_alignment: Number = option(
        0.5, "Modality alignment loss", "Its weight.", ge=0, le=100, idle=only_auxiliary
    )
    triplet: Number = option(0.0, "Triplet loss", "Its weight; MUN has none.", ge=0, le=100)
    seed: Whole = option(0, "Seed of the run", ge=0, le=MOST_SEED)
    device: Annotated[Text, one_of(("auto", "cpu", "cuda"))] = option("auto", "Device")

    @model_validator(mode="before")
    @classmethod
    def fill(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in the preset's values; a number of epochs takes the place of a time budget."""
        preset = values.get("preset")
        filled = {**(PRESETS.get(preset, {}) if isinstance(preset, str) else {}), **values}
        return {**filled, "minutes": 0} if values.get("epochs") and "minutes" not in values else filled

    def check(self, limits: Limits) -> None:
        """Check combinations of values, and the limits of the host.

        Raises:
            ValueError: The values do not fit together, or a limit is exceeded.
        """
        if limits.off:
            raise ValueError(limits.refusal("training is switched off here"))
        for name, most in (("width", limits.width), ("minutes", limits.minutes)):
            low, value = bounds(type(self).model_fields[name])[0], getattr(self, name)
            if value > most:
                words = f"expected {name} to be a number from {low:g} to {most:g}, got {value:g}"
                raise ValueError(limits.refusal(words))
        if bool(self.minutes) == bool(self.epochs):
            raise ValueError("expected either a time budget in minutes or a number of epochs, the other at 0")
        if self.height * self.image_width > limits.pixels:
            size = f"{self.height} by {self.image_width}"
            raise ValueError(limits.refusal(f"expected images of at most {limits.pixels} pixels here, got {size}"))
        count = self.data_of().plan((self.height, self.image_width)).total if self.data == RENDER else 0
        if count > limits.images:
            raise ValueError(limits.refusal(f"expected at most {limits.images} rendered images here, got {count}"))
        if (batch := self.ids_per_batch * self.instances_per_id) > limits.batch:
            raise ValueError(limits.refusal(f"expected batches of at most {limits.batch} images, got {batch}"))
        if self.data == RENDER and self.ids_per_batch > self.train_ids:
            people = f"at most {self.train_ids} people per batch (all people), got {self.ids_per_batch}"
            raise ValueError(f"expected {people}")
        if self.device == "cuda" and not has_gpu():
            raise ValueError(f"expected an available device, got cuda: {NO_GPU}")

    def data_of(self, given: Collection | None = None) -> Data:
        """Return the data of the run; `given` is a loaded data set."""
        data = Data(self.data, self.level, self.train_ids, self.val_ids, self.images, self.data_seed)
        if given is None or given.source is None:
            return data
        source = given.source
        layout = "synvi" if given.synthetic else source.layout
        name = source.name if source.name != layout else ""
        return replace(data, root=str(source.root), layout=layout, reading=replace(given.reading, name=name))

    def recipe(self, library: Library, limits: Limits) -> Recipe:
        """Turn a checked request into a recipe."""
        given = None if self.data == RENDER else library.collections[self.data]
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
        return Recipe(self.data_of(given), config, self.minutes, self.seed, self.device, limits.minutes)


class Watch(Train):
    """The request of the tab: the run to watch, runs to compare, and the form of the next run."""

    run: Text = option("", "Run")
    beside: Annotated[tuple[Text, ...], Field(max_length=MOST_BESIDE)] = option((), "Runs to compare")


def run_object(value: object) -> object:
    """Accept `None` or a JSON object."""
    if value is None or (isinstance(value, Mapping) and all(isinstance(name, str) for name in value)):
        return value
    raise ValueError(f"expected the run as an object of names and values, got {shown(value)}")


class Start(Request):
    """Put a training run into the queue; one trains at a time.

    Returns:
        The run's name, its owner's token (returned only this once), its state and its place in the queue.
    """

    config: Annotated[dict[str, Any] | None, BeforeValidator(run_object)] = option(
        None,
        text=f"Values of the run, by name: {', '.join(Train.model_fields)}. Values that are not given come from the"
        " preset (taste, ten or gpu); minutes or epochs, not both.",
    )

    def train(self, library: Library) -> Train:
        """Read the run.

        Raises:
            ValueError: A name is unknown, or a value is not valid.
        """
        return Train.read(self.config or {}, library)


class Look(Request):
    """Return the state of a run: progress, losses, validation scores, settings and the commands that make it again."""

    run: Text = option("", text="Name of the run; empty for a list of all runs and the limits of this host.")


class Stop(Request):
    """Stop a run after the current step; it can be resumed later.

    Returns:
        As `/train_status`.
    """

    run: Text = option("", text="Name of the run.")
    token: Text = option("", text="Token of the run's owner, as returned by `/train_start`.")


def presets(library: Library, limits: Limits) -> list[dict[str, Any]]:
    """List name, title and values of each preset, and why it is unavailable here, empty where it is available."""
    made = []
    for name, title in TITLES.items():
        train = Train.read({"preset": name}, library)
        why = NO_GPU if train.device == "cuda" and not has_gpu() else ""
        try:
            train.check(limits)
        except ValueError:
            why = why or limits.refusal(f"more than the {limits.minutes:g} minutes that are allowed here")
        made.append({"name": name, "title": title, "values": train.model_dump(), "why": why})
    return made
