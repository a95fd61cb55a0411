"""What a network looks at when it is explained: an image, and the auxiliary images of a pair."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.data.pairing import Pair
from mun.explain.cams import Look
from mun.models.network import Network
from mun.panel import UNIT, Display
from mun.structures import Modality, Sample

__all__ = ["Views", "pictures_of", "views_of"]

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Views:
    """What the network looks at.

    Attributes:
        single: The image.
        pairs: Each auxiliary image of the pair; empty without one.
        auxiliary: The auxiliary images, float32, `(A, 3, H, W)`.
    """

    single: Look
    pairs: tuple[Look, ...]
    auxiliary: Tensor

    @property
    def modality(self) -> Modality:
        """Of the image."""
        return self.single.modality

    def replaced(self, network: Network, image: Tensor) -> Views:
        """Put another image, `(3, H, W)`, in the place of the first, also in the pair."""
        single = Look(image[None].to(self.single.images), self.modality)
        if not self.pairs:
            return Views(single, (), self.auxiliary)
        both = self.pairs[0].images.clone()
        both[0, slice(0, 3) if self.modality is Modality.VISIBLE else slice(3, 6)] = single.images[0]
        return paired_views(network, single, both)


def views_of(network: Network, sample: Sample, pair: Pair | None) -> Views:
    """Read the images.

    Raises:
        ValueError: An image is broken or gone.
    """
    single = Look(read(network, [sample]), sample.modality)
    if pair is None:
        return Views(single, (), single.images[:0])
    return paired_views(network, single, read(network, [pair.visible, pair.infrared]).flatten(0, 1)[None])


def paired_views(network: Network, single: Look, both: Tensor) -> Views:
    """Look at a pair, `(1, 6, H, W)`, too."""
    with torch.inference_mode():
        made = torch.cat(network.generate(both[:, :3], both[:, 3:]))
    count = network.auxiliary.num_images
    return Views(single, tuple(Look(both, Modality.AUXILIARY, number) for number in range(count)), made)


def read(network: Network, samples: list[Sample]) -> Tensor:
    """Read images at the network's size, float32, [0, 1], `(N, 3, H, W)`, on its device."""
    try:
        pixels = decode_samples(samples, network.config.height, network.config.image_width)
    except OSError:  # its message names a folder of the machine
        raise ValueError("an image is gone from the disk; start the app again") from None
    return to_images(torch.from_numpy(pixels).to(network.mean.device))


def pictures_of(views: Views, display: Display) -> dict[str, Pixels]:
    """Turn what the network sees into pictures."""
    pictures = {views.modality.value: UNIT.pixels(views.single.images[0])}
    if views.pairs:
        both = views.pairs[0].images[0]
        pictures |= {"visible": UNIT.pixels(both[:3]), "infrared": UNIT.pixels(both[3:])}
        names = ["auxiliary", *(f"auxiliary {number}" for number in range(2, len(views.auxiliary) + 1))]
        pictures |= dict(zip(names, map(display.pixels, views.auxiliary), strict=True))
    return pictures
