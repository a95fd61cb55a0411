"""The layouts of own data: a folder for each of two modalities, or a CSV."""

import csv
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mun.data.listing import SUFFIXES, Listing, check_once, is_image
from mun.data.source import Folder, Source
from mun.structures import Modality, Sample, Split

__all__ = ["CSV", "modality_folders", "read_csv", "read_folders"]

CSV = "images.csv"
COLUMNS = ("path", "modality", "pid")  # required in a CSV; camid and split are optional
# Usual names of the two modalities; --modality-names or manifest.json give any others.
NAMES: dict[Modality, tuple[str, ...]] = {
    Modality.VISIBLE: ("visible", "vis", "rgb", "color", "colour"),
    Modality.INFRARED: ("infrared", "ir", "nir", "thermal", "tir", "lwir", "mwir", "swir"),
}
Row = tuple[str, Modality, str, str, Split, dict[str, str]]  # path, modality, person, camera, split, others


def chosen_names(folder: Folder) -> dict[Modality, tuple[str, ...]]:
    """Return the names of the two modalities: from the command line or the manifest, else the usual ones."""
    given = folder.reading.modality_names or folder.manifest.get("modality_names")
    if not given:
        return NAMES
    names = given.split(",") if isinstance(given, str) else given
    names = [one.strip() if isinstance(one, str) else "" for one in names] if isinstance(names, list) else []
    if len(names) != 2 or not all(names):
        raise ValueError(
            f"expected modalities as the visible and the infrared name, as rgb,lwir, got {str(given)[:60]!r}"
        )
    if names[0] == names[1]:
        raise ValueError(f"expected two different modalities, got {names[0]!r} twice")
    return {Modality.VISIBLE: (names[0],), Modality.INFRARED: (names[1],)}


def modality_folders(folders: Iterable[str], names: Mapping[Modality, tuple[str, ...]] = NAMES) -> dict[Modality, str]:
    """Find the folder of each modality among some names; the first if several names mean the same modality."""
    found: dict[Modality, str] = {}
    for name in folders:
        for modality, known in names.items():
            if name in known or name.lower() in known:
                found.setdefault(modality, name)
    return found


def read_folders(folder: Folder) -> Source:
    """Read `<modality>/<person>/<image>`, or this below `train`, `val` and `test`; without these all images are test.

    Raises:
        ValueError: A needed split is not there, or a name has no camera by the pattern.
    """
    root, listing, names, pattern = folder.root, folder.listing, chosen_names(folder), camera_pattern(folder)
    inside = {root: listing.look(root)}
    splits = {split: root / split for split in Split if split.value in inside[root][1]}
    inside |= {place: listing.look(place) for place in splits.values()}
    parts = splits or {Split.TEST: root}
    if folder.needs and not any(modality_folders(inside[place][1], names) for place in parts.values()):
        known = " or ".join(", ".join(known) for known in names.values())
        raise ValueError(
            f"expected a folder for each modality ({known}) in {root}, found none; --modality-names sets other names"
        )
    rows = []
    for place, (files, folders) in inside.items():
        listing.outside(place, files)
        split = next((split for split, of_split in parts.items() if of_split == place), None)
        found = {} if split is None else modality_folders(folders, names)
        for name in folders:
            if name not in found.values() and place / name not in splits.values():
                listing.pass_over("folders of no modality", place / name)
        if split is not None:
            rows += [row for one, name in found.items() for row in rows_of(listing, split, place / name, one, pattern)]
    return source_of(folder, rows, "folders")


def rows_of(
    listing: Listing, split: Split, place: Path, modality: Modality, pattern: re.Pattern[str] | None
) -> Iterator[Row]:
    """Find the images of one modality in one split."""
    for path in sorted(listing.people(place.relative_to(listing.root).as_posix())):
        _, person, image = path.rsplit("/", 2)
        yield path, modality, person, camera_of(image, pattern), split, {}


def camera_pattern(folder: Folder) -> re.Pattern[str] | None:
    """Return the pattern that finds the camera in a file's name; `None` where none is stated.

    Raises:
        ValueError: It is no regular expression with one group.
    """
    given = folder.reading.camera or folder.manifest.get("camera", "")
    try:
        pattern = re.compile(given) if given else None
    except (re.error, TypeError) as error:
        raise ValueError(f"expected a regular expression for the camera, got {str(given)[:60]!r}: {error}") from None
    if pattern is not None and pattern.groups != 1:
        raise ValueError(f"expected one group in the pattern of the camera, as _c(\\d+)_, got {str(given)[:60]!r}")
    return pattern


def camera_of(name: str, pattern: re.Pattern[str] | None) -> str:
    """Find the camera in the name of an image."""
    if pattern is None:
        return ""
    match = pattern.search(name)
    if match is None or not match[1]:
        raise ValueError(f"expected a camera in the name of every image by {pattern.pattern!r}, got {name!r}")
    return match[1]


