"""The wardrobe: what a person wears, has on the head and carries."""

from dataclasses import dataclass, field
from enum import StrEnum

from mun.synvi.body import Build

__all__ = ["Bag", "Colour", "Fabric", "Garment", "Hair", "Identity", "Pattern"]

Colour = tuple[float, float, float]


class Pattern(StrEnum):
    """How the second colour of a garment is laid out."""

    PLAIN = "plain"
    STRIPES = "stripes"
    PINSTRIPES = "pinstripes"
    CHECKS = "checks"
    CHEST = "chest"
    BACK = "back"
    BLOCK = "block"
    BAND = "band"
    SLEEVES = "sleeves"
    SIDES = "sides"
    DOTS = "dots"
    HEM = "hem"


@dataclass(frozen=True, slots=True)
class Fabric:
    """A material in both kinds of light; the two are independent fields, so one changes without the other."""

    colour: Colour  # sRGB, [0, 1]
    infrared: float  # reflectance at 850 nm, [0, 1]


@dataclass(frozen=True, slots=True)
class Garment:
    """A piece of clothing for the trunk or the legs."""

    kind: str
    fabric: Fabric
    second: Fabric  # of the pattern
    pattern: Pattern = Pattern.PLAIN
    scale: float = 1.0  # of the pattern, 0.6 to 1.8
    survives: bool = True  # whether infrared shows the pattern
    hem: float = 0.48  # height of the lower end of an upper garment or of a leg, fraction of the body height
    sleeve: float = 1.0  # covered share of the arm
    thickness: float = 0.008  # metres from the skin
    flare: float = 1.0  # width at the hem over width at its top
    opening: float = 0.0  # half width of the open front, metres
    inner: Fabric = field(default_factory=lambda: Fabric((0.9, 0.9, 0.88), 0.7))  # seen in the opening
    hood: bool = False


@dataclass(frozen=True, slots=True)
class Hair:
    """Hair and what covers it."""

    style: str  # bald, short, full, bob, long, ponytail, bun, afro
    fabric: Fabric
    beard: bool = False
    hat: str = "none"  # none, cap, beanie, brim
    hat_fabric: Fabric = field(default_factory=lambda: Fabric((0.1, 0.1, 0.1), 0.3))


@dataclass(frozen=True, slots=True)
class Bag:
    """The bag that a person carries."""

    kind: str  # none, backpack, shoulder, handbag, tote
    fabric: Fabric
    side: float = 1.0  # 1 the person's left, -1 the right
    size: float = 1.0  # 0.8 to 1.25


@dataclass(frozen=True, slots=True)
class Identity:
    """Everything that stays the same in all images of one person."""

    build: Build
    skin: Fabric
    hair: Hair
    upper: Garment
    lower: Garment
    shoes: Fabric
    boots: bool
    bag: Bag
    socks: Fabric
