"""Passes and losses of one training step, for the trainer and for measuring the cost of a method."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mun.config import TrainConfig
from mun.distributed import processes
from mun.losses.criterion import Criterion
from mun.models.network import Network, Outputs
from mun.structures import Modality
from mun.training.passes import RecordedPasses, SharedPasses, gathered_outputs

__all__ = ["Forward", "Passes", "backward", "backward_sharing", "forward", "resolved_precision", "training_passes"]

Passes = Network | RecordedPasses | SharedPasses


@dataclass(frozen=True)
class Forward:
    """Losses and outputs of a batch.

    Attributes:
        total: The loss to minimise, with its graph.
        parts: Its terms by name.
        outputs: Of the network, for the images of all processes.
        images: Of this process by modality, the auxiliary ones included.
        labels: Training labels of the outputs by modality.
        generated: The auxiliary images with the generator's graph; `images` holds them without it if the generator gets
            only a share of the identity loss's gradient. `None` without an auxiliary modality.
    """

    total: Tensor
    parts: Mapping[str, Tensor]
    outputs: Outputs
    images: Mapping[Modality, Tensor]
    labels: Mapping[Modality, Tensor]
    generated: Tensor | None


def resolved_precision(config: TrainConfig, device: torch.device) -> str:
    """Return the precision of a run on a device: `auto` is bfloat16 on a GPU and float32 on a CPU."""
    if config.precision != "auto":
        return config.precision
    return "bfloat16" if device.type == "cuda" else "float32"


def training_passes(network: Network, criterion: Criterion, unused: bool = False) -> Passes:
    """Return the network, or an object that replaces it.

    With several processes it averages gradients; `unused` says that some parameters take no part in a step. For one
    process on a GPU the passes are recorded as CUDA graphs, if each of them runs backward once and returns the
    modalities that it was given.
    """
    if processes() > 1:
        return SharedPasses(network, unused)
    recordable = criterion.config.generator_identity == 1 and not network.auxiliary.of_features
    return RecordedPasses(network) if network.mean.is_cuda and recordable else network


def forward(
    passes: Passes,
    criterion: Criterion,
    config: TrainConfig,
    images: Mapping[Modality, Tensor],
    labels: Tensor,
    generate: Callable[[], tuple[Tensor, ...]],
    progress: float,
) -> Forward:
    """Generate the auxiliary images of a batch, run the network on all images, and compute the losses.

    Args:
        passes: The network in training, see `training_passes`.
        criterion: The losses; their prototypes are updated.
        config: Decides the precision.
        images: Visible and infrared, `(N, 3, H, W)` each, in pairs of one identity.
        labels: Training labels of the pairs, int64, `(N,)`.
        generate: Makes the auxiliary images of the pairs, `(N, 3, H, W)` each; none without an auxiliary modality.
        progress: The fraction of the run that is done, in [0, 1].
    """
    device, of_each, made = labels.device, dict.fromkeys(images, labels), None
    mixed = resolved_precision(config, device) == "bfloat16"
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=mixed):
        if generated := generate():
            made = torch.cat([image.float() for image in generated])
            apart = made.requires_grad and criterion.config.generator_identity != 1
            images = {**images, Modality.AUXILIARY: made.detach().requires_grad_() if apart else made}
            of_each[Modality.AUXILIARY] = labels.repeat(len(generated))
        outputs = passes(images)
    of_each = {modality: of_each.get(modality, labels) for modality in outputs.features}
    if processes() > 1:
        outputs, of_each = gathered_outputs(outputs, of_each)
    total, parts = criterion(outputs.features, outputs.embeddings, outputs.logits, of_each, progress=progress)
    return Forward(total, parts, outputs, images, of_each, made)


def backward(done: Forward, criterion: Criterion) -> None:
    """Fill the gradients of a forward pass; the generator gets its configured share of the identity loss's gradient."""
    seen, made = done.images.get(Modality.AUXILIARY), done.generated
    total = done.total * processes()  # they average gradients, but the whole loss needs the sum
    if made is None or seen is None or seen is made:
        total.backward()  # type: ignore[no-untyped-call]
        return
    identity = criterion.identity(done.outputs.logits, done.labels) * processes()
    backward_sharing(total, identity, made, seen, criterion.config.generator_identity)


def backward_sharing(total: Tensor, identity: Tensor, images: Tensor, seen: Tensor, share: float) -> None:
    """Fill all gradients as `total.backward()` does, but give the generator only a share of the identity loss's.

    Stems, trunk and classifier get the whole gradient of the total, the classifier's view of auxiliary images
    included. The generator, behind `images`, gets that of `total − (1 − share)·identity`. Costs one more backward pass
    through the network, without its weights.

    Args:
        total: The scalar to minimise, in which `identity` has the weight 1.
        identity: The identity loss, of the same graph.
        images: The generator's images, `(N, 3, H, W)`.
        seen: The input of the network instead: `images.detach().requires_grad_()`.
        share: 1 is plain `backward`; 0 gives the generator none of the identity loss; below 0 reverses it.
    """
    (of_identity,) = torch.autograd.grad(identity, seen, retain_graph=True)
    total.backward()  # type: ignore[no-untyped-call]
    if images.requires_grad and seen.grad is not None:
        images.backward(seen.grad - (1 - share) * of_identity)  # type: ignore[no-untyped-call]
