"""The truth of an image: parts, depth, place on the body, yaw, occlusion, attributes, and pixels that correspond.

OUT/truth/test.zip holds the truth of a split: `images.jsonl` with one line per image, and for each image a file of maps
such as `cam3/0007/0001.npz`, so that one image can be read without the others.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mun.structures import Modality
from mun.synvi.body import Pose
from mun.synvi.cloth import Spots, albedo, spots_on
from mun.synvi.figure import figure_of
from mun.synvi.plan import Recipe
from mun.synvi.render import hidden_by
from mun.synvi.solids import Floats, Part, Solid
from mun.synvi.trace import FINER, body_points, trace
from mun.synvi.wardrobe import Identity, Pattern

__all__ = ["Truth", "TruthFile", "corresponding", "read_truth", "truth_of"]

REST = Pose(phase=0.0, stride=0.0, lean=0.0, elbows=(0.1, 0.1))
PLACE_ZERO = np.array([128, 0, 128])  # centimetres: x and z count from here, y from the ground
SEEN = 1000  # an attribute counts as seen if it covers at least one pixel in this many
LINES, DATE = "images.jsonl", (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Truth:
    """The ground truth of one image.

    Attributes:
        parts: Values of `Part`, uint8, `(H, W)`.
        depth: Millimetres along the camera's axis, uint16, `(H, W)`; 0 where no person is seen.
        place: The place of the body that is seen, uint8, `(H, W, 3)`, as its position in centimetres if the person
            stood upright with hanging arms: to the left plus 128, above the ground, ahead plus 128; 0 where no person
            is seen. The same place of a person has the same numbers in every image.
        yaw: Of the person, radians in [−π, π); 0 faces the camera, more is turned to the person's left.
        occlusion: Share of the person inside the image that something hides, [0, 1].
        attributes: Attributes by name; `None` where this image does not show the attribute.
    """

    parts: NDArray[np.uint8]
    depth: NDArray[np.uint16]
    place: NDArray[np.uint8]
    yaw: float
    occlusion: float
    attributes: dict[str, Any]


def truth_of(recipe: Recipe) -> Truth:
    """Compute the truth of an image; nothing is random here.

    Raises:
        ValueError: The size is out of bounds.
    """
    identity, camera, scene = recipe.identity, recipe.camera, recipe.scene
    traced = trace(identity, camera, scene, recipe.size)
    _, hidden = hidden_by(scene, recipe.size)
    parts = traced.parts
    person = parts != Part.BACKGROUND
    occluded = person & (hidden > 0.5)
    parts[hidden > 0.5] = Part.OCCLUDER
    seen = person & ~occluded
    depth, place = np.zeros(seen.shape, np.uint16), np.zeros((*seen.shape, 3), np.uint8)
    depth[seen] = np.rint(1000 * traced.depth[::FINER, ::FINER][seen])
    points, solid = body_points(traced, scene.yaw)[:, ::FINER, ::FINER][:, seen], traced.solid[seen]
    rest = _at_rest(traced.solids, figure_of(identity, REST)[1], solid, points)
    place[seen] = np.clip(np.rint(100 * rest.T) + PLACE_ZERO, 0, 255)
    spots = spots_on(traced.solids, solid, points.astype(np.float32))
    yaw, share = float((scene.yaw + np.pi) % (2 * np.pi) - np.pi), float(occluded.sum() / max(person.sum(), 1))
    return Truth(parts, depth, place, yaw, share, _attributes(identity, camera.modality, parts, spots))


def _at_rest(posed: list[Solid], rest: list[Solid], which: NDArray[np.int16], points: Floats) -> Floats:
    """Move points, metres, body frame, `(3, N)`, from the solids of a pose to those of the upright figure."""
    out = np.zeros(points.shape)
    for number in np.unique(which):
        here, there = posed[number], rest[number]
        chosen = np.flatnonzero(which == number)
        local = here.matrix @ (points[:, chosen] - here.origin[:, None])
        if here.half is None and here.length > 0:
            share = np.clip(local[1] / here.length, 0, 1)
            beyond = local[1] - share * here.length
            radii = [solid.radii[0] + share * (solid.radii[1] - solid.radii[0]) for solid in (here, there)]
            local = local * (radii[1] / np.maximum(radii[0], 1e-6))
            local[1] = share * there.length + beyond
        elif here.half is None:
            local = local * (there.radii[0] / here.radii[0])
        out[:, chosen] = np.linalg.inv(there.matrix) @ local + there.origin[:, None]
    return out


def _attributes(identity: Identity, modality: Modality, parts: NDArray[np.uint8], spots: Spots) -> dict[str, Any]:
    """Return the attributes that an image shows of a person; spots are the points of its pixels."""
    enough = max(4, parts.size // SEEN)
    shown = {part for part in Part if (parts == part).sum() >= enough}
    head = bool(shown & {Part.FACE, Part.HAIR, Part.HAT})
    upper, lower, hair = identity.upper, identity.lower, identity.hair
    plain = {
        "upper": replace(identity, upper=replace(upper, pattern=Pattern.PLAIN)),
        "lower": replace(identity, lower=replace(lower, pattern=Pattern.PLAIN)),
    }
    light = albedo(identity, spots, modality)
    patterned = {
        name: (albedo(other, spots, modality) != light).any(0).sum() >= enough for name, other in plain.items()
    }
    out: dict[str, Any] = {}
    for name, part, garment in (("upper", Part.UPPER, upper), ("lower", Part.LOWER, lower)):
        seen, visible = part in shown, modality is Modality.VISIBLE
        out[name] = garment.kind if seen else None
        out[f"{name}_pattern"] = str(garment.pattern) if patterned[name] else None
        out[f"{name}_colour"] = [round(value, 3) for value in garment.fabric.colour] if seen and visible else None
        out[f"{name}_infrared"] = None if visible or not seen else round(garment.fabric.infrared, 3)
        out[f"{name}_hem"] = round(garment.hem, 3) if seen else None
    out["sleeve"] = round(upper.sleeve, 2) if Part.UPPER in shown else None
    out["hair"] = hair.style if head else None
    out["hat"] = hair.hat if head else None
    out["beard"] = hair.beard if Part.FACE in shown else None
    out["bag"] = identity.bag.kind if Part.BAG in shown else None
    out["boots"] = identity.boots if Part.SHOE in shown else None
    return out


def corresponding(one: Truth, other: Truth, within: float = 2.0) -> NDArray[np.int64]:
    """Find the pixels of two images of one person that show the same place of the body.

    Args:
        one: The truth of one image.
        other: The truth of another image of the same person, in either light.
        within: Largest distance on the body, centimetres.

    Returns:
        Pairs of pixels that are each other's nearest, ascending by the first: row and column in `one`, row and column
        in `other`, int64, `(M, 4)`.
    """
    pixels = [np.argwhere(truth.depth > 0) for truth in (one, other)]
    if not all(len(found) for found in pixels):
        return np.zeros((0, 4), np.int64)
    places = [
        np.column_stack([truth.place[tuple(found.T)], 1000.0 * truth.parts[tuple(found.T)]])
        for truth, found in zip((one, other), pixels, strict=True)
    ]
    far, ahead = cKDTree(places[1]).query(places[0], distance_upper_bound=within + 1e-9)
    _, back = cKDTree(places[0]).query(places[1])
    rows = np.flatnonzero(np.isfinite(far))
    rows = rows[back[ahead[rows]] == rows]
    return np.column_stack([pixels[0][rows], pixels[1][ahead[rows]]])


class TruthFile:
    """Write the truth of many images into one file.

    Args:
        path: The file to write, such as `truth/test.zip`.
    """

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = zipfile.ZipFile(path, "w")
        self._lines = b""

    def __enter__(self) -> TruthFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.writestr(zipfile.ZipInfo(LINES, DATE), self._lines, zipfile.ZIP_DEFLATED)
        self._file.close()

    def add(self, image: str, truth: Truth) -> None:
        """Append the truth of an image such as `cam3/0007/0001.jpg`."""
        facts = {"yaw": round(truth.yaw, 4), "occlusion": round(truth.occlusion, 4), "attributes": truth.attributes}
        self._lines += json.dumps({"image": image, **facts}).encode() + b"\n"
        maps = io.BytesIO()
        np.savez_compressed(maps, parts=truth.parts, depth=truth.depth, place=truth.place)
        self._file.writestr(zipfile.ZipInfo(_member(image), DATE), maps.getvalue())

    def take(self, path: Path) -> None:
        """Append everything in another truth file, and delete that file."""
        with zipfile.ZipFile(path) as other:
            for name in other.namelist():
                if name == LINES:
                    self._lines += other.read(name)
                else:
                    self._file.writestr(zipfile.ZipInfo(name, DATE), other.read(name))
        path.unlink()


def _member(image: str) -> str:
    return image.removesuffix(".jpg") + ".npz"


def read_truth(path: Path, image: str) -> Truth:
    """Read the truth of one image.

    Args:
        path: The truth of a split, such as `OUT/truth/test.zip`.
        image: Name of the image, such as `cam3/0007/0001.jpg`.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a truth of SynVI, or does not hold the image.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected the truth of a split at {path}, found none; `synth --truth` writes it")
    try:
        with zipfile.ZipFile(path) as file, np.load(io.BytesIO(file.read(_member(image)))) as maps:
            facts = {line["image"]: line for line in map(json.loads, file.read(LINES).splitlines())}[image]
            arrays = (maps["parts"], maps["depth"], maps["place"])
    except (KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"expected the truth of {image} in {path.name}, found none: {error}") from None
    return Truth(*arrays, facts["yaw"], facts["occlusion"], facts["attributes"])
