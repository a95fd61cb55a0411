"""Common parts of all exports: provenance, file names, LaTeX, and CSV that a spreadsheet opens as data."""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Annotated

import numpy as np
from numpy.typing import NDArray

from app.library import Library
from app.library.thumbnails import fitted
from app.shared.request import Request, Text, one_of, option
from mun.evaluation.corrupted import Corruption
from mun.files import read_json

__all__ = ["LOCAL", "SYNTHETIC", "WIDTH_NAMES", "Options", "checkpoint_words", "csv_text", "describe_data"]
__all__ += ["latex_table", "pixels_of", "safe_stem", "shots_words", "synthetic_note", "table"]

WIDTH_NAMES = ("two-column", "one-column")  # as in `app.shared.figure`, whose import would load Matplotlib at start-up
SYNTHETIC = "SynVI is synthetic: no evidence about real streets."
LOCAL = "http://127.0.0.1:7860"  # the default address of `python app.py`
SHOWN_HASH = 12  # hexadecimal digits
MAX_HEIGHT = 700  # pixels; 600 dots per inch where a figure is widest
MAX_STEM = 80  # characters of a file name before its ending
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
CONTROL = {code: None for code in range(32) if chr(code) not in "\t\r\n"}


class Options(Request):
    """Options of a figure."""

    width: Annotated[Text, one_of(WIDTH_NAMES)] = option("two-column", "Width")


def csv_text(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    r"""Write a table as CSV: UTF-8 text, commas, quotes where needed, `\r\n` after each line (RFC 4180).

    Text that a spreadsheet would take for a formula (it begins with `=`, `+`, `-`, `@`, tab or a line break, also after
    spaces) gets an apostrophe before it, as the OWASP Foundation's page "CSV Injection" advises; control characters are
    dropped. Values of type `int` and `float` stay numbers, negative ones too; `None` is an empty cell.

    Args:
        header: Names of the C columns.
        rows: Rows of C values each.

    Raises:
        ValueError: A row has another number of values than the header.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([safe_cell(name) for name in header])
    for number, row in enumerate(rows, start=1):
        if len(row) != len(header):
            raise ValueError(f"expected {len(header)} values in row {number}, got {len(row)}")
        writer.writerow([safe_cell(value) for value in row])
    return file.getvalue()


def safe_cell(value: object) -> object:
    """Return a value that a spreadsheet reads as a number or as text, not as a formula."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = str(value).translate(CONTROL)
    return f"'{text}" if text.lstrip(" \xa0\ufeff").startswith(FORMULA_STARTS) else text


def checkpoint_words(library: Library, name: str) -> str:
    """Return the name of a checkpoint with the first digits of the hash over card and weights."""
    entry = library.checkpoints[name]
    kind = f"features of another method, {entry.file}, " if entry.vectors else ""
    return f"{name} ({kind}{entry.content[:SHOWN_HASH]})"


def describe_data(library: Library, data: str) -> str:
    """Describe the images of a data set; level and seed are left out if the manifest is missing or invalid."""
    collection = library.collections[data]
    if not collection.synthetic:
        return collection.origin or f"{collection.title}, test split"
    try:
        manifest = read_json(collection.folder / "manifest.json")
    except (ValueError, OSError):
        manifest = {}
    known = [f"{name} {manifest[name]}" for name in ("level", "seed") if isinstance(manifest.get(name), str | int)]
    return ", ".join([f"{collection.title} (synthetic)", *known])


def synthetic_note(library: Library, data: str) -> str:
    """Return the note for synthetic images; an empty string for other images."""
    return SYNTHETIC if library.collections[data].synthetic else ""


def shots_words(shots: int) -> str:
    """Name the number of gallery images per identity and camera."""
    return "single-shot" if shots == 1 else f"{shots}-shot"


def safe_stem(words: str) -> str:
    """Keep ASCII letters, digits, dots and hyphens of a file name, at most 80, none of them a leading dot."""
    return re.sub(r"[^A-Za-z0-9.]+|\.{2,}", "-", words).strip("-.")[:MAX_STEM].strip("-.") or "ranked"


def pixels_of(library: Library, data: str, key: str, corruption: Corruption | None = None) -> NDArray[np.uint8] | None:
    """Read an image as it was ranked, at most 700 pixels tall; `None` where the file is broken or gone."""
    collection = library.collections[data]
    try:
        image = library.view(data, corruption).image(collection.samples[collection.rows[key]])
    except (ValueError, OSError):
        return None
    return fitted(image, MAX_HEIGHT, image.shape[1])


LATEX = str.maketrans(
    {
        **{one: f"\\{one}" for one in "&%$#_{}"},
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "\\": r"\textbackslash{}",
    }
)


def latex_table(facts: Iterable[tuple[str, str]], header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table for a paper, with rules of the package booktabs, below comments that give its provenance."""
    comments = [f"% {name}: {' '.join(words.split())}" for name, words in facts]
    lines = [" & ".join(str("" if cell is None else cell).translate(LATEX) for cell in row) for row in (header, *rows)]
    table = [rf"\begin{{tabular}}{{{'l' * len(header)}}}", r"\toprule", rf"{lines[0]} \\", r"\midrule"]
    return "\n".join([*comments, *table, *(rf"{line} \\" for line in lines[1:]), r"\bottomrule", r"\end{tabular}", ""])


def table(
    kind: str, facts: Iterable[tuple[str, str]], header: Sequence[str], rows: Iterable[Sequence[object]]
) -> bytes:
    """Write a table for a spreadsheet (`csv`) or for a paper (`latex`), below lines that give its provenance."""
    if kind == "latex":
        return latex_table(facts, header, rows).encode()
    first, *others = ((f"# {name}", " ".join(words.split())) for name, words in facts)
    return (csv_text(first, others) + csv_text(header, rows)).encode()
