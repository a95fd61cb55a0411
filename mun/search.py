"""Exact search in large galleries: block by block, from memory or from a file that is mapped."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

__all__ = ["Vectors"]

Floats = NDArray[np.float32]
BLOCK_BYTES = 2**22  # of features in float32 that are looked at at once; what is copied stays near the processor


class Vectors:
    """N features that are compared by their cosine; of a mapped file no more than a block is copied at a time.

    Args:
        features: Real numbers, `(N, D)`, in memory or mapped from a file.
        order: Rows of `features`, int64, `(M,)`, where others than all of them in their order are meant.

    Raises:
        ValueError: Not of that shape, not finite, or a row is zero; every row is looked at once.
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
        """Numbers of each feature, D."""
        return int(self.features.shape[1])

    @property
    def num_bytes(self) -> int:
        """What all rows weigh in float32."""
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
        asked = np.asarray(query, dtype=np.float32)
        if asked.shape != (self.size,):
            raise ValueError(f"expected `query` of shape ({self.size},), got {asked.shape}")
        column, found = torch.from_numpy(asked), np.empty(len(self.features), np.float32)
        for part, block in self._blocks():
            torch.mv(block, column, out=torch.from_numpy(found[part]))
        found *= self._scale
        return found if self.order is None else found[self.order]

    def _blocks(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield slices of the rows, and each as a float32 tensor that holds until the next one."""
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
                target[...] = source  # bytes, because an array in an archive is seldom aligned, which is slow to copy
                block = copy
            yield part, torch.from_numpy(block)
