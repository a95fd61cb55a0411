"""What visitors may take up of disk and memory: read from the environment of whoever starts the app.

MUN_UPLOAD_MB  megabytes that one upload may have, 256 by default; 0 closes uploads
MUN_TEMP_MB    megabytes that temporary files of all visitors may have, 512 by default, at least 64
MUN_VISITS     visits whose choices are kept, the newest, 500 by default, at least 50; a call over HTTP counts as one
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Caps", "read_caps"]

LEAST_TEMP = 64  # room for what visitors take home
LEAST_VISITS = 50
MOST_DIGITS = 6


@dataclass(frozen=True)
class Caps:
    """The caps of one app.

    Attributes:
        upload_bytes: Of one upload, which may bring 200 images; 0 where nobody may upload.
        temp_bytes: Of all temporary files.
        visits: Whose choices are kept.
    """

    upload_bytes: int = 256_000_000
    temp_bytes: int = 512_000_000
    visits: int = 500


def read_caps(environment: Mapping[str, str] | None = None) -> Caps:
    """Read the caps.

    Args:
        environment: Variables by name; those of this process by default.

    Raises:
        ValueError: A variable is set to what it cannot be.
    """
    values = os.environ if environment is None else environment
    return Caps(
        1_000_000 * _whole(values, "MUN_UPLOAD_MB", Caps.upload_bytes // 1_000_000, 0, " of megabytes"),
        1_000_000 * _whole(values, "MUN_TEMP_MB", Caps.temp_bytes // 1_000_000, LEAST_TEMP, " of megabytes"),
        _whole(values, "MUN_VISITS", Caps.visits, LEAST_VISITS),
    )


def _whole(values: Mapping[str, str], name: str, default: int, least: int, unit: str = "") -> int:
    """Read a whole number."""
    word = values.get(name, "").strip()
    if not word:
        return default
    if not (word.isascii() and word.isdigit() and len(word) <= MOST_DIGITS and int(word) >= least):
        raise ValueError(f"expected {name} to be a whole number{unit} from {least}, got {word[:40]!r}")
    return int(word)
