"""The running app: its checkpoints and data, its device, the libraries and their licences."""

import platform
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from app.library import Library
from app.library.checkpoints import CheckpointEntry
from app.shared.request import Request
from mun import __version__
from mun.training.card import device_name

__all__ = ["BIBTEX", "LIBRARIES", "Nothing", "answer", "libraries_in_use", "licence_text", "running_on"]

LICENCE = Path(__file__).parents[2] / "LICENSE"
LONGEST = 90  # characters of a licence's name; some packages put the whole text there
# What requirements.txt names.
LIBRARIES = (
    *("torch", "torchvision", "gradio", "pydantic", "numpy", "scipy", "pillow", "safetensors", "tqdm", "jinja2"),
    *("matplotlib", "scikit-learn", "umap-learn", "grad-cam", "plotly", "filelock", "psutil"),
)
BIBTEX = """@inproceedings{yu2023modality,
  title         = {Modality Unifying Network for Visible-Infrared Person Re-Identification},
  author        = {Yu, Hao and Cheng, Xu and Peng, Wei and Liu, Weihao and Zhao, Guoying},
  booktitle     = {Proceedings of the IEEE/CVF International Conference on Computer Vision (ICCV)},
  year          = {2023},
  eprint        = {2309.06262},
  archivePrefix = {arXiv}
}"""


class Nothing(Request):
    """Say which version runs on what device, and which checkpoints and data sets are loaded."""


def answer(library: Library, request: Nothing) -> dict[str, Any]:  # noqa: ARG001
    """Answer `/status`."""
    return {
        "version": __version__,
        "device": "cpu" if library.device.type == "cpu" else device_name(library.device),
        "checkpoints": [describe(entry) for entry in library.checkpoints.values()],
        "data": [
            {
                "name": name,
                **{one: getattr(collection, one) for one in ("title", "synthetic", "protocols")},
                "identities": collection.num_identities,
                "images": len(collection.samples),
                "queries": len(collection.queries),
            }
            for name, collection in library.collections.items()
        ],
    }


def describe(entry: CheckpointEntry) -> dict[str, Any]:
    """Describe one checkpoint; values that only a usable one has are `None` for others, and `reason` says why."""
    card = entry.card
    model = card.config.model if card else None
    return {
        "name": entry.name,
        "title": entry.title,
        "usable": card is not None,
        "reason": None if card else entry.reason,
        **{name: getattr(model, name, None) for name in ("auxiliary", "backbone", "width")},
        "parameters": entry.parameters if card else None,
        "trained_on": card.data.get("name") if card else None,
        "scores": card.scores if card else [],
    }


def running_on(library: Library) -> list[tuple[str, str]]:
    """List version, device and threads of the running app, as label and text."""
    return [
        ("This project", __version__),
        ("Python", platform.python_version()),
        ("Networks run on", device_name(library.device)),
        ("Threads", str(torch.get_num_threads())),
    ]


@lru_cache(maxsize=1)
def libraries_in_use() -> tuple[tuple[str, str, str], ...]:
    """List name, version and licence of each library that is installed, as its own metadata says; none is imported."""
    found = []
    for name in LIBRARIES:
        with suppress(metadata.PackageNotFoundError):
            found.append((name, metadata.version(name), licence_of(metadata.metadata(name).json)))
    return tuple(found)


def licence_of(package: Mapping[str, str | list[str]]) -> str:
    """Read the name of a licence: the expression, else a classifier, else the old field where that is short."""
    classified = [
        one.rpartition(" :: ")[2]
        for one in package.get("classifier", [])
        if one.startswith("License :: ") and one.count(" :: ") > 1
    ]
    field = str(package.get("license", "")).strip()
    short = field if "\n" not in field and len(field) <= LONGEST else ""
    return str(package.get("license_expression", "")) or ", ".join(classified) or short or "see the package"


def licence_text() -> str:
    """Read this project's licence; where the file is missing, say its name."""
    try:
        return LICENCE.read_text(encoding="utf-8").strip()
    except OSError:
        return "MIT License"
