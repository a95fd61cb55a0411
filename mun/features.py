"""Features as rows of unit length. NumPy alone."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["unit_rows"]

UNIT_TOLERANCE = 1e-6  # float32 embeddings of unit length are off by about 1e-7

Floats = NDArray[np.floating[Any]]


def unit_rows(name: str, features: ArrayLike) -> Floats:
    """Return features of unit length: as they are where every row has length 1 within 1e-6, else normalised.

    Rows that are already of unit length are left alone, because dividing again moves distances in their last digits,
    and the order of near ties with them.

    Args:
        name: The name of the features in a message.
        features: Real numbers, `(N, D)`.

    Returns:
        float32 where `features` is, else float64, `(N, D)`.

    Raises:
        ValueError: Not of shape (N, D), empty, not finite, or a row is zero.
    """
    rows = np.asarray(features)
    if rows.dtype.kind not in "fiu":
        raise ValueError(f"expected `{name}` of a real numeric type, got {rows.dtype}")
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(f"expected `{name}` of shape (N, D), neither of them 0, got {rows.shape}")
    if rows.dtype not in (np.float32, np.float64):
        rows = rows.astype(np.float64)
    if not np.isfinite(rows).all():
        raise ValueError(f"expected finite `{name}`, got NaN or infinity")
    largest = np.abs(rows).max(axis=1, keepdims=True)
    if not largest.all():
        raise ValueError(f"expected `{name}` without a zero row, got one at row {int(np.argmin(largest))}")
    scaled = rows.astype(np.float64) / largest  # first by the largest entry, so that no square overflows
    lengths = np.linalg.norm(scaled, axis=1, keepdims=True)
    if np.all(np.abs(lengths * largest - 1) <= UNIT_TOLERANCE):
        return rows
    unit: Floats = (scaled / lengths).astype(rows.dtype)
    return unit
