"""From images to embeddings: one network, batches of bounded size."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from enum import StrEnum

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mun.data.augment import to_images
from mun.data.cache import Read, decode_samples, read_resized
from mun.data.pairing import Pair
from mun.distributed import share, summed
from mun.features import unit_rows
from mun.models.network import Network
from mun.progress import Progress
from mun.structures import Modality, Sample

__all__ = ["Space", "auxiliary_images", "embed_images", "embed_pairs", "embed_pixels", "embed_samples"]

Floats = NDArray[np.float32]
PAIR_CHUNK = 64


class Space(StrEnum):
    """The space of points: pooled features before the BN neck, or unit-length embeddings after it."""

    FEATURES = "features"
    EMBEDDING = "embedding"


def embed_pixels(
    network: Network,
    pixels: NDArray[np.uint8],
    modality: Modality,
    *,
    flip: bool = False,
    batch_size: int = 64,
    space: Space = Space.EMBEDDING,
) -> Floats:
    """Embed decoded images of one modality.

    Args:
        network: In evaluation mode, on any device.
        pixels: RGB, uint8, [0, 255], `(N, H, W, 3)`, of the size the network was trained on.
        modality: `VISIBLE` or `INFRARED`.
        flip: Average the embeddings of the image and its mirror, and normalise again; features are only averaged.
        batch_size: Images at once.
        space: Unit-length embeddings, or the features before the BN neck.

    Returns:
        Float32, `(N, D)`.

    Raises:
        ValueError: Another shape or type, or the network gives values that are not finite.
    """
    size = network.config.size
    if pixels.ndim != 4 or pixels.shape[1:] != (*size, 3) or pixels.dtype != np.uint8:
        raise ValueError(f"expected uint8 pixels of shape (N, {size[0]}, {size[1]}, 3), got {pixels.shape}")
    embeddings = np.zeros((len(pixels), network.num_features), dtype=np.float32)
    for start in range(0, len(pixels), batch_size):
        part = slice(start, start + batch_size)
        images = to_images(torch.from_numpy(np.array(pixels[part])).to(network.mean.device))
        embeddings[part] = embed_images(network, images, modality, flip=flip, space=space)
    return embeddings


@torch.inference_mode()
def embed_images(
    network: Network, images: Tensor, modality: Modality, *, flip: bool = False, space: Space = Space.EMBEDDING
) -> Floats:
    """Embed a batch of images of one modality.

    Args:
        network: In evaluation mode, on the device of the images.
        images: RGB, float, [0, 1], `(N, 3, H, W)`, N at least 1.
        modality: The modality whose stem is used.
        flip: As `embed_pixels`.
        space: As `embed_pixels`.

    Returns:
        Float32, `(N, D)`; embeddings are of unit length, which no later code checks again.

    Raises:
        ValueError: The network gives values that are not finite.
    """
    embed = network.features if space is Space.FEATURES else network.embed
    rows = embed(images, modality)
    if flip:
        rows = 0.5 * (rows + embed(images.flip(-1), modality))
        if space is Space.EMBEDDING:
            rows = torch.nn.functional.normalize(rows, dim=1)
    values: Floats = rows.cpu().numpy()
    if not np.isfinite(values).all():
        raise ValueError("expected finite embeddings, the network gave NaN or infinity; its weights are damaged")
    return values if space is Space.FEATURES else np.asarray(unit_rows("embeddings", values), np.float32)


def embed_samples(
    network: Network,
    samples: Sequence[Sample],
    *,
    flip: bool = False,
    progress: bool = False,
    chunk: int = 256,
    space: Space = Space.EMBEDDING,
    name: str = "embedding",
    read: Read = read_resized,
) -> Floats:
    """Read and embed samples of both modalities, in their order.

    On a GPU the next chunk is read while one is embedded. On a CPU reading and embedding alternate, which is faster:
    the threads of a forward pass wait for each other, so one that loses its core to a decoder delays all. Several
    processes share the samples, and each of them returns all rows.

    Args:
        network: In evaluation mode.
        samples: N images on disk.
        flip: As `embed_pixels`.
        progress: Show a progress bar on stderr.
        chunk: Images decoded at once; memory holds two chunks on a GPU.
        space: As `embed_pixels`.
        name: Name of the progress bar.
        read: Reads a sample at a height and a width.

    Returns:
        Float32, `(N, D)`.

    Raises:
        ValueError: An image is broken, or as `embed_pixels`.
    """
    embeddings = np.zeros((len(samples), network.num_features), dtype=np.float32)
    parts: list[tuple[Modality, Sequence[int]]] = []
    for modality in (Modality.VISIBLE, Modality.INFRARED):
        rows = share([row for row, sample in enumerate(samples) if sample.modality is modality])
        parts += [(modality, rows[start : start + chunk]) for start in range(0, len(rows), chunk)]

    def decoded(part: int) -> NDArray[np.uint8]:
        return decode_samples([samples[row] for row in parts[part][1]], *network.config.size, read)

    on_gpu = network.mean.device.type != "cpu"
    with Progress(sum(len(rows) for _, rows in parts), name, "image", progress) as done, ThreadPoolExecutor(1) as ahead:
        coming = None
        for number, (modality, rows) in enumerate(parts):
            pixels = coming.result() if coming else decoded(number)
            coming = ahead.submit(decoded, number + 1) if on_gpu and number + 1 < len(parts) else None
            embeddings[rows] = embed_pixels(network, pixels, modality, flip=flip, space=space)
            done.update(len(rows))
    return summed(embeddings, network.mean.device)


def auxiliary_images(network: Network, pairs: Sequence[Pair]) -> Floats:
    """Generate the auxiliary images of pairs of images on disk.

    Args:
        network: In evaluation mode, with an auxiliary modality.
        pairs: N pairs, few enough for their images to fit into memory.

    Returns:
        RGB, float32, nominally [0, 1] but not clipped, `(N, A, 3, H, W)`: A images per pair, none without an auxiliary
        modality.

    Raises:
        ValueError: An image is broken.
    """
    size = network.config.size
    if not pairs or not network.auxiliary.num_images:
        return np.zeros((len(pairs), network.auxiliary.num_images, 3, *size), dtype=np.float32)
    device = network.mean.device
    visible = to_images(torch.from_numpy(decode_samples([pair.visible for pair in pairs], *size)).to(device))
    infrared = to_images(torch.from_numpy(decode_samples([pair.infrared for pair in pairs], *size)).to(device))
    with torch.inference_mode():
        return torch.stack(network.generate(visible, infrared), dim=1).float().cpu().numpy()


def embed_pairs(network: Network, pairs: Sequence[Pair], *, space: Space = Space.EMBEDDING) -> Floats:
    """Embed the auxiliary images of pairs by the network's auxiliary stem.

    These embeddings are not used at test time; they show where the third modality lies. Matched pairs use labels.

    Args:
        network: In evaluation mode.
        pairs: N pairs of images on disk.
        space: As `embed_pixels`.

    Returns:
        Float32, `(N, A, D)`, A auxiliary images per pair.

    Raises:
        ValueError: An image is broken, or the network gives values that are not finite.
    """
    count = network.auxiliary.num_images
    points = np.zeros((len(pairs), count, network.num_features), dtype=np.float32)
    device = network.mean.device
    for start in range(0, len(pairs) if count else 0, PAIR_CHUNK):
        images = torch.from_numpy(auxiliary_images(network, pairs[start : start + PAIR_CHUNK])).to(device)
        embedded = embed_images(network, images.flatten(0, 1), Modality.AUXILIARY, space=space)
        points[start : start + PAIR_CHUNK] = embedded.reshape(len(images), count, -1)
    return points
