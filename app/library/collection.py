"""The images that visitors search, and what can be asked of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mun.data.corruptions import CORRUPTIONS
from mun.data.sources import read_source
from mun.evaluation.corrupted import MIXED, Corruption
from mun.evaluation.galleries import queries, sample_gallery
from mun.evaluation.protocols import PROTOCOLS, Protocol
from mun.files import read_json
from mun.images import read_image, resize
from mun.structures import Modality, Sample, Split

__all__ = [
    "CORRUPTION_NAMES",
    "SEVERITY",
    "SHOTS",
    "TITLES",
    "Collection",
    "Direction",
    "Queries",
    "Terms",
    "allows",
    "corruption_of",
    "open_collection",
    "search",
]

TITLES = {"synvi": "SynVI", "sysu": "SYSU-MM01"}
SHOTS = (1, 2, 5, 10)  # gallery images per identity and camera; published tables have 1 and 10
CORRUPTION_NAMES = (MIXED, *CORRUPTIONS)  # what can be done to the visible images
SEVERITY = 3  # for who does not choose


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


def corruption_of(name: str, severity: int) -> Corruption | None:
    """Return what a name and a severity stand for; `None` for no name, and `mixed` draws its severities itself."""
    return Corruption(name, None if name == MIXED else severity) if name else None


@dataclass(frozen=True)
class Queries:
    """The queries of one protocol and direction.

    Attributes:
        samples: Q images, ascending by identity, camera, file name.
        rows: Position of each by its key.
        numbers: Each counted from 1 among the images of its person by its camera, in the order of the samples.
        pids: Their people, ascending.
        camids: Their cameras, ascending.
        fewest: Images of the person and camera of which there are fewest.
    """

    samples: tuple[Sample, ...]
    rows: Mapping[str, int]
    numbers: tuple[int, ...]
    pids: tuple[int, ...]
    camids: tuple[int, ...]
    fewest: int

    @classmethod
    def of(cls, samples: tuple[Sample, ...]) -> Queries:
        """Index some images."""
        seen: Counter[tuple[int, int]] = Counter()
        numbers = []
        for sample in samples:
            seen[sample.pid, sample.camid] += 1
            numbers.append(seen[sample.pid, sample.camid])
        pids, camids = (tuple(sorted(set(values))) for values in zip(*seen, strict=True))
        rows = {sample.key: row for row, sample in enumerate(samples)}
        return cls(samples, rows, tuple(numbers), pids, camids, min(seen.values()))


def search(protocol: str, direction: Direction) -> Protocol:
    """Return a protocol, turned round where visible images ask: its gallery cameras ask, its query cameras answer."""
    forward = PROTOCOLS[protocol]
    if direction.published:
        return forward
    return replace(
        forward,
        name=f"{protocol}-reversed",
        query_modality=forward.gallery_modality,
        query_cameras=tuple(sorted(forward.gallery_cameras)),
        gallery_cameras=forward.query_cameras,
    )


@dataclass(frozen=True)
class Collection:
    """The test images of one data set, unchanged while the app runs; or a view of them with corrupted visible images.

    Attributes:
        name: What the images are: `synvi`, `sysu`.
        samples: N images, ascending by identity, camera, file name.
        protocols: Names of the protocols that these images allow, the first is the default.
        content: Hash of the files' names, sizes and times; of a view also what is done to them.
        corruption: What is done to the visible images.
        pictured: Whether the images are at hand; else there are their names and features of them alone.
        origin: Of images that a features file names: which file, in words.
    """

    name: str
    samples: tuple[Sample, ...]
    protocols: tuple[str, ...]
    content: str
    corruption: Corruption | None = None
    pictured: bool = True
    origin: str = ""

    def corrupted(self, corruption: Corruption | None) -> Collection:
        """Return a view of the same images, the visible ones corrupted; the images themselves for `None`."""
        if corruption is None:
            return self
        return replace(self, content=f"{self.content} {corruption}", corruption=corruption)

    def changes(self, sample: Sample) -> bool:
        """Say whether a sample looks other than its file does."""
        return self.corruption is not None and sample.modality is Modality.VISIBLE

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """Read a sample as it looks here, RGB, uint8, `(H, W, 3)`.

        Raises:
            OSError: The file is gone.
            ValueError: It is broken.
        """
        image = read_image(sample.path, sample.key)
        return self.corruption.draw(sample.key).apply(image) if self.corruption and self.changes(sample) else image

    def network_image(self, sample: Sample, height: int, width: int) -> NDArray[np.uint8]:
        """Read a sample as a network sees it; a corruption comes before the change of size.

        Raises:
            OSError: The file is gone.
            ValueError: It is broken.
        """
        return resize(self.image(sample), height, width)

    @cached_property
    def title(self) -> str:
        """The name as people write it."""
        return TITLES.get(self.name, self.name)

    @property
    def folder(self) -> Path:
        """Where it lies, from its first image: `cam3/0007/0001.jpg` is three levels below; links are not followed."""
        return self.samples[0].path.absolute().parents[2]

    @property
    def synthetic(self) -> bool:
        """Whether the images were drawn by this project's renderer."""
        return self.name == "synvi"

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each image by its key; the only way from a request to a file."""
        return {sample.key: row for row, sample in enumerate(self.samples)}

    @cached_property
    def _asked(self) -> Mapping[tuple[str, Direction], Queries]:
        return {
            (protocol, direction): Queries.of(tuple(queries(search(protocol, direction), self.samples)))
            for protocol in self.protocols
            for direction in Direction
        }

    def asked(self, protocol: str, direction: Direction = Direction.INFRARED_TO_VISIBLE) -> Queries:
        """Return the queries of a protocol; infrared ones are the same for all protocols of a data set."""
        return self._asked[protocol, direction]

    @property
    def queries(self) -> tuple[Sample, ...]:
        """The infrared queries."""
        return self.asked(self.protocols[0]).samples

    @cached_property
    def num_identities(self) -> int:
        """How many people there are."""
        return len({sample.pid for sample in self.samples})

    def shots(self, protocol: str, direction: Direction = Direction.INFRARED_TO_VISIBLE) -> tuple[int, ...]:
        """List how many gallery images per identity and camera the data allow; 1 is always among them."""
        if search(protocol, direction).whole:
            return SHOTS[:1]
        candidates = self.asked(protocol, direction.other)  # who answers here would ask the other way round
        return tuple(shots for shots in SHOTS if shots <= candidates.fewest)

    def gallery(
        self, protocol: str, trial: int, direction: Direction = Direction.INFRARED_TO_VISIBLE, shots: int = 1
    ) -> list[Sample]:
        """Draw the gallery of a trial: `shots` images of each identity by each gallery camera that saw it."""
        return sample_gallery(search(protocol, direction), self.samples, shots, trial)


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


def open_collection(root: Path, dataset: str | None = None) -> Collection:
    """Read the test images of a folder.

    Args:
        root: The folder of the data set.
        dataset: `synvi` or `sysu`; by default SynVI where the manifest says so, else SYSU-MM01.

    Raises:
        FileNotFoundError: The folder or something that its layout needs is missing.
        ValueError: What is there contradicts itself, or no protocol finds queries and a gallery in it.
    """
    manifest = root / "manifest.json"
    if dataset is None:
        dataset = "synvi" if manifest.is_file() and read_json(manifest).get("data") == "synvi" else "sysu"
    source = read_source(dataset, root)
    samples = source.require(Split.TEST)
    protocols = tuple(
        name for name in (f"{source.name}-all", f"{source.name}-indoor") if allows(PROTOCOLS[name], samples)
    )
    if not protocols:
        raise ValueError(f"expected infrared queries and visible gallery images in the test split of {root}, got none")
    return Collection(source.name, samples, protocols, fingerprint(samples))
