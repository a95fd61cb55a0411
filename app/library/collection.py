"""The images that visitors search, with their queries, galleries and protocols."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mun.data.corruptions import CORRUPTIONS
from mun.data.inventory import Finding, inventory
from mun.data.source import Reading, Source, read_sample
from mun.data.sources import read_source
from mun.evaluation.corrupted import MIXED, Corruption
from mun.evaluation.galleries import draw_trials, queries, sample_gallery
from mun.evaluation.protocols import PROTOCOLS, Protocol, protocols_of
from mun.files import read_json
from mun.images import resize
from mun.structures import Modality, Sample, Split
from mun.synvi.plan import Plan, Recipe

__all__ = ["CORRUPTION_NAMES", "SEVERITY", "SHOTS", "Collection", "Direction", "Queries", "Terms", "allows"]
__all__ += ["open_collection"]

SHOTS = (1, 2, 5, 10)  # gallery images per identity and camera; published tables have 1 and 10
CORRUPTION_NAMES = (MIXED, *CORRUPTIONS)  # corruptions that can be applied to the visible images
SEVERITY = 3  # the default


class Direction(StrEnum):
    """Which modality queries which; only infrared queries are a published protocol of SYSU-MM01.

    Attributes:
        published: Whether the protocols are published for this direction.
        query_modality: The modality of the queries.
        gallery_modality: The modality of the gallery.
    """

    INFRARED_TO_VISIBLE = "i2v"
    VISIBLE_TO_INFRARED = "v2i"

    def __init__(self, value: str) -> None:
        self.published = value == "i2v"
        modalities = (Modality.INFRARED, Modality.VISIBLE)
        self.query_modality, self.gallery_modality = modalities if self.published else modalities[::-1]

    @cached_property
    def other(self) -> Direction:
        """The opposite direction."""
        return next(one for one in Direction if one is not self)


@dataclass(frozen=True)
class Terms:
    """The settings of a ranking.

    Attributes:
        protocol: Name of the protocol.
        trial: Number of the gallery, from 0.
        direction: Which modality queries which.
        shots: Gallery images per identity and camera.
        rerank: Whether distances are mixed with those of k-reciprocal neighbourhoods.
        corruption: Corruption of the visible images; `None` for none, as in every published protocol.
    """

    protocol: str
    trial: int = 0
    direction: Direction = Direction.INFRARED_TO_VISIBLE
    shots: int = 1
    rerank: bool = False
    corruption: Corruption | None = None


@dataclass(frozen=True)
class Queries:
    """The queries of one protocol and direction.

    Attributes:
        samples: Q images, ascending by identity, camera, file name.
        rows: Row of each query, by key.
        numbers: Number of each query among the images of its person and camera, from 1, in the order of `samples`.
        pids: Their identities, ascending.
        camids: Their cameras, ascending.
        shots: Allowed numbers of gallery images per identity and camera; 1 is always allowed.
        gallery: Images of a gallery with one shot.
        rule: The protocol in that direction.
    """

    samples: tuple[Sample, ...]
    rows: Mapping[str, int]
    numbers: tuple[int, ...]
    pids: tuple[int, ...]
    camids: tuple[int, ...]
    shots: tuple[int, ...]
    gallery: int
    rule: Protocol

    @cached_property
    def way(self) -> str:
        """Query and gallery modality, as text."""
        published = "" if self.rule.published else " (not published)"
        return f"{self.rule.query_modality} → {self.rule.gallery_modality}{published}"

    @classmethod
    def of(cls, samples: tuple[Sample, ...], candidates: tuple[Sample, ...], rule: Protocol) -> Queries:
        """Index query images; `candidates`, from which the gallery is drawn, are the opposite direction's queries."""
        seen: Counter[tuple[int, int]] = Counter()
        numbers = []
        for sample in samples:
            seen[sample.pid, sample.camid] += 1
            numbers.append(seen[sample.pid, sample.camid])
        pids, camids = (tuple(sorted(set(values))) for values in zip(*seen, strict=True))
        rows = {sample.key: row for row, sample in enumerate(samples)}
        groups = Counter((sample.pid, sample.camid) for sample in candidates)
        shots = SHOTS[:1] if rule.whole else tuple(count for count in SHOTS if count <= min(groups.values()))
        gallery = len(candidates) if rule.whole else len(groups)
        return cls(samples, rows, tuple(numbers), pids, camids, shots, gallery, rule)


