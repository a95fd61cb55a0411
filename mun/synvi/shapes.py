"""The shapes of SynVI: how many people, images and cameras, after the real data sets that papers train on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SHAPES", "Shape"]


@dataclass(frozen=True, slots=True)
class Shape:
    """Counts of a data set, by the fields of `Plan`, and the knobs that belong to them.

    Attributes:
        name: What `synth --shape` calls it.
        text: What it is like.
        counts: Fields of `Plan`.
        knobs: New values on top of the level's; with any the level is called `custom`.
    """

    name: str
    text: str
    counts: Mapping[str, int | tuple[int, ...]]
    knobs: Mapping[str, float] = field(default_factory=dict)


SHAPES = {
    shape.name: shape
    for shape in (
        # SYSU-MM01 trains on 395 people with 56 visible and 30 infrared images each (Wu et al., ICCV 2017): few people,
        # many images. Here each of four visible and two infrared cameras takes 8.
        Shape(
            "few",
            "as SYSU-MM01: 400 people, 8 images by each of six cameras; 400 others to validate with, 2 images each",
            {"train_ids": 400, "val_ids": 400, "test_ids": 0, "images": 8, "held_images": 2},
        ),
        # RegDB trains on 206 people with 10 visible and 10 thermal images each, of one camera per modality side by side
        # (Nguyen et al., Sensors 2017). Here they see one instant from two places: the protocols of SYSU-MM01, by which
        # SynVI is scored, leave out matches of one place.
        Shape(
            "pairs",
            "as RegDB: 206 people, 10 images by each of two cameras at the same instants; 100 and 206 others held out",
            {"train_ids": 206, "val_ids": 100, "test_ids": 206, "images": 10, "cameras": (1, 3)},
            {"misalignment": 0.0},
        ),
    )
}
