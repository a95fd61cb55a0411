"""A network with the image that it looks at and the target that it compares the image to."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from app.explain.subject import Subject
from app.library import Library
from app.library.maps import Views, reference_of, views_of
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.embedding import embed_pixels
from mun.explain.targets import Similarity, center
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["Setting"]

MAX_REFERENCES = 12  # images of a center that random weights embed


@dataclass(frozen=True, eq=False)
class Setting:
    """A network, the images that it looks at, and the target that it compares them to.

    Attributes:
        network: The network.
        views: The image, and the pair that makes its auxiliary image.
        target: The direction that the image is compared to.
        references: The images whose mean embedding is the target.
    """

    network: Network
    views: Views
    target: Similarity
    references: tuple[Sample, ...]

    @classmethod
    def of(cls, library: Library, subject: Subject) -> Setting:
        """Read the images and the target of a subject, with the network and the embeddings that its request names.

        Raises:
            ValueError: The data set cannot be embedded, or an image is broken or gone.
        """
        names = (subject.request.checkpoint, subject.request.data)
        network = library.network(names[0])
        views = views_of(network, library.collections[names[1]], subject.sample, subject.pair)
        target = reference_of(library, *names, [one.key for one in subject.references])
        return cls(network, views, target, subject.references)

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the images."""
        return self.network.config.size

    def with_network(self, network: Network) -> Setting:
        """Return the same comparison by another network, which embeds the target again: no cache holds it."""
        rows, few = [], self.references[:MAX_REFERENCES]
        for modality in sorted({sample.modality for sample in few}):
            pixels = decode_samples([sample for sample in few if sample.modality is modality], *self.size)
            rows.append(embed_pixels(network, pixels, modality))
        target = Similarity(torch.from_numpy(center(np.concatenate(rows))).to(network.mean.device))
        return Setting(network, self.views.replaced(network, self.views.single.images[0]), target, self.references)

    def with_pixels(self, pixels: NDArray[np.uint8]) -> Setting:
        """Replace the image, also in the pair, by other pixels, RGB, uint8, `(H, W, 3)`."""
        image = to_images(torch.from_numpy(np.array(pixels))[None])[0]
        return replace(self, views=self.views.replaced(self.network, image))

    def similarities(self, count: int) -> list[float]:
        """Return the cosine of the image and the target, then of the first `count` auxiliary images."""
        with torch.inference_mode():
            points = self.network.embed(self.views.single.images, self.views.modality)
            if count:
                points = torch.cat([points, self.network.embed(self.views.auxiliary[:count], Modality.AUXILIARY)])
            return [float(self.target(point)) for point in points]
