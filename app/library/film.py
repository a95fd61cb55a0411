"""How a generator's image formed: the states that a checkpoint keeps of it, and the image that each makes of a pair."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.library.library import Library
from app.library.pair_encoder import PairEncoder
from mun.auxiliary.generator import AuxiliaryGenerator
from mun.auxiliary.panel import with_state
from mun.snapshots import SNAPSHOTS, read_snapshots

__all__ = ["FINAL", "film", "generator_at", "kept_steps"]

FINAL = -1  # stands for the weights after the last step


def snapshots(library: Library, checkpoint: str) -> dict[int, dict[str, Tensor]]:
    """Read the kept states of a checkpoint's generator once; none where its file is gone.

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
        except ValueError as error:  # its message may name the folder, which is nobody's business
            words = str(error).replace(str(entry.folder), checkpoint)
            raise ValueError(f"the training of {checkpoint} cannot be replayed: {words}") from None

    return library.cache.get(
        key, read, lambda states: sum(tensor.nbytes for state in states.values() for tensor in state.values())
    )


def kept_steps(library: Library, checkpoint: str) -> tuple[tuple[int, ...], str]:
    """List the steps whose generator a checkpoint keeps, and say in a sentence why there are none."""
    try:
        steps = tuple(snapshots(library, checkpoint))
    except ValueError as error:
        return (), f"{str(error)[:1].upper()}{str(error)[1:]}."
    absent = f"{checkpoint} keeps no generator of earlier steps, so its training cannot be replayed."
    return steps, "" if steps else absent


def generator_at(encoder: PairEncoder, step: int) -> AuxiliaryGenerator:
    """Return the generator of a kept step, an own copy, or the shared one, which is never changed.

    Raises:
        ValueError: The checkpoint has another generator, or the state is none of this generator's.
    """
    generator = encoder.network.auxiliary
    if not isinstance(generator, AuxiliaryGenerator):
        raise ValueError(f"expected a checkpoint with MUN's generator, {encoder.checkpoint} has another one")
    if step == FINAL:
        return generator
    return with_state(generator, snapshots(encoder.library, encoder.checkpoint)[step])


def film(encoder: PairEncoder) -> list[tuple[int, NDArray[np.uint8]]]:
    """Make the image of every kept step, and last of the whole training, as the page shows images.

    Returns:
        Steps, the last one `FINAL`, and images, RGB, uint8, `(H, W, 3)`; nothing where no step is kept.

    Raises:
        ValueError: A state is none of this generator's.
    """
    card = encoder.library.checkpoints[encoder.checkpoint].card
    steps = kept_steps(encoder.library, encoder.checkpoint)[0]
    wanted = (*(step for step in steps if card is None or step != card.steps), FINAL) if steps else ()

    def make() -> tuple[tuple[int, NDArray[np.uint8]], ...]:
        with torch.no_grad():
            made = ((step, generator_at(encoder, step)(*encoder.inputs)[0][0]) for step in wanted)
            return tuple((step, encoder.display.pixels(image)) for step, image in made)

    return list(encoder.kept(("film", encoder.data), make))
