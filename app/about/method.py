"""The method as the page describes it: one pair as pictures, and the choices that our sources leave open."""

from collections.abc import Iterator

from app.library import Library
from app.library.pair_encoder import PairEncoder, generators
from app.library.pairs import collection_pair, opening_pair
from app.library.thumbnails import encoded
from mun.config import Config, leaves
from mun.training.card import flag_text

__all__ = ["STEPS", "choices", "open_options", "pictures"]

STEPS = 4  # drawings of the tour
OPEN = "; not stated: "
# Part of the method, what the paper says of it, and what was chosen here.
PAPER = (
    ("Auxiliary generator", "several intra-modality learners, one cross-modality learner, and a layer scale between"
     " them", "works on images: a visible and an infrared image of one person give one auxiliary image of that person"),
    ("Intra-modality learner", "depth-wise convolutions of several kernel sizes, for each modality",
     "sizes {kernels}; their sum, the normalisation and the path around them are ours"),
    ("Cross-modality learner", "spatial pyramid pooling, then fusion to what both share",
     "{bins} bins, fused bin by bin; nothing at full resolution mixes the two, because a pair is not aligned"),
    ("Layer scale", "a learned ratio of the two branches, which moves during training",
     "one factor per channel, after both branches are scaled to the same strength, so that the ratio has a meaning"),
    ("Identity alignment", "triplets over the identities' centers of three modalities, with the hardest positive and"
     " negative", "centers by identity, never by place in the batch; one mean over all centers"),
    ("Modality alignment", "prototypes that accumulate over time, with the auxiliary modality as bridge",
     "the accumulated value with the gradient of the batch, so that the accumulation does not damp learning"),
)  # fmt: skip


def choices(config: Config) -> list[tuple[str, str, str]]:
    """List the parts of the method: the part, what the paper says as far as our sources tell, and what is done here."""
    generator = config.model.generator
    bins = ", ".join(f"{rows}\N{MULTIPLICATION SIGN}{columns}" for rows, columns in generator.bins)
    kernels = ", ".join(map(str, generator.kernels))
    told = [(part, paper, here.format(kernels=kernels, bins=bins)) for part, paper, here in PAPER]
    left = [
        (f"{part} (--{option.replace('_', '-')})", "not stated in our sources", here)
        for part, here, option in open_options(config)
    ]
    return [*told, *left]


def open_options(config: Config) -> Iterator[tuple[str, str, str]]:
    """List the options of a config whose own text says that our sources do not state them.

    Returns:
        The description, the choice made here with its reason, and the name of each option.
    """
    for item, value in leaves(config):
        what, _, why = item.metadata["text"].partition(OPEN)
        if why:
            yield what, why if why.startswith(flag_text(value)) else f"{flag_text(value)}: {why}", item.name


def pictures(library: Library, data: str) -> dict[str, str]:
    """Show the method on the first pair of the Auxiliary tab.

    Returns:
        The visible, the infrared and the auxiliary image as data URIs, by name, and their origin as `words`.

    Raises:
        ValueError: No checkpoint with MUN's generator is loaded, nobody is seen in both modalities, or an image or the
            checkpoint is gone from the disk.
    """
    name = generators(library)[0]
    encoder = PairEncoder(library, name, data, collection_pair(library, data, *opening_pair(library, data)))
    with library.collections[data].readable():
        third = encoder.display.pixels(encoder.generated()[0][0])
    visible, infrared = encoder.pair.pixels[encoder.size]
    words = f"Person {encoder.pair.pid} of {library.collections[data].title}; {name} makes the third image of the two."
    return {"visible": encoded(visible), "infrared": encoded(infrared), "auxiliary": encoded(third), "words": words}
