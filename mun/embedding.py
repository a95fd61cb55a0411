"""From images to embeddings: one network, batches of bounded size."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["embed_pixels", "embed_samples"]

Floats = NDArray[np.float32]


def embed_pixels(
    network: Network, pixels: NDArray[np.uint8], modality: Modality, *, flip: bool = False, batch_size: int = 64
) -> Floats:
    """Embed decoded images of one modality.

    Args:
        network: In evaluation mode, on any device.
        pixels: RGB, uint8, [0, 255], `(N, H, W, 3)`, of the size the network was trained on.
        modality: `VISIBLE` or `INFRARED`.
        flip: Average the embeddings of the image and its mirror, and normalise again.
        batch_size: Images at once.

    Returns:
        Unit-length embeddings, float32, `(N, D)`.

    Raises:
        ValueError: Another shape or type, or the network gives values that are not finite.
    """
    size = (network.config.height, network.config.image_width)
    if pixels.ndim != 4 or pixels.shape[1:] != (*size, 3) or pixels.dtype != np.uint8:
        raise ValueError(f"expected uint8 pixels of shape (N, {size[0]}, {size[1]}, 3), got {pixels.shape}")
    device = network.mean.device
    parts = [np.zeros((0, network.num_features), dtype=np.float32)]
    with torch.inference_mode():
        for start in range(0, len(pixels), batch_size):
            chunk = torch.from_numpy(np.array(pixels[start : start + batch_size])).to(device)
            parts.append(embed_batch(network, to_images(chunk), modality, flip).cpu().numpy())
    embeddings = np.concatenate(parts)
    if not np.isfinite(embeddings).all():
        raise ValueError("expected finite embeddings, the network gave NaN or infinity; its weights are damaged")
    return embeddings


def embed_batch(network: Network, images: Tensor, modality: Modality, flip: bool) -> Tensor:
    """Embed images in [0, 1], `(N, 3, H, W)`."""
    embeddings = network.embed(images, modality)
    if flip:
        embeddings = torch.nn.functional.normalize(embeddings + network.embed(images.flip(-1), modality), dim=1)
    return embeddings


def embed_samples(
    network: Network, samples: Sequence[Sample], *, flip: bool = False, progress: bool = False, chunk: int = 512
) -> Floats:
    """Read and embed samples of both modalities, in their order.

    Args:
        network: In evaluation mode.
        samples: N images on disk.
        flip: As `embed_pixels`.
        progress: Show a progress bar on stderr.
        chunk: Images decoded at once; bounds the memory.

    Returns:
        Unit-length embeddings, float32, `(N, D)`.

    Raises:
        ValueError: An image is broken, or as `embed_pixels`.
    """
    embeddings = np.zeros((len(samples), network.num_features), dtype=np.float32)
    with tqdm(total=len(samples), desc="embedding", unit="image", disable=not progress, leave=False) as bar:
        for modality in (Modality.VISIBLE, Modality.INFRARED):
            rows = [row for row, sample in enumerate(samples) if sample.modality is modality]
            for start in range(0, len(rows), chunk):
                part = rows[start : start + chunk]
                pixels = decode_samples(
                    [samples[row] for row in part], network.config.height, network.config.image_width
                )
                embeddings[part] = embed_pixels(network, pixels, modality, flip=flip)
                bar.update(len(part))
    return embeddings