def read_csv(folder: Folder) -> Source:
    """Read a CSV with the columns path, modality, pid and, optionally, camid and split; other columns are kept.

    The CSV is the root, or `images.csv` in it; paths are relative to its folder.

    Raises:
        FileNotFoundError: The CSV, or an image of it, is missing.
        ValueError: A column is missing, or a line cannot be read; the message gives its number.
    """
    path, names = folder.root / CSV if folder.root.is_dir() else folder.root, chosen_names(folder)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"expected a CSV in UTF-8 at {path}, got another encoding") from None
    head = text.partition("\n")[0]
    table = csv.DictReader(text.splitlines(), delimiter=";" if ";" in head and "," not in head else ",", restval="")
    rows = []
    try:
        columns = [(name or "").strip().lower() for name in table.fieldnames or ()]
        if missing := [name for name in COLUMNS if name not in columns]:
            raise ValueError(f"expected the columns {', '.join(COLUMNS)} in {path}, missing: {', '.join(missing)}")
        table.fieldnames = columns
        for line in table:
            try:
                values = {name: (value or "").strip() for name, value in line.items() if name}
                rows.append(row_of(path.parent, values, names))
            except (ValueError, FileNotFoundError) as error:
                raise type(error)(f"{path.name}, line {table.line_num}: {error}") from None
    except csv.Error as error:  # such as a quote that is never closed; the number is that of the last whole line
        raise ValueError(f"{path.name}, line {table.line_num + 1}: {error}") from None
    check_once([row[0] for row in rows], "image", path)
    known = {row[0] for row in rows}
    for image in folder.listing.walk(path.parent):
        if image.relative_to(path.parent).as_posix() not in known:
            folder.listing.pass_over("images in no line of the CSV", image)
    return source_of(folder, rows, "csv")


def row_of(folder: Path, line: dict[str, str], names: Mapping[Modality, tuple[str, ...]]) -> Row:
    """Read one line of the CSV."""
    name = line.pop("path").replace("\\", "/").removeprefix("./")
    modality, person = line.pop("modality"), line.pop("pid")
    camera, split = line.pop("camid", ""), line.pop("split", "") or Split.TEST.value
    found = modality_folders([modality], {one: (*known, one.value) for one, known in names.items()})
    if not found:
        known = ", ".join(dict.fromkeys(one for modality in names for one in (*names[modality], modality.value)))
        raise ValueError(f"expected a modality of {known}, got {modality[:40]!r}")
    if split not in list(Split):
        raise ValueError(f"expected a split of {', '.join(Split)}, got {split[:40]!r}")
    if not person:
        raise ValueError("expected a pid, got none")
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"expected a path below the folder of the CSV, got {name[:60]!r}")
    if not is_image(name):
        raise ValueError(f"expected an image ({', '.join(SUFFIXES)}), got {name[:60]!r}")
    if not (folder / name).is_file():
        raise FileNotFoundError(f"expected an image at {name}, found none")
    return name, next(iter(found)), person, camera, Split(split), line


def numbered(words: Iterable[str], what: str) -> dict[str, int]:
    """Give each name a number: the name itself if all are whole numbers, otherwise its rank in sorted order, from 1.

    Raises:
        ValueError: Two names are the same number, such as 7 and 007.
    """
    names = sorted(set(words))
    if not all(name.isascii() and name.isdigit() and len(name) < 10 for name in names):
        return {name: place for place, name in enumerate(names, start=1)}
    numbers = {name: int(name) for name in names}
    if len(set(numbers.values())) < len(names):
        counts = Counter(numbers.values())
        twice = next(name for name in names if counts[numbers[name]] > 1)
        raise ValueError(f"expected one spelling of each {what}, got {twice!r} and another one of the same number")
    return numbers


def source_of(folder: Folder, rows: Collection[Row], layout: str) -> Source:
    """Number people and cameras and make the samples."""
    people = numbered((row[2] for row in rows), "person")
    cameras = numbered((row[3] for row in rows if row[3]), "camera")
    shift = 0 in cameras.values()  # 0 would mean that the camera is not known
    cameras = {name: number + shift for name, number in cameras.items()}
    samples: dict[Split, list[Sample]] = {split: [] for split in Split}
    columns: dict[str, dict[str, str]] = {}
    for key, modality, person, camera, split, others in rows:
        samples[split].append(folder.sample(key, people[person], cameras.get(camera, 0), modality))
        texts = {"person": person} if not person.isdigit() else {}
        texts |= {"camera": camera} if camera and (shift or not camera.isdigit()) else {}
        if texts or others:
            columns[key] = {**others, **texts}
    for split in folder.needs:
        if not samples[split] and split is not Split.VAL:
            raise ValueError(f"expected images in the {split} split of {folder.root}, found none")
    sites = site_groups(folder.manifest, cameras)
    return Source("", folder.root, samples, layout=layout, sites=sites, columns=columns)


def site_groups(manifest: Mapping[str, Any], cameras: Mapping[str, int]) -> tuple[tuple[int, ...], ...]:
    """Read which cameras watch one site: `"sites": [[2, 3]]` in the manifest, by number or by name.

    Raises:
        ValueError: It has another form, names an unknown camera, or a camera twice.
    """
    sites = manifest.get("sites", [])
    if not isinstance(sites, list) or not all(isinstance(group, list) for group in sites):
        raise ValueError(f"expected sites in manifest.json as lists of cameras, [[2, 3]], got {str(sites)[:60]}")
    names = [[str(one) for one in group] for group in sites]
    flat = [one for group in names for one in group]
    if unknown := [one for one in flat if one not in cameras]:
        raise ValueError(f"expected cameras of the data in the sites of manifest.json, got {unknown[0]!r}")
    if len(set(flat)) < len(flat):
        raise ValueError("expected every camera in one site of manifest.json, got a camera in two sites")
    return tuple(tuple(sorted(cameras[one] for one in group)) for group in names)
