"""Contact sheets: people by cameras at one level, and one person under each knob."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from mun.structures import Split
from mun.synvi.camera import CAMERAS
from mun.synvi.levels import Level, level_of
from mun.synvi.plan import Plan

__all__ = ["CAMERA_ORDER", "KNOB_VALUES", "contact_sheet", "knob_pictures", "knob_sheet", "people_by_camera"]

CAMERA_ORDER = (1, 2, 4, 5, 3, 6)  # visible first
Pixels = NDArray[np.uint8]

# The values that a knob's row shows; the other knobs stay as they are at *standard*, without occlusion.
KNOB_VALUES: dict[str, tuple[float, ...]] = {
    "colour_infrared_correlation": (0.0, 0.5, 1.0),
    "pattern_survival": (0.0, 1.0),
    "misalignment": (0.0, 0.5, 1.0),
    "noise": (0.0, 1.0, 3.0),
    "occlusion": (0.0, 1.0),
    "resolution": (1.0, 2.0, 4.0),
    "lookalikes": (0.0, 1.0),
}


def people_by_camera(
    level: Level, people: int, cameras: Sequence[int] = CAMERA_ORDER, seed: int = 0, size: tuple[int, int] = (192, 96)
) -> list[list[Pixels]]:
    """Render test people by cameras.

    Args:
        level: Of the data set.
        people: Number of people, counted from the first.
        cameras: Numbers of cameras.
        seed: Of the data set.
        size: Rows and columns.

    Returns:
        One list per camera with RGB, uint8, `(H, W, 3)`, for each person.
    """
    plan = Plan(level=level, train_ids=0, val_ids=0, test_ids=people, images=1, size=size, seed=seed)
    return [[plan.recipe(Split.TEST, number, camid, 0).image() for number in range(people)] for camid in cameras]


def knob_pictures(
    name: str, number: int = 0, seed: int = 0, size: tuple[int, int] = (192, 96)
) -> list[tuple[float, Pixels, Pixels]]:
    """Render one person at each value of a knob: a visible and an infrared image of one index.

    For *lookalikes* the two images show the previous person and the person, both in visible light.

    Args:
        name: One of `KNOB_VALUES`.
        number: Of the person among the test people.
        seed: Of the data set.
        size: Rows and columns.

    Raises:
        ValueError: There is no such knob.
    """
    if name not in KNOB_VALUES:
        raise ValueError(f"expected one of the knobs {', '.join(KNOB_VALUES)}; got {name!r}")
    pictures = []
    for value in KNOB_VALUES[name]:
        level = level_of("standard", {"occlusion": 0.0, "misalignment": 0.0, name: value})
        plan = Plan(level=level, train_ids=0, val_ids=0, test_ids=number + 1, images=1, size=size, seed=seed)
        who = [(number - 1, 2), (number, 2)] if name == "lookalikes" else [(number, 2), (number, 3)]
        one, other = (plan.recipe(Split.TEST, max(person, 0), camid, 0).image() for person, camid in who)
        pictures.append((value, one, other))
    return pictures


def contact_sheet(level: Level, people: int = 8, seed: int = 0, size: tuple[int, int] = (192, 96)) -> Image.Image:
    """Draw a sheet of people by cameras, with the names of the cameras on the left."""
    rows = people_by_camera(level, people, seed=seed, size=size)
    labels = [f"{CAMERAS[camid].modality}\ncamera {camid}\n{CAMERAS[camid].site}" for camid in CAMERA_ORDER]
    return _lay_out([(label, row) for label, row in zip(labels, rows, strict=True)])


def knob_sheet(number: int = 0, seed: int = 0, size: tuple[int, int] = (192, 96)) -> Image.Image:
    """Draw a sheet of one person under each knob, a row each, with the values of the knob."""
    rows = []
    for name in KNOB_VALUES:
        pictures = knob_pictures(name, number, seed, size)
        values = "  ".join(f"{value:g}" for value, _, _ in pictures)
        label = "\n".join([*name.split("_"), values])
        rows.append((label, [image for _, one, other in pictures for image in (one, other)]))
    return _lay_out(rows)


def _lay_out(rows: list[tuple[str, list[Pixels]]]) -> Image.Image:
    """Put rows of images on white, labels to their left."""
    height, width = rows[0][1][0].shape[:2]
    gap, margin = 4, 128
    columns = max(len(images) for _, images in rows)
    sheet = Image.new("RGB", (margin + columns * (width + gap), len(rows) * (height + gap) - gap), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=17)
    for row, (label, images) in enumerate(rows):
        top = row * (height + gap)
        draw.multiline_text((6, top + height // 2), label, fill=(40, 48, 60), font=font, anchor="lm", spacing=6)
        for column, image in enumerate(images):
            sheet.paste(Image.fromarray(image), (margin + column * (width + gap), top))
    return sheet
