"""The images that visitors search, and what can be asked of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from mun.data.sources import read_source
from mun.evaluation.galleries import queries, sample_gallery
from mun.evaluation.protocols import PROTOCOLS, Protocol
from mun.files import read_json
from mun.structures import Sample, Split

__all__ = ["TITLES", "Collection", "open_collection"]

TITLES = {"synvi": "SynVI", "sysu": "SYSU-MM01"}


@dataclass(frozen=True)
class Collection:
    """The test images of one data set, unchanged while the app runs.

    Attributes:
        name: What the images are: `synvi`, `sysu`.
        samples: N images, ascending by identity, camera, file name.
        protocols: Names of the protocols that these images allow, the first is the default.
        content: Hash of the files' names, sizes and times.
    """

    name: str
    samples: tuple[Sample, ...]
    protocols: tuple[str, ...]
    content: str

    @property
    def title(self) -> str:
        """The name as people write it."""
        return TITLES.get(self.name, self.name)

    @property
    def synthetic(self) -> bool:
        """Whether the images were drawn by this project's renderer."""
        return self.name == "synvi"

    @cached_property
    def rows(self) -> Mapping[str, int]:
        """Row of each image by its key; the only way from a request to a file."""
        return {sample.key: row for row, sample in enumerate(self.samples)}

    @cached_property
    def queries(self) -> tuple[Sample, ...]:
        """The queries, which all protocols of a data set share."""
        return tuple(queries(PROTOCOLS[self.protocols[0]], self.samples))

    @cached_property
    def query_rows(self) -> Mapping[str, int]:
        """Position of each query by its key."""
        return {sample.key: row for row, sample in enumerate(self.queries)}

    @cached_property
    def num_identities(self) -> int:
        """How many people there are."""
        return len({sample.pid for sample in self.samples})

    def gallery(self, protocol: str, trial: int) -> list[Sample]:
        """Draw the gallery of a trial: one image of each identity by each gallery camera that saw it."""
        return sample_gallery(PROTOCOLS[protocol], self.samples, 1, trial)


def allows(protocol: Protocol, samples: tuple[Sample, ...]) -> bool:
    """Say whether these images have queries and a gallery for a protocol."""
    return protocol.sampled and bool(queries(protocol, samples)) and bool(sample_gallery(protocol, samples, 1, 0))


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
