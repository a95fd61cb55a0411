"""From feature map to embedding: generalised-mean pooling and the BN neck."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["CLASSIFIER_STD", "BnNeck", "generalised_mean"]

CLASSIFIER_STD = 0.001  # of the classifier's weights at the start: every identity is alike


def generalised_mean(feature_map: Tensor, power: float) -> Tensor:
    """Pool `(N, D, h, w)` to `(N, D)` by `(mean xᵖ)^(1/p)`, in float32 whatever came in.

    Source: Radenović et al., TPAMI 2019, arXiv:1711.02512. Departs from it in: the power is fixed.
    """
    return feature_map.float().clamp(min=1e-6).pow(power).mean(dim=(2, 3)).pow(1.0 / power)


class BnNeck(nn.Module):
    """Batch normalisation between the metric losses and the classifier, and a bias-free classifier.

    Without training identities (`num_classes` 0, as in a checkpoint to retrieve with) there is no classifier.

    Source: Luo et al., CVPRW 2019, arXiv:1903.07071.
    """

    def __init__(self, num_features: int, num_classes: int) -> None:
        super().__init__()
        self.bn = nn.BatchNorm1d(num_features)
        self.bn.bias.requires_grad_(False)
        self.classifier = nn.Linear(num_features, num_classes, bias=False) if num_classes else None
        if self.classifier is not None:
            nn.init.normal_(self.classifier.weight, std=CLASSIFIER_STD)

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Map features `(N, D)` to unit-length embeddings `(N, D)` and logits `(N, C)`."""
        normalised = self.bn(features)
        logits = normalised[:, :0] if self.classifier is None else self.classifier(normalised)
        return torch.nn.functional.normalize(normalised, dim=1), logits
