"""Pictures made beforehand, so that the first view appears at once; found by the content that they were made of."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import astuple, fields
from pathlib import Path
from typing import Any

from app.actions.embeddings import project
from app.actions.embeddings.project import Mark, Point, Request, Result
from app.actions.embeddings.words import sentence
from app.library import Library
from app.library.checkpoints import CheckpointEntry
from app.library.collection import Collection
from mun.checkpoint import WEIGHTS
from mun.config import to_json
from mun.evaluation.separation import Histograms, Separation
from mun.files import read_json, write_text
from mun.structures import Modality

__all__ = ["FOLDER", "find", "name_of", "save"]

FOLDER = Path(__file__).resolve().parents[3] / "assets" / "projections"
FORMAT = 1
POINT_FIELDS = tuple(field.name for field in fields(Point))


def name_of(library: Library, request: Request) -> str:
    """Name the file of a checked request: a hash over weights and model, all images' bytes, and every parameter.

    Raises:
        OSError: The weights are gone.
        ValueError: An image is gone.
    """
    collection = library.collections[request.data]
    images = library.cache.get(("bytes", collection.content), lambda: hash_of(collection), lambda _: 200)
    entry = library.checkpoints[request.checkpoint]
    weights = library.cache.get(("weights", entry.content), lambda: weights_of(entry), lambda _: 200)
    words = [FORMAT, images, weights, *astuple(request)[1:]]
    return f"{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:24]}.json"


def hash_of(collection: Collection) -> str:
    """Hash the names and bytes of all images: whether an image is right at rank 1 depends on all of them."""
    digest = hashlib.sha256()
    for sample in collection.samples:
        digest.update(sample.key.encode())
        try:
            digest.update(sample.path.read_bytes())
        except OSError:
            raise ValueError("an image is gone from the disk; start the app again") from None
    return digest.hexdigest()


def weights_of(entry: CheckpointEntry) -> str:
    """Hash a checkpoint's weights and the model's choices; its scores and the rest of its card may change."""
    digest = hashlib.sha256((entry.folder / WEIGHTS).read_bytes())
    if entry.card is not None:
        digest.update(json.dumps(to_json(entry.card.config.model), sort_keys=True).encode())
    return digest.hexdigest()


def save(library: Library, result: Result, folder: Path = FOLDER) -> Path:
    """Write a result; its file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name_of(library, result.request)
    value = result.to_json()
    value["points"] = [[getattr(point, name) for name in POINT_FIELDS] for point in result.points]
    del value["sentence"]  # it names the checkpoint, which may be called otherwise elsewhere
    write_text(path, json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n")
    return path


def find(library: Library, request: Request, folder: Path = FOLDER) -> Result | None:
    """Return what was made beforehand of a checked request, or was asked for before; `None` where it must be made.

    The checkpoint's name may be another one: what counts is its content.
    """
    if project.key_of(library, request) in library.cache:
        return project.run(library, request)
    if not folder.is_dir():
        return None
    try:
        value = read_json(folder / name_of(library, request))
        return project.kept(library, request, read(library, request, value))
    except (OSError, ValueError, KeyError, TypeError):  # none, or a damaged one: it is made anew
        return None


def read(library: Library, request: Request, value: Mapping[str, Any]) -> Result:
    """Build the result of a file."""
    measured, counted = dict(value["numbers"]), value["histograms"]
    kept = float(measured.pop("neighbors_kept"))
    measured.pop("bandwidth")
    histograms = Histograms(tuple(counted["same"]), tuple(counted["different"]), counted["overlap"])
    shares = value["explained"]
    explained = None if shares is None else (float(shares[0]), float(shares[1]))
    points = tuple(Point(*row) for row in value["points"])
    return Result(
        request,
        points,
        tuple(Mark(**mark) for mark in value["centers"]),
        tuple(Mark(**mark) for mark in value["prototypes"]),
        Separation(**measured, histograms=histograms),
        kept,
        explained,
        sentence(library, request, Counter(Modality(point.modality) for point in points), explained),
    )
