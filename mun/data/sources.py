"""Open a data set of any layout: which one it is, what it is called, what was passed over."""

import argparse
import os
import re
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mun.data.listing import Listing, Passed, by_identity, check_disjoint, passed_words
from mun.data.llcm import read_llcm
from mun.data.own import CSV, modality_folders, read_csv, read_folders
from mun.data.regdb import read_regdb
from mun.data.source import TITLES, Folder, Reading, Source, is_whole
from mun.data.sysu import CAMERAS, read_sysu
from mun.files import read_json
from mun.structures import Sample, Split

__all__ = ["LAYOUTS", "add_data", "add_data_flags", "named_folder", "only_whole", "read_given", "read_source"]
__all__ += ["reading_of", "recognise", "say_passed"]

# Names of layouts, as for --layout; `synvi` is that of SYSU-MM01 with a manifest that says so.
READERS: dict[str, Callable[[Folder], Source]] = {
    "synvi": read_sysu,
    "sysu": read_sysu,
    "regdb": read_regdb,
    "llcm": read_llcm,
    "folders": read_folders,
    "csv": read_csv,
}
LAYOUTS = tuple(READERS)
OWN = ("folders", "csv")
MAX_NAME = 60
FORMS = (
    "cam1 … cam6 with exp (SYSU-MM01), Visible, Thermal and idx (RegDB), idx with test_vis and test_nir (LLCM),"
    f" a folder for each modality, or {CSV}"
)


def read_source(layout: str, root: Path, reading: Reading | None = None, needs: Collection[Split] = ()) -> Source:
    """Read a data set.

    Args:
        layout: One of `LAYOUTS`; empty to find it out.
        root: Its folder, or a CSV.
        reading: How to read it; by default as it is.
        needs: Splits that must be whole, though validation may be absent; others may lack anything. Images are only
            decoded, where broken ones are to be left out, in these.

    Raises:
        FileNotFoundError: There is nothing at `root`, or something that the layout needs is missing.
        ValueError: The layout is unknown or not found out, or the data set contradicts itself.
    """
    root, reading = Path(root), reading or Reading()
    if layout and layout not in LAYOUTS:
        raise ValueError(f"expected one of the layouts {', '.join(LAYOUTS)}; got {layout!r}")
    if not root.exists():
        raise FileNotFoundError(f"expected a folder with the data set at {root}, found none")
    folder = root if root.is_dir() else root.parent
    manifest = read_json(folder / "manifest.json") if (folder / "manifest.json").exists() else {}
    found = layout or recognise(root, manifest)
    check_flags(found, reading)
    if found == "synvi" and manifest.get("data") != "synvi":
        place = folder / "manifest.json"
        if not place.exists():
            raise FileNotFoundError(f"expected SynVI's manifest at {place}, found none")
        raise ValueError(f'expected "data": "synvi" in {place}, got {manifest.get("data")!r}')
    listing = Listing(folder, ("manifest.json", CSV, root.name))
    source = READERS[found](Folder(root, reading, needs, manifest, listing))
    name, splits = name_of(source, root, reading, manifest, layout), {one: source.split(one) for one in Split}
    listed = {one: tuple(source.listed.get(one, sorted({sample.pid for sample in splits[one]}))) for one in Split}
    check_disjoint(listed, root)
    if reading.train_on == "train+val":
        splits = {**splits, Split.TRAIN: (*source.train, *source.val), Split.VAL: ()}
    for split in needs if reading.skip_broken else ():
        whole = only_whole(splits[split], listing)
        if splits[split] and not whole:
            raise ValueError(f"expected an image that can be decoded in the {split} split of {root}, got none")
        splits[split] = whole
    splits = {one: by_identity(samples) for one, samples in splits.items()}
    source = replace(source, name=name, splits=splits, listed=listed, train_on=reading.train_on)
    return replace(source, manifest=manifest, passed=listing.passed)


def recognise(root: Path, manifest: Mapping[str, Any] = MappingProxyType({})) -> str:
    """Find out the layout of a data set.

    Raises:
        ValueError: It is none that is known.
    """
    said = manifest.get("layout")
    if said in LAYOUTS:
        return str(said)
    if root.is_file():
        if root.suffix.lower() == ".csv":
            return "csv"
        raise ValueError(f"expected a folder or a .csv file with the data set, got {root}")
    names = Listing(root).look(root)[1]
    if manifest.get("data") == "synvi":
        return "synvi"
    if any(f"cam{camid}" in names for camid in CAMERAS):
        return "sysu"
    if "idx" in names and {"Visible", "Thermal"} & set(names):
        return "regdb"
    if "idx" in names and {"test_vis", "test_nir", "vis", "nir"} & set(names):
        return "llcm"
    if (root / CSV).is_file():
        return "csv"
    inside = [
        *names,
        *(name for split in Split if split.value in names for name in Listing(root).look(root / split)[1]),
    ]
    if modality_folders(inside) or manifest.get("modality_names"):
        return "folders"
    raise ValueError(f"expected {FORMS} in {root}, found none of them; --layout says which it is")


