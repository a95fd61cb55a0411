"""The total loss of a batch, and its diagnostics."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mun.config import LossConfig
from mun.losses.functional import alignment_triplets, batch_hard_triplet, identity_alignment
from mun.losses.modality_alignment import ModalityAlignment
from mun.structures import Modality

__all__ = ["Criterion", "ramp"]

Groups = Mapping[Modality, Tensor]


def ramp(progress: float, start: float, end: float) -> float:
    """Rise from 0 at `start` to 1 at `end`, fractions of the run: metric losses collapse if they start from scratch."""
    if progress >= end:
        return 1.0
    return 0.0 if progress <= start else (progress - start) / (end - start)


class Criterion(nn.Module):
    """Sum identity loss, identity alignment, modality alignment and triplet, in float32.

    Args:
        config: Weights and choices.
        num_features: Size D, for the prototypes.
    """

    def __init__(self, config: LossConfig, num_features: int) -> None:
        super().__init__()
        self.config = config
        self.modality_alignment = ModalityAlignment(num_features, config.momentum, config.alignment)

    def metric_space(self, features: Groups, embeddings: Groups) -> dict[Modality, Tensor]:
        """Return the points for the metric losses in the space of the config, float32."""
        if self.config.space == "embedding":
            return {modality: values.float() for modality, values in embeddings.items()}
        raw = {modality: values.float() for modality, values in features.items()}
        if self.config.space == "features":
            return raw
        return {modality: F.normalize(values, dim=1) for modality, values in raw.items()}

    def forward(
        self, features: Groups, embeddings: Groups, logits: Groups, labels: Groups, progress: float
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the total and its unweighted parts.

        Args:
            features: Before the BN neck, `(N_m, D)` per modality.
            embeddings: Unit length, `(N_m, D)` per modality.
            logits: `(N_m, C)` per modality.
            labels: int64, `(N_m,)` per modality.
            progress: Share of the run done, [0, 1]; decides the ramp of the metric losses.

        Returns:
            The scalar to minimise, and the parts by name, detached.
        """
        config = self.config
        points = self.metric_space(features, embeddings)
        weight = ramp(progress, config.ramp_start, config.ramp_end)
        aligned = identity_alignment(points, labels, config.margin)
        weighted = {
            "identity": (1.0, self.identity(logits, labels)),
            "identity_alignment": (weight * config.identity_alignment, aligned),
            "modality_alignment": (weight * config.modality_alignment, self.modality_alignment(points, labels)),
        }
        if config.triplet:
            every, known = (torch.cat([group[modality] for modality in points]) for group in (points, labels))
            weighted["triplet"] = (weight * config.triplet, batch_hard_triplet(every, known, config.margin))
        # A factor of 0 would still pass NaN on, so a term that is off is left out of the sum.
        total = torch.stack([factor * loss for factor, loss in weighted.values() if factor > 0]).sum()
        return total, {name: loss.detach() for name, (_, loss) in weighted.items()}

    def identity(self, logits: Groups, labels: Groups) -> Tensor:
        """Compute the identity loss over all modalities of `logits`, a scalar; it has the weight 1 in the total."""
        every = torch.cat(list(logits.values())).float()
        known = torch.cat([labels[modality] for modality in logits])
        return F.cross_entropy(every, known, label_smoothing=self.config.label_smoothing)

    @torch.no_grad()
    def identity_by_modality(self, logits: Groups, labels: Groups) -> dict[str, float]:
        """Report the identity loss of each modality's images; a generator trained by this loss makes easy ones."""
        return {
            f"identity_{modality.value}": float(self.identity({modality: values}, labels))
            for modality, values in logits.items()
        }

    @torch.no_grad()
    def diagnostics(self, features: Groups, embeddings: Groups, labels: Groups) -> dict[str, float]:
        """Report the share of active alignment triplets, and the spread of features relative to their norm."""
        points = self.metric_space(features, embeddings)
        triplets = alignment_triplets(points, labels, self.config.margin)
        pooled = torch.cat([values.float() for values in features.values()])
        spread = (pooled - pooled.mean(dim=0)).norm(dim=1).mean() / pooled.norm(dim=1).mean().clamp(min=1e-12)
        active = float((triplets > 0).float().mean()) if len(triplets) else 0.0
        return {"active_triplets": active, "spread": float(spread)}