@dataclass(frozen=True)
class Collection:
    """The test images of one data set, unchanged while the app runs; or a view of them with corrupted visible images.

    Attributes:
        name: Name of the data set: `synvi`, `sysu`, or the name that the owner gave it.
        samples: N images, ascending by identity, camera, file name.
        protocols: Names of the protocols that these images allow, the first is the default.
        content: Hash of the files' names, sizes and times; for a view, also its corruption.
        corruption: Corruption of the visible images; `None` for none.
        pictured: Whether the image files are available; otherwise only their names and features are.
        origin: Description of the features file that names the images; empty for other data.
        source: The data set, with all splits; `None` if a features file names the images.
        reading: The options with which it was read.
    """

    name: str
    samples: tuple[Sample, ...]
    protocols: tuple[str, ...]
    content: str
    corruption: Corruption | None = None
    pictured: bool = True
    origin: str = ""
    source: Source | None = None
    reading: Reading = field(default_factory=Reading)

    def changes(self, sample: Sample) -> bool:
        """Return whether the corruption changes a sample."""
        return self.corruption is not None and sample.modality is Modality.VISIBLE

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """Read a sample, corrupted if this view is, RGB, uint8, `(H, W, 3)`.

        Raises:
            OSError: The file is gone.
            ValueError: It is broken.
        """
        image = read_sample(sample)
        return self.corruption.draw(sample.key).apply(image) if self.corruption and self.changes(sample) else image

    def resized(self, sample: Sample, height: int, width: int) -> NDArray[np.uint8]:
        """Read a sample at a network's size, RGB, uint8, `(H, W, 3)`; a corruption is applied before resizing.

        Raises:
            OSError: The file is gone.
            ValueError: It is broken.
        """
        return resize(self.image(sample), height, width)

    def pixels(self, samples: Iterable[Sample], height: int, width: int) -> NDArray[np.uint8]:
        """Read samples at a network's size, RGB, uint8, `(N, H, W, 3)`.

        Raises:
            ValueError: An image is broken or gone.
        """
        with self.readable():
            return np.stack([self.resized(sample, height, width) for sample in samples])

    @contextmanager
    def readable(self) -> Iterator[None]:
        """Replace the error of a missing file by one that does not show its folder to visitors.

        Raises:
            ValueError: A file is missing.
        """
        try:
            yield
        except OSError:
            raise ValueError(f"an image of {self.title} is gone from the disk; start the app again") from None

    @cached_property
    def title(self) -> str:
        """The name for display."""
        return self.reading.name or (self.source.title if self.source else self.name)

    @property
    def folder(self) -> Path:
        """The folder of the data set."""
        return self.source.root if self.source else self.samples[0].path.absolute().parents[2]

    @property
    def synthetic(self) -> bool:
        """Whether the images were drawn by this project's renderer."""
        return self.source is not None and self.source.name == "synvi"

    @cached_property
    def plan(self) -> Plan | None:
        """The SynVI plan; `None` for other data, or if the manifest is missing, invalid, or of other people."""
        if not self.synthetic:
            return None
        try:
            plan = Plan.from_manifest(read_json(self.folder / "manifest.json"))
        except (ValueError, OSError):
            return None
        return plan if {sample.pid for sample in self.samples} <= set(plan.pids()[Split.TEST]) else None

    def recipe(self, key: str) -> Recipe | None:
        """Return the SynVI recipe of an image; `None` for an image that was added to the rendered ones."""
        try:
            return self.plan.recipe_of(key) if self.plan else None
        except ValueError:
            return None

    @cached_property
    def shared_pids(self) -> list[int]:
        """Identities with visible and infrared images, ascending."""
        visible = {sample.pid for sample in self.samples if sample.modality is Modality.VISIBLE}
        return sorted(visible & {sample.pid for sample in self.samples if sample.modality is Modality.INFRARED})

    @cached_property
    def findings(self) -> list[Finding]:
        """The checks of the data set with their results; empty if a features file names the images."""
        return inventory(self.source) if self.source else []

    @property
    def rules(self) -> list[Protocol]:
        """The protocols that these images allow, with infrared queries."""
        return [self.search(name) for name in self.protocols]

    @cached_property
    def _known(self) -> Mapping[str, Protocol]:
        return {one.name: one for one in protocols_of(self.source)} if self.source else PROTOCOLS

    def search(self, protocol: str, direction: Direction = Direction.INFRARED_TO_VISIBLE) -> Protocol:
        """Return a protocol in a direction: the defined one, else the protocol with query and gallery swapped."""
        named = self._known.get(f"{protocol}-{direction.value}") or self._known[protocol]
        if named.name != protocol or direction.published:
            return named
        return replace(
            named,
            name=f"{protocol}-reversed",
            query_modality=named.gallery_modality,
            query_cameras=tuple(sorted(named.gallery_cameras)),
            gallery_cameras=named.query_cameras,
            data="",
        )

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each image by its key; the only way from a request to a file."""
        return {sample.key: row for row, sample in enumerate(self.samples)}

    @cached_property
    def query_sets(self) -> Mapping[tuple[str, Direction], Queries]:
        """The queries by protocol and direction; infrared ones are the same for all protocols of a data set."""
        made = {}
        for name in self.protocols:
            found = {way: self.search(name, way) for way in Direction}
            sides = {way: tuple(queries(one, self.samples)) for way, one in found.items()}
            for way, one in found.items():
                made[name, way] = Queries.of(sides[way], sides[way.other], one)
        return made

    @property
    def queries(self) -> tuple[Sample, ...]:
        """The infrared queries."""
        return self.query_sets[self.protocols[0], Direction.INFRARED_TO_VISIBLE].samples

    @cached_property
    def num_identities(self) -> int:
        """Number of identities."""
        return len({sample.pid for sample in self.samples})

    def gallery(self, terms: Terms) -> list[Sample]:
        """Draw the gallery of a trial: `shots` images of each identity by each gallery camera that saw it."""
        return sample_gallery(self.search(terms.protocol, terms.direction), self.samples, terms.shots, terms.trial)


def allows(protocol: Protocol, samples: tuple[Sample, ...]) -> bool:
    """Say whether these images have queries and a gallery for a protocol."""
    return bool(queries(protocol, samples)) and bool(sample_gallery(protocol, samples, 1, 0))


def fingerprint(samples: tuple[Sample, ...]) -> str:
    """Hash the facts of the images, and the sizes and times of their files."""
    digest = hashlib.sha256()
    for sample in samples:
        status, facts = sample.path.stat(), (sample.key, sample.pid, sample.camid, sample.modality, sample.levels)
        digest.update(f"{facts} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]


def open_collection(root: Path, layout: str | None = None, reading: Reading | None = None) -> Collection:
    """Read the test images of a data set.

    Args:
        root: Its folder, or a CSV.
        layout: How it is stored; detected by default.
        reading: How to read it.

    Raises:
        FileNotFoundError: The folder or something that its layout needs is missing.
        ValueError: The data are inconsistent, or no protocol finds queries, a gallery and a match in them.
    """
    reading = reading or Reading()
    source = read_source(layout or "", root, reading, (Split.TEST,))
    samples = source.require(Split.TEST)
    published = [one for one in protocols_of(source) if one.data]
    offered = published or [one for one in protocols_of(source) if not one.mixed]
    names = dict.fromkeys(re.sub("-(i2v|v2i)$", "", one.name) for one in offered if allows(one, samples))
    if not names:
        draw_trials(offered[0], samples)  # its error says what is missing
        raise ValueError(f"expected queries and a gallery in the test split of {root}, found none")
    name = reading.name or source.name
    return Collection(name, samples, tuple(names), fingerprint(samples), source=source, reading=reading)
