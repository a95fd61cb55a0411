"""The modality alignment loss: accumulated prototypes, bridged by the auxiliary modality."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mun.losses.functional import kernel_discrepancy, modality_prototype, zero
from mun.structures import Modality

__all__ = ["KINDS", "ModalityAlignment"]

ORDER = (Modality.VISIBLE, Modality.INFRARED, Modality.AUXILIARY)
KINDS = ("bridge", "direct", "other", "mmd")


class ModalityAlignment(nn.Module):
    """Align the modalities through prototypes that accumulate over steps: L_ma.

    With the batch prototype b_m (mean over identities of the mean unit feature) and the accumulated
    `p_m ← μ·p_m + (1−μ)·b_m`, the loss uses `p̂_m = p_m + b_m − sg(b_m)`: the accumulated value with the undamped
    gradient of the batch. The kinds:

    - bridge: `‖p̂_v − p̂_a‖² + ‖p̂_i − p̂_a‖²`. With p̂_a at the midpoint it has half the gradient of `direct`.
    - direct: `‖p̂_v − p̂_i‖²`; for a comparison with `bridge`, give it half the weight.
    - other: `‖b_v − sg(p_a)‖² + ‖b_i − sg(p_a)‖²`: batches move to the auxiliary modality, which gets no gradient.
    - mmd: the squared maximum mean discrepancy of the batch's unit features instead, no prototypes: visible and
      infrared each to auxiliary.

    The prototypes are float32 buffers, updated once per forward pass in train mode, and saved with a flag that says
    which were ever set. In evaluation mode nothing is updated; a prototype never set is taken from the batch.

    Args:
        num_features: Size D.
        momentum: μ in [0, 1); 0 takes the batch's prototype.
        kind: One of `KINDS`.

    Source: MUN, arXiv:2309.06262: prototypes by temporal accumulation, the auxiliary modality as bridge. Departs from
    it in: the paper's equation is not at hand; the straight-through form is our choice.
    """

    prototypes: Tensor
    initialised: Tensor

    def __init__(self, num_features: int, momentum: float, kind: str = "bridge") -> None:
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"expected kind to be one of {', '.join(KINDS)}; got {kind!r}")
        self.momentum = momentum
        self.kind = kind
        self.register_buffer("prototypes", torch.zeros(len(ORDER), num_features))
        self.register_buffer("initialised", torch.zeros(len(ORDER), dtype=torch.bool))

    def accumulate(self, modality: Modality, batch: Tensor) -> Tensor:
        """Update one prototype from the batch's and return its straight-through value, `(D,)`."""
        index = ORDER.index(modality)
        fresh = batch.detach().to(self.prototypes.dtype)
        value = self.prototypes[index].clone()
        if not bool(self.initialised[index]):
            value = fresh
        elif self.training:
            value = self.momentum * value + (1 - self.momentum) * fresh
        if self.training:
            self.prototypes[index] = value
            self.initialised[index] = True
        return value.to(batch.dtype) + batch - batch.detach()

    def forward(self, features: Mapping[Modality, Tensor], labels: Mapping[Modality, Tensor]) -> Tensor:
        """Compute the loss, a scalar, from `(N_m, D)` features and `(N_m,)` labels of the modalities present.

        Terms whose modality is absent are left out; with none left the loss is 0.
        """
        nothing = zero(features)
        if self.kind == "mmd":
            pairs = [
                (F.normalize(features[modality], dim=1), F.normalize(features[Modality.AUXILIARY], dim=1))
                for modality in ORDER[:2]
                if modality in features and Modality.AUXILIARY in features
            ]
            return torch.stack([kernel_discrepancy(a, b) for a, b in pairs]).sum() if pairs else nothing
        batch = {
            modality: modality_prototype(features[modality], labels[modality])
            for modality in ORDER
            if modality in features
        }
        present = {modality: self.accumulate(modality, prototype) for modality, prototype in batch.items()}
        if self.kind == "other" and Modality.AUXILIARY in present:
            goal = present[Modality.AUXILIARY].detach()
            present = {**batch, Modality.AUXILIARY: goal}
        visible, infrared, auxiliary = (present.get(modality) for modality in ORDER)
        sides = [(visible, infrared)] if self.kind == "direct" else [(visible, auxiliary), (infrared, auxiliary)]
        terms = [(a - b).square().sum() for a, b in sides if a is not None and b is not None]
        return torch.stack(terms).sum() if terms else nothing
