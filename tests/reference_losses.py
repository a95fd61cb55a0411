"""The losses again, slow and obvious, with loops over identities and modalities and NumPy alone."""

from __future__ import annotations

import numpy as np


def centers(features, labels):
    """Map each label to the mean of its rows."""
    return {int(j): np.mean([f for f, l in zip(features, labels, strict=True) if l == j], axis=0) for j in set(labels)}


def identity_alignment(features, labels, margin):
    """L_ia by loops; `features` and `labels` are dictionaries over modalities."""
    by_modality = {m: centers(features[m], labels[m]) for m in features}
    losses = []
    for m, own in by_modality.items():
        for j, center in own.items():
            positives = [np.linalg.norm(center - other[j]) for n, other in by_modality.items() if n != m and j in other]
            negatives = [np.linalg.norm(center - other[k]) for other in by_modality.values() for k in other if k != j]
            if positives and negatives:
                losses.append(max(0.0, margin + max(positives) - min(negatives)))
    return float(np.mean(losses)) if losses else 0.0


def prototype(features, labels):
    """The mean over identities of the mean unit feature."""
    unit = [f / np.linalg.norm(f) for f in features]
    return np.mean(list(centers(unit, labels).values()), axis=0)


def batch_hard_triplet(features, labels, margin):
    """The batch-hard triplet by loops."""
    losses = []
    for fa, la in zip(features, labels, strict=True):
        positive = max(np.linalg.norm(fa - fb) for fb, lb in zip(features, labels, strict=True) if la == lb)
        negative = min(np.linalg.norm(fa - fb) for fb, lb in zip(features, labels, strict=True) if la != lb)
        losses.append(max(0.0, margin + positive - negative))
    return float(np.mean(losses))
