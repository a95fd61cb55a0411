"""The controls of the Training tab: presets first, everything else folded away. Wiring only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.actions.training.request import (
    BACKBONES,
    DEVICES,
    PRESETS,
    Request,
    has_gpu,
    preset,
    preset_problem,
    trainable,
)
from app.jobs.record import RENDER
from app.library import Library
from mun.auxiliary.registry import AUXILIARIES
from mun.synvi import LEVELS

__all__ = ["NAMES", "Form", "build_form", "request_of", "values_of"]

NAMES = (
    "preset", "auxiliary", "data", "level", "train_ids", "val_ids", "images", "data_seed", "backbone", "width",
    "height", "image_width", "minutes", "epochs", "ids_per_batch", "instances_per_id", "lr", "identity_alignment",
    "modality_alignment", "triplet", "seed", "device",
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """The components, by name."""

    components: Mapping[str, Any]

    def inputs(self) -> list[Any]:
        """List the components in the order of `NAMES`."""
        return [self.components[name] for name in NAMES]


def values_of(request: Request) -> list[Any]:
    """List what the controls show for a request, in the order of `NAMES`."""
    return [getattr(request, name) for name in NAMES]


def request_of(values: Sequence[object]) -> Request:
    """Read a request from the controls' values; a number of epochs goes before a time budget.

    Raises:
        ValueError: A value is not one that the page ever offers.
    """
    named = dict(zip(NAMES, values, strict=True))
    if named["epochs"]:
        named["minutes"] = 0
    return Request.of(named)


def build_form(library: Library) -> Form:
    """Lay out the controls, filled in with the first preset."""
    first, limits = preset("taste"), library.jobs.limits
    offered = [(title, name) for name, (title, _) in PRESETS.items() if limits.off or not preset_problem(name, limits)]
    made: dict[str, Any] = {}
    made["preset"] = gr.Radio(offered or [(PRESETS["taste"][0], "taste")], value="taste", label="Preset")
    made["auxiliary"] = gr.Dropdown(list(AUXILIARIES), value=first.auxiliary, label="Auxiliary modality")
    with gr.Accordion("Data, network, length, losses", open=False, elem_id="train-more"):
        data = [
            ("SynVI, rendered for the run", RENDER),
            *((library.collections[n].title, n) for n in trainable(library)),
        ]
        made["data"] = gr.Dropdown(data, value=RENDER, label="Data to train on")
        with gr.Row(elem_classes="mun-train-pairs"):
            made["level"] = gr.Dropdown(list(LEVELS), value=first.level, label="Level of SynVI", min_width=110)
            made["data_seed"] = whole("Seed of the people", first.data_seed, 0)
            made["train_ids"] = whole("People to train on", first.train_ids, 2)
            made["val_ids"] = whole("People to validate on", first.val_ids, 2)
            made["images"] = whole("Images per person and camera", first.images, 1)
        with gr.Row(elem_classes="mun-train-pairs"):
            made["backbone"] = gr.Dropdown(list(BACKBONES), value=first.backbone, label="Backbone", min_width=110)
            made["width"] = real("Width", first.width)
            made["height"] = whole("Image height", first.height, 32)
            made["image_width"] = whole("Image width", first.image_width, 32)
        with gr.Row(elem_classes="mun-train-pairs"):
            made["minutes"] = real("Time budget, minutes", first.minutes)
            made["epochs"] = whole("Or epochs (0: by time)", first.epochs, 0)
            made["ids_per_batch"] = whole("People per batch", first.ids_per_batch, 2)
            made["instances_per_id"] = whole("Images of each", first.instances_per_id, 1)
        with gr.Row(elem_classes="mun-train-pairs"):
            made["identity_alignment"] = real("Weight: identity alignment", first.identity_alignment)
            made["modality_alignment"] = real("Weight: modality alignment", first.modality_alignment)
            made["triplet"] = real("Weight: triplet (not in MUN)", first.triplet)
            made["lr"] = real("Learning rate", first.lr)
        with gr.Row(elem_classes="mun-train-pairs"):
            made["seed"] = whole("Seed of the run", first.seed, 0)
            devices = [name for name in DEVICES if name != "cuda" or has_gpu()]
            made["device"] = gr.Dropdown(devices, value=first.device, label="Device", min_width=110)
    return Form(made)


def whole(label: str, value: int, low: int) -> gr.Number:
    """Make a field for a whole number; the server checks what comes."""
    return gr.Number(value, label=label, precision=0, minimum=low, min_width=110)


def real(label: str, value: float) -> gr.Number:
    """Make a field for a number; the server checks what comes."""
    return gr.Number(value, label=label, minimum=0, min_width=110)
