"""How one checkpoint encodes a pair: its auxiliary images, their embeddings, and how its generator's image formed."""

from collections.abc import Callable, Hashable, Mapping
from functools import cached_property, partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.library.library import Library
from app.library.own_images import too_new
from app.library.pairs import ImagePair
from mun.auxiliary.generator import AuxiliaryGenerator, input_dependence
from mun.auxiliary.interface import Auxiliary
from mun.auxiliary.panel import UNIT, Display, fit_display, with_state
from mun.checkpoint import SNAPSHOTS, read_snapshots
from mun.data.augment import to_images
from mun.data.pairing import pair_samples
from mun.embedding import auxiliary_images, embed_images
from mun.models.network import Network
from mun.structures import Modality

__all__ = ["DISPLAY_PAIRS", "DISPLAY_SEED", "FINAL", "GENERATORS", "PairEncoder"]
__all__ += ["film", "fitted_display", "generator_at", "generator_names", "generators", "kept_steps"]

GENERATORS = {"mun": "MUN", "mun-shuffled": "MUN, shuffled partners", "mun-frozen": "MUN, never trained"}
DISPLAY_PAIRS, DISPLAY_SEED = 16, 0  # pairs that the display mapping of a checkpoint is fitted to
FINAL = -1  # stands for the weights after the last step
T = TypeVar("T")


def generator_names(library: Library) -> list[str]:
    """List the names of the usable checkpoints with MUN's generator, the trained ones first."""
    return [name for wanted in GENERATORS for name, kind in library.checkpoints.kinds.items() if kind == wanted]


def generators(library: Library) -> list[str]:
    """List the names of the usable checkpoints with MUN's generator; at least one.

    Raises:
        ValueError: None is loaded.
    """
    if names := generator_names(library):
        return names
    raise ValueError("expected a checkpoint with MUN's generator, got none; train one with --auxiliary mun")


def fitted_display(library: Library, checkpoint: str, data: str) -> Display:
    """Return the mapping from a checkpoint's auxiliary images to pixels, the same in all tabs."""
    collection = library.collections[data]

    def fit() -> Display:
        try:
            pairs = pair_samples(collection.samples, seed=DISPLAY_SEED)
        except ValueError:  # no person has images of both modalities
            return UNIT
        rows = np.random.default_rng(DISPLAY_SEED).permutation(len(pairs))[:DISPLAY_PAIRS]
        return fit_display(auxiliary_images(library.network(checkpoint), [pairs[row] for row in sorted(rows)]))

    key = ("auxiliary-display", library.checkpoints[checkpoint].content, collection.content)
    return library.cache.get(key, fit, lambda _: 100)


class PairEncoder:
    """One checkpoint that encodes one pair; the shared network is never changed.

    Args:
        library: State that all visitors share.
        checkpoint: Name of a usable checkpoint.
        data: Name of the data set that is searched.
        pair: The two images.
    """

    def __init__(self, library: Library, checkpoint: str, data: str, pair: ImagePair) -> None:
        self.library, self.checkpoint, self.data, self.pair = library, checkpoint, data, pair
        self.network: Network = library.network(checkpoint)

    @property
    def size(self) -> tuple[int, int]:
        """Input height and width of the network."""
        return self.network.config.size

    @cached_property
    def inputs(self) -> tuple[Tensor, Tensor]:
        """The pair as the network takes it: RGB, float, [0, 1], `(1, 3, H, W)` each.

        Raises:
            ValueError: The checkpoint was added after a visitor's own images and needs a size that was not kept.
        """
        if self.size not in self.pair.pixels:
            raise too_new(self.checkpoint)
        images = to_images(torch.from_numpy(np.array(self.pair.pixels[self.size])).to(self.network.mean.device))
        return images[:1], images[1:]

    @cached_property
    def sides(self) -> NDArray[np.float64]:
        """Unit-length embeddings of the visible and the infrared image, `(2, D)`."""
        modalities = (Modality.VISIBLE, Modality.INFRARED)
        return self.kept("sides", lambda: np.concatenate(list(map(self.embed, self.inputs, modalities))))

    def embed(self, images: Tensor, modality: Modality = Modality.AUXILIARY) -> NDArray[np.float64]:
        """Embed images, `(N, 3, H, W)` in [0, 1], and return `(N, D)`.

        Raises:
            ValueError: The network gives values that are not finite.
        """
        return np.asarray(embed_images(self.network, images, modality), dtype=np.float64)

    def kept(self, what: Hashable, compute: Callable[[], T]) -> T:
        """Compute a result about this checkpoint and this pair; cache it if the pair may be kept."""
        return compute() if self.pair.content is None else self.library.cache.get(self._key(what), compute, weigh)

    def _key(self, what: Hashable) -> Hashable:
        return ("auxiliary", self.library.checkpoints[self.checkpoint].content, self.pair.content, what)

    def generated(self) -> tuple[Tensor, ...]:
        """Make the checkpoint's own auxiliary images, `(1, 3, H, W)` each, without randomness."""

        def compute() -> tuple[Tensor, ...]:
            with torch.no_grad():
                return self.network.generate(*self.inputs)

        return self.kept("generated", compute)

    def points(self, images: Mapping[Hashable, Tensor]) -> dict[Hashable, NDArray[np.float64]]:
        """Embed auxiliary images, `(1, 3, H, W)` each, by name.

        All images without a cached embedding are embedded in one batch, in a third of the time of one by one.

        Returns:
            The embedding of each, `(1, D)`, by the same names.
        """
        known, kept = self.library.cache, self.pair.content is not None
        new = [what for what in images if not (kept and self._key(("point", what)) in known)]
        rows = dict(zip(new, self.embed(torch.cat([images[what] for what in new])), strict=True)) if new else {}

        def point(what: Hashable) -> NDArray[np.float64]:  # embed again if the cache has dropped it
            return rows[what][None].copy() if what in rows else self.embed(images[what])

        return {what: self.kept(("point", what), partial(point, what)) for what in images}

    def dependence(self, generator: Auxiliary, step: int = FINAL) -> float | None:
        """Return how much the generator's image at a step depends on the visible input, in [0, 1].

        `None` if the generator makes no image, or two images, which have only a joint value.
        """
        if generator.num_images != 1:
            return None
        value = self.kept(("dependence", step), lambda: input_dependence(generator, *self.inputs))
        return value if np.isfinite(value) else None

    @cached_property
    def display(self) -> Display:
        """The one mapping from this checkpoint's auxiliary images to pixels; the same for every pair and every step."""
        return fitted_display(self.library, self.checkpoint, self.data)


