"""The share of the identity loss's gradient that reaches the generator."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["backward_sharing"]


def backward_sharing(total: Tensor, identity: Tensor, images: Tensor, seen: Tensor, share: float) -> None:
    """Fill all gradients as `total.backward()` does, but give the generator a share of the identity loss's alone.

    Stems, trunk and classifier get the whole gradient of the total, the classifier's view of auxiliary images
    included. The generator, behind `images`, gets that of `total − (1 − share)·identity`. Costs one more backward pass
    through the network, without its weights.

    Args:
        total: The scalar to minimise, in which `identity` has the weight 1.
        identity: The identity loss, of the same graph.
        images: Of the generator, `(N, 3, H, W)`.
        seen: What the network was shown instead: `images.detach().requires_grad_()`.
        share: 1 is plain `backward`; 0 keeps the identity loss from the generator; below 0 reverses it.
    """
    (of_identity,) = torch.autograd.grad(identity, seen, retain_graph=True)
    total.backward()  # type: ignore[no-untyped-call]
    if images.requires_grad and seen.grad is not None:
        images.backward(seen.grad - (1 - share) * of_identity)  # type: ignore[no-untyped-call]
