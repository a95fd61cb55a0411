"""How a generator's image formed: the states that a checkpoint keeps of it, and the image that each makes of a pair."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.library.eye import Eye
from app.library.library import Library
from mun.auxiliary.generator import AuxiliaryGenerator
from mun.panel import with_state
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


def generator_at(eye: Eye, step: int) -> AuxiliaryGenerator:
    """Return the generator of a step, an own copy, or the shared one, which is never changed.

    Raises:
        ValueError: No such step is kept, or its state is none of this generator's.
    """
    generator = eye.network.auxiliary
    if not isinstance(generator, AuxiliaryGenerator):
        raise ValueError(f"expected a checkpoint with MUN's generator, {eye.checkpoint} has another one")
    if step == FINAL:
        return generator
    states = snapshots(eye.library, eye.checkpoint)
    if step not in states:
        listed = ", ".join(map(str, list(states)[:8])) or "none"
        raise ValueError(f"expected step to be one that {eye.checkpoint} keeps ({listed}) or -1, got {step}")
    return with_state(generator, states[step])


def film(eye: Eye) -> list[tuple[int, NDArray[np.uint8]]]:
    """Make the image of every kept step, and last of the whole training, as the page shows images.

    Returns:
        Steps, the last one `FINAL`, and images, RGB, uint8, `(H, W, 3)`; nothing where no step is kept.

    Raises:
        ValueError: A state is none of this generator's.
    """
    steps, card = kept_steps(eye.library, eye.checkpoint)[0], eye.library.checkpoints[eye.checkpoint].card
    last = 0 if card is None else card.steps

    def make() -> tuple[tuple[int, NDArray[np.uint8]], ...]:
        frames = []
        for step in (*(step for step in steps if step != last), FINAL) if steps else ():
            with torch.no_grad():
                (image,) = generator_at(eye, step)(*eye.inputs)
            frames.append((step, eye.display.pixels(image[0])))
        return tuple(frames)

    return list(eye.kept(("film", eye.data), make))
