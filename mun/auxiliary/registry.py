"""Every auxiliary modality behind one interface.

To add one, write a class that takes a `ModelConfig` and follows `Auxiliary`, and name it in `AUXILIARIES`.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mun.auxiliary.generator import AuxiliaryGenerator
from mun.auxiliary.interface import Auxiliary
from mun.config import ModelConfig

__all__ = ["AUXILIARIES", "NoAuxiliary", "build_auxiliary"]


class NoAuxiliary(Auxiliary):
    """The two-stream baseline: no third modality."""

    num_images = 0

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Make no image from a pair."""
        return ()


AUXILIARIES: dict[str, Callable[[ModelConfig], Auxiliary]] = {
    "none": lambda config: NoAuxiliary(),  # noqa: ARG005
    "mun": lambda config: AuxiliaryGenerator(config.generator),
}


def build_auxiliary(config: ModelConfig) -> Auxiliary:
    """Build the auxiliary modality that a config names.

    Its `forward(visible, infrared)` takes same-identity pairs, RGB, float, nominally [0, 1], `(N, 3, H, W)`, and
    returns a tuple of `num_images` auxiliary images of the same shape, which inherit the pairs' labels.

    Raises:
        ValueError: The name is not in the registry.
    """
    if config.auxiliary not in AUXILIARIES:
        raise ValueError(f"expected auxiliary to be one of {', '.join(AUXILIARIES)}; got {config.auxiliary!r}")
    return AUXILIARIES[config.auxiliary](config)