def weigh(value: object) -> int:
    """Return the size of a result in bytes."""
    if isinstance(value, np.ndarray | Tensor):
        return int(value.nbytes)
    return sum(weigh(part) for part in value) if isinstance(value, tuple) else 100


def snapshots(library: Library, checkpoint: str) -> dict[int, dict[str, Tensor]]:
    """Read the kept states of a checkpoint's generator once, by step; empty if the file is missing.

    Raises:
        ValueError: The file is broken.
    """
    entry = library.checkpoints[checkpoint]
    try:
        status = (entry.folder / SNAPSHOTS).stat()
    except OSError:
        return {}
    key = ("snapshots", entry.content, status.st_size, status.st_mtime_ns)

    def read() -> dict[int, dict[str, Tensor]]:
        try:
            return read_snapshots(entry.folder)
        except ValueError as error:  # its message may name the folder, which visitors must not see
            words = str(error).replace(str(entry.folder), checkpoint)
            raise ValueError(f"the training of {checkpoint} cannot be replayed: {words}") from None

    return library.cache.get(
        key, read, lambda states: sum(tensor.nbytes for state in states.values() for tensor in state.values())
    )


def kept_steps(library: Library, checkpoint: str) -> tuple[tuple[int, ...], str]:
    """Return the steps whose generator a checkpoint keeps, and a sentence that says why there are none."""
    try:
        steps = tuple(snapshots(library, checkpoint))
    except ValueError as error:
        return (), f"{str(error)[:1].upper()}{str(error)[1:]}."
    absent = f"{checkpoint} keeps no generator of earlier steps, so its training cannot be replayed."
    return steps, "" if steps else absent


def generator_at(encoder: PairEncoder, step: int) -> AuxiliaryGenerator:
    """Return a copy of the generator at a kept step, or for `FINAL` the shared generator, which must not be changed.

    Raises:
        ValueError: The checkpoint has another generator, or the kept state does not fit it.
    """
    generator = encoder.network.auxiliary
    if not isinstance(generator, AuxiliaryGenerator):
        raise ValueError(f"expected a checkpoint with MUN's generator, got {encoder.checkpoint} with another one")
    if step == FINAL:
        return generator
    return with_state(generator, snapshots(encoder.library, encoder.checkpoint)[step])


def film(encoder: PairEncoder) -> list[tuple[int, NDArray[np.uint8]]]:
    """Make the auxiliary image at every kept step and at the end of training, in the pixels of the page.

    Returns:
        Steps, the last one `FINAL`, and images, RGB, uint8, `(H, W, 3)`; empty if no step is kept.

    Raises:
        ValueError: A kept state does not fit this generator.
    """
    card = encoder.library.checkpoints[encoder.checkpoint].card
    steps = kept_steps(encoder.library, encoder.checkpoint)[0]
    wanted = (*(step for step in steps if card is None or step != card.steps), FINAL) if steps else ()

    def make() -> tuple[tuple[int, NDArray[np.uint8]], ...]:
        with torch.no_grad():
            made = ((step, generator_at(encoder, step)(*encoder.inputs)[0][0]) for step in wanted)
            return tuple((step, encoder.display.pixels(image)) for step, image in made)

    return list(encoder.kept(("film", encoder.data), make))
