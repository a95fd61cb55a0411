"""Small images as data URIs, so that no file of the machine is ever served."""

import base64
import io
from collections.abc import Callable
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mun.images import resize

__all__ = ["CARD_HEIGHT", "STRIP_HEIGHT", "data_uri", "encoded", "fitted", "named", "png_uri"]

CARD_HEIGHT, STRIP_HEIGHT = 256, 112  # pixels
MAX_WIDTH = 256


def data_uri(read: Callable[[], NDArray[np.uint8]], height: int) -> str:
    """Read an image and return it as a JPEG data URI, at most `height` pixels tall.

    Returns:
        The URI, or an empty string if the file is missing or broken: one bad image must not break a page.
    """
    try:
        return encoded(fitted(read(), height))
    except (ValueError, OSError):
        return ""


def named(key: str, height: int) -> str:
    """Draw the name of an image without a file on a card twice as high as wide, as an SVG data URI."""
    words = [part[start : start + 12] for part in key.split("/") for start in range(0, len(part), 12)][:7]
    lines = "".join(f'<text x="50" y="{40 + 20 * row}">{escape(word)}</text>' for row, word in enumerate(words))
    style = 'font-family="sans-serif" font-size="13" fill="#222" text-anchor="middle"'
    size = f'width="{height // 2}" height="{height}" viewBox="0 0 100 200"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}><rect width="100" height="200" fill="#e6e6ea"/><g {style}>'
    return "data:image/svg+xml;base64," + base64.b64encode(f"{svg}{lines}</g></svg>".encode()).decode()


def fitted(image: NDArray[np.uint8], height: int, width: int = MAX_WIDTH) -> NDArray[np.uint8]:
    """Shrink an image and keep its proportions; a smaller image is not changed.

    Args:
        image: RGB, uint8, `(H, W, 3)`.
        height: Pixels at most.
        width: Likewise.
    """
    factor = min(1.0, height / image.shape[0], width / image.shape[1])
    return resize(image, max(1, round(image.shape[0] * factor)), max(1, round(image.shape[1] * factor)))


def encoded(image: NDArray[np.uint8]) -> str:
    """Return RGB, uint8, `(H, W, 3)`, as a JPEG data URI."""
    return as_uri(image, "jpeg", "", quality=90, subsampling=0)


def png_uri(image: NDArray[np.uint8], head: str = "") -> str:
    """Return RGB or RGBA, uint8, `(H, W, 3 or 4)`, as a PNG data URI; `head` adds parameters to its head."""
    return as_uri(image, "png", head)


def as_uri(image: NDArray[np.uint8], kind: str, head: str, **options: int) -> str:
    """Write an image as a data URI."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, **options)
    return f"data:image/{kind}{head};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
