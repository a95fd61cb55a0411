"""Lists that data sets bring: of identities, and of images with a label."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Container, Iterable, Mapping
from pathlib import Path

from mun.structures import Sample, Split

__all__ = ["by_identity", "check_disjoint", "check_seen", "read_ids", "read_image_list"]


def read_ids(path: Path) -> list[int]:
    """Read different positive integers with commas or line breaks between them; none from an empty file."""
    if not path.is_file():
        raise FileNotFoundError(f"expected a list of identities at {path}, found none")
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    words = [word for word in re.split(r"[,;\s]+", text) if word]
    for word in words:
        if not (word.isascii() and word.isdigit() and len(word) < 10 and int(word) > 0):
            raise ValueError(
                f"expected positive integers with commas or line breaks between them in {path}, got {word[:40]!r}"
            )
    pids = [int(word) for word in words]
    if len(set(pids)) < len(pids):
        twice = min(pid for pid, count in Counter(pids).items() if count > 1)
        raise ValueError(f"expected every identity once in {path}, got {twice} more than once")
    return pids


def read_image_list(path: Path, there: Container[str], *, needed: bool) -> list[str]:
    """Read the paths of a list of images, one a line; the label behind each says nothing about the person.

    Args:
        path: Of the list.
        there: The images that there are.
        needed: Whether all images of the list must be there; otherwise the others are left out.

    Raises:
        FileNotFoundError: There is no such list, or an image that is needed is not there.
        ValueError: A line is no path with a label, or a path is there twice.
    """
    if not path.is_file():
        raise FileNotFoundError(f"expected a list of images at {path}, found none")
    names = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig", errors="replace").splitlines(), start=1):
        if not line.strip():
            continue
        name, _, label = line.strip().rpartition(" ")
        if not name or not label.isdecimal():
            raise ValueError(f"expected a path and a label in line {number} of {path}, got {line.strip()[:60]!r}")
        names.append(name.strip().replace("\\", "/").removeprefix("./"))
    if len(set(names)) < len(names):
        twice = next(name for name, count in Counter(names).items() if count > 1)
        raise ValueError(f"expected every image once in {path}, got {twice[:60]!r} more than once")
    missing = [name for name in names if name not in there]
    if missing and needed:
        raise FileNotFoundError(
            f"expected every image of {path}, found no image at {len(missing)} of its {len(names)} places, the first is"
            f" {missing[0]}"
        )
    return [name for name in names if name in there] if missing else names


def check_disjoint(splits: Mapping[Split, Iterable[int]], place: Path) -> None:
    """Refuse an identity that two splits name."""
    owner: dict[int, Split] = {}
    for split, pids in splits.items():
        for pid in pids:
            if owner.setdefault(pid, split) is not split:
                raise ValueError(
                    f"expected disjoint splits in {place}, got identity {pid} in both {owner[pid]} and {split}"
                )


def check_seen(pids: Iterable[int], samples: Iterable[Sample], words: str, place: str) -> None:
    """Refuse an identity without an image.

    Args:
        pids: Of a list.
        samples: That were found.
        words: Name of the list.
        place: Where its images belong.
    """
    missing = sorted(set(pids) - {sample.pid for sample in samples})
    if missing:
        raise ValueError(
            f"expected images of every identity of {words} in {place},"
            f" found none of {len(missing)} of them, the first is {missing[0]:04d}"
        )


def by_identity(samples: Iterable[Sample]) -> tuple[Sample, ...]:
    """Put samples in ascending order of identity, camera, file name."""
    return tuple(sorted(samples, key=lambda sample: (sample.pid, sample.camid, sample.path.name, sample.key)))
