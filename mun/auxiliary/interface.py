"""The interface of auxiliary modalities: a module from pairs of images to images."""

import torch
from torch import Tensor, nn

__all__ = ["Auxiliary", "check_pairs"]


class Auxiliary(nn.Module):
    """Make auxiliary images from visible and infrared images of the same people.

    Attributes:
        num_images: Auxiliary images A per pair; 0 for none.
        second_view: Whether training passes a second augmentation of the pair instead of the batch's own.
        of_features: Whether the network makes the third modality from the outputs of the stems, without images.
    """

    num_images: int = 1
    second_view: bool = False
    of_features: bool = False

    def forward(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None = None) -> tuple[Tensor, ...]:
        """Make the images of N pairs.

        Args:
            visible: RGB, float, nominally [0, 1], `(N, 3, H, W)`.
            infrared: Like `visible`; row n shows the same person.
            draws: A CPU generator, the only source of randomness; None: a fixed choice, named by each class, so that
                the same images come out each time.

        Returns:
            `num_images` tensors like the inputs, not clipped; they inherit the pairs' labels.

        Raises:
            ValueError: The two batches differ in shape, or are not images.
        """
        check_pairs(visible, infrared)
        return self.make(visible, infrared, draws)

    def make(self, visible: Tensor, infrared: Tensor, draws: torch.Generator | None) -> tuple[Tensor, ...]:
        """Make the images of N checked pairs; every auxiliary modality implements this."""
        raise NotImplementedError


def check_pairs(visible: Tensor, infrared: Tensor) -> None:
    """Refuse batches that are not pairs of images.

    Raises:
        ValueError: The two batches differ in shape, or are not `(N, 3, H, W)`.
    """
    if visible.ndim != 4 or visible.shape[1] != 3 or visible.shape != infrared.shape:
        raise ValueError(
            f"expected visible and infrared of one shape (N, 3, H, W), got {tuple(visible.shape)} "
            f"and {tuple(infrared.shape)}"
        )
