"""The truth beside a map: the similarity after one change, and the share of the map in the changed region."""

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
    """Share of a map's energy in the changed region, [0, 1]; `None` where a map is empty.

    Attributes:
        name: Name of the map.
        layer: Layer of the map.
        trained: Share of the map itself.
        prior: Share of a Gaussian at the centre of the image.
        random: Share of the same map by random weights.
    """

    name: str
    layer: str
    trained: float | None
    prior: float | None
    random: float | None


@dataclass(frozen=True, eq=False)
class Truth:
    """The effect of one change on the similarity.

    Attributes:
        evidence: The image before and after, and where the change can be seen.
        before: Cosine of the image and the target before the change, as rendered.
        after: The same cosine after the change.
        auxiliary_before: Cosine of the auxiliary image and the target; `None` without an auxiliary image.
        auxiliary_after: The same for the auxiliary image made of the changed image and the same partner.
        shares: Shares of the maps that lie over the image.
    """

    evidence: Evidence
    before: float
    after: float
    auxiliary_before: float | None
    auxiliary_after: float | None
    shares: tuple[Share, ...]

    @property
    def delta(self) -> float:
        """Change of the similarity; below 0, the changed thing supported the similarity."""
        return self.after - self.before

    @property
    def num_bytes(self) -> int:
        """Size in memory, bytes."""
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
    """Change one thing in the image and measure the effect.

    Args:
        library: The app's library, shared by all visitors.
        subject: The image, its target and its partner.
        setting: The network and the images of the subject.
        maps: The maps in this setting.
        make: Computes, in another setting, the maps that lie over the image.

    Returns:
        The truth or `None`, and a sentence that says why there is none; empty where no change was requested.
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
        return None, "SynVI did not render this image: there is no truth to check against."
    things = tuple(Thing) if request.change == AUTOMATIC else (Thing(request.change),)
    evidence = find_evidence(recipe, setting.size, things)
    if evidence is None:
        what = "none of bag, patterns and hat" if len(things) > 1 else f"no {things[0].value} that could be changed"
        return None, f"This image shows {what}: there is nothing to check the maps against."
    random = {one.name: one for one in make(setting.with_network(randomised(setting.network, request.seed)))}
    prior = energy_share(center_prior(setting.size), evidence.mask)

    def share(one: LayerMap) -> float | None:
        inside = energy_share(upsampled(one.values[None], setting.size)[0], evidence.mask)
        return None if math.isnan(inside) else inside

    over = [one for one in maps if one.over == setting.views.modality]
    shares = tuple(Share(one.name, one.layer, share(one), prior, share(random[one.name])) for one in over)
    count = min(1, len(setting.views.pairs))
    found = [setting.with_pixels(pixels).similarities(count) for pixels in (evidence.before, evidence.after)]
    auxiliary = [next(iter(cosines[1:]), None) for cosines in found]
    return Truth(evidence, found[0][0], found[1][0], auxiliary[0], auxiliary[1], shares), ""
