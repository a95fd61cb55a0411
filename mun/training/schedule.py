"""The learning rate of a step, the optimiser, and the reset of labels whose identities are replaced."""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from mun.config import TrainConfig
from mun.models.network import CLASSIFIER_STD, BnNeck, Network

__all__ = ["build_optimizer", "forget_labels", "learning_rate", "set_learning_rate", "snapshot_steps"]


def learning_rate(step: int, steps: int, config: TrainConfig) -> float:
    """Rise linearly during warm-up, then fall along a cosine to 1 % of the highest rate.

    Args:
        step: Counted from 0.
        steps: Steps of the whole run.
        config: Gives the highest rate and the share of warm-up.
    """
    warm = config.warmup * steps
    if step < warm:
        return config.lr * (step + 1) / (warm + 1)
    share = min(1.0, (step - warm) / max(1.0, steps - warm))
    return config.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * share)))


def snapshot_steps(count: int, steps: int) -> frozenset[int]:
    """Choose at most `count` numbers of steps, from 0 to `steps`, dense at the start where a generator changes most."""
    if not count:
        return frozenset()
    return frozenset(int(step) for step in np.round(np.geomspace(1, steps + 1, count) - 1))


def build_optimizer(network: Network, config: TrainConfig, pretrained: bool = False) -> torch.optim.Optimizer:
    """Build the optimiser; biases, normalisation and the layer scale (all 1-D) are not decayed.

    On a GPU all parameters are updated by a few large kernels, which round differently.

    Args:
        network: What is trained.
        config: Kind, rates and decay.
        pretrained: Whether stems and trunk started from pretrained weights; their learning rate is then multiplied by
            `pretrained_rate`.
    """
    trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
    fused = all(parameter.is_cuda for parameter in trained)
    rates = {id(p): config.generator_rate for p in network.auxiliary.parameters()}
    if pretrained:
        rates |= {id(p): config.pretrained_rate for part in (network.stems, network.trunk) for p in part.parameters()}
    factors = [rates.get(id(p), 1.0) for p in trained]
    groups = [
        {"params": params, "weight_decay": decay, "factor": factor}
        for factor in sorted(set(factors), key=lambda factor: (factor != 1.0, factor))
        for chosen in [[p for p, own in zip(trained, factors, strict=True) if own == factor]]
        for decay, params in (
            (config.weight_decay, [p for p in chosen if p.ndim > 1]),
            (0.0, [p for p in chosen if p.ndim <= 1]),
        )
    ]
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True, fused=fused)
    return torch.optim.AdamW(groups, lr=config.lr, fused=fused)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every parameter group the rate of this step, times the group's own factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]


def forget_labels(
    neck: BnNeck, optimizer: torch.optim.Optimizer, labels: NDArray[np.int64], draws: torch.Generator
) -> None:
    """Reset the classifier's rows of some labels, and the optimiser's state of these rows.

    Args:
        neck: The neck whose classifier changes.
        optimizer: The optimiser that trains it.
        labels: Labels of the identities that are replaced, `(M,)`.
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
