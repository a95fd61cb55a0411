"""People: how identities are drawn from a seed."""

from collections.abc import Mapping
from dataclasses import replace
from math import erf, sqrt

import numpy as np

from mun.structures import Split
from mun.synvi.body import Build
from mun.synvi.levels import Knobs
from mun.synvi.wardrobe import Bag, Colour, Fabric, Garment, Hair, Identity, Pattern

__all__ = ["draw_identity"]

# sRGB in [0, 1] and a weight: streets are dark and neutral, with a few bright colours.
PALETTE: dict[str, tuple[Colour, float]] = {
    "black": ((0.09, 0.09, 0.10), 15),
    "charcoal": ((0.20, 0.20, 0.22), 11),
    "navy": ((0.13, 0.15, 0.23), 11),
    "denim": ((0.27, 0.35, 0.48), 7),
    "grey": ((0.47, 0.47, 0.49), 9),
    "silver": ((0.68, 0.69, 0.70), 5),
    "white": ((0.90, 0.90, 0.88), 10),
    "beige": ((0.74, 0.67, 0.55), 6),
    "brown": ((0.34, 0.24, 0.18), 6),
    "olive": ((0.33, 0.34, 0.22), 5),
    "burgundy": ((0.40, 0.12, 0.17), 4),
    "red": ((0.62, 0.17, 0.17), 3),
    "blue": ((0.24, 0.36, 0.57), 4),
    "green": ((0.16, 0.42, 0.29), 2),
    "mustard": ((0.72, 0.57, 0.25), 2),
    "pink": ((0.78, 0.60, 0.63), 3),
    "teal": ((0.17, 0.45, 0.50), 2),
}
SKINS: tuple[Colour, ...] = (
    (0.87, 0.70, 0.60),
    (0.80, 0.61, 0.49),
    (0.70, 0.51, 0.39),
    (0.52, 0.35, 0.26),
    (0.36, 0.24, 0.18),
)
HAIRS: tuple[Colour, ...] = (
    (0.08, 0.07, 0.07),
    (0.14, 0.10, 0.08),
    (0.26, 0.17, 0.11),
    (0.42, 0.28, 0.17),
    (0.66, 0.52, 0.33),
    (0.58, 0.57, 0.56),
    (0.44, 0.20, 0.11),
)
# kind: weight, hem range, sleeves, thickness, flare, share of open fronts, share of hoods
UPPERS: dict[str, tuple[float, tuple[float, float], tuple[float, ...], float, float, float, float]] = {
    "tee": (18, (0.47, 0.51), (0.3, 0.36, 0.42), 0.006, 1.0, 0.0, 0.0),
    "tank": (5, (0.48, 0.52), (0.0, 0.06), 0.004, 1.0, 0.0, 0.0),
    "shirt": (14, (0.44, 0.51), (0.38, 0.62, 1.0), 0.009, 1.05, 0.25, 0.0),
    "sweater": (12, (0.48, 0.51), (0.65, 1.0), 0.014, 1.0, 0.0, 0.0),
    "hoodie": (13, (0.47, 0.50), (1.0,), 0.02, 1.0, 0.3, 1.0),
    "jacket": (16, (0.46, 0.52), (1.0,), 0.022, 1.03, 0.6, 0.2),
    "coat": (12, (0.27, 0.40), (1.0,), 0.026, 1.25, 0.5, 0.25),
    "dress": (10, (0.22, 0.40), (0.0, 0.3, 0.65, 1.0), 0.006, 1.6, 0.0, 0.0),
}
# kind: weight, hem range, thickness, flare
LOWERS: dict[str, tuple[float, tuple[float, float], float, float]] = {
    "slim": (22, (0.05, 0.075), 0.004, 0.9),
    "straight": (24, (0.035, 0.05), 0.012, 1.15),
    "wide": (11, (0.03, 0.09), 0.02, 1.7),
    "cropped": (8, (0.11, 0.19), 0.008, 1.1),
    "shorts": (14, (0.27, 0.37), 0.014, 1.12),
    "skirt": (14, (0.20, 0.40), 0.012, 1.5),
    "maxi": (7, (0.06, 0.13), 0.012, 1.75),
}
UPPER_PATTERNS = {
    "plain": 36, "stripes": 13, "pinstripes": 5, "checks": 11, "chest": 12, "back": 3, "block": 9, "band": 7,
    "sleeves": 7, "dots": 3,
}  # fmt: skip
LOWER_PATTERNS = {"plain": 66, "sides": 10, "checks": 7, "hem": 6, "pinstripes": 5, "stripes": 6}
HAIR_STYLES = {"bald": 5, "short": 30, "full": 15, "bob": 13, "long": 18, "ponytail": 11, "bun": 6, "afro": 2}
HATS = {"none": 76, "cap": 11, "beanie": 8, "brim": 5}
BAGS = {"none": 40, "backpack": 24, "shoulder": 16, "handbag": 11, "tote": 9}


