"""The sites: five places that are the same for all people."""

from dataclasses import dataclass

__all__ = ["SITES", "Along", "Floor", "Site", "Tone"]

Tone = tuple[float, float, float, float]  # linear RGB and infrared reflectance


@dataclass(frozen=True, slots=True)
class Floor:
    """Tiles; lengths are metres."""

    tone: Tone
    joint: Tone  # between tiles
    tile: float
    speckle: float  # relative strength of the grain


@dataclass(frozen=True, slots=True)
class Along:
    """An element that is repeated along a wall; lengths are metres."""

    tone: Tone
    every: float
    width: float


@dataclass(frozen=True, slots=True)
class Site:
    """A place; lengths are metres."""

    floor: Floor
    wall: Tone
    dado: Tone  # lower part of the wall
    dado_height: float
    pillar: Along
    opening: Along  # doors, windows, gaps
    opening_span: tuple[float, float]  # heights
    depth: tuple[float, float]  # of the back wall behind the person, least and most
    half_width: float  # of the place; large outdoors
    leaves: float = 0.0  # 0 a wall, 1 a hedge


SITES: dict[str, Site] = {
    "corridor": Site(
        floor=Floor((0.36, 0.33, 0.28, 0.35), joint=(0.22, 0.2, 0.17, 0.24), tile=0.6, speckle=0.06),
        wall=(0.62, 0.6, 0.54, 0.5),
        dado=(0.42, 0.45, 0.42, 0.4),
        dado_height=1.05,
        pillar=Along((0.5, 0.47, 0.42, 0.45), every=4.4, width=0.35),
        opening=Along((0.22, 0.13, 0.07, 0.35), every=3.1, width=1.0),
        opening_span=(0.0, 2.1),
        depth=(3.0, 9.0),
        half_width=2.1,
    ),
    "hall": Site(
        floor=Floor((0.3, 0.31, 0.33, 0.3), joint=(0.4, 0.41, 0.42, 0.42), tile=0.9, speckle=0.1),
        wall=(0.48, 0.5, 0.52, 0.42),
        dado=(0.3, 0.31, 0.33, 0.3),
        dado_height=0.25,
        pillar=Along((0.56, 0.55, 0.52, 0.5), every=3.7, width=0.5),
        opening=Along((0.13, 0.17, 0.2, 0.12), every=2.6, width=1.7),
        opening_span=(0.5, 2.6),
        depth=(4.0, 11.0),
        half_width=4.5,
    ),
    "gate": Site(
        floor=Floor((0.24, 0.23, 0.21, 0.25), joint=(0.15, 0.14, 0.13, 0.18), tile=1.6, speckle=0.22),
        wall=(0.4, 0.26, 0.19, 0.3),
        dado=(0.27, 0.26, 0.25, 0.25),
        dado_height=0.6,
        pillar=Along((0.46, 0.44, 0.4, 0.4), every=2.9, width=0.55),
        opening=Along((0.55, 0.58, 0.6, 0.3), every=2.9, width=1.5),
        opening_span=(0.7, 3.5),
        depth=(5.0, 16.0),
        half_width=60.0,
    ),
    "garden": Site(
        floor=Floor((0.3, 0.29, 0.26, 0.3), joint=(0.2, 0.19, 0.17, 0.22), tile=0.45, speckle=0.16),
        wall=(0.1, 0.16, 0.06, 0.4),
        dado=(0.19, 0.17, 0.13, 0.25),
        dado_height=0.35,
        pillar=Along((0.1, 0.07, 0.05, 0.2), every=3.3, width=0.3),
        opening=Along((0.3, 0.36, 0.4, 0.3), every=4.1, width=0.8),
        opening_span=(1.9, 5.0),
        depth=(4.0, 14.0),
        half_width=60.0,
        leaves=1.0,
    ),
    "passage": Site(
        floor=Floor((0.2, 0.2, 0.2, 0.24), joint=(0.2, 0.2, 0.2, 0.15), tile=0.5, speckle=0.25),
        wall=(0.3, 0.3, 0.3, 0.32),
        dado=(0.3, 0.3, 0.3, 0.22),
        dado_height=0.9,
        pillar=Along((0.4, 0.4, 0.4, 0.45), every=2.4, width=0.3),
        opening=Along((0.1, 0.1, 0.1, 0.06), every=3.3, width=1.4),
        opening_span=(0.0, 2.3),
        depth=(3.5, 10.0),
        half_width=3.0,
    ),
}
