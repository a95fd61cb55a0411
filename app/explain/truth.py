"""The truth beside a map: what the similarity becomes when one thing is changed, and how much of the map is there."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from app.explain.subject import AUTOMATIC, NOTHING, Subject
from app.library import Library
from app.library.maps import LayerMap, Views
from mun.data.augment import to_images
from mun.data.cache import decode_samples
from mun.embedding import embed_pixels
from mun.explain.cams import upsampled
from mun.explain.faithfulness import center_prior, energy_share, randomised
from mun.explain.targets import Similarity, center
from mun.explain.truth import Evidence, Thing, find_evidence
from mun.models.network import Network
from mun.structures import Modality, Sample

__all__ = ["Share", "Truth", "find_truth", "random_target", "similarities"]

MAX_REFERENCES = 12  # images of a center that random weights embed
MakeMaps = Callable[[Network, Views, Similarity], Sequence[LayerMap]]


@dataclass(frozen=True)
class Share:
    """Which share of a map's energy lies in the changed region, [0, 1]; `None` where a map is empty.

    Attributes:
        name: Of the map.
        layer: Of the map.
        trained: Of the map.
        prior: Of a Gaussian at the centre of the image.
        random: Of the same map by random weights.
    """

    name: str
    layer: str
    trained: float | None
    prior: float | None
    random: float | None


@dataclass(frozen=True, eq=False)
class Truth:
    """What one change does.

    Attributes:
        evidence: The image before and after, and where the change can be seen.
        before: Cosine of the image and the target before the change, as rendered.
        after: After it.
        auxiliary_before: Of the auxiliary image and the target; `None` without one.
        auxiliary_after: Made of the changed image and the same partner.
        shares: Of the maps that lie over the image.
    """

    evidence: Evidence
    before: float
    after: float
    auxiliary_before: float | None
    auxiliary_after: float | None
    shares: tuple[Share, ...]

    @property
    def delta(self) -> float:
        """What the change does to the similarity; below 0 the changed thing spoke for it."""
        return self.after - self.before

    @property
    def num_bytes(self) -> int:
        """What it weighs in memory."""
        return self.evidence.before.nbytes + self.evidence.after.nbytes + self.evidence.mask.nbytes

    def to_json(self) -> dict[str, Any]:
        """Return the truth as numbers."""
        return {
            "change": self.evidence.thing.words,
            "changed_share": self.evidence.share,
            "similarity_before": self.before,
            "similarity_after": self.after,
            "delta": self.delta,
            "auxiliary_before": self.auxiliary_before,
            "auxiliary_after": self.auxiliary_after,
            "shares": [
                {"map": one.name, "trained": one.trained, "center_prior": one.prior, "random_weights": one.random}
                for one in self.shares
            ],
        }


def find_truth(
    library: Library,
    subject: Subject,
    network: Network,
    views: Views,
    target: Similarity,
    maps: Sequence[LayerMap],
    make: MakeMaps,
) -> tuple[Truth | None, str]:
    """Change one thing about the image and measure what follows.

    Args:
        library: What all visitors share.
        subject: What is explained.
        network: Its network.
        views: What that looks at.
        target: What the image is compared to.
        maps: Of that network.
        make: Computes those maps that lie over the image, by another network, view and target.

    Returns:
        The truth, or why there is none in a sentence; empty where none was asked for.
    """
    request = subject.request
    if request.change == NOTHING:
        return None, ""
    collection = library.collections[request.data]
    if collection.plan is None:
        words = "Only SynVI can render an image again with one thing changed: there is no truth to check against here."
        return None, words
    things = tuple(Thing) if request.change == AUTOMATIC else (Thing(request.change),)
    size = (network.config.height, network.config.image_width)
    recipe = collection.recipe(subject.sample.key)
    if recipe is None:
        return None, "This image is none of those that SynVI rendered: there is no truth to check against."
    evidence = find_evidence(recipe, size, things)
    if evidence is None:
        what = "none of bag, patterns and hat" if len(things) > 1 else f"no {things[0].value} that could be changed"
        return None, f"This image shows {what}: there is nothing to check the maps against."
    over = [one for one in maps if one.over == views.modality]
    shares = measure_shares(network, views, subject, evidence, over, make)
    found = []
    for pixels in (evidence.before, evidence.after):
        changed = views.replaced(network, to_images(torch.from_numpy(np.array(pixels))[None])[0])
        found.append(similarities(network, changed, target, min(1, len(views.pairs))))
    auxiliary = [next(iter(cosines[1:]), None) for cosines in found]
    return Truth(evidence, found[0][0], found[1][0], auxiliary[0], auxiliary[1], shares), ""


def similarities(network: Network, views: Views, target: Similarity, count: int) -> list[float]:
    """Return the cosine of the image and the target, then of the first `count` auxiliary images."""
    with torch.inference_mode():
        points = network.embed(views.single.images, views.modality)
        if count:
            points = torch.cat([points, network.embed(views.auxiliary[:count], Modality.AUXILIARY)])
        return [float(target(point)) for point in points]


def measure_shares(
    network: Network,
    views: Views,
    subject: Subject,
    evidence: Evidence,
    maps: Sequence[LayerMap],
    make: MakeMaps,
) -> tuple[Share, ...]:
    """Compare maps with their two controls, a centre prior and random weights."""
    chance = randomised(network, subject.request.seed)
    again = views.replaced(chance, views.single.images[0])
    random_maps = make(chance, again, random_target(chance, subject.references))
    random = {one.name: one.values for one in random_maps}
    size = evidence.mask.shape

    def share(values: NDArray[np.float32]) -> float | None:
        found = energy_share(upsampled(values[None], (size[0], size[1]))[0], evidence.mask)
        return None if math.isnan(found) else found

    prior = energy_share(center_prior((size[0], size[1])), evidence.mask)
    return tuple(Share(one.name, one.layer, share(one.values), prior, share(random[one.name])) for one in maps)


def random_target(network: Network, references: Sequence[Sample]) -> Similarity:
    """Make the target in the space of a network that nobody has embedded the data by."""
    rows = []
    for modality in sorted({sample.modality for sample in references[:MAX_REFERENCES]}):
        chosen = [sample for sample in references[:MAX_REFERENCES] if sample.modality is modality]
        pixels = decode_samples(chosen, network.config.height, network.config.image_width)
        rows.append(embed_pixels(network, pixels, modality))
    return Similarity(torch.from_numpy(center(np.concatenate(rows))).to(network.mean.device))
