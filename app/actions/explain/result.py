"""What an explanation answers: maps, pictures, the truth beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.actions.explain.request import Request
from app.library.ranking import ImageFacts, Ranked
from mun.explain.cams import Method
from mun.explain.truth import Evidence
from mun.structures import Modality

__all__ = ["LayerMap", "Result", "Share", "Truth"]

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
DIGITS = 5  # significant digits of a map's values in JSON


@dataclass(frozen=True, eq=False)
class LayerMap:
    """The map of one layer.

    Attributes:
        layer: Name of the layer.
        source: What the network looked at: the `image` itself, or the `pair` that makes the auxiliary image.
        over: Picture that the map is laid over: `visible`, `infrared`, `auxiliary`, `auxiliary 2`.
        method: How it was made.
        values: Not negative, not scaled, at the layer's resolution, float32, `(h, w)`.
        number: Which auxiliary image of a pair, from 0.
    """

    layer: str
    source: str
    over: str
    method: Method
    values: Floats
    number: int = 0

    @property
    def name(self) -> str:
        """Name of the map, unlike all others of a result."""
        return f"{self.source}/{self.over}/{self.layer}"


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
        seed: Of the random weights.
    """

    evidence: Evidence
    before: float
    after: float
    auxiliary_before: float | None
    auxiliary_after: float | None
    shares: tuple[Share, ...]
    seed: int

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


@dataclass(frozen=True, eq=False)
class Result:
    """Maps, and what they explain.

    Attributes:
        request: As asked, with every default filled in.
        image: The image.
        modality: Of the image.
        target: The target image; `None` for a center.
        target_words: What the target is.
        similarity: Cosine of image and target, in [−1, 1].
        auxiliary_similarities: Of each auxiliary image and the target.
        pair: Keys of the visible and the infrared image that make the auxiliary image; `None` without one.
        pictures: What the maps lie over, RGB, uint8, `(H, W, 3)`, by name, as the network sees them.
        clipped: Share of the auxiliary images' values that their display clips.
        maps: In the order in which they are shown.
        ranking: The closest images of the other modality, which are offered as targets.
        truth: What happens to the similarity when one thing is changed; `None` where that is not known.
        notes: What the visitor should know, each a sentence.
    """

    request: Request
    image: ImageFacts
    modality: Modality
    target: ImageFacts | None
    target_words: str
    similarity: float
    auxiliary_similarities: tuple[float, ...]
    pair: tuple[str, str] | None
    pictures: Mapping[str, Pixels]
    clipped: float
    maps: tuple[LayerMap, ...]
    ranking: tuple[Ranked, ...]
    truth: Truth | None
    notes: tuple[str, ...] = field(default=())

    @property
    def num_bytes(self) -> int:
        """What it weighs in memory."""
        maps = sum(one.values.nbytes for one in self.maps)
        pictures = sum(picture.nbytes for picture in self.pictures.values())
        return maps + pictures + (self.truth.num_bytes if self.truth else 0) + 20_000

    def find(self, name: str) -> LayerMap:
        """Return a map by its name; the last stage of the image, or the last map, where there is none of that name."""
        named = {one.name: one for one in self.maps}
        last = [one for one in self.maps if one.source == "image"] or list(self.maps)
        return named.get(name, last[-1])

    def to_json(self) -> dict[str, Any]:
        """Return the object that `/explain` answers."""
        return {
            **asdict(self.request),
            "image": asdict(self.image),
            "modality": self.modality.value,
            "target": {"words": self.target_words, "image": None if self.target is None else asdict(self.target)},
            "similarity": self.similarity,
            "auxiliary_similarities": list(self.auxiliary_similarities),
            "pair": None if self.pair is None else dict(zip(("visible", "infrared"), self.pair, strict=True)),
            "maps": [map_json(one) for one in self.maps],
            "truth": None if self.truth is None else self.truth.to_json(),
            "notes": list(self.notes),
        }


def map_json(one: LayerMap) -> dict[str, Any]:
    """Describe one map with its values, rounded to five digits."""
    return {
        "layer": one.layer,
        "source": one.source,
        "over": one.over,
        "method": one.method.value,
        "shape": list(one.values.shape),
        "values": [[float(f"{value:.{DIGITS}g}") for value in row] for row in one.values.tolist()],
    }
