"""Small images as text, so that no file of the machine is ever served."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mun.images import read_image, resize

__all__ = ["CARD_HEIGHT", "STRIP_HEIGHT", "data_uri", "encoded", "fitted", "named"]

CARD_HEIGHT, STRIP_HEIGHT = 256, 112  # pixels
MAX_WIDTH = 256


def data_uri(path: Path, height: int, levels: tuple[float, float] | None = None) -> str:
    """Read an image and return it as a JPEG data URI.

    Args:
        path: The image file.
        height: Pixels at most; smaller images keep their size.
        levels: As for `mun.images.decode`.

    Returns:
        The URI, or an empty string where the file is missing or broken: one bad image must not take a page down.
    """
    try:
        image = read_image(path, levels=levels)
    except (ValueError, OSError):
        return ""
    return encoded(fitted(image, height))


def named(key: str, height: int) -> str:
    """Draw the name of an image that is not at hand on a card twice as high as wide, as an SVG data URI."""
    words = [part[start : start + 12] for part in key.split("/") for start in range(0, len(part), 12)][:7]
    lines = "".join(f'<text x="50" y="{40 + 20 * row}">{escape(word)}</text>' for row, word in enumerate(words))
    style = 'font-family="sans-serif" font-size="13" fill="#222" text-anchor="middle"'
    size = f'width="{height // 2}" height="{height}" viewBox="0 0 100 200"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect width="100" height="200" fill="#e6e6ea"/><g {style}>'
    return "data:image/svg+xml;base64," + base64.b64encode(f"{svg}{lines}</g></svg>".encode()).decode()


def fitted(image: NDArray[np.uint8], height: int) -> NDArray[np.uint8]:
    """Shrink an image in its own proportions; a smaller one stays as it is.

    Args:
        image: RGB, uint8, `(H, W, 3)`.
        height: Pixels at most; the width is at most 256.
    """
    factor = min(1.0, height / image.shape[0], MAX_WIDTH / image.shape[1])
    if factor >= 1.0:
        return image
    return resize(image, max(1, round(image.shape[0] * factor)), max(1, round(image.shape[1] * factor)))


def encoded(image: NDArray[np.uint8]) -> str:
    """Return RGB, uint8, `(H, W, 3)`, as a JPEG data URI."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=90, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")
