"""Read what a data set has on disk: the samples of each split."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mun.files import read_json
from mun.structures import Modality, Sample, Split

__all__ = ["SOURCES", "Source", "check_disjoint", "list_samples", "read_ids", "read_source", "read_sysu"]

CAMERAS = {camid: Modality.INFRARED if camid in (3, 6) else Modality.VISIBLE for camid in range(1, 7)}
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Source:
    """A data set on disk; the samples of a split ascend by identity, camera, file name.

    Attributes:
        name: What the images are: `sysu`, or `synvi` where the manifest says so.
        root: The folder it was read from.
        train: Samples to train on; like the others, empty where the data set has none.
        val: Samples to choose by.
        test: Samples to report on.
        manifest: The content of `manifest.json`, or `None` where there is none.
    """

    name: str
    root: Path
    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]
    manifest: Mapping[str, Any] | None = None

    def split(self, split: Split) -> tuple[Sample, ...]:
        """Return the samples of a split, which may be none."""
        return {Split.TRAIN: self.train, Split.VAL: self.val, Split.TEST: self.test}[split]

    def require(self, split: Split) -> tuple[Sample, ...]:
        """Return the samples of a split.

        Raises:
            ValueError: The split is empty.
        """
        samples = self.split(split)
        if not samples:
            raise ValueError(f"expected images in the {split} split of {self.root}, found none")
        return samples


def read_sysu(root: Path) -> Source:
    """Read the layout of SYSU-MM01: `cam1 … cam6/<id:04d>/<nnnn:04d>.jpg` and `exp/{train,val,test}_id.txt`.

    An identity list is one line of numbers with commas between them; an empty file is an empty split. Cameras 3 and 6
    are infrared. Passed over: identities that no list names, hidden files, files that are no images.

    Args:
        root: The folder with the `cam…` folders.

    Raises:
        FileNotFoundError: `root`, its camera folders or an identity list is missing.
        ValueError: A list is not one line of different positive integers, two lists share an identity, or an identity
            has no image; or `manifest.json` is not a JSON object.

    Source: Wu et al., ICCV 2017, "RGB-Infrared Cross-Modality Person Re-Identification".
    """
    root = Path(root)
    if not root.is_dir():
        raise FileNotFoundError(f"expected a folder with the data set at {root}, found none")
    if not any((root / f"cam{camid}").is_dir() for camid in CAMERAS):
        raise FileNotFoundError(f"expected folders cam1 … cam6 in {root}, found none of them")
    splits = {split: read_ids(root / "exp" / f"{split}_id.txt") for split in Split}
    check_disjoint(splits, root)
    samples = {split: list_samples(root, pids) for split, pids in splits.items()}
    for split, pids in splits.items():
        missing = sorted(set(pids) - {sample.pid for sample in samples[split]})
        if missing:
            raise ValueError(
                f"expected images of every identity of exp/{split}_id.txt in {root}/cam*/<id>,"
                f" found none of {len(missing)} of them, the first is {missing[0]:04d}"
            )
    manifest = read_json(root / "manifest.json") if (root / "manifest.json").exists() else None
    name = "synvi" if manifest is not None and manifest.get("data") == "synvi" else "sysu"
    return Source(name, root, samples[Split.TRAIN], samples[Split.VAL], samples[Split.TEST], manifest)


def _read_synvi(root: Path) -> Source:
    """Read the layout of SYSU-MM01 whose manifest says that it is SynVI."""
    source = read_sysu(root)
    if source.manifest is None:
        raise FileNotFoundError(f"expected SynVI's manifest at {source.root / 'manifest.json'}, found none")
    if source.name != "synvi":
        raise ValueError(
            f'expected "data": "synvi" in {source.root / "manifest.json"}, got {source.manifest.get("data")!r}'
        )
    return source


SOURCES: dict[str, Callable[[Path], Source]] = {"sysu": read_sysu, "synvi": _read_synvi}


def read_source(dataset: str, root: Path) -> Source:
    """Read a data set by the name of its layout; `sysu` reads SynVI too, and the source then says `synvi`.

    Raises:
        FileNotFoundError: Something that the layout needs is missing.
        ValueError: The name is unknown (the message lists them), or the data set contradicts itself.
    """
    if dataset not in SOURCES:
        raise ValueError(f"expected one of the data sets {', '.join(SOURCES)}; got {dataset!r}")
    return SOURCES[dataset](Path(root))


def read_ids(path: Path) -> list[int]:
    """Read one line of different positive integers with commas between them; none from an empty file."""
    if not path.is_file():
        raise FileNotFoundError(f"expected a list of identities at {path}, found none")
    text = path.read_text(encoding="utf-8-sig", errors="replace").strip()
    words = [word.strip() for word in text.split(",")] if text else []
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 10 and int(word) > 0):
            raise ValueError(
                f"expected one line of positive integers with commas between them in {path}, got {word[:40]!r}"
            )
    pids = [int(word) for word in words]
    if len(set(pids)) < len(pids):
        twice = min(pid for pid in pids if pids.count(pid) > 1)
        raise ValueError(f"expected every identity once in {path}, got {twice} more than once")
    return pids


def check_disjoint(splits: Mapping[Split, list[int]], root: Path) -> None:
    """Refuse an identity that two splits name."""
    owner: dict[int, Split] = {}
    for split, pids in splits.items():
        for pid in pids:
            if pid in owner:
                raise ValueError(
                    f"expected disjoint splits in {root / 'exp'},"
                    f" got identity {pid} in both {owner[pid]}_id.txt and {split}_id.txt"
                )
            owner[pid] = split


def list_samples(root: Path, pids: list[int]) -> tuple[Sample, ...]:
    """List the images of these identities, ascending by identity, camera, file name."""
    return tuple(
        Sample(folder / name, pid, camid, modality)
        for pid in sorted(pids)
        for camid, modality in CAMERAS.items()
        for folder in (root / f"cam{camid}" / f"{pid:04d}",)
        for name in _image_names(folder)
    )


def _image_names(folder: Path) -> list[str]:
    """List a folder's images by name; none where there is no folder, since a camera may not have seen the person."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_image(entry))
    except FileNotFoundError:
        return []


def _is_image(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.name.lower().endswith(IMAGE_SUFFIXES) and entry.is_file()
