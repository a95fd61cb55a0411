"""The images that visitors search, and what can be asked of them."""

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
CORRUPTION_NAMES = (MIXED, *CORRUPTIONS)  # what can be done to the visible images
SEVERITY = 3  # by default


class Direction(StrEnum):
    """Who asks whom; only infrared queries are a published protocol of SYSU-MM01.

    Attributes:
        published: Whether the protocols are published this way round.
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
        """The other way round."""
        return next(one for one in Direction if one is not self)


@dataclass(frozen=True)
class Terms:
    """The terms of a ranking.

    Attributes:
        protocol: Name of the protocol.
        trial: Number of the gallery, from 0.
        direction: Who asks whom.
        shots: Gallery images per identity and camera.
        rerank: Whether distances are mixed with those of k-reciprocal neighbourhoods.
        corruption: What is done to the visible images; `None` for nothing, as every published protocol has it.
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
        rows: Position of each by its key.
        numbers: Each counted from 1 among the images of its person by its camera, in the order of the samples.
        pids: Their people, ascending.
        camids: Their cameras, ascending.
        shots: How many gallery images per identity and camera the data allow; 1 is always among them.
        rule: The protocol in that direction.
    """

    samples: tuple[Sample, ...]
    rows: Mapping[str, int]
    numbers: tuple[int, ...]
    pids: tuple[int, ...]
    camids: tuple[int, ...]
    shots: tuple[int, ...]
    rule: Protocol

    @cached_property
    def way(self) -> str:
        """Who asks whom, in words."""
        published = "" if self.rule.published else " (not published)"
        return f"{self.rule.query_modality} → {self.rule.gallery_modality}{published}"

    @classmethod
    def of(cls, samples: tuple[Sample, ...], answering: tuple[Sample, ...], rule: Protocol) -> Queries:
        """Index some images, given those that would ask the other way round, of which the gallery is drawn."""
        seen: Counter[tuple[int, int]] = Counter()
        numbers = []
        for sample in samples:
            seen[sample.pid, sample.camid] += 1
            numbers.append(seen[sample.pid, sample.camid])
        pids, camids = (tuple(sorted(set(values))) for values in zip(*seen, strict=True))
        rows = {sample.key: row for row, sample in enumerate(samples)}
        fewest = min(Counter((sample.pid, sample.camid) for sample in answering).values())
        shots = SHOTS[:1] if rule.whole else tuple(count for count in SHOTS if count <= fewest)
        return cls(samples, rows, tuple(numbers), pids, camids, shots, rule)


@dataclass(frozen=True)
class Collection:
    """The test images of one data set, unchanged while the app runs; or a view of them with corrupted visible images.

    Attributes:
        name: What the images are: `synvi`, `sysu`, or what the owner calls them.
        samples: N images, ascending by identity, camera, file name.
        protocols: Names of the protocols that these images allow, the first is the default.
        content: Hash of the files' names, sizes and times; of a view also what is done to them.
        corruption: What is done to the visible images.
        pictured: Whether the images are at hand; else there are their names and features of them alone.
        origin: Of images that a features file names: which file, in words.
        source: The data set, with all splits; `None` where a features file names the images.
        reading: How it was read.
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
        """Say whether a sample looks other than its file does."""
        return self.corruption is not None and sample.modality is Modality.VISIBLE

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """Read a sample as it looks here, RGB, uint8, `(H, W, 3)`.

        Raises:
            OSError: The file is gone.
            ValueError: It is broken.
        """
        image = read_sample(sample)
        return self.corruption.draw(sample.key).apply(image) if self.corruption and self.changes(sample) else image

    def resized(self, sample: Sample, height: int, width: int) -> NDArray[np.uint8]:
        """Read a sample as networks see it, RGB, uint8, `(H, W, 3)`; a corruption comes before the change of size.

        Raises:
            OSError: The file is gone.
            ValueError: It is broken.
        """
        return resize(self.image(sample), height, width)

    def pixels(self, samples: Iterable[Sample], height: int, width: int) -> NDArray[np.uint8]:
        """Read samples as networks see them, RGB, uint8, `(N, H, W, 3)`.

        Raises:
            ValueError: An image is broken or gone.
        """
        with self.at_hand():
            return np.stack([self.resized(sample, height, width) for sample in samples])

    @contextmanager
    def at_hand(self) -> Iterator[None]:
        """Say in a sentence that a file is gone, without its folder, which is nobody's business.

        Raises:
            ValueError: It is.
        """
        try:
            yield
        except OSError:
            raise ValueError(f"an image of {self.title} is gone from the disk; start the app again") from None

    @cached_property
    def title(self) -> str:
        """The name as people write it."""
        return self.reading.name or (self.source.title if self.source else self.name)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.source.root if self.source else self.samples[0].path.absolute().parents[2]

    @property
    def synthetic(self) -> bool:
        """Whether the images were drawn by this project's renderer."""
        return self.source is not None and self.source.name == "synvi"

    @cached_property
    def plan(self) -> Plan | None:
        """What SynVI rendered them from; `None` for other data, or where the manifest is gone, odd, or of others."""
        if not self.synthetic:
            return None
        try:
            plan = Plan.from_manifest(read_json(self.folder / "manifest.json"))
        except (ValueError, OSError):
            return None
        return plan if {sample.pid for sample in self.samples} <= set(plan.pids()[Split.TEST]) else None

    def recipe(self, key: str) -> Recipe | None:
        """Return what SynVI made an image from; `None` for one that was put beside the rendered ones."""
        try:
            return self.plan.recipe_of(key) if self.plan else None
        except ValueError:
            return None

    @cached_property
    def in_both(self) -> list[int]:
        """Who is seen in visible and in infrared light, ascending."""
        visible = {sample.pid for sample in self.samples if sample.modality is Modality.VISIBLE}
        return sorted(visible & {sample.pid for sample in self.samples if sample.modality is Modality.INFRARED})

    @cached_property
    def findings(self) -> list[Finding]:
        """What was looked for in the data set and what was found; nothing of images that a features file names."""
        return inventory(self.source) if self.source else []

    @property
    def rules(self) -> list[Protocol]:
        """The protocols that can be asked, infrared queries first."""
        return [self.search(name) for name in self.protocols]

    @cached_property
    def _known(self) -> Mapping[str, Protocol]:
        return {one.name: one for one in protocols_of(self.source)} if self.source else PROTOCOLS

    def search(self, protocol: str, direction: Direction = Direction.INFRARED_TO_VISIBLE) -> Protocol:
        """Return a protocol in a direction: the one of that name, else turned round, so that gallery cameras ask."""
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
    def asked(self) -> Mapping[tuple[str, Direction], Queries]:
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
        return self.asked[self.protocols[0], Direction.INFRARED_TO_VISIBLE].samples

    @cached_property
    def num_identities(self) -> int:
        """How many people there are."""
        return len({sample.pid for sample in self.samples})

    def gallery(self, terms: Terms) -> list[Sample]:
        """Draw the gallery of a trial: `shots` images of each identity by each gallery camera that saw it."""
        return sample_gallery(self.search(terms.protocol, terms.direction), self.samples, terms.shots, terms.trial)


