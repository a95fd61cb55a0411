"""MUN's generator taken apart on one pair: its branches alone, their ratio turned by hand, its training replayed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.auxiliary.panel import Draft, Picture, measured, with_ranks
from app.library import Library
from app.library.eye import Eye
from mun.auxiliary.generator import AuxiliaryGenerator, input_dependence
from mun.panel import at_share, branch_images, iml_share, with_state
from mun.snapshots import SNAPSHOTS, read_snapshots

__all__ = ["FINAL", "LEARNED", "Bench", "film", "flat_words", "kept_steps", "take_apart"]

LEARNED, FINAL = -1.0, -1  # stand for the ratio that was learned, and for the weights after the last step
TITLES = {
    "iml": ("IML alone", "The intra-modality learners through the output convolution."),
    "cml": ("CML alone", "The cross-modality learner through the output convolution."),
}


FLAT = 0.05  # spread below which a branch is said to be flat


@dataclass(frozen=True, eq=False)
class Bench:
    """What MUN's generator makes of a pair.

    Attributes:
        pictures: At the ratio asked for, then each branch alone.
        learned: Share of the intra-modality learners in the layer scale, as learned; `None` without two branches.
        share: The share of the first picture; `None` likewise.
        dependence: Share of the visible input in what the learned image depends on, [0, 1]; `None` if on neither.
        step: Of the generator; `None` for the last.
        steps: Steps whose generator the checkpoint keeps, ascending.
        last: Steps that the checkpoint was trained.
        words: What else should be known: that there is no ratio to turn, or no training to replay.
    """

    pictures: tuple[Picture, ...]
    learned: float | None
    share: float | None
    dependence: float | None
    step: int | None
    steps: tuple[int, ...]
    last: int
    words: tuple[str, ...]

    def __getitem__(self, name: str) -> Picture:
        return next(picture for picture in self.pictures if picture.name == name)

    def to_json(self) -> dict[str, Any]:
        """Describe it as `/auxiliary` answers."""
        return {
            "learned_share": self.learned,
            "share": self.share,
            "visible_dependence": self.dependence,
            "step": self.step,
            "steps": list(self.steps),
            "images": [picture.to_json() for picture in self.pictures],
            "words": self.words,
        }


def flat_words(picture: Picture, bins: tuple[tuple[int, int], ...]) -> str:
    """Say why a branch shows nothing; nothing where it shows something.

    Args:
        picture: Of the branch alone.
        bins: Rows and columns of the generator's pyramid.
    """
    if picture.spread >= FLAT:
        return ""
    rows, columns = max(bins)
    averages = f"{rows} by {columns} averages"
    why = f" It fuses at most {averages} of each image: tone, no detail." if picture.name == "cml" else ""
    return f"Flat: values vary by {100 * picture.spread:.1f} % of black to white.{why}"


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


def take_apart(eye: Eye, share: float = LEARNED, step: int = FINAL, *, wait: bool = True) -> Bench:
    """Take MUN's generator apart.

    Args:
        eye: Its checkpoint, and the pair.
        share: Of the intra-modality learners in the layer scale, [0, 1], or `LEARNED`.
        step: A kept step, or `FINAL`.
        wait: Embed the galleries that ranks need; otherwise ranks are left out until they are there.

    Raises:
        ValueError: No such step is kept, or values are not finite.
    """
    generator = generator_at(eye, step)
    visible, infrared = eye.inputs
    learned, (steps, words) = iml_share(generator), kept_steps(eye.library, eye.checkpoint)
    turned = None if learned is None else learned if share == LEARNED else share
    title = "MUN" if step == FINAL else f"MUN, step {step:,}"
    if turned is None or learned is None or turned == learned:
        with torch.no_grad():
            (image,) = generator(visible, infrared)
    else:
        title, image = f"{title}, ratio turned", at_share(generator, visible, infrared, turned)
    drafts = [Draft("turned", title, "The output at this ratio.", ("turned", step, turned), image, eye.display)]
    branches = eye.kept(("branches", step), lambda: branch_images(generator, visible, infrared))
    for (name, (label, what)), branch in zip(TITLES.items(), branches, strict=True):
        if branch is not None:
            drafts.append(Draft(name, label, what, (name, step), branch, eye.display))
    depends = eye.kept(("dependence", step), lambda: input_dependence(generator, visible, infrared))
    notes = ["" if learned is not None else "This generator has a single branch, so there is no ratio to turn.", words]
    card = eye.library.checkpoints[eye.checkpoint].card
    return Bench(
        tuple(with_ranks(eye, measured(eye, drafts), wait=wait)),
        learned,
        turned,
        depends if math.isfinite(depends) else None,
        None if step == FINAL else step,
        steps,
        0 if card is None else card.steps,
        tuple(filter(None, notes)),
    )


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
