"""Objects that replace a network in training, with the same results.

For several processes, with averaged gradients and batch statistics of all images; or for one process on a GPU, recorded
as CUDA graphs, because with a small network the GPU waits for a thousand launches per step.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.distributed import gathered, processes
from mun.models.network import Network, Outputs
from mun.structures import Modality

__all__ = ["RecordedPasses", "SharedNorm1d", "SharedNorm2d", "SharedPasses", "gathered_outputs", "share_statistics"]

Pass = Callable[..., tuple[Tensor, ...]]


class SharedPasses:
    """Replaces a network in training; gradients are averaged over the processes in the backward pass.

    Args:
        network: With shared statistics.
        unused: Whether some parameters take no part in a step.
    """

    def __init__(self, network: Network, unused: bool) -> None:
        self.network = network
        self._wrapped = DistributedDataParallel(network, broadcast_buffers=False, find_unused_parameters=unused)

    def generate(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Make the auxiliary images of this process's pairs; see `Network.generate`."""
        return self.network.generate(visible, infrared, draws)

    def __call__(self, images: Mapping[Modality, Tensor]) -> Outputs:
        """Run this process's images; see `Network.forward`."""
        outputs: Outputs = self._wrapped(images)
        return outputs


def gathered_outputs(outputs: Outputs, labels: Mapping[Modality, Tensor]) -> tuple[Outputs, dict[Modality, Tensor]]:
    """Concatenate the outputs and labels of all processes, so that the losses see the whole batch."""
    groups = (outputs.features, outputs.embeddings, outputs.logits)
    whole = [{modality: gathered(values) for modality, values in group.items()} for group in groups]
    return Outputs(*whole), {modality: gathered(values) for modality, values in labels.items()}


class _Normalise(torch.autograd.Function):
    """Normalise a batch by the mean and variance of all processes' images."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
        """Return the normalised images, `(N, C, …)`, and mean, variance `(C,)` and count of all of them."""
        values = images.to(torch.promote_types(images.dtype, torch.float32))
        dims = [0, *range(2, images.ndim)]
        variance, mean = torch.var_mean(values, dims, correction=0)
        count = torch.full_like(mean, images.numel() / images.shape[1])
        means, variances, counts = gathered(torch.stack([mean, variance, count])[None]).unbind(1)
        total = counts.sum(dim=0)
        mean = (counts * means).sum(dim=0) / total
        variance = (counts * (variances + (means - mean).square())).sum(dim=0) / total
        ctx.save_for_backward(images, weight, mean, (variance + eps).rsqrt(), total)
        ctx.mark_non_differentiable(mean, variance, total)
        return F.batch_norm(images, mean, variance, weight, bias, eps=eps), mean, variance, total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradients; those of weight and bias are this process's part."""
        images, weight, mean, inverse, total = ctx.saved_tensors
        gradient, shape = gradients[0].to(mean.dtype), (1, -1, *(1 for _ in images.shape[2:]))
        dims = [0, *range(2, images.ndim)]
        unit = (images.to(mean.dtype) - mean.view(shape)) * inverse.view(shape)
        of_bias, of_weight = gradient.sum(dims), (gradient * unit).sum(dims)
        sums = torch.stack([of_bias, of_weight])
        dist.all_reduce(sums)
        along, across = (part.view(shape) for part in sums / total)
        inner = (weight * inverse).view(shape) * (gradient - along - unit * across)
        return inner.to(images.dtype), of_weight.to(weight.dtype), of_bias.to(weight.dtype), None


def normalised(norm: nn.BatchNorm1d | nn.BatchNorm2d, images: Tensor) -> Tensor:
    """Apply batch normalisation as in training, over the images of all processes."""
    made: tuple[Tensor, ...] = _Normalise.apply(images, norm.weight, norm.bias, norm.eps)  # type: ignore[no-untyped-call]
    values, mean, variance, total = made
    if norm.running_mean is not None and norm.running_var is not None and norm.num_batches_tracked is not None:
        with torch.no_grad():
            norm.num_batches_tracked += 1
            pace = 1.0 / float(norm.num_batches_tracked) if norm.momentum is None else norm.momentum
            norm.running_mean.lerp_(mean, pace)
            norm.running_var.lerp_(variance * total / (total - 1), pace)
    return values


