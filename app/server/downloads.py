"""Files that a visitor takes home: below Gradio's temporary folder, one per content, however often it is asked for."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path

from app.server.uploads import upload_folder

__all__ = ["MAX_BYTES", "as_download"]

MAX_BYTES = 32_000_000  # of one file
SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def as_download(name: str, data: bytes, max_bytes: int = MAX_BYTES) -> str:
    """Put bytes where Gradio may serve them from, and say where.

    The folder is named by a hash of the bytes, so that the same file asked for again is the same file. Gradio deletes
    it with the other temporary files, an hour after it was last handed out at the latest.

    Args:
        name: What the visitor's browser will call the file: letters, digits, dots, hyphens, at most 100.
        data: The file.
        max_bytes: What it may weigh.

    Returns:
        The path, for a component to hand out.

    Raises:
        ValueError: Another name, or too many bytes.
    """
    if not SAFE_NAME.fullmatch(name):
        raise ValueError("expected a file name of at most 100 letters, digits, dots and hyphens")
    if len(data) > max_bytes:
        raise ValueError(f"expected a file of at most {max_bytes // 1_000_000} MB, got {len(data) / 1e6:.1f} MB")
    folder = upload_folder() / hashlib.sha256(data).hexdigest()
    path = folder / name
    try:
        os.utime(path)  # so that it is not deleted on the schedule of its first use
        return str(path)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        os.replace(partial, path)
    except OSError:
        Path(partial).unlink(missing_ok=True)
        raise
    return str(path)
