"""The sites: five places that tell nothing about who walks there."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["SITES", "Site", "Tone"]

Tone = tuple[float, float, float, float]  # linear RGB and infrared reflectance


@dataclass(frozen=True, slots=True)
class Site:
    """A place; lengths are metres."""

    floor: Tone
    joint: Tone  # between tiles
    tile: float
    speckle: float  # relative strength of the grain of the floor
    wall: Tone
    dado: Tone  # lower part of the wall
    dado_height: float
    pillar: Tone
    pillar_every: float
    pillar_width: float
    opening: Tone  # doors, windows, gaps
    opening_every: float
    opening_width: float
    opening_span: tuple[float, float]  # heights
    depth: tuple[float, float]  # of the back wall behind the person, least and most
    half_width: float  # of the place; large outdoors
    leaves: float  # 0 a wall, 1 a hedge


SITES: dict[str, Site] = {
    "corridor": Site(
        floor=(0.36, 0.33, 0.28, 0.35),
        joint=(0.22, 0.2, 0.17, 0.24),
        tile=0.6,
        speckle=0.06,
        wall=(0.62, 0.6, 0.54, 0.5),
        dado=(0.42, 0.45, 0.42, 0.4),
        dado_height=1.05,
        pillar=(0.5, 0.47, 0.42, 0.45),
        pillar_every=4.4,
        pillar_width=0.35,
        opening=(0.22, 0.13, 0.07, 0.35),
        opening_every=3.1,
        opening_width=1.0,
        opening_span=(0.0, 2.1),
        depth=(3.0, 9.0),
        half_width=2.1,
        leaves=0.0,
    ),
    "hall": Site(
        floor=(0.3, 0.31, 0.33, 0.3),
        joint=(0.4, 0.41, 0.42, 0.42),
        tile=0.9,
        speckle=0.1,
        wall=(0.48, 0.5, 0.52, 0.42),
        dado=(0.3, 0.31, 0.33, 0.3),
        dado_height=0.25,
        pillar=(0.56, 0.55, 0.52, 0.5),
        pillar_every=3.7,
        pillar_width=0.5,
        opening=(0.13, 0.17, 0.2, 0.12),
        opening_every=2.6,
        opening_width=1.7,
        opening_span=(0.5, 2.6),
        depth=(4.0, 11.0),
        half_width=4.5,
        leaves=0.0,
    ),
    "gate": Site(
        floor=(0.24, 0.23, 0.21, 0.25),
        joint=(0.15, 0.14, 0.13, 0.18),
        tile=1.6,
        speckle=0.22,
        wall=(0.4, 0.26, 0.19, 0.3),
        dado=(0.27, 0.26, 0.25, 0.25),
        dado_height=0.6,
        pillar=(0.46, 0.44, 0.4, 0.4),
        pillar_every=2.9,
        pillar_width=0.55,
        opening=(0.55, 0.58, 0.6, 0.3),
        opening_every=2.9,
        opening_width=1.5,
        opening_span=(0.7, 3.5),
        depth=(5.0, 16.0),
        half_width=60.0,
        leaves=0.0,
    ),
    "garden": Site(
        floor=(0.3, 0.29, 0.26, 0.3),
        joint=(0.2, 0.19, 0.17, 0.22),
        tile=0.45,
        speckle=0.16,
        wall=(0.1, 0.16, 0.06, 0.4),
        dado=(0.19, 0.17, 0.13, 0.25),
        dado_height=0.35,
        pillar=(0.1, 0.07, 0.05, 0.2),
        pillar_every=3.3,
        pillar_width=0.3,
        opening=(0.3, 0.36, 0.4, 0.3),
        opening_every=4.1,
        opening_width=0.8,
        opening_span=(1.9, 5.0),
        depth=(4.0, 14.0),
        half_width=60.0,
        leaves=1.0,
    ),
    "passage": Site(
        floor=(0.2, 0.2, 0.2, 0.24),
        joint=(0.2, 0.2, 0.2, 0.15),
        tile=0.5,
        speckle=0.25,
        wall=(0.3, 0.3, 0.3, 0.32),
        dado=(0.3, 0.3, 0.3, 0.22),
        dado_height=0.9,
        pillar=(0.4, 0.4, 0.4, 0.45),
        pillar_every=2.4,
        pillar_width=0.3,
        opening=(0.1, 0.1, 0.1, 0.06),
        opening_every=3.3,
        opening_width=1.4,
        opening_span=(0.0, 2.3),
        depth=(3.5, 10.0),
        half_width=3.0,
        leaves=0.0,
    ),
}
