"""Count what a data set has on disk, and compare it with the published counts or its own manifest."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

from mun.data import llcm, regdb, sysu
from mun.data.source import TITLES, Source
from mun.data.sysu import CAMERAS
from mun.structures import PAIRED, Modality, Sample, Split

__all__ = ["PERMUTATION_FILE", "PUBLISHED", "Finding", "inventory"]

PERMUTATION_FILE = "exp/rand_perm_cam.mat"  # SYSU-MM01's official galleries

# SYSU-MM01, Wu et al., ICCV 2017: the number of visible images of its 96 test identities is not published. RegDB,
# Nguyen et al., Sensors 2017, for each of the ten splits. LLCM, Zhang and Wang, CVPR 2023.
PUBLISHED: dict[str, dict[str, int]] = {
    "sysu": {
        "train identities": 296,
        "val identities": 99,
        "test identities": 96,
        "train and val visible images": 22_258,
        "train and val infrared images": 11_909,
        "test infrared images": 3_803,
    },
    "regdb": {
        **{f"{split} identities": 206 for split in ("train", "test")},
        **{f"{split} {modality} images": 2_060 for split in ("train", "test") for modality in PAIRED},
    },
    "llcm": {
        "train identities": 713,
        "train visible images": 16_946,
        "train infrared images": 13_975,
        "test identities": 351,
        "test visible images": 8_680,
        "test infrared images": 7_166,
    },
}


@dataclass(frozen=True)
class Finding:
    """One count of the inventory.

    Attributes:
        what: Name of the things that are counted.
        found: Their number; for a single file 1 or 0.
        expected: The right number; `None` if unknown.
        note: An explanation, if one is needed.
    """

    what: str
    found: int
    expected: int | None = None
    note: str = ""

    @property
    def fine(self) -> bool:
        """Whether the count is the expected one."""
        return self.expected is None or self.found == self.expected


def inventory(source: Source) -> list[Finding]:
    """Count the parts of a data set; a missing part is a finding, not an error.

    A published data set is compared with its published counts, SynVI with its own manifest, other data with nothing.

    Args:
        source: Read without `needs`, so that missing parts have not been refused.

    Raises:
        ValueError: The manifest of SynVI is broken.
    """
    findings = stored(source)
    expected = PUBLISHED.get(source.name, {}) if TITLES.get(source.name, ("",))[0] == source.layout else {}
    if source.name == "synvi":
        findings.append(Finding("manifest.json", int(bool(source.manifest)), 1))
        expected = expected_counts(source.manifest, source.root)
    findings += [Finding(what, number, expected.get(what)) for what, number in counted(source).items()]
    for split in Split:
        samples = source.split(split)
        lacking = sorted(set(source.listed.get(split, ())) - {sample.pid for sample in samples})
        note = f"the first is {lacking[0]:04d}" if lacking else ""
        if source.listed.get(split):
            findings.append(Finding(f"{split} identities without an image", len(lacking), 0, note))
        if alone := one_sided(samples):
            note = f"the first is {alone[0]:04d}"
            findings.append(Finding(f"{split} identities seen in one modality only", len(alone), None, note))
    return findings


def stored(source: Source) -> list[Finding]:
    """Count the folders and lists of a layout."""
    root = source.root
    if source.layout == "sysu":
        cameras = sum((root / f"cam{camid}").is_dir() for camid in CAMERAS)
        lists = sum(sysu.list_file(root, split).is_file() for split in Split)
        found = [Finding("camera folders", cameras, len(cameras_of(source.manifest, root)))]
        found.append(Finding("identity lists in exp", lists, len(Split) if source.name in ("sysu", "synvi") else None))
        if source.name == "sysu":
            words = "only --gallery official needs it"
            found.append(Finding(PERMUTATION_FILE, int((root / PERMUTATION_FILE).is_file()), None, words))
        return found
    if source.layout == "regdb":
        files = list(product(regdb.SPLITS, PAIRED, range(1, regdb.TRIALS + 1)))
        lists = sum(regdb.list_file(root, *one).is_file() for one in files)
        expected = len(files) if source.name == "regdb" else None
        return [Finding("image lists in idx", lists, expected), Finding("trial", source.trial)]
    if source.layout == "llcm":
        names = ("train_vis.txt", "train_nir.txt", "test_id.txt")
        lists = sum((root / "idx" / name).is_file() for name in names)
        folders = [
            (root / f"test_{folder}" / f"cam{camid}").is_dir()
            for modality, folder in llcm.FOLDERS.items()
            for camid in llcm.CAMERAS[modality]
        ]
        words = "no infrared camera 3"
        return [Finding("lists in idx", lists, 3), Finding("test cameras", sum(folders), len(folders), words)]
    return []


def counted(source: Source) -> dict[str, int]:
    """Count the identities that are listed for each split, and the images of each modality."""
    counts = {f"{split} identities": len(source.listed.get(split, ())) for split in Split}
    images = {split: Counter(sample.modality for sample in source.split(split)) for split in Split}
    if source.layout == "sysu":  # its publication counts train and val together
        for modality in PAIRED:
            counts[f"train and val {modality} images"] = images[Split.TRAIN][modality] + images[Split.VAL][modality]
        parts = [Split.TEST]
    else:
        parts = [split for split in Split if images[split] or source.listed.get(split)]
        counts = {name: number for name, number in counts.items() if name.partition(" ")[0] in parts}
    return counts | {f"{split} {modality} images": images[split][modality] for split in parts for modality in PAIRED}


def one_sided(samples: Iterable[Sample]) -> list[int]:
    """List the people who are seen in one modality only, ascending."""
    seen: dict[int, set[Modality]] = {}
    for sample in samples:
        seen.setdefault(sample.pid, set()).add(sample.modality)
    return sorted(pid for pid, modalities in seen.items() if len(modalities) == 1)


def cameras_of(manifest: Mapping[str, Any], root: Path) -> list[int]:
    """Return the cameras of a data set: those in SynVI's manifest, all six if it has no list.

    Raises:
        ValueError: The manifest names anything but cameras.
    """
    cameras = manifest.get("cameras", list(CAMERAS))
    if not isinstance(cameras, list) or not all(type(camid) is int and camid in CAMERAS for camid in cameras):
        raise ValueError(f"expected cameras in {root / 'manifest.json'} to be numbers from 1 to 6, got {cameras!r}")
    return cameras


def expected_counts(manifest: Mapping[str, Any], root: Path) -> dict[str, int]:
    """Compute the counts from SynVI's manifest: each camera sees every identity of a split equally often.

    Raises:
        ValueError: The manifest lacks a count.
    """
    numbers = {}
    for name in ("train_ids", "val_ids", "test_ids", "images_per_camera", "held_images_per_camera"):
        value = manifest.get(name, 0 if name.startswith("held") else None)  # newer than some manifests
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
