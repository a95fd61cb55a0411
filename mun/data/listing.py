"""Find the images in folders, record the files that are passed over, and read the lists of data sets."""

import os
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mun.structures import Sample, Split

__all__ = ["SUFFIXES", "Listing", "Passed", "by_identity", "check_disjoint", "check_once", "check_seen", "is_image"]
__all__ += ["passed_words", "read_ids", "read_image_list"]

# Endings of the formats that the decoder reads: JPEG, PNG, BMP, WebP, TIFF; case does not matter.
SUFFIXES = (".bmp", ".dib", ".jfif", ".jpe", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")
# Files that Windows, macOS and network storage add; names that begin with a dot are hidden.
SYSTEM = {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin", "lost+found"}
SYSTEM |= {"system volume information", "icon\r"}
NO_IMAGE = "files that are no images"


@dataclass(frozen=True)
class Passed:
    """Files or folders of one kind that were passed over.

    Attributes:
        what: The kind, in the plural.
        count: Their number.
        first: The first of them, below the root folder.
    """

    what: str
    count: int
    first: str


def passed_words(passed: tuple[Passed, ...]) -> str:
    """Describe in one line what was passed over; empty if nothing was."""
    parts = [f"{one.count:,} {one.what} ({one.first}{', …' if one.count > 1 else ''})" for one in passed]
    return f"passed over: {'; '.join(parts)}" if parts else ""


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is hidden or belongs to the operating system."""
    return name.startswith(".") or name.lower() in SYSTEM


def is_image(name: str) -> bool:
    """Return whether a file that is not hidden counts as an image, by the end of its name."""
    return name.lower().endswith(SUFFIXES)


class Listing:
    """Lists folders below a root, and counts the files and folders that are passed over.

    Args:
        root: The folder that names in the record are relative to.
        ours: Names of files in it that are known but are not images.
    """

    def __init__(self, root: Path, ours: Iterable[str] = ("manifest.json",)) -> None:
        self.root, self.ours = root, {root / name for name in ours}
        self._passed: dict[str, tuple[int, str]] = {}

    @property
    def passed(self) -> tuple[Passed, ...]:
        """The record."""
        return tuple(Passed(what, count, first) for what, (count, first) in self._passed.items())

    def pass_over(self, what: str, place: Path) -> None:
        """Record one file or folder that is passed over."""
        count, first = self._passed.get(what, (0, ""))
        if not count:
            first = place.relative_to(self.root).as_posix() if place.is_relative_to(self.root) else place.name
        self._passed[what] = (count + 1, first)

    def look(self, folder: Path) -> tuple[list[str], list[str]]:
        """List the files and the folders of a folder by name, without hidden ones; links count as their targets.

        A missing folder counts as empty, since a camera may not have seen a person.
        """
        files: list[str] = []
        folders: list[str] = []
        try:
            with os.scandir(folder) as entries:
                found = sorted(entries, key=lambda entry: entry.name)
        except (FileNotFoundError, NotADirectoryError):
            return [], []
        for entry in found:
            kind = ""
            with suppress(OSError):  # a link that leads to itself
                kind = "folder" if entry.is_dir() else "file" if entry.is_file() else ""
            if is_hidden(entry.name):
                self.pass_over("hidden or system files", folder / entry.name)
            elif not kind:
                self.pass_over("links to nothing", folder / entry.name)
            else:
                (folders if kind == "folder" else files).append(entry.name)
        return files, folders

    def images(self, folder: Path) -> list[str]:
        """List the images of a folder by name; its other files and its folders are passed over."""
        files, folders = self.look(folder)
        for name in folders:
            self.pass_over("folders", folder / name)
        return self.only_images(folder, files)

    def only_images(self, folder: Path, files: list[str]) -> list[str]:
        """Return the files that are images; pass over the others."""
        for name in files:
            if not is_image(name) and folder / name not in self.ours:
                self.pass_over(NO_IMAGE, folder / name)
        return [name for name in files if is_image(name)]

    def folders(self, folder: Path, known: set[str] | None = None, what: str = "folders") -> list[str]:
        """List the folders of a folder, only those in `known` if it is given; others and files are passed over.

        An unknown folder that is empty, such as LLCM's infrared camera 3, is not recorded.
        """
        files, folders = self.look(folder)
        self.outside(folder, files)
        for name in folders:
            if known is not None and name not in known and any((folder / name).iterdir()):
                self.pass_over(what, folder / name)
        return [name for name in folders if known is None or name in known]

    def people(self, folder: str) -> set[str]:
        """List the images of all people of a folder: `<folder>/<person>/<image>`."""
        place = self.root / folder
        return {f"{folder}/{person}/{name}" for person in self.folders(place) for name in self.images(place / person)}

    def not_listed(self, names: Iterable[str]) -> None:
        """Pass over images that no list names."""
        for name in sorted(names):
            self.pass_over("images in no list", self.root / name)

    def outside(self, folder: Path, files: list[str]) -> None:
        """Pass over files in a place where only folders are expected."""
        for name in self.only_images(folder, files):
            self.pass_over("images outside a person's folder", folder / name)

    def walk(self, folder: Path) -> Iterator[Path]:
        """List all images of a folder and the folders in it; each folder is entered once, even if links lead there."""
        entered: set[str] = set()

        def enter(place: Path) -> Iterator[Path]:
            real = os.path.realpath(place)
            if real in entered:
                self.pass_over("links to folders that were entered before", place)
                return
            entered.add(real)
            files, folders = self.look(place)
            for name in self.only_images(place, files):
                yield place / name
            for name in folders:
                yield from enter(place / name)

        yield from enter(folder)


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
    check_once(pids, "identity", path)
    return pids


def check_once(found: Iterable[Any], what: str, path: Path) -> None:
    """Refuse an item that occurs more than once in a file."""
    if twice := [one for one, count in Counter(found).items() if count > 1]:
        raise ValueError(f"expected every {what} once in {path}, got {twice[0]!r:.60} more than once")


def read_image_list(path: Path, there: Container[str], *, needed: bool) -> list[str]:
    """Read the paths of a list of images, one per line; the label after each path does not identify the person.

    Args:
        path: The list.
        there: The images that exist.
        needed: Whether all images of the list must be there; otherwise the others are left out.

    Raises:
        FileNotFoundError: There is no such list, or an image that is needed is not there.
        ValueError: A line is no path with a label, or a path occurs twice.
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
    check_once(names, "image", path)
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
        pids: The identities of a list.
        samples: The samples that were found.
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
