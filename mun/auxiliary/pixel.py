"""Auxiliary modalities that are formulas on pixels: nothing is learned, randomness comes from the step's draws."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mun.auxiliary.interface import Auxiliary, check_pairs
from mun.pixels import channel_exchange, cut_mix, grayscale, mix, random_pixels

__all__ = ["ChannelExchange", "Copy", "CutMix", "Grayscale", "Mixup", "NoAuxiliary", "PixelMean", "RandomPixel"]


def generator_of(draws: torch.Generator | None) -> torch.Generator:
    """Return the draws, or the fixed ones that stand in for them."""
    return torch.Generator().manual_seed(0) if draws is None else draws


class NoAuxiliary(Auxiliary):
    """The two-stream baseline: no third modality.

    Source: the baseline that the field compares with, of no single paper. Departs from it in: backbone and losses are
    this project's, as in every row.
    """

    num_images = 0
    uses_visible = uses_infrared = False

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Make no image."""
        return ()


class Copy(Auxiliary):
    """A second augmentation of the visible image: the placebo.

    What a method gains over it is not merely a third stream of images.

    Source: a control of this project; there is nothing to depart from.
    """

    uses_infrared = False
    second_view = True

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Return the visible images, which training augments a second time."""
        check_pairs(visible, infrared)
        return (visible,)


class Grayscale(Auxiliary):
    """The visible image without colour; see `mun.pixels.grayscale`."""

    uses_infrared = False

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Make gray images."""
        check_pairs(visible, infrared)
        return (grayscale(visible),)


class ChannelExchange(Auxiliary):
    """One random channel of the visible image; see `mun.pixels.channel_exchange`."""

    uses_infrared = False

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Draw a channel for each image; without draws they are those of seed 0."""
        check_pairs(visible, infrared)
        channels = torch.randint(0, 3, (len(visible),), generator=generator_of(draws))
        return (channel_exchange(visible, channels),)


class PixelMean(Auxiliary):
    """The mean of both images: pixel fusion at its plainest.

    Source: pixel fusion, of no single paper; it is `Mixup` with every λ = ½. Departs from it in: nothing.
    """

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:  # noqa: ARG002
        """Average the pairs."""
        check_pairs(visible, infrared)
        return (mix(visible, infrared, visible.new_full((len(visible),), 0.5)),)


class Mixup(Auxiliary):
    """`λ·V + (1 − λ)·I` with λ ~ Beta(1, 1), that is uniform, per pair; see `mun.pixels.mix`."""

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Draw a share for each pair; without draws every share is ½, the mean of the distribution."""
        check_pairs(visible, infrared)
        share = torch.full((len(visible),), 0.5) if draws is None else torch.rand(len(visible), generator=draws)
        return (mix(visible, infrared, share),)


class CutMix(Auxiliary):
    """A rectangle of the infrared image in the visible one; see `mun.pixels.cut_mix`.

    Its area is drawn uniformly from [0, 1], its centre from the image; then it is cut to the image, see `draw_box`.
    """

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Draw a rectangle for each pair; without draws it is the lower half of the image."""
        check_pairs(visible, infrared)
        height, width = visible.shape[-2:]
        if draws is None:
            return (cut_mix(visible, infrared, (height // 2, 0, height, width)),)
        boxes = [draw_box(uniform, height, width) for uniform in torch.rand(len(visible), 3, generator=draws).tolist()]
        pasted = [cut_mix(visible[row : row + 1], infrared[row : row + 1], boxes[row]) for row in range(len(visible))]
        return (torch.cat(pasted),)


def draw_box(uniform: list[float], height: int, width: int) -> tuple[int, int, int, int]:
    """Turn three uniform draws into a box of the image's shape: its area, and the place of its centre.

    As in the source, the box is cut to the image, so that the pasted share is at most the drawn one.
    """
    area, down, right = uniform
    rows, columns = round(height * math.sqrt(area)), round(width * math.sqrt(area))
    top, left = round(down * height - rows / 2), round(right * width - columns / 2)
    return max(0, top), max(0, left), min(height, top + rows), min(width, left + columns)


class RandomPixel(Auxiliary):
    """Each pixel from one of both images, by a fair coin; see `mun.pixels.random_pixels`.

    Source: pixel fusion, of no single paper. Departs from it in: nothing; one coin decides all three channels.
    """

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Draw a mask for each pair; without draws it is that of seed 0."""
        check_pairs(visible, infrared)
        mask = torch.rand((len(visible), *visible.shape[-2:]), generator=generator_of(draws)) < 0.5
        return (random_pixels(visible, infrared, mask),)
