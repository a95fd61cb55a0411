"""Targets of a map: an output of the network for an image, to be differentiated."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Logit", "Similarity", "Target", "center"]


@dataclass(frozen=True, eq=False)
class Similarity:
    """Cosine similarity of an embedding to another one: "why are these two alike?".

    Attributes:
        reference: Embedding of another image, or the center of an identity, float, `(D,)`.

    Raises:
        ValueError: The reference is not a vector, or has no direction.
    """

    reference: Tensor

    def __post_init__(self) -> None:
        if self.reference.ndim != 1:
            raise ValueError(f"expected a reference of shape (D,), got {tuple(self.reference.shape)}")
        norm = float(self.reference.norm())
        if not np.isfinite(norm) or norm == 0:
            raise ValueError(f"expected a reference with a direction, got one of length {norm}")

    def __call__(self, embedding: Tensor) -> Tensor:
        """Return the cosine of one embedding, `(D,)`, in [−1, 1], `()`."""
        return torch.nn.functional.cosine_similarity(embedding, self.reference.to(embedding).clone(), dim=0)


@dataclass(frozen=True)
class Logit:
    """The classifier's logit of a training identity; people of a test set have none.

    Attributes:
        label: In [0, C).
    """

    label: int

    def __call__(self, logits: Tensor) -> Tensor:
        """Return one of the logits of an image, `(C,)`, as `()`."""
        return logits[self.label]


Target = Similarity | Logit


def center(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    """Average unit-length embeddings, `(K, D)`, and return the direction of the mean, unit length, `(D,)`.

    Raises:
        ValueError: There is no embedding, or the embeddings cancel one another.
    """
    if embeddings.ndim != 2 or not len(embeddings):
        raise ValueError(f"expected embeddings of shape (K, D), K at least 1, got {embeddings.shape}")
    mean = embeddings.astype(np.float64).mean(axis=0)
    norm = float(np.linalg.norm(mean))
    if norm < 1e-9:
        raise ValueError("expected embeddings with a common direction, got some that cancel one another")
    direction: NDArray[np.float32] = (mean / norm).astype(np.float32)
    return direction
