"""The field's test of robustness: the visible images are corrupted, the infrared ones stay as they are.

Every visible image gets one of the 20 corruptions at a severity from 1 to 5. With infrared queries this is the gallery.

Source: Chen, Wang, Zheng, NeurIPS Datasets and Benchmarks 2021, arXiv:2111.00880. Departs from its public code for
cross-modal data in: every draw is seeded and the scores are means over several passes (there: one unseeded pass); the
order `peer` resizes to the network's own size (there: always 288x144); the order `native` is an addition.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mun.data.corruptions import CORRUPTIONS, SEVERITIES, corrupt
from mun.data.source import read_sample
from mun.embedding import embed_samples
from mun.evaluation.benchmark import BenchmarkResult
from mun.images import resize
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["MIXED", "CorruptedTest", "Corruption", "Draw", "Order", "embed_corrupted"]

MIXED = "mixed"


class Order(StrEnum):
    """Whether an image is resized or corrupted first."""

    PEER = "peer"  # resize to the network's size, then corrupt
    NATIVE = "native"  # corrupt the file's own pixels, then resize


@dataclass(frozen=True)
class Draw:
    """The corruption of one image: one of `CORRUPTIONS`, a severity from 1 to 5, and the seed of its randomness."""

    name: str
    severity: int
    seed: int

    def apply(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Corrupt an image, RGB, uint8, `(H, W, 3)`."""
        return corrupt(image, self.name, self.severity, self.seed)


@dataclass(frozen=True)
class Corruption:
    """The corruption of the visible images of a data set.

    Attributes:
        name: One of `CORRUPTIONS` for every image, or `mixed`: one of the 20 drawn for each.
        severity: 1 to 5 for every image; `None`: drawn uniformly for each.
        seed: Of all draws, from 0.
        number: Of the pass, from 0.

    Raises:
        ValueError: A value is out of bounds.
    """

    name: str = MIXED
    severity: int | None = None
    seed: int = 0
    number: int = 0

    def __post_init__(self) -> None:
        if self.name != MIXED and self.name not in CORRUPTIONS:
            raise ValueError(f"expected one of the corruptions {MIXED}, {', '.join(CORRUPTIONS)}; got {self.name!r}")
        if self.severity not in (None, *SEVERITIES):
            raise ValueError(f"expected a severity from 1 to 5, got {self.severity}")
        if self.seed < 0 or self.number < 0:
            raise ValueError(f"expected seed and pass from 0, got {self.seed} and {self.number}")

    def draw(self, key: str) -> Draw:
        """Draw the corruption of the image with a key; it depends on seed, pass and key alone, not on any order."""
        digest = hashlib.sha256(f"{self.seed} {self.number} {key}".encode()).digest()
        draws = np.random.default_rng(int.from_bytes(digest[:16], "little"))
        names = list(CORRUPTIONS)
        name, severity, seed = names[draws.integers(len(names))], int(draws.integers(1, 6)), int(draws.integers(2**62))
        return Draw(name if self.name == MIXED else self.name, self.severity or severity, seed)

    @property
    def description(self) -> str:
        """The corruption in words: `fog, severity 3, seed 0`."""
        name = self.name.replace("_", " ").replace("jpeg", "JPEG")
        what = f"{MIXED}, one of {len(CORRUPTIONS)} for every image" if self.name == MIXED else name
        strength = "severity drawn from 1 to 5" if self.severity is None else f"severity {self.severity}"
        return f"{what}, {strength}, seed {self.seed}" + (f", pass {self.number}" if self.number else "")

    def pixels(self, sample: Sample, height: int, width: int, order: Order) -> NDArray[np.uint8]:
        """Read a sample and corrupt it, RGB, uint8, `(height, width, 3)`.

        Raises:
            FileNotFoundError: The file is gone.
            ValueError: The file is broken.
        """
        image, draw = read_sample(sample), self.draw(sample.key)
        if order is Order.PEER:
            return draw.apply(resize(image, height, width))
        return resize(draw.apply(image), height, width)


def embed_corrupted(
    network: Network,
    samples: Sequence[Sample],
    clean: NDArray[np.float32],
    corruption: Corruption,
    order: Order,
    *,
    flip: bool = False,
    progress: bool = False,
) -> NDArray[np.float32]:
    """Embed samples whose visible images are corrupted.

    Args:
        network: In evaluation mode.
        samples: N images on disk.
        clean: Embeddings of these samples without corruption, `(N, D)`; those of infrared images are kept.
        corruption: Of the visible images.
        order: Whether images are resized or corrupted first.
        flip: Average the embeddings of the corrupted image and its mirror.
        progress: Show a progress bar on stderr.

    Returns:
        Float32, `(N, D)`; `clean` is not changed.

    Raises:
        FileNotFoundError: An image is gone.
        ValueError: `clean` has another number of rows, an image is broken, or the network gives values that are not
            finite.
    """
    if len(clean) != len(samples):
        raise ValueError(f"expected `clean` of shape ({len(samples)}, D), got {clean.shape}")
    rows = [row for row, sample in enumerate(samples) if sample.modality is Modality.VISIBLE]
    visible, read = [samples[row] for row in rows], partial(corruption.pixels, order=order)
    embeddings = np.array(clean)
    embeddings[rows] = embed_samples(network, visible, flip=flip, progress=progress, name=corruption.name, read=read)
    return embeddings


@dataclass(frozen=True)
class CorruptedTest:
    """The settings of a test on corrupted images.

    Attributes:
        order: Whether images are resized or corrupted first.
        passes: Number of corruptions drawn for every image, at least 1.
        severity: Of every image; `None`: drawn from 1 to 5.
        seed: Of all draws.
        each: Whether each corruption is also tested alone, in as many passes.

    Raises:
        ValueError: `passes` is below 1, or severity or seed is out of bounds.
    """

    order: Order
    passes: int = 5
    severity: int | None = None
    seed: int = 0
    each: bool = False

    def __post_init__(self) -> None:
        if self.passes < 1:
            raise ValueError(f"expected at least one pass, got {self.passes}")
        self.corruptions(MIXED)

    def corruptions(self, name: str) -> list[Corruption]:
        """List the passes of one corruption, or of `mixed`."""
        return [Corruption(name, self.severity, self.seed, number) for number in range(self.passes)]

    def run(self, score: Callable[[Corruption], BenchmarkResult]) -> dict[str, Any]:
        """Score every pass; `score` runs the protocol on images with the given corruption.

        Returns:
            The object for `evaluate`: `mean` and `sd`, fractions, over all trials of all passes of the field's protocol
            (`mixed`) and of each corruption that is tested alone; `per_pass` are means over trials.
        """

        def passes(name: str) -> list[BenchmarkResult]:
            return [score(corruption) for corruption in self.corruptions(name)]

        def spread(results: list[BenchmarkResult]) -> dict[str, dict[str, float]]:
            trials = tuple(trial for result in results for trial in result.per_trial)
            whole = replace(results[0], per_trial=trials)
            return {"mean": whole.mean(), "sd": whole.sd()}

        mixed = passes(MIXED)
        return {
            "order": self.order.value,
            "modality": Modality.VISIBLE.value,
            "severity": self.severity or "uniform 1-5",
            "seed": self.seed,
            "passes": self.passes,
            **spread(mixed),
            "per_pass": [result.mean() for result in mixed],
            "per_corruption": {name: spread(passes(name)) for name in CORRUPTIONS} if self.each else {},
        }
