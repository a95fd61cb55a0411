"""What the points of a picture look like, on the page and on paper; needs no Matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

__all__ = [
    "BASE",
    "CAMERAS",
    "CORRECT",
    "MODALITIES",
    "NEUTRAL",
    "PLOTLY_SYMBOLS",
    "SYMBOLS",
    "Spot",
    "colours_of",
    "legend_of",
    "people_colours",
]

# Okabe and Ito, 2008, as in `app.shared.figure`, which would load Matplotlib at start-up.
BASE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
NEUTRAL = "#8a8a8a"  # on white 3.5:1, on the dark page 5:1
MODALITIES = {"visible": "#d55e00", "auxiliary": "#009e73", "infrared": "#0072b2"}
CAMERAS = BASE
CORRECT = {True: "#0072b2", False: "#d55e00", None: NEUTRAL}
CORRECT_WORDS = {True: "right at rank 1", False: "wrong at rank 1", None: "no query"}
SYMBOLS = {"visible": "o", "auxiliary": "^", "infrared": "s"}  # Matplotlib's
PLOTLY_SYMBOLS = {"visible": "circle", "auxiliary": "triangle-up", "infrared": "square"}
DARKER = 0.55


class Spot(Protocol):
    """A point of a picture, as far as its looks go."""

    @property
    def modality(self) -> str:
        """The kind: `visible`, `infrared` or `auxiliary`."""

    @property
    def pid(self) -> int:
        """Whom it shows."""

    @property
    def camid(self) -> int:
        """By which camera."""

    @property
    def correct(self) -> bool | None:
        """Whether it is right at rank 1; `None` where it is no query."""


def people_colours(pids: Sequence[int]) -> dict[int, str]:
    """Give each person a colour, in their order: six hues, six darker ones, then from the start again."""
    shades = (*BASE, *map(darker, BASE))
    return {pid: shades[number % len(shades)] for number, pid in enumerate(dict.fromkeys(pids))}


def darker(colour: str) -> str:
    """Return a darker shade of a colour."""
    parts = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{round(DARKER * part):02x}" for part in parts)


def colours_of(points: Sequence[Spot], colour: str) -> list[str]:
    """Return the colour of each point.

    Args:
        points: Of one picture.
        colour: `identity`, `modality`, `camera` or `correct`.
    """
    if colour == "modality":
        return [MODALITIES[point.modality] for point in points]
    if colour == "camera":
        return [CAMERAS[(point.camid - 1) % len(CAMERAS)] for point in points]
    if colour == "correct":
        return [CORRECT[point.correct] for point in points]
    shades = people_colours([point.pid for point in points])
    return [shades[point.pid] for point in points]


def legend_of(points: Sequence[Spot], colour: str) -> list[tuple[str, str]]:
    """List what each colour says, as (colour, words); nothing where the shape says it already.

    Twelve people have colours of their own; of more, only the first twelve are listed.
    """
    if colour == "modality":
        return []
    if colour == "camera":
        return [(CAMERAS[(camid - 1) % len(CAMERAS)], f"camera {camid}") for camid in sorted({p.camid for p in points})]
    if colour == "correct":
        there = {point.correct for point in points}
        return [(shade, CORRECT_WORDS[value]) for value, shade in CORRECT.items() if value in there]
    shades = people_colours([point.pid for point in points])
    return [(shade, f"person {pid}") for pid, shade in list(shades.items())[: 2 * len(BASE)]]
