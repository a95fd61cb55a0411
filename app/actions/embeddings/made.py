"""The generated image of an auxiliary point, to be looked at."""

from __future__ import annotations

import numpy as np

from app.actions.embeddings.points import points, with_untrained_generator
from app.actions.embeddings.request import Request, auxiliary_count
from app.library import Library
from app.library.thumbnails import encoded
from mun.embedding import auxiliary_images

__all__ = ["generated"]


def generated(library: Library, request: Request, row: int) -> str:
    """Return the auxiliary image of a point as a data URI, values beyond [0, 1] clipped; empty for other points.

    Raises:
        ValueError: An image is broken.
    """
    made = points(library, request)
    pair = made.pair_of(row)
    if pair is None:
        return ""
    network = library.network(request.checkpoint)
    if request.untrained:
        network = with_untrained_generator(network, request.seed)
    number = (row - len(made.samples)) % auxiliary_count(library, request.checkpoint)
    image = auxiliary_images(network, [pair])[0, number]
    return encoded((255 * np.clip(image, 0, 1)).round().astype(np.uint8).transpose(1, 2, 0))
