"""The card of a finished run: what it was trained on, how it was chosen, and the commands that reproduce it."""

import dataclasses
import platform
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from mun import __version__
from mun.checkpoint import FORMAT, Card
from mun.config import leaves
from mun.data.source import Source
from mun.distributed import processes
from mun.structures import Split
from mun.training.run import RunSettings
from mun.training.step import resolved_precision

__all__ = ["changed_values", "describe_data", "flag_text", "make_card", "train_command"]


def make_card(
    folder: Path, settings: RunSettings, source: Source, step: int, selection: dict[str, Any], device: torch.device
) -> Card:
    """Describe a finished run; its test scores are added by `evaluate --card`.

    The command states the precision that `auto` meant on this device, so that it gives the same result elsewhere.

    Args:
        folder: The run; its name becomes the checkpoint's.
        settings: The settings of the run.
        source: The data it was trained on.
        step: Steps trained when the weights were kept.
        selection: How they were chosen.
        device: The device that it was finished on.
    """
    train = dataclasses.replace(settings.config.train, precision=resolved_precision(settings.config.train, device))
    here = dataclasses.replace(settings, config=dataclasses.replace(settings.config, train=train))
    made_on = {"device": device_name(device), "precision": train.precision}
    made_on |= {"processes": str(processes())} if processes() > 1 else {}
    data = describe_data(source)
    made = [data["command"]] if "command" in data else []
    if settings.pretrained:
        data["pretrained"] = {"file": Path(settings.pretrained).name, "sha256": settings.pretrained_sha256}
    return Card(
        format=FORMAT,
        name=folder.resolve().name,
        config=settings.config,
        seed=settings.seed,
        steps=step,
        data=data,
        selection=selection,
        scores=[],
        command=[*made, train_command(here)],
        versions={"python": platform.python_version(), "torch": torch.__version__, "mun": __version__, **made_on},
    )


def device_name(device: torch.device) -> str:
    """Return the name of a device, without the name of the machine: a GPU's model, or `CPU`."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"


def describe_data(source: Source) -> dict[str, Any]:
    """Describe a data set without naming a folder of the machine."""
    counts = {
        split.value: {"identities": len({sample.pid for sample in samples}), "images": len(samples)}
        for split in Split
        for samples in [source.split(split)]
    }
    known = {"level": str, "level_version": int, "level_hash": str, "seed": int, "images_per_camera": int}
    known |= {"size": list, "command": str}  # other data may mean something else by these words
    given = source.manifest if source.name == "synvi" else {}
    facts = {key: given[key] for key, kind in known.items() if type(given.get(key)) is kind}
    if not all(type(length) is int for length in facts.get("size", [])):
        del facts["size"]
    facts |= {"trial": source.trial} if source.trial else {}
    facts |= {"train_on": source.train_on} if source.train_on != "train" else {}
    named = {"name": source.name, **({"title": source.title} if source.title != source.name else {})}
    return {**named, **facts, "splits": counts}


def train_command(settings: RunSettings) -> str:
    """Write the command that reproduces a run, with every value that differs from the defaults."""
    data = shlex.quote(f"{settings.reading.name}=OUT") if settings.reading.name else "OUT"
    words = [f"python -m mun train --data {data}", f"--dataset {settings.dataset}", f"--seed {settings.seed}"]
    words += settings.reading.words()
    words += ["--pretrained FILE"] if settings.pretrained else []
    words += [f"--{flag} {value}" for flag, value in changed_values(settings.config)]
    return " ".join([*words, "--out RUN"])


def changed_values(config: Any) -> Iterator[tuple[str, str]]:
    """List the flags of a config that differ from their defaults."""
    for item, value in leaves(config):
        if value != item.default:
            yield item.name.replace("_", "-"), flag_text(value)


def flag_text(value: Any) -> str:
    """Write a value as people and the command line read it: `3,5,7`, `1x1,2x1`, `on`, `off`, `3` for 3.0."""
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, tuple):
        return ",".join("x".join(map(str, part)) if isinstance(part, tuple) else str(part) for part in value)
    return str(value).removesuffix(".0")
