"""Count what a data set in the layout of SYSU-MM01 has on disk, and compare it with what it should have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mun.data.sources import CAMERAS, check_disjoint, list_samples, read_ids
from mun.files import read_json
from mun.images import read_image
from mun.structures import Modality, Sample, Split

__all__ = ["DATASETS", "PERMUTATION_FILE", "Finding", "broken_images", "inventory"]

DATASETS = ("sysu", "synvi")
PERMUTATION_FILE = "exp/rand_perm_cam.mat"  # SYSU-MM01's official galleries

# Wu et al., ICCV 2017: 296 + 99 identities with 22,258 visible and 11,909 infrared images to train and validate with;
# 96 further identities with 3,803 infrared queries. How many visible images these 96 have is not among the counts.
SYSU: dict[str, int] = {
    "train identities": 296,
    "val identities": 99,
    "test identities": 96,
    "train and val visible images": 22_258,
    "train and val infrared images": 11_909,
    "test infrared images": 3_803,
}


@dataclass(frozen=True)
class Finding:
    """One thing that was looked for.

    Attributes:
        what: Its name.
        found: How many there are, or whether it is there.
        expected: The right number; `None` where it is unknown.
        note: An explanation, where one is needed.
    """

    what: str
    found: int
    expected: int | None = None
    note: str = ""

    @property
    def fine(self) -> bool:
        """Whether the count is the expected one."""
        return self.expected is None or self.found == self.expected


def inventory(root: Path, dataset: str) -> tuple[list[Finding], list[Sample]]:
    """Count everything that a data set should have; what is missing is a finding, not an error.

    Args:
        root: The folder of the data set.
        dataset: `sysu`: compare with the published counts; `synvi`: with the data set's own manifest.

    Returns:
        The findings, and the images that were found, of all splits.

    Raises:
        FileNotFoundError: There is no such folder, or nothing in it that looks like the layout.
        ValueError: A list of identities or the manifest is broken, two lists share an identity, the manifest is one
            of another data set, or `dataset` is unknown.
    """
    if dataset not in DATASETS:
        raise ValueError(f"expected one of the data sets {', '.join(DATASETS)}; got {dataset!r}")
    if not root.is_dir():
        raise FileNotFoundError(f"expected a folder with the data set at {root}, found none")
    cameras = [camid for camid in CAMERAS if (root / f"cam{camid}").is_dir()]
    if not cameras and not (root / "exp").is_dir():
        raise FileNotFoundError(f"expected folders cam1 … cam6 and exp in {root}, found none of them")
    manifest = read_manifest(root, dataset)
    lists = {split: root / "exp" / f"{split}_id.txt" for split in Split}
    pids = {split: read_ids(path) if path.is_file() else [] for split, path in lists.items()}
    check_disjoint(pids, root)
    samples = {split: list(list_samples(root, pids[split])) for split in Split}
    findings = [Finding("camera folders", len(cameras), len(cameras_of(manifest or {}, root)))]
    findings.append(Finding("identity lists in exp", sum(path.is_file() for path in lists.values()), len(lists)))
    if dataset == "sysu":
        findings += compare(count(pids, samples), SYSU)
        words = "only --gallery official needs it"
        findings.append(Finding(PERMUTATION_FILE, int((root / PERMUTATION_FILE).is_file()), None, words))
    else:
        findings.append(Finding("manifest.json", int(manifest is not None), 1))
        findings += compare(count(pids, samples), promised(manifest, root) if manifest else {})
    for split in Split:
        seen = {sample.pid for sample in samples[split]}
        lacking = sorted(set(pids[split]) - seen)
        note = f"the first is {lacking[0]:04d}" if lacking else ""
        findings.append(Finding(f"{split} identities without an image", len(lacking), 0, note))
    return findings, [sample for split in Split for sample in samples[split]]


def read_manifest(root: Path, dataset: str) -> dict[str, Any] | None:
    """Read `manifest.json`, where there is one, and refuse that of another data set."""
    path = root / "manifest.json"
    manifest = read_json(path) if path.exists() else None
    kind = None if manifest is None else manifest.get("data")
    if (dataset == "synvi" and manifest is not None and kind != "synvi") or (dataset == "sysu" and kind == "synvi"):
        raise ValueError(f"expected {dataset} in {root}, its manifest says {kind!r}")
    return manifest


def count(pids: Mapping[Split, list[int]], samples: Mapping[Split, list[Sample]]) -> dict[str, int]:
    """Count the identities that the lists name, and the images of each modality."""
    by = {split: Counter(sample.modality for sample in samples[split]) for split in Split}
    counts = {f"{split} identities": len(pids[split]) for split in Split}
    for modality in (Modality.VISIBLE, Modality.INFRARED):
        counts[f"train and val {modality} images"] = by[Split.TRAIN][modality] + by[Split.VAL][modality]
    for modality in (Modality.VISIBLE, Modality.INFRARED):
        counts[f"test {modality} images"] = by[Split.TEST][modality]
    return counts


def compare(found: Mapping[str, int], expected: Mapping[str, int]) -> list[Finding]:
    """Pair every count with the expected one."""
    return [Finding(what, number, expected.get(what)) for what, number in found.items()]


def cameras_of(manifest: Mapping[str, Any], root: Path) -> list[int]:
    """Return the cameras of a data set: those in SynVI's manifest, all six where it has no list.

    Raises:
        ValueError: The manifest names something else.
    """
    cameras = manifest.get("cameras", list(CAMERAS))
    if not isinstance(cameras, list) or not all(type(camid) is int and camid in CAMERAS for camid in cameras):
        raise ValueError(f"expected cameras in {root / 'manifest.json'} to be numbers from 1 to 6, got {cameras!r}")
    return cameras


def promised(manifest: Mapping[str, Any], root: Path) -> dict[str, int]:
    """Work out the counts from SynVI's manifest: each camera sees every identity of a split as often.

    Raises:
        ValueError: The manifest lacks a count.
    """
    numbers = {}
    for name in ("train_ids", "val_ids", "test_ids", "images_per_camera", "held_images_per_camera"):
        value = manifest.get(name, 0 if name.startswith("held") else None)  # which came later
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise ValueError(f"expected {name} in {root / 'manifest.json'} to be a whole number, got {value!r}")
        numbers[name] = value
    each = numbers["images_per_camera"]
    held = numbers["held_images_per_camera"] or each
    modalities = [CAMERAS[camid] for camid in cameras_of(manifest, root)]
    visible, infrared = (modalities.count(modality) for modality in (Modality.VISIBLE, Modality.INFRARED))
    learned = each * numbers["train_ids"] + held * numbers["val_ids"]
    return {
        "train identities": numbers["train_ids"],
        "val identities": numbers["val_ids"],
        "test identities": numbers["test_ids"],
        "train and val visible images": visible * learned,
        "train and val infrared images": infrared * learned,
        "test visible images": visible * held * numbers["test_ids"],
        "test infrared images": infrared * held * numbers["test_ids"],
    }


def broken_images(samples: Iterable[Sample]) -> list[str]:
    """Decode every image and return the keys of those that cannot be read."""
    broken = []
    for sample in samples:
        try:
            read_image(sample.path)
        except (ValueError, OSError):
            broken.append(sample.key)
    return broken
