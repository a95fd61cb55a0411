"""Tables to take home: CSV text that a spreadsheet opens as data, never as a formula."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable, Sequence

__all__ = ["csv_address", "csv_text", "described_csv"]

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
CONTROL = {code: None for code in range(32) if chr(code) not in "\t\r\n"}


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


def described_csv(facts: Iterable[tuple[str, str]], header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Write a table below lines that begin with # and say where it comes from, each a name and its words."""
    first, *others = ((f"# {name}", " ".join(words.split())) for name, words in facts)
    return csv_text(first, others) + csv_text(header, rows)


def csv_address(text: str) -> str:
    """Write a CSV file as an address that a browser can save, so that no file is made."""
    return "data:text/csv;base64," + base64.b64encode(text.encode()).decode()


def safe_cell(value: object) -> object:
    """Return a value that a spreadsheet takes for a number or for text."""
    if value is None:
        return ""
    if isinstance(value, int | float):
        return value
    text = str(value).translate(CONTROL)
    return f"'{text}" if text.lstrip(" \xa0\ufeff").startswith(FORMULA_STARTS) else text
