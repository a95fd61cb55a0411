"""Measure the output of the cross-modality learner on the bundled people, before and after training.

The energy of maps is split into what all images have everywhere (constant), what differs between images only (image),
and what differs between places (pattern). It is measured for the input of the fusion (finest bins of both stems), the
output of the pyramid, and the branch in the picture, whose pattern is also given in levels of 255.

    python -m benchmarks.pyramid [CHECKPOINT ...]
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from mun.auxiliary.generator import SPREAD, AuxiliaryGenerator
from mun.checkpoint import load_checkpoint
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.data.pairing import pair_samples
from mun.data.sources import read_source
from mun.structures import Split

SEEDS = 5  # of untrained generators


def split(maps: Tensor) -> list[float]:
    """Split the energy of `(N, C, h, w)` into shares: constant, image, pattern; they sum to 1."""
    images = maps.mean(dim=(2, 3), keepdim=True)
    constant = images.mean(dim=0, keepdim=True)
    parts = [constant.square().mean(), (images - constant).square().mean(), (maps - images).square().mean()]
    return [float(part / maps.square().mean()) for part in parts]


@torch.no_grad()
def measure(generator: AuxiliaryGenerator, visible: Tensor, infrared: Tensor) -> list[list[float]]:
    """Measure inputs of the fusion, pyramid, picture of the branch, and the patterns of branch and image in levels."""
    maps = [generator.stem_visible(generator.shrink(visible)), generator.stem_infrared(generator.shrink(infrared))]
    pooled = F.adaptive_avg_pool2d(torch.cat(maps, dim=1), max(generator.cml.bins))
    parts = generator.parts(visible, infrared)
    shown = F.conv2d(parts.cross, generator.output.weight)
    whole = generator.render(parts.total(), visible.shape[-2:], parts.base)
    levels = [255 * scale * float(image.std(dim=(2, 3)).mean()) for scale, image in ((SPREAD, shown), (1.0, whole))]
    return [split(pooled), split(generator.cml(*maps)), split(shown), levels]


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint", nargs="*", type=Path, default=sorted(Path("checkpoints").glob("mun-*")))
    pairs = pair_samples(read_source("synvi", Path("assets/synvi")).require(Split.TEST))
    print("| generator | into the fusion | pyramid | branch in the picture | its pattern | the image's |")
    print("|---|---|---|---|---|---|")
    for folder in parser.parse_args().checkpoint:
        network, card = load_checkpoint(folder)
        model = card.config.model
        visible, infrared = (
            to_images(
                torch.from_numpy(
                    decode_samples([getattr(pair, side) for pair in pairs], model.height, model.image_width)
                )
            )
            for side in ("visible", "infrared")
        )
        untrained = []
        for seed in range(SEEDS):
            torch.manual_seed(seed)
            untrained.append(measure(AuxiliaryGenerator(model.generator).eval(), visible, infrared))
        start = [[sum(values) / SEEDS for values in zip(*cells, strict=True)] for cells in zip(*untrained, strict=True)]
        for name, made in (
            (f"{card.name}, untrained", start),
            (card.name, measure(network.auxiliary, visible, infrared)),
        ):
            shares = [" / ".join(f"{100 * share:.0f}" for share in cell) for cell in made[:3]]
            print(f"| {name} | {' | '.join(shares)} | {' | '.join(f'{value:.1f}' for value in made[3])} |")


if __name__ == "__main__":
    main()
