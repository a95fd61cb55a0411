"""One colour scale for all maps of a row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.actions.checks import known
from app.actions.explain.result import LayerMap
from mun.explain.cams import upsampled

__all__ = ["PALETTE", "SCALES", "Scale", "fit_scale", "palette", "veil"]

SCALES = ("relative", "raw")
PALETTE = "inferno"  # of Matplotlib: ordered in lightness, so that it reads in grey and for colour-blind eyes
FAINTEST = 0.35  # what a map without any value covers of the picture below it
TOP = 99.5  # percent of the pixels that the scale does not clip

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Scale:
    """From a map's values to [0, 1]: the square root of their share of the top.

    Attributes:
        kind: `relative`, each map divided by its own mean, so that 1 is an even map; or `raw`, the values as they are.
        top: What is shown as 1, after that division.
        clipped: Share of all pixels above it.
        size: Height and width of the images.
    """

    kind: str
    top: float
    clipped: float
    size: tuple[int, int]

    @property
    def words(self) -> str:
        """What the scale's numbers are."""
        return "times the map's mean" if self.kind == "relative" else "raw value of the method"

    def heat(self, one: LayerMap) -> Floats:
        """Enlarge a map to the image's size and bring it to [0, 1], by the square root of its values.

        A fine layer's peaks are high and narrow; on a straight scale everything else beside them would be black.
        """
        shown: Floats = np.sqrt(np.clip(weighed(one, self.kind, self.size) / self.top, 0, 1))
        return shown


def weighed(one: LayerMap, kind: str, size: tuple[int, int]) -> Floats:
    """Enlarge a map, and divide it by its mean where that is asked for."""
    values = upsampled(one.values[None], size)[0]
    mean = float(values.mean())
    shown: Floats = values / mean if kind == "relative" and mean > 0 else values
    return shown


def veil(heat: Floats) -> Floats:
    """Say how much of the picture below a map of values in [0, 1] covers, [0, 1]: small values little."""
    cover: Floats = FAINTEST + (1 - FAINTEST) * heat
    return cover


def fit_scale(kind: object, maps: Sequence[LayerMap], size: tuple[int, int]) -> Scale:
    """Fit one scale to all maps.

    Args:
        kind: One of `SCALES`.
        maps: At least one.
        size: Height and width of the images.

    Raises:
        ValueError: Another kind.
    """
    name = known("colour scale", kind, SCALES)
    values = np.concatenate([weighed(one, name, size).ravel() for one in maps])
    top = float(np.percentile(values, TOP)) or float(values.max()) or 1.0
    return Scale(name, top, float((values > top).mean()), size)


def palette() -> NDArray[np.uint8]:
    """Return the 256 colours of the scale, RGB, uint8, `(256, 3)`."""
    from matplotlib import colormaps  # here: Matplotlib takes a second to load

    colours: NDArray[np.uint8] = np.rint(colormaps[PALETTE](np.linspace(0, 1, 256))[:, :3] * 255).astype(np.uint8)
    return colours
