"""Replace identities in the classifier."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from mun.models.neck import CLASSIFIER_STD, BnNeck

__all__ = ["forget_labels"]


def forget_labels(
    neck: BnNeck, optimizer: torch.optim.Optimizer, labels: NDArray[np.int64], draws: torch.Generator
) -> None:
    """Reset the classifier's rows of some labels, and the optimiser's state of these rows.

    Args:
        neck: Whose classifier changes.
        optimizer: That trains it.
        labels: Of the identities that others replace, `(M,)`.
        draws: Decides the new rows.

    Raises:
        ValueError: The neck has no classifier.
    """
    if neck.classifier is None:
        raise ValueError("expected a network with a classifier, got one without")
    weight, places = neck.classifier.weight, torch.from_numpy(labels)
    rows = torch.empty(len(labels), weight.shape[1]).normal_(std=CLASSIFIER_STD, generator=draws)
    with torch.no_grad():
        weight[places] = rows.to(weight.device)
        for moment in optimizer.state[weight].values():
            if isinstance(moment, torch.Tensor) and moment.shape == weight.shape:
                moment[places] = 0
