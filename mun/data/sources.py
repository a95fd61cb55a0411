"""Open a data set of any layout: detect the layout, choose the name, report what was passed over."""

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
__all__ += ["reading_of", "recognise", "report_passed"]

# Readers by layout name, as in --layout; `synvi` is the layout of SYSU-MM01 with SynVI's manifest.
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
        layout: One of `LAYOUTS`; empty to detect it.
        root: Its folder, or a CSV.
        reading: Options for reading it; the defaults if not given.
        needs: Splits that must be complete, though validation may be absent; other splits may lack anything. With
            `skip_broken` the images of these splits are decoded, of others none.

    Raises:
        FileNotFoundError: There is nothing at `root`, or something that the layout needs is missing.
        ValueError: The layout is unknown or cannot be detected, or the data set contradicts itself.
    """
    root, reading = Path(root), reading or Reading()
    if layout and layout not in LAYOUTS:
        raise ValueError(f"expected one of the layouts {', '.join(LAYOUTS)}; got {layout!r}")
    if not root.exists():
        raise FileNotFoundError(f"expected a folder with the data set at {root}, found none")
    folder = root if root.is_dir() else root.parent
    manifest = read_json(folder / "manifest.json") if (folder / "manifest.json").exists() else {}
    detected = layout or recognise(root, manifest)
    check_flags(detected, reading)
    if detected == "synvi" and manifest.get("data") != "synvi":
        place = folder / "manifest.json"
        if not place.exists():
            raise FileNotFoundError(f"expected SynVI's manifest at {place}, found none")
        raise ValueError(f'expected "data": "synvi" in {place}, got {manifest.get("data")!r}')
    listing = Listing(folder, ("manifest.json", CSV, root.name))
    source = READERS[detected](Folder(root, reading, needs, manifest, listing))
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
    """Detect the layout of a data set.

    Raises:
        ValueError: No known layout fits.
    """
    given = manifest.get("layout")
    if given in LAYOUTS:
        return str(given)
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
    raise ValueError(f"expected {FORMS} in {root}, found none of them; --layout sets the layout")


def check_flags(layout: str, reading: Reading) -> None:
    """Refuse a flag that does not apply to a layout, instead of ignoring it."""
    if reading.trial and layout != "regdb":
        raise ValueError(f"expected --trial only with RegDB, whose splits it chooses; got data of layout {layout}")
    if reading.modality_names and layout not in OWN:
        raise ValueError(f"expected --modality-names only with own data, got data of layout {layout}")
    if reading.camera and layout != "folders":
        raise ValueError(f"expected --camera only with data of layout folders, got data of layout {layout}")
    low_high = reading.infrared_range
    if low_high and not (len(low_high) == 2 and low_high[0] < low_high[1]):
        raise ValueError(f"expected --infrared-range LOW HIGH with LOW below HIGH, got {low_high}")


def name_of(source: Source, root: Path, reading: Reading, manifest: Mapping[str, Any], layout: str) -> str:
    """Choose the name of the data: the given one, or from the manifest, the published counts or the folder.

    Data get the name of a published set only if they are called so, or have as many people in each list.
    """
    known_as = manifest.get("data")
    if known_as == "synvi":  # under any other name it would be unknown that its people are rendered
        return "synvi"
    if reading.name or (isinstance(known_as, str) and 0 < len(known_as) <= MAX_NAME):
        return reading.name or str(known_as)
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
    """Read `NAME=DIR` or `DIR`; an existing path that contains = is a folder without a name."""
    name, equals, folder = text.partition("=")
    if equals and folder and re.fullmatch(r"[^/\\]{1,60}", name) and not Path(text).exists():
        return name, Path(folder)
    return "", Path(text)


def add_data(parser: argparse.ArgumentParser, *, training: bool = False) -> None:
    """Add `--data` and the flags that say how to read it; `--data` may be missing when a run is resumed."""
    text = "folder of the data set, or a CSV, and a name for it"
    parser.add_argument("--data", type=named_folder, required=not training, metavar="[NAME=]DIR", help=text)
    add_data_flags(parser, training=training)


def add_data_flags(parser: argparse.ArgumentParser, *, training: bool = False) -> None:
    """Add the flags that say how data are read; they are the same for all commands and the app."""
    text = "how the data are stored (default: detected from the folder); synvi requires SynVI's manifest"
    parser.add_argument("--layout", "--dataset", dest="layout", choices=LAYOUTS, help=text)
    for item in fields(Reading):
        if item.metadata and (training or item.name != "train_on"):
            parser.add_argument(f"--{item.name.replace('_', '-')}", **item.metadata)


def reading_of(options: argparse.Namespace, name: str = "") -> Reading:
    """Turn the flags into a `Reading`."""
    given = {item.name: getattr(options, item.name, None) for item in fields(Reading) if item.metadata}
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in given.items() if value
    }
    return Reading(name=name, **values)


def read_given(options: argparse.Namespace, needs: Collection[Split]) -> Source:
    """Read the data set of `--data` and the other flags, and report what was passed over; see `read_source`."""
    name, folder = options.data
    source = read_source(options.layout or "", folder, reading_of(options, name), needs)
    report_passed(source.name, source.passed)
    return source


def report_passed(name: str, passed: tuple[Passed, ...], speaker: str = "mun") -> None:
    """Report in one line on stderr what was passed over, if anything was."""
    from mun.distributed import is_first  # here: the app reads its flags before torch is imported

    if (words := passed_words(passed)) and is_first():
        sys.stderr.write(f"{speaker}: note: {name}: {words}\n")
