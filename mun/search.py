"""Exact search in large galleries: block by block, from memory or from a memory-mapped file."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

__all__ = ["Vectors"]

Floats = NDArray[np.float32]
BLOCK_BYTES = 2**22  # of features in float32 per block; a copied block stays in the processor's cache


class Vectors:
    """N features compared by their cosine; at most one block of a mapped file is copied at a time.

    Args:
        features: Real numbers, `(N, D)`, in memory or mapped from a file.
        order: Rows of `features` to use, int64, `(M,)`; all rows in their order by default.

    Raises:
        ValueError: Not of that shape, not finite, or a row is zero; every row is read once to check this.
    """

    def __init__(self, features: NDArray[Any], order: NDArray[np.int64] | None = None) -> None:
        if features.ndim != 2 or 0 in features.shape or features.dtype.kind not in "fiu":
            raise ValueError(f"expected real `features` of shape (N, D), got {features.dtype} of {features.shape}")
        self.features, self.order = features, order
        self._scale = np.empty(len(features), np.float32)  # 1 / length of each row
        for part, block in self._blocks():
            lengths = torch.linalg.vector_norm(block, dim=1)
            if not bool(torch.isfinite(lengths).all()):
                raise ValueError("expected finite `features`, got NaN, infinity or numbers beyond single precision")
            if not bool(lengths.all()):
                row = part.start + int(torch.argmin(lengths))
                raise ValueError(f"expected `features` without a zero row, got one at row {row}")
            torch.reciprocal(lengths, out=torch.from_numpy(self._scale[part]))

    def __len__(self) -> int:
        return len(self.features) if self.order is None else len(self.order)

    @property
    def size(self) -> int:
        """Size D of each feature."""
        return int(self.features.shape[1])

    @property
    def num_bytes(self) -> int:
        """Bytes of all rows in float32."""
        return 4 * len(self) * self.size

    def rows(self, index: ArrayLike) -> Floats:
        """Return some rows at unit length, float32, `(K, D)`."""
        wanted = np.asarray(index, dtype=np.int64)
        wanted = wanted if self.order is None else self.order[wanted]
        taken = np.asarray(self.features[wanted], dtype=np.float32)
        return taken * self._scale[wanted][:, None]

    def similarities(self, query: ArrayLike) -> Floats:
        """Return the cosine of every row with a query, in single precision (off by about 1e-6).

        Args:
            query: Of unit length, `(D,)`.

        Returns:
            Float32, `(N,)`, in the order of the rows.

        Raises:
            ValueError: `query` is not of shape (D,).
        """
        vector = np.asarray(query, dtype=np.float32)
        if vector.shape != (self.size,):
            raise ValueError(f"expected `query` of shape ({self.size},), got {vector.shape}")
        column, cosines = torch.from_numpy(vector), np.empty(len(self.features), np.float32)
        for part, block in self._blocks():
            torch.mv(block, column, out=torch.from_numpy(cosines[part]))
        cosines *= self._scale
        return cosines if self.order is None else cosines[self.order]

    def _blocks(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield slices of the rows, each with its values, a float32 tensor that is valid until the next one."""
        rows = max(1, BLOCK_BYTES // (4 * self.size))
        single = self.features.dtype == np.float32 and self.features.flags.c_contiguous
        direct = single and self.features.flags.aligned and self.features.flags.writeable
        buffer = np.empty((rows, self.size), np.float32)
        for start in range(0, len(self.features), rows):
            part = slice(start, min(start + rows, len(self.features)))
            block = self.features[part]
            if not direct:
                copy = buffer[: len(block)]
                source, target = (block.view(np.uint8), copy.view(np.uint8)) if single else (block, copy)
                target[...] = source  # as bytes, because floats of an unaligned array, usual in an archive, copy slowly
                block = copy
            yield part, torch.from_numpy(block)
