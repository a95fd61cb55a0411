"""The plan of a SynVI data set, and the recipe of each of its images."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from mun.structures import Split
from mun.synvi.camera import CAMERAS, Camera
from mun.synvi.levels import CUSTOM, LEVELS, Knobs, Level
from mun.synvi.people import draw_identity
from mun.synvi.render import render_image
from mun.synvi.scene import Key, Scene, draw_scene
from mun.synvi.wardrobe import Identity

__all__ = ["Plan", "Recipe"]

T = TypeVar("T")

MOST_IDS = 9999  # folder names have four digits
MOST_IMAGES = 9999


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that one image is made from; `dataclasses.replace` changes one thing and keeps the rest."""

    identity: Identity
    camera: Camera
    scene: Scene
    size: tuple[int, int] = (128, 64)  # rows and columns
    knobs: Knobs = field(default_factory=Knobs)

    def image(self) -> NDArray[np.uint8]:
        """Render the image: RGB, uint8, `(H, W, 3)`, before JPEG compression."""
        return render_image(self.identity, self.camera, self.scene, self.size, self.knobs)


@dataclass(frozen=True, slots=True)
class Plan:
    """The contents of a data set.

    Raises:
        ValueError: A count or the size is out of bounds, or there would be no identity or too many.
    """

    level: Level = field(default_factory=lambda: LEVELS["standard"])
    train_ids: int = 100
    val_ids: int = 20
    test_ids: int = 20
    images: int = 4  # per identity and camera
    size: tuple[int, int] = (128, 64)  # rows and columns
    seed: int = 0
    truth: bool = False  # whether the truth of every image is written too
    held_images: int = 0  # `images` of validation and test identities; 0: the same number
    cameras: tuple[int, ...] = tuple(CAMERAS)  # cameras that take images

    def __post_init__(self) -> None:
        for split, count in self.counts.items():
            if count < 0:
                raise ValueError(f"expected at least 0 {split} identities, got {count}")
        total = sum(self.counts.values())
        if not 1 <= total <= MOST_IDS:
            raise ValueError(f"expected 1 to {MOST_IDS} identities in all splits together, got {total}")
        if not 1 <= self.images <= MOST_IMAGES:
            raise ValueError(f"expected 1 to {MOST_IMAGES} images per identity and camera, got {self.images}")
        if not 0 <= self.held_images <= MOST_IMAGES:
            raise ValueError(f"expected 0 to {MOST_IMAGES} images per held-out identity, got {self.held_images}")
        if not self.cameras or list(self.cameras) != sorted(set(self.cameras) & CAMERAS.keys()):
            raise ValueError(f"expected cameras from 1 to {len(CAMERAS)}, ascending, got {self.cameras}")
        if not all(32 <= length <= 512 for length in self.size):
            raise ValueError(f"expected a height and a width from 32 to 512, got {self.size[0]}x{self.size[1]}")
        if not 0 <= self.seed < 2**63:
            raise ValueError(f"expected a seed from 0 to 2**63 - 1, got {self.seed}")

    @property
    def counts(self) -> dict[Split, int]:
        """The number of identities of each split, in the order of their folders."""
        return {Split.TRAIN: self.train_ids, Split.VAL: self.val_ids, Split.TEST: self.test_ids}

    def images_of(self, split: Split) -> int:
        """Return the number of images that each camera takes of each identity of a split."""
        return self.images if split is Split.TRAIN else self.held_images or self.images

    @property
    def total(self) -> int:
        """The number of all images."""
        return len(self.cameras) * sum(count * self.images_of(split) for split, count in self.counts.items())

    @property
    def command(self) -> str:
        """The command line that writes this plan to OUT."""
        counts = f"--train-ids {self.train_ids} --val-ids {self.val_ids} --test-ids {self.test_ids}"
        size = f"{self.size[0]}x{self.size[1]}"
        rest = f"--images {self.images} --size {size} --seed {self.seed}"
        rest += f" --held-images {self.held_images}" if self.held_images else ""
        rest += f" --cameras {','.join(map(str, self.cameras))}" if self.cameras != tuple(CAMERAS) else ""
        if self.level.name == CUSTOM:
            level = " ".join(f"--knob {name}={value!r}" for name, value in asdict(self.level.knobs).items())
        else:
            level = f"--level {self.level.name}"
        return f"python -m mun synth OUT {level} {counts} {rest}{' --truth' if self.truth else ''}"

    def pids(self) -> dict[Split, list[int]]:
        """The identity numbers of each split: from 1, train before val before test."""
        out, first = {}, 1
        for split, count in self.counts.items():
            out[split] = list(range(first, first + count))
            first += count
        return out

    def recipe(self, split: Split, number: int, camid: int, index: int) -> Recipe:
        """Draw the recipe of one image.

        Args:
            split: Of the person.
            number: Of the person in the split, from 0.
            camid: Number of the camera.
            index: Of the image of this person by this camera, from 0.
        """
        person = draw_identity(self.seed, split, number, self.level.knobs)
        return self._recipe(person, Key(self.seed, split, number, camid, index))

    def recipes(self, split: Split, number: int) -> Iterator[Recipe]:
        """Draw the recipes of all images of a person, by camera and index."""
        person = draw_identity(self.seed, split, number, self.level.knobs)
        for camid in self.cameras:
            for index in range(self.images_of(split)):
                yield self._recipe(person, Key(self.seed, split, number, camid, index))

    def _recipe(self, person: Identity, key: Key) -> Recipe:
        knobs = self.level.knobs
        return Recipe(person, CAMERAS[key.camid], draw_scene(key, knobs), self.size, knobs)

    def recipe_of(self, image: str) -> Recipe:
        """Draw the recipe of one image by its name below the folder, such as `cam3/0007/0001.jpg`.

        Raises:
            ValueError: There is no such image in this plan.
        """
        match = re.fullmatch(r"cam([1-6])/(\d{4})/(\d{4})\.jpg", image, re.ASCII)
        if match is not None:
            camid, pid, index = (int(word) for word in match.groups())
            for split, pids in self.pids().items():
                if pid in pids and camid in self.cameras and 1 <= index <= self.images_of(split):
                    return self.recipe(split, pids.index(pid), camid, index - 1)
        people = sum(self.counts.values())
        raise ValueError(
            f"expected an image such as cam3/0001/0001.jpg, people up to {people:04d}, images up to {self.images:04d};"
            f" got {image[:60]!r}"
        )

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Plan:
        """Read the plan of a data set that was written before.

        Raises:
            ValueError: The manifest is not SynVI's, or its level differs from today's level of that name.
        """
        if manifest.get("data") != "synvi" or manifest.get("format") != 1:
            raise ValueError("expected the manifest of SynVI, format 1, got another one")
        try:
            counts = {f"{split}_ids": typed(int, manifest[f"{split}_ids"]) for split in Split}
            name, version = typed(str, manifest["level"]), typed(int, manifest["level_version"])
            rows, columns = (typed(int, length) for length in manifest["size"])
            plan = cls(
                Level(name, version, Knobs(**manifest["knobs"])),
                **counts,
                images=typed(int, manifest["images_per_camera"]),
                size=(rows, columns),
                seed=typed(int, manifest["seed"]),
                truth=typed(bool, manifest.get("truth", False)),
                held_images=typed(int, manifest.get("held_images_per_camera", 0)),  # missing in old manifests
                cameras=tuple(typed(int, camid) for camid in manifest.get("cameras", CAMERAS)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"expected a complete manifest of SynVI, got a broken one: {error}") from None
        if name != CUSTOM and plan.level != LEVELS.get(name):
            known = ", ".join(f"{level.name} {level.version}" for level in LEVELS.values())
            raise ValueError(
                f"expected a level of this version of SynVI ({known}), got {name} {version} with other images"
            )
        return plan


def typed(kind: type[T], value: object) -> T:
    """Check the type of a value of a manifest, and return the value; a `bool` is not an `int`.

    Raises:
        TypeError: The value has another type.
    """
    if type(value) is not kind:
        raise TypeError(f"expected {kind.__name__}, got {str(value)[:40]!r}")
    return value