def check_flags(layout: str, reading: Reading) -> None:
    """Refuse a flag that means nothing for a layout, rather than to pass it over."""
    if reading.trial and layout != "regdb":
        raise ValueError(
            f"expected --trial with RegDB alone, whose splits it chooses; these data are of layout {layout}"
        )
    if reading.modality_names and layout not in OWN:
        raise ValueError(f"expected --modality-names with data of one's own alone, these are of layout {layout}")
    if reading.camera and layout != "folders":
        raise ValueError(f"expected --camera with data of layout folders alone, these are of layout {layout}")
    low_high = reading.infrared_range
    if low_high and not (len(low_high) == 2 and low_high[0] < low_high[1]):
        raise ValueError(f"expected --infrared-range LOW HIGH with LOW below HIGH, got {low_high}")


def name_of(source: Source, root: Path, reading: Reading, manifest: Mapping[str, Any], layout: str) -> str:
    """Choose the name of the data: as said, in the manifest, as the published counts say, or the folder's.

    The name of a published set is given only to what was called so, or has as many people in each list.
    """
    said = manifest.get("data")
    if said == "synvi":  # whatever it is called, it stays known that its people are rendered
        return "synvi"
    if reading.name or (isinstance(said, str) and 0 < len(said) <= MAX_NAME):
        return reading.name or str(said)
    if source.name or (layout and layout not in OWN):
        return source.name or layout
    word = root.resolve().stem if root.is_file() else root.resolve().name
    plain = re.sub(r"[\W_]", "", word.lower())
    called = [(name, one) for name, (kind, title) in TITLES.items() if kind == source.layout for one in (name, title)]
    known = {re.sub(r"\W", "", one.lower()): name for name, one in called}
    return known.get(plain, word[:MAX_NAME] or "data") if plain != "synvi" else "own data"


def only_whole(samples: Sequence[Sample], listing: Listing) -> tuple[Sample, ...]:
    """Decode images with as many threads as there are cores, and pass over those that are broken."""
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        whole = list(pool.map(is_whole, samples))
    for sample, kept in zip(samples, whole, strict=True):
        if not kept:
            listing.pass_over("broken images", sample.path)
    return tuple(sample for sample, kept in zip(samples, whole, strict=True) if kept)


def named_folder(text: str) -> tuple[str, Path]:
    """Read `NAME=DIR` or `DIR`; a folder whose own name has = in it is taken as it is."""
    name, equals, folder = text.partition("=")
    if equals and folder and re.fullmatch(r"[^/\\]{1,60}", name) and not Path(text).exists():
        return name, Path(folder)
    return "", Path(text)


def add_data(parser: argparse.ArgumentParser, *, training: bool = False) -> None:
    """Declare `--data`, which a resumed training has none of, and how the data are read."""
    text = "folder of the data set, or a CSV, and what to call it"
    parser.add_argument("--data", type=named_folder, required=not training, metavar="[NAME=]DIR", help=text)
    add_data_flags(parser, training=training)


def add_data_flags(parser: argparse.ArgumentParser, *, training: bool = False) -> None:
    """Declare how data are read; the same for all commands and the app."""
    text = "how the data are stored (default: found out from the folder); synvi insists on SynVI's manifest"
    parser.add_argument("--layout", "--dataset", dest="layout", choices=LAYOUTS, help=text)
    for item in fields(Reading):
        if item.metadata and (training or item.name != "train_on"):
            parser.add_argument(f"--{item.name.replace('_', '-')}", **item.metadata)


def reading_of(options: argparse.Namespace, name: str = "") -> Reading:
    """Read the flags."""
    given = {item.name: getattr(options, item.name, None) for item in fields(Reading) if item.metadata}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in given.items() if value
    }
    return Reading(name=name, **values)


def read_given(options: argparse.Namespace, needs: Collection[Split]) -> Source:
    """Read the data set that `--data` and the other flags name, and say what was passed over; see `read_source`."""
    name, folder = options.data
    source = read_source(options.layout or "", folder, reading_of(options, name), needs)
    say_passed(source.name, source.passed)
    return source


def say_passed(name: str, passed: tuple[Passed, ...], speaker: str = "mun") -> None:
    """Say in one line on stderr what was passed over, where anything was."""
    from mun.distributed import is_first  # here: the app reads its flags before torch is imported

    if (words := passed_words(passed)) and is_first():
        sys.stderr.write(f"{speaker}: note: {name}: {words}\n")