class SharedNorm1d(nn.BatchNorm1d):
    """Batch normalisation of features over all processes."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 — the name that torch gives it
        """Normalise `(N, C)`."""
        return normalised(self, input) if self.training and processes() > 1 else super().forward(input)


class SharedNorm2d(nn.BatchNorm2d):
    """Batch normalisation of maps over all processes."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 — the name that torch gives it
        """Normalise `(N, C, h, w)`."""
        return normalised(self, input) if self.training and processes() > 1 else super().forward(input)


def share_statistics(module: nn.Module) -> None:
    """Replace every batch normalisation in a module by one over all processes, with the same parameters and buffers.

    It replaces `nn.SyncBatchNorm`, which does not work on a CPU.
    """
    for name, part in module.named_children():
        share_statistics(part)
        if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d):
            kind = SharedNorm1d if isinstance(part, nn.BatchNorm1d) else SharedNorm2d
            shared = kind(part.num_features, part.eps, part.momentum)
            shared.weight, shared.bias = part.weight, part.bias
            shared.running_mean, shared.running_var = part.running_mean, part.running_var
            shared.num_batches_tracked = part.num_batches_tracked
            setattr(module, name, shared.train(part.training))


class RecordedPasses:
    """Replaces a network in training, with the same outputs and gradients.

    MUN's generator and the pass through stems, trunk and neck are recorded at their first call, for the shapes and the
    precision of that call, and replayed from then on; every other auxiliary modality is computed as usual. Each call
    overwrites the outputs of the previous one.

    Args:
        network: On a GPU, in training; its weights may change in place, but not move.
    """

    def __init__(self, network: Network) -> None:
        self.network = network
        self._generate: Pass | None = None
        self._embed: Pass | None = None

    def generate(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Make the auxiliary images of pairs; see `Network.generate`."""
        auxiliary = self.network.auxiliary
        if type(auxiliary) is not AuxiliaryGenerator or auxiliary.random:
            return self.network.generate(visible, infrared, draws)
        if self._generate is None:
            self._generate = recorded(_Generate(self.network), (visible, infrared))
        return self._generate(visible, infrared)

    def __call__(self, images: Mapping[Modality, Tensor]) -> Outputs:
        """Run stems, trunk and neck; see `Network.forward`."""
        modalities = list(images)
        if self._embed is None:
            self._embed = recorded(_Embed(self.network, modalities), list(images.values()))
        flat = self._embed(*images.values())
        count = len(modalities)
        groups = [
            dict(zip(modalities, flat[start : start + count], strict=True)) for start in range(0, 3 * count, count)
        ]
        return Outputs(*groups)


class _Generate(nn.Module):
    """A network's generator as a function of tensors."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.auxiliary = network.auxiliary
        self._network = [network]  # in a list: its other weights are no part of this pass

    def forward(self, visible: Tensor, infrared: Tensor) -> tuple[Tensor, ...]:
        return self._network[0].generate(visible, infrared)


class _Embed(nn.Module):
    """A network's stems, trunk and neck as a function of tensors: features, embeddings, logits by modality."""

    def __init__(self, network: Network, modalities: Sequence[Modality]) -> None:
        super().__init__()
        self.stems, self.trunk, self.neck = network.stems, network.trunk, network.neck
        self._network, self._modalities = [network], modalities

    def forward(self, *images: Tensor) -> tuple[Tensor, ...]:
        outputs = self._network[0](dict(zip(self._modalities, images, strict=True)))
        groups = (outputs.features, outputs.embeddings, outputs.logits)
        return tuple(group[modality] for group in groups for modality in self._modalities)


def recorded(module: nn.Module, images: Sequence[Tensor]) -> Pass:
    """Record a module's forward and backward pass for images like these; its batch statistics stay as they are."""
    kept = {name: buffer.clone() for name, buffer in module.named_buffers()}
    examples = tuple(image.detach().clone().requires_grad_(image.requires_grad) for image in images)
    mixed = torch.is_autocast_enabled("cuda")
    with torch.autocast("cuda", dtype=torch.bfloat16, enabled=mixed, cache_enabled=False):
        made = torch.cuda.make_graphed_callables(module, examples, allow_unused_input=True)
    with torch.no_grad():
        for name, buffer in module.named_buffers():
            buffer.copy_(kept[name])
    return cast(Pass, made)