def _pick(rng: np.random.Generator, weights: Mapping[str, float]) -> str:
    """Draw a key by its weight, with one uniform draw."""
    keys = list(weights)
    steps = np.cumsum(np.array([float(weights[key]) for key in keys]))
    return keys[min(int(np.searchsorted(steps, rng.random() * steps[-1], side="right")), len(keys) - 1)]


def _between(rng: np.random.Generator, low: float, high: float) -> float:
    return float(low + (high - low) * rng.random())


def _fabric(rng: np.random.Generator, correlation: float, vivid: float = 1.0) -> Fabric:
    """Draw a colour and an infrared reflectance correlated with its lightness through a Gaussian copula."""
    name = _pick(rng, {key: weight * (vivid if weight < 5 else 1.0) for key, (_, weight) in PALETTE.items()})
    colour = np.clip(
        np.array(PALETTE[name][0]) + 0.02 * rng.standard_normal() + 0.012 * rng.standard_normal(3), 0.03, 0.95
    )
    lightness = float((colour * np.array([0.3, 0.59, 0.11])).sum())
    normal = (lightness - 0.38) / 0.24
    mixed = correlation * normal + sqrt(1 - correlation**2) * float(rng.standard_normal())
    infrared = 0.07 + 0.80 * 0.5 * (1 + erf(mixed / sqrt(2)))
    return Fabric((float(colour[0]), float(colour[1]), float(colour[2])), infrared)


def _second(rng: np.random.Generator, first: Fabric, correlation: float) -> Fabric:
    """Draw a fabric that stands out from another one in both kinds of light, the best of six."""
    choices = [_fabric(rng, correlation, 0.5) for _ in range(6)]

    def contrast(other: Fabric) -> float:
        visible = max(abs(a - b) for a, b in zip(first.colour, other.colour, strict=True))
        return min(visible, 0.4) + min(abs(first.infrared - other.infrared), 0.4)

    return max(choices, key=contrast)


def _upper(rng: np.random.Generator, knobs: Knobs) -> Garment:
    kind = _pick(rng, {key: row[0] for key, row in UPPERS.items()})
    _, hems, sleeves, thickness, flare, opens, hoods = UPPERS[kind]
    fabric = _fabric(rng, knobs.colour_infrared_correlation)
    second = _second(rng, fabric, knobs.colour_infrared_correlation)
    inner = _second(rng, fabric, knobs.colour_infrared_correlation)
    draws = rng.random(8)
    return Garment(
        kind=kind,
        fabric=fabric,
        second=second,
        pattern=Pattern(_pick(rng, UPPER_PATTERNS)),
        scale=float(0.7 + 1.0 * draws[0]),
        survives=bool(draws[1] < knobs.pattern_survival),
        hem=float(hems[0] + (hems[1] - hems[0]) * draws[2]),
        sleeve=sleeves[int(draws[3] * len(sleeves))],
        thickness=thickness * float(0.8 + 0.5 * draws[4]),
        flare=flare * float(0.97 + 0.12 * draws[5]),
        opening=float(0.03 + 0.05 * draws[6]) if draws[6] < opens else 0.0,
        inner=inner,
        hood=bool(draws[7] < hoods),
    )


def _lower(rng: np.random.Generator, knobs: Knobs) -> Garment:
    kind = _pick(rng, {key: row[0] for key, row in LOWERS.items()})
    _, hems, thickness, flare = LOWERS[kind]
    fabric = _fabric(rng, knobs.colour_infrared_correlation, 0.3)
    second = _second(rng, fabric, knobs.colour_infrared_correlation)
    draws = rng.random(5)
    return Garment(
        kind=kind,
        fabric=fabric,
        second=second,
        pattern=Pattern(_pick(rng, LOWER_PATTERNS)),
        scale=float(0.7 + 1.0 * draws[0]),
        survives=bool(draws[1] < knobs.pattern_survival),
        hem=float(hems[0] + (hems[1] - hems[0]) * draws[2]),
        thickness=thickness * float(0.8 + 0.5 * draws[3]),
        flare=flare * float(0.95 + 0.15 * draws[4]),
    )


