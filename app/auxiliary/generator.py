"""MUN's generator taken apart on one pair: each branch alone, and both at a chosen ratio."""

from dataclasses import dataclass
from typing import Any

import torch

from app.auxiliary.panel import Draft, Picture, pictures
from app.library.pair_encoder import FINAL, PairEncoder, generator_at, kept_steps
from mun.auxiliary.panel import at_share, branch_images, iml_share

__all__ = ["LEARNED", "Parts", "flat_words", "take_apart"]

LEARNED = -1.0  # stands for the ratio that was learned
TITLES = {
    "iml": ("Intra-modality learners (IML) alone", "The intra-modality learners through the output convolution."),
    "cml": ("Cross-modality learner (CML) alone", "The cross-modality learner through the output convolution."),
}
FLAT = 0.05  # spread below which a branch is called flat


@dataclass(frozen=True, eq=False)
class Parts:
    """The images that MUN's generator makes from a pair, and their shares.

    Attributes:
        pictures: The image at the requested ratio, then each branch alone.
        learned: Share of the intra-modality learners in the layer scale, as learned; `None` without two branches.
        share: The share in the first picture; `None` without two branches.
        dependence: Share of the visible input in what the learned image depends on, [0, 1]; `None` for 0 or 2 images.
        step: Training step of the generator; `None` for the last.
        steps: Steps whose generator the checkpoint keeps, ascending.
        words: Notes, such as: there is no ratio to change, there is a second image, or no training to replay.
    """

    pictures: tuple[Picture, ...]
    learned: float | None
    share: float | None
    dependence: float | None
    step: int | None
    steps: tuple[int, ...]
    words: tuple[str, ...]

    def __getitem__(self, name: str) -> Picture:
        return next(picture for picture in self.pictures if picture.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/auxiliary` answers for the generator."""
        return {
            **{name: getattr(self, name) for name in ("share", "step", "steps", "words")},
            "learned_share": self.learned,
            "visible_dependence": self.dependence,
            "images": [picture.to_json() for picture in self.pictures],
        }


def flat_words(name: str, spread: float, bins: tuple[tuple[int, int], ...]) -> str:
    """Return why the image of a branch is flat; empty if it is not.

    Args:
        name: Name of the branch, `iml` or `cml`.
        spread: Spread of its image.
        bins: Rows and columns of the generator's pyramid.
    """
    if spread >= FLAT:
        return ""
    averages = "{} by {} averages".format(*max(bins))
    why = f" It fuses at most {averages} of each image: tone, no detail." if name == "cml" else ""
    return f"Flat: values vary by {100 * spread:.1f} % of black to white.{why}"


def take_apart(encoder: PairEncoder, share: float = LEARNED, step: int = FINAL, *, wait: bool = True) -> Parts:
    """Take MUN's generator apart.

    Args:
        encoder: The checkpoint with the generator, and the pair.
        share: Share of the intra-modality learners in the layer scale, [0, 1], or `LEARNED`.
        step: A kept step, or `FINAL`.
        wait: Embed the galleries that ranks need; otherwise leave out ranks until the galleries are embedded.

    Raises:
        ValueError: The state of the step does not fit this generator, or values are not finite.
    """
    generator, (visible, infrared), display = generator_at(encoder, step), encoder.inputs, encoder.display
    learned, (steps, words) = iml_share(generator), kept_steps(encoder.library, encoder.checkpoint)
    chosen = None if learned is None else learned if share == LEARNED else share
    title = "MUN" if step == FINAL else f"MUN, step {step:,}"
    if chosen is None or chosen == learned:
        with torch.no_grad():
            image = generator(visible, infrared)[0]
    else:
        title, image = f"{title}, ratio changed", at_share(generator, visible, infrared, chosen)
    drafts = [Draft("turned", title, "The output at this ratio.", ("turned", step, chosen), image, display)]
    branches = encoder.kept(("branches", step), lambda: branch_images(generator, visible, infrared))
    for (name, (label, what)), branch in zip(TITLES.items(), branches, strict=True):
        if branch is not None:
            drafts.append(Draft(name, label, what, (name, step), branch, display))
    notes = ["" if learned is not None else "This generator has one branch, so there is no ratio to change.", words]
    notes += ["It makes two images: this one is nearer to V, the one below to I."] if generator.num_images > 1 else []
    return Parts(
        tuple(pictures(encoder, drafts, wait=wait)),
        learned,
        chosen,
        encoder.dependence(generator, step),
        None if step == FINAL else step,
        steps,
        tuple(filter(None, notes)),
    )
