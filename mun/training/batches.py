"""The batches of a run: images, augmentation and labels of each step."""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mun.config import Config
from mun.data.augment import augment, draw_uniform, share_geometry, to_images
from mun.data.cache import cached_images
from mun.data.fresh import FreshPeople
from mun.data.sampler import CrossModalSampler, Indices
from mun.data.source import Source
from mun.distributed import local_first, own_part
from mun.structures import PAIRED, Modality, Sample, Split

__all__ = ["Batches", "build_sampler"]

Pixels = dict[Modality, NDArray[np.uint8]]
PLAIN_STEPS = 2**31  # first step number of plain batches, which training never reaches


def build_sampler(samples: Sequence[Sample], config: Config, seed: int) -> CrossModalSampler:
    """Build the sampler of a run.

    Raises:
        ValueError: The samples do not suffice for one batch.
    """
    train = config.train
    alone = train.modalities == "visible"
    return CrossModalSampler(samples, train.ids_per_batch, train.instances_per_id, seed, train.same_instant, alone)


class Batches:
    """All batches of a run; each is a function of seed and step alone, and several processes share its pairs.

    While a step is computed, a thread reads the images of the next one.

    Args:
        source: Data with training images.
        config: Of the run.
        seed: Of the run.
        device: Where images are augmented.
        progress: Show a progress bar while images are decoded.

    Attributes:
        sampler: Chooses people and images.
        part: The pairs of a step that this process works on; all of them without other processes.
        pixels: Decoded training images, uint8, `(N, H, W, 3)`.
        fresh: The people that replace others during training; `None` if all stay.
        steps_per_epoch: Steps of one epoch.

    Raises:
        ValueError: The training images do not suffice, or cannot be read.
    """

    def __init__(self, source: Source, config: Config, seed: int, device: torch.device, progress: bool = True) -> None:
        self.config, self.seed, self.device = config, seed, device
        samples, train = source.require(Split.TRAIN), config.train
        self.sampler = build_sampler(samples, config, seed)
        self.steps_per_epoch = self.sampler.steps_per_epoch
        self.part = own_part(train.pairs)
        with local_first():
            self.pixels: NDArray[np.uint8] = cached_images(samples, *config.model.size, progress=progress)
        self.fresh = FreshPeople(source, self.pixels, train.fresh) if train.fresh else None
        self.thread = ThreadPoolExecutor(1)
        self.next: tuple[int, Future[Pixels] | None] = (-1, None)
        self.modalities = PAIRED[:1] if train.modalities == "visible" else PAIRED

    def draws(self, step: int) -> torch.Generator:
        """Return the random generator of a step."""
        return torch.Generator().manual_seed(self.seed * 1_000_003 + step)

    def chosen(self, step: int) -> tuple[dict[Modality, Indices], Indices]:
        """Choose this process's pairs of a step: rows per modality and labels, `(P·K,)` for one process."""
        rows, labels = self.sampler.batch(step)
        return {modality: own[self.part] for modality, own in rows.items()}, labels[self.part]

    def read(self, rows: Mapping[Modality, NDArray[np.int64]], step: int = 0) -> Pixels:
        """Read training images as they are at a step, RGB, uint8, `(N, H, W, 3)` per modality."""
        if self.fresh is None:
            return {modality: self.pixels[rows[modality]] for modality in self.modalities}
        epoch = step // self.steps_per_epoch
        return {modality: self.fresh.images(rows[modality], epoch) for modality in self.modalities}

    def images(self, pixels: NDArray[np.uint8]) -> Tensor:
        """Return images as RGB, float32, [0, 1], `(N, 3, H, W)`."""
        return to_images(torch.from_numpy(pixels).to(self.device))

    def at(self, step: int) -> tuple[dict[Modality, Tensor], Tensor]:
        """Build the augmented images of a step, per modality, and labels, `(P·K,)` for one process."""
        rows, labels = self.chosen(step)
        expected, pixels = self.next
        read = pixels.result() if expected == step and pixels is not None else self.read(rows, step)
        if self.fresh is None:  # fresh people change between epochs, and the thread must not read before
            self.next = (step + 1, self.thread.submit(lambda: self.read(self.chosen(step + 1)[0])))
        return self.augmented(read, self.draws(step)), torch.from_numpy(labels).to(self.device)

    def second_view(self, step: int, draws: torch.Generator) -> dict[Modality, Tensor]:
        """Augment the images of a step a second time, with other random numbers."""
        return self.augmented(self.read(self.chosen(step)[0], step), draws)

    def augmented(self, pixels: Pixels, draws: torch.Generator) -> dict[Modality, Tensor]:
        """Augment this process's images of both modalities, exactly as a single process would augment them."""
        train = self.config.train
        uniform = {modality: draw_uniform(train.pairs, draws) for modality in PAIRED}
        if train.shared_geometry:
            share_geometry(uniform[Modality.VISIBLE], uniform[Modality.INFRARED])
        return {
            modality: augment(self.images(pixels[modality]), train, uniform[modality][self.part])
            for modality in self.modalities
        }

    def plain(self) -> Iterator[dict[Modality, Tensor]]:
        """Yield the fixed batches without augmentation that recalibrate the batch statistics."""
        for index in range(self.config.train.recalibration):
            pixels = self.read(self.chosen(PLAIN_STEPS + index)[0])
            yield {modality: self.images(pixels[modality]) for modality in self.modalities}

    def close(self) -> None:
        """Stop the thread that reads ahead, and the processes that render new people."""
        self.thread.shutdown(cancel_futures=True)
        if self.fresh is not None:
            self.fresh.close()
