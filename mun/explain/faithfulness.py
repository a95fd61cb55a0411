"""Faithfulness of maps: controls, cascading randomisation, deletion and insertion."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid
from scipy.ndimage import gaussian_filter
from scipy.stats import spearmanr

from mun.checkpoint import build_network
from mun.config import Config
from mun.models.network import STAGES, Network
from mun.own import OwnModel

__all__ = ["PRIOR_SPREAD", "Curves", "cascade", "cascade_names", "center_prior", "curves", "energy_share", "randomised"]
__all__ += ["blurred", "rank_correlation", "structural_similarity"]

PRIOR_SPREAD = 0.25  # standard deviation of the centre prior, as a share of the image's height and width
BLUR_SPREAD = 0.08  # standard deviation of the blur that replaces removed pixels, as a share of the height
SSIM_SPREAD, SSIM_RADIUS = 1.5, 5  # pixels: a window of 11 x 11

Floats = NDArray[np.float32]


def energy_share(values: NDArray[np.floating[Any]], mask: NDArray[np.bool_]) -> float:
    """Return the share of a map's sum that lies inside a mask, in [0, 1]; NaN where the map is empty.

    Args:
        values: Not negative, `(H, W)`.
        mask: `(H, W)`.

    Raises:
        ValueError: The shapes differ, or a value is negative.
    """
    if values.shape != mask.shape or values.ndim != 2:
        raise ValueError(f"expected map and mask of one shape (H, W), got {values.shape} and {mask.shape}")
    if (values < 0).any():
        raise ValueError("expected a map without negative values")
    total = float(values.sum(dtype=np.float64))
    return float(values[mask].sum(dtype=np.float64)) / total if total > 0 else float("nan")


def center_prior(size: tuple[int, int]) -> Floats:
    """Return a map that is always brightest at the centre: a Gaussian, a quarter of the (height, width) wide."""
    axes = [(np.arange(length) - (length - 1) / 2) / (PRIOR_SPREAD * length) for length in size]
    prior = np.exp(-0.5 * (axes[0][:, None] ** 2 + axes[1][None, :] ** 2))
    return prior.astype(np.float32)


def randomised(network: Network, seed: int) -> Network:
    """Build a network of the same shape with random weights, in evaluation mode, on the same device."""
    if isinstance(network, OwnModel):
        return network.randomised(seed)
    fresh = build_network(Config(model=network.config), network.num_classes, seed)
    return fresh.to(network.mean.device).eval().requires_grad_(False)


def cascade_names(network: Network) -> tuple[str, ...]:
    """List the parts in the order in which `cascade` randomises them, from the embedding down to the pixels."""
    if isinstance(network, OwnModel):
        return network.stages[::-1]
    generator = ("auxiliary",) if next(network.auxiliary.parameters(), None) is not None else ()
    return ("neck", *STAGES[::-1], "stems", *generator)


def cascade(network: Network, seed: int) -> Iterator[tuple[str, Network]]:
    """Re-initialise a copy of a network part by part, from the top down.

    Source: Adebayo et al., "Sanity Checks for Saliency Maps", NeurIPS 2018. A map that does not change does not show
    what the network has learned.

    Args:
        network: Is not changed.
        seed: Of the random weights.

    Yields:
        The part that was just randomised, and the copy, which is the same object each time.
    """
    if isinstance(network, OwnModel):
        for count, name in enumerate(cascade_names(network), start=1):
            yield name, network.randomised(seed, cascade_names(network)[:count])
        return
    fresh, copied = randomised(network, seed), copy.deepcopy(network).eval()
    for name in cascade_names(network):
        part, source = (getattr(one.trunk if name.startswith("layer") else one, name) for one in (copied, fresh))
        part.load_state_dict(source.state_dict())
        yield name, copied


def rank_correlation(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Correlate the ranks of two maps of one shape (Spearman), in [−1, 1]; NaN where one is constant."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def structural_similarity(one: NDArray[np.floating[Any]], other: NDArray[np.floating[Any]]) -> float:
    """Compare two maps, `(H, W)`, each scaled to a maximum of 1, by their mean SSIM, at most 1.

    Source: Wang et al., IEEE TIP 2004: a Gaussian window of 1.5 pixels, K1 = 0.01, K2 = 0.03; the border of 5 pixels,
    where the window leaves the map, is left out of the mean.

    Raises:
        ValueError: The shapes differ, or a side has fewer than 11 pixels.
    """
    if one.shape != other.shape or min(one.shape) < 2 * SSIM_RADIUS + 1:
        raise ValueError(f"expected two maps of one shape, at least 11 x 11, got {one.shape} and {other.shape}")
    x, y = (values.astype(np.float64) / max(float(values.max()), 1e-30) for values in (one, other))

    def smooth(values: NDArray[np.float64]) -> NDArray[np.float64]:
        smoothed: NDArray[np.float64] = gaussian_filter(values, SSIM_SPREAD, radius=SSIM_RADIUS)
        return smoothed

    mean_x, mean_y = smooth(x), smooth(y)
    variance_x, variance_y = smooth(x * x) - mean_x**2, smooth(y * y) - mean_y**2
    covariance = smooth(x * y) - mean_x * mean_y
    c1, c2 = 0.01**2, 0.03**2
    local = (2 * mean_x * mean_y + c1) * (2 * covariance + c2)
    local /= (mean_x**2 + mean_y**2 + c1) * (variance_x + variance_y + c2)
    return float(local[SSIM_RADIUS:-SSIM_RADIUS, SSIM_RADIUS:-SSIM_RADIUS].mean())


@dataclass(frozen=True, eq=False)
class Curves:
    """The score of an image while pixels are deleted, or inserted, in the order of a map, the largest value first.

    Attributes:
        shares: Of the pixels replaced, from 0 to 1, `(S + 1,)`.
        deletion: Score with that share of the pixels blurred, `(S + 1,)`.
        insertion: Score of the blurred image with that share of the pixels brought back, `(S + 1,)`.
    """

    shares: NDArray[np.float64]
    deletion: NDArray[np.float64]
    insertion: NDArray[np.float64]

    @property
    def areas(self) -> tuple[float, float]:
        """Mean height of both curves: a good map has a low deletion and a high insertion."""
        deletion, insertion = (float(trapezoid(curve, self.shares)) for curve in (self.deletion, self.insertion))
        return deletion, insertion


def blurred(image: Floats) -> Floats:
    """Blur an image, `(3, H, W)`, until details are gone: its pixels replace removed pixels.

    It is closer to the images that the network knows than black or grey, which would add edges.
    """
    spread = BLUR_SPREAD * image.shape[1]
    smooth: Floats = gaussian_filter(image, (0, spread, spread), mode="nearest")
    return smooth


def curves(
    score: Callable[[Floats], NDArray[np.floating[Any]]], image: Floats, values: Floats, steps: int = 16
) -> Curves:
    """Delete and insert pixels in the order of a map.

    Source: Petsiuk et al., "RISE", BMVC 2018. Departs from it in: deleted pixels are blurred, not black, so that both
    curves go between the same two images.

    Args:
        score: Function from images, float32, `(N, 3, H, W)`, to numbers, `(N,)`.
        image: RGB, float32, `(3, H, W)`.
        values: The map, `(H, W)`; pixels of equal value follow the order of rows.
        steps: S, steps from no pixel to all.

    Raises:
        ValueError: The map has another size than the image, or there is no step.
    """
    if values.shape != image.shape[1:] or steps < 1:
        raise ValueError(f"expected a map of {image.shape[1:]} and at least one step, got {values.shape} and {steps}")
    order = np.argsort(-values.ravel(), kind="stable")
    place = np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    shares = np.arange(steps + 1) / steps
    chosen = (place[None] < np.rint(shares * order.size)[:, None]).reshape(-1, 1, *values.shape)
    smooth = blurred(image)
    batch = np.concatenate([np.where(chosen, smooth, image), np.where(chosen, image, smooth)]).astype(np.float32)
    scores = np.asarray(score(batch), dtype=np.float64)
    return Curves(shares, scores[: steps + 1], scores[steps + 1 :])
