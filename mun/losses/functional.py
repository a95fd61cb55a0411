"""The mathematics of the metric losses, without state.

`Mapping[Modality, Tensor]` groups features by modality; labels group them by identity. Nothing depends on the position
in the batch: K may differ between identities, and a modality may be absent.
"""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from mun.structures import Modality

__all__ = ["alignment_triplets", "batch_hard_triplet", "euclidean_distances", "identity_alignment"]
__all__ += ["identity_centers", "kernel_discrepancy", "modality_prototype", "zero"]


def check_features(features: Tensor, labels: Tensor) -> None:
    """Refuse anything but `(N, D)` features with `(N,)` labels."""
    if features.ndim != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"expected features of shape (N, D) and labels of shape (N,), got {tuple(features.shape)} "
            f"and {tuple(labels.shape)}"
        )


def euclidean_distances(first: Tensor, second: Tensor) -> Tensor:
    """Compute Euclidean distances `(A, B)` by differences, exact for close points; gradient 0 at distance 0."""
    return torch.cdist(first, second, compute_mode="donot_use_mm_for_euclid_dist")


def identity_centers(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Average the features of each identity.

    Args:
        features: Pooled features, float, `(N, D)`.
        labels: Training labels, int64, `(N,)`.

    Returns:
        The centers, `(P, D)`, in ascending order of label, and those labels, `(P,)`.

    Raises:
        ValueError: `features` is not 2-D, or `labels` has another length.
    """
    check_features(features, labels)
    unique, inverse = torch.unique(labels, sorted=True, return_inverse=True)
    sums = torch.zeros(len(unique), features.shape[1], dtype=features.dtype, device=features.device)
    sums = sums.index_add(0, inverse, features)
    counts = torch.bincount(inverse, minlength=len(unique)).to(features.dtype)
    return sums / counts[:, None], unique


def alignment_triplets(features: Mapping[Modality, Tensor], labels: Mapping[Modality, Tensor], margin: float) -> Tensor:
    """Compute the hinge argument of every center: margin + hardest positive − hardest negative, `(T,)`.

    A positive is the same identity's center in another modality, a negative another identity's in any modality.
    Centers without a positive or without a negative are left out, so T may be 0.
    """
    per_modality = [identity_centers(features[modality], labels[modality]) for modality in features]
    centers = torch.cat([centers for centers, _ in per_modality])
    identities = torch.cat([identities for _, identities in per_modality])
    source = torch.cat([torch.full_like(ids, index) for index, (_, ids) in enumerate(per_modality)])
    distances = euclidean_distances(centers, centers)
    same = identities[:, None] == identities[None, :]
    positive = same & (source[:, None] != source[None, :])
    usable = positive.any(dim=1) & (~same).any(dim=1)
    farthest, closest = hardest(distances, positive, ~same)
    return margin + farthest[usable] - closest[usable]


def zero(features: Mapping[Modality, Tensor]) -> Tensor:
    """Return 0, a scalar whose gradient is 0 for all features."""
    return torch.stack([values.sum() for values in features.values()]).sum() * 0.0


def identity_alignment(features: Mapping[Modality, Tensor], labels: Mapping[Modality, Tensor], margin: float) -> Tensor:
    """Pull an identity's centers in all modalities together, away from the others': L_ia, a scalar.

    `mean over centers of [ρ + max_{n≠m} ‖c_j^m − c_j^n‖ − min_{k≠j, n} ‖c_j^m − c_k^n‖]₊`; 0 where no center has both
    a positive and a negative.

    Args:
        features: Per modality, float, `(N_m, D)`.
        labels: Per modality, int64, `(N_m,)`.
        margin: ρ, in units of distance.

    Raises:
        ValueError: Shapes do not fit.

    Source: MUN, arXiv:2309.06262: a triplet with the hardest positive and negative over the centers of three
    modalities. Departs from it in: the paper's equation is not at hand; with two modalities this is the
    hetero-center triplet loss (Liu et al., 2020, arXiv:2008.06223).
    """
    triplets = alignment_triplets(features, labels, margin)
    if len(triplets) == 0:
        return zero(features)
    return triplets.relu().mean()


def modality_prototype(features: Tensor, labels: Tensor) -> Tensor:
    """Average unit features, first over each identity's images, then over identities: `(N, D)` to `(D,)`."""
    return identity_centers(F.normalize(features, dim=1), labels)[0].mean(dim=0)


def kernel_discrepancy(first: Tensor, second: Tensor) -> Tensor:
    """Compute the squared maximum mean discrepancy of two samples under one Gaussian kernel, a scalar.

    `mean k(x, x') + mean k(y, y') − 2 mean k(x, y)` with `k = exp(−‖x − y‖² / 2)`, as unrelated unit vectors lie √2
    apart; the biased estimate, which is never negative.

    Args:
        first: Float, `(N, D)`.
        second: Float, `(M, D)`.

    Source: Gretton et al., JMLR 2012. Departs from it in: nothing.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        squared = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)[None, :] - 2 * a @ b.t()
        return torch.exp(-squared.clamp(min=0.0) / 2).mean()

    return kernel(first, first) + kernel(second, second) - 2 * kernel(first, second)


def hardest(distances: Tensor, positive: Tensor, negative: Tensor) -> tuple[Tensor, Tensor]:
    """Find the distances of each row's farthest positive and closest negative, which two masks mark."""
    farthest = distances.masked_fill(~positive, -torch.inf).amax(dim=1)
    return farthest, distances.masked_fill(~negative, torch.inf).amin(dim=1)


def batch_hard_triplet(features: Tensor, labels: Tensor, margin: float) -> Tensor:
    """Compute the batch-hard triplet loss over all images, a scalar.

    Args:
        features: Float, `(N, D)`.
        labels: int64, `(N,)`; at least two identities.
        margin: In units of distance.

    Raises:
        ValueError: Shapes do not fit, or there is one identity only.

    Source: Hermans et al., 2017, arXiv:1703.07737. Departs from it in: nothing.
    """
    check_features(features, labels)
    same = labels[:, None] == labels[None, :]
    if bool(same.all()):
        raise ValueError("expected at least two identities in a batch, got one")
    farthest, closest = hardest(euclidean_distances(features, features), same, ~same)
    return (margin + farthest - closest).relu().mean()
