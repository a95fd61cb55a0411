"""The truth beside a map: what the similarity becomes when one thing is changed, and how much of the map is there."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.explain.setting import Setting
from app.explain.subject import AUTOMATIC, NOTHING, Subject
from app.library import Library
from app.library.maps import LayerMap
from mun.explain.cams import upsampled
from mun.explain.faithfulness import center_prior, energy_share, randomised
from mun.explain.truth import Evidence, Thing, find_evidence

__all__ = ["Share", "Truth", "find_truth"]

MakeMaps = Callable[[Setting], Sequence[LayerMap]]


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
            **{name: getattr(self, name) for name in ("delta", "auxiliary_before", "auxiliary_after")},
            "shares": [
                {"map": one.name, "trained": one.trained, "center_prior": one.prior, "random_weights": one.random}
                for one in self.shares
            ],
        }


def find_truth(
    library: Library, subject: Subject, setting: Setting, maps: Sequence[LayerMap], make: MakeMaps
) -> tuple[Truth | None, str]:
    """Change one thing about the image and measure what follows.

    Args:
        library: What all visitors share.
        subject: What is explained.
        setting: Its network and images.
        maps: Made of these.
        make: Computes those maps that lie over the image in another setting.

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
    recipe = collection.recipe(subject.sample.key)
    if recipe is None:
        return None, "This image is none of those that SynVI rendered: there is no truth to check against."
    things = tuple(Thing) if request.change == AUTOMATIC else (Thing(request.change),)
    evidence = find_evidence(recipe, setting.size, things)
    if evidence is None:
        what = "none of bag, patterns and hat" if len(things) > 1 else f"no {things[0].value} that could be changed"
        return None, f"This image shows {what}: there is nothing to check the maps against."
    random = {one.name: one for one in make(setting.by(randomised(setting.network, request.seed)))}
    prior = energy_share(center_prior(setting.size), evidence.mask)

    def share(one: LayerMap) -> float | None:
        inside = energy_share(upsampled(one.values[None], setting.size)[0], evidence.mask)
        return None if math.isnan(inside) else inside

    over = [one for one in maps if one.over == setting.views.modality]
    shares = tuple(Share(one.name, one.layer, share(one), prior, share(random[one.name])) for one in over)
    count = min(1, len(setting.views.pairs))
    found = [setting.changed(pixels).similarities(count) for pixels in (evidence.before, evidence.after)]
    auxiliary = [next(iter(cosines[1:]), None) for cosines in found]
    return Truth(evidence, found[0][0], found[1][0], auxiliary[0], auxiliary[1], shares), ""