def allows(protocol: Protocol, samples: tuple[Sample, ...]) -> bool:
    """Say whether these images have queries and a gallery for a protocol."""
    return bool(queries(protocol, samples)) and bool(sample_gallery(protocol, samples, 1, 0))


def fingerprint(samples: tuple[Sample, ...]) -> str:
    """Hash the files' names, sizes and times."""
    digest = hashlib.sha256()
    for sample in samples:
        status = sample.path.stat()
        digest.update(f"{sample.key} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()[:24]


def open_collection(root: Path, layout: str | None = None, reading: Reading | None = None) -> Collection:
    """Read the test images of a data set.

    Args:
        root: Its folder, or a CSV.
        layout: How it is stored; found out by default.
        reading: How to read it.

    Raises:
        FileNotFoundError: The folder or something that its layout needs is missing.
        ValueError: What is there contradicts itself, or no protocol finds queries, a gallery and a match in it.
    """
    reading = reading or Reading()
    source = read_source(layout or "", root, reading, (Split.TEST,))
    samples = source.require(Split.TEST)
    published = [one for one in protocols_of(source) if one.data]
    offered = published or [one for one in protocols_of(source) if not one.mixed]
    names = dict.fromkeys(re.sub("-(i2v|v2i)$", "", one.name) for one in offered if allows(one, samples))
    if not names:
        draw_trials(offered[0], samples)  # says what is missing
        raise ValueError(f"expected queries and a gallery in the test split of {root}, found none")
    name = reading.name or source.name
    return Collection(name, samples, tuple(names), fingerprint(samples), source=source, reading=reading)
