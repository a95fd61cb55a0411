"""What this page runs on: versions, device, threads, the libraries and their licences."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata
from pathlib import Path

import torch

from app.library import Library
from mun import __version__

__all__ = ["BIBTEX", "LibraryInUse", "Versions", "licence_text", "versions"]

LICENCE = Path(__file__).parents[3] / "LICENSE"
LONGEST = 90  # characters of a licence's name; some packages put the whole text there
# What requirements.txt names.
LIBRARIES = (
    *("torch", "torchvision", "gradio", "numpy", "scipy", "pillow", "safetensors", "tqdm", "jinja2"),
    *("matplotlib", "scikit-learn", "umap-learn", "grad-cam", "plotly"),
)
BIBTEX = """@inproceedings{yu2023modality,
  title         = {Modality Unifying Network for Visible-Infrared Person Re-Identification},
  author        = {Yu, Hao and Cheng, Xu and Peng, Wei and Liu, Weihao and Zhao, Guoying},
  booktitle     = {Proceedings of the IEEE/CVF International Conference on Computer Vision (ICCV)},
  year          = {2023},
  eprint        = {2309.06262},
  archivePrefix = {arXiv}
}"""


@dataclass(frozen=True)
class LibraryInUse:
    """A library: its name, the version that is installed, and its licence as its own metadata says."""

    name: str
    version: str
    licence: str


@dataclass(frozen=True)
class Versions:
    """What answers here.

    Attributes:
        app: Version of this project.
        python: Of Python.
        device: Where networks run: the name of a GPU, or `CPU`.
        threads: That torch computes with on the CPU.
        libraries: What it is built on; one that is not installed is left out.
    """

    app: str
    python: str
    device: str
    threads: int
    libraries: tuple[LibraryInUse, ...]


def versions(library: Library) -> Versions:
    """Read the versions; no library is imported for it."""
    cuda = library.device.type == "cuda"
    device = torch.cuda.get_device_name(library.device) if cuda else library.device.type.upper()
    return Versions(__version__, platform.python_version(), device, torch.get_num_threads(), libraries_in_use())


@lru_cache(maxsize=1)
def libraries_in_use() -> tuple[LibraryInUse, ...]:
    """Look the libraries up where they are installed."""
    found = []
    for name in LIBRARIES:
        try:
            package = metadata.metadata(name)
        except metadata.PackageNotFoundError:
            continue
        found.append(LibraryInUse(name, metadata.version(name), licence_of(package)))
    return tuple(found)


def licence_of(package: metadata.PackageMetadata) -> str:
    """Read the name of a licence: the expression, else a classifier, else the old field where that is short."""
    expression = field_of(package, "License-Expression")
    classified = [
        str(value).rpartition(" :: ")[2]
        for value in package.get_all("Classifier") or []
        if str(value).startswith("License :: ") and str(value).count(" :: ") > 1
    ]
    field = field_of(package, "License")
    short = field if "\n" not in field and len(field) <= LONGEST else ""
    return expression or ", ".join(classified) or short or "see the package"


def field_of(package: metadata.PackageMetadata, name: str) -> str:
    """Read one field; empty where the package does not have it."""
    return str(package[name]).strip() if name in package else ""


def licence_text() -> str:
    """Read this project's licence; where the file is missing, say its name."""
    try:
        return LICENCE.read_text(encoding="utf-8").strip()
    except OSError:
        return "MIT License"