def _build(rng: np.random.Generator, slight: bool) -> Build:
    tall = (1.63 if slight else 1.76) + 0.065 * float(np.clip(rng.standard_normal(), -2.2, 2.2))
    girth = float(np.clip(np.exp(0.14 * rng.standard_normal()) * (0.95 if slight else 1.03), 0.80, 1.38))
    return Build(
        height=tall,
        girth=girth,
        shoulders=_between(rng, 0.87, 0.98) if slight else _between(rng, 0.97, 1.12),
        hips=_between(rng, 1.0, 1.13) if slight else _between(rng, 0.92, 1.02),
        legs=_between(rng, 0.95, 1.05),
        bust=_between(rng, 0.4, 1.0) if slight else 0.0,
        belly=float(np.clip((girth - 1.0) * 2.2 + 0.2 * rng.standard_normal(), 0.0, 1.0)),
    )


def _hair(rng: np.random.Generator, slight: bool, knobs: Knobs) -> Hair:
    favoured = {"bob", "long", "ponytail", "bun"} if slight else {"bald", "short", "full", "afro"}
    weights = {style: weight * (1.0 if style in favoured else 0.06) for style, weight in HAIR_STYLES.items()}
    style = _pick(rng, weights)
    colour = HAIRS[min(int(len(HAIRS) * rng.random() ** 1.6), len(HAIRS) - 1)]
    # Melanin hardly absorbs at 850 nm: dark hair is of middle grey in infrared, and hair colour says little.
    fabric = Fabric(colour, _between(rng, 0.16, 0.5))
    beard = bool(rng.random() < (0.0 if slight else 0.28))
    return Hair(style, fabric, beard, _pick(rng, HATS), _fabric(rng, knobs.colour_infrared_correlation, 0.5))


def _draw_alone(seed: int, split: Split, number: int, knobs: Knobs) -> Identity:
    rng = np.random.default_rng([seed, 1, list(Split).index(split), number])
    slight = bool(rng.random() < 0.48)
    build = _build(rng, slight)
    tone = SKINS[int(len(SKINS) * rng.random())]
    skin = Fabric(tone, _between(rng, 0.60, 0.74))
    hair = _hair(rng, slight, knobs)
    upper, lower = _upper(rng, knobs), _lower(rng, knobs)
    if not slight and upper.kind in {"dress", "tank"}:
        upper = replace(upper, kind="tee", hem=0.49, sleeve=0.36, flare=1.0, thickness=0.006)
    if not slight and lower.kind in {"skirt", "maxi"}:
        lower = replace(lower, kind="straight", hem=0.045, thickness=0.012, flare=1.15)
    if upper.kind in {"coat", "dress"} and lower.kind == "maxi":
        lower = replace(lower, kind="slim", hem=0.06, thickness=0.004, flare=0.9)
    bag = Bag(
        _pick(rng, BAGS), _fabric(rng, knobs.colour_infrared_correlation, 0.6), 1.0 if rng.random() < 0.5 else -1.0
    )
    bag = replace(bag, size=_between(rng, 0.8, 1.25))
    shoes = _fabric(rng, knobs.colour_infrared_correlation, 0.25)
    boots = bool(rng.random() < 0.25)
    socks = skin if rng.random() < 0.6 else Fabric((0.13, 0.13, 0.14), _between(rng, 0.1, 0.6))
    return Identity(build, skin, hair, upper, lower, shoes, boots, bag, socks)


def draw_identity(seed: int, split: Split, number: int, knobs: Knobs | None = None) -> Identity:
    """Draw the person with a number in a split; the person depends on the arguments alone.

    Args:
        seed: Of the data set, at least 0.
        split: The split of the person; numbers count within it.
        number: From 0.
        knobs: The correlation, survival and look-alike knobs are used; `None` means the defaults.

    Returns:
        The identity.

    Raises:
        ValueError: `seed` or `number` is negative.
    """
    if seed < 0 or number < 0:
        raise ValueError(f"expected a seed and a number of at least 0, got {seed} and {number}")
    knobs = knobs or Knobs()
    person = _draw_alone(seed, split, number, knobs)
    wearer = number
    while wearer > 0 and _is_alike(seed, split, wearer, knobs):
        wearer -= 1  # the look-alike of a look-alike wears the clothes of the first of them
    if wearer == number:
        return person
    other = _draw_alone(seed, split, wearer, knobs)
    return replace(person, upper=other.upper, lower=other.lower, shoes=other.shoes, socks=other.socks)


def _is_alike(seed: int, split: Split, number: int, knobs: Knobs) -> bool:
    rng = np.random.default_rng([seed, 2, list(Split).index(split), number])
    return bool(rng.random() < knobs.lookalikes)
