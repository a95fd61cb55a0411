from __future__ import annotations

import io
import itertools
import re

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from app.auxiliary.figure import INFRARED, VISIBLE, draw_panel
from app.shared.figure import DPI, WIDTHS, figure_bytes, styled
from app.shared.tiles import Tile

CALL = "from gradio_client import Client; print(Client('http://127.0.0.1:7860').predict(seed=3, api_name='/auxiliary'))"
CAPTION = "A pair with $ and _ and a name that is <b>odd</b>. " * 3


def tiles(count: int) -> list[Tile]:
    draws = np.random.default_rng(0)
    return [
        Tile(
            draws.integers(0, 256, (64, 32, 3), dtype=np.uint8),
            f"Modality {number}{', a long name' * (number % 2)}",
            ("V 0.60 · I 0.70", "rank 1 | 2"),
        )
        for number in range(count)
    ]


def drawn(count: int, below: int, width: str = "two-column") -> Figure:
    chart = [(tile.title, (0.6, 1.4)) for tile in tiles(count)[1:-1]]
    return draw_panel(tiles(count), tiles(3)[:below], chart, CAPTION, CALL, width)


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


@pytest.mark.parametrize(
    ("count", "below", "width"), [(12, 3, "two-column"), (8, 2, "one-column"), (3, 0, "two-column")]
)
def test_every_image_and_bar_is_on_the_paper(count: int, below: int, width: str) -> None:
    figure = drawn(count, below, width)
    assert sum(len(axes.images) for axes in figure.axes) == count + below
    chart = figure.axes[1]
    lengths = [patch.get_width() for patch in chart.patches]
    assert lengths == [0.6, 1.4] * (count - 2)
    names = [label.get_text() for label in chart.get_yticklabels()]
    assert names == [tile.title for tile in tiles(count)[1:-1]]
    pixels = opened(figure_bytes(figure, "png"))
    assert pixels.shape[1] == pytest.approx(DPI * WIDTHS[width], abs=1)
    for colour in (VISIBLE, INFRARED):
        wanted = np.array([int(colour[start : start + 2], 16) for start in (1, 3, 5)])
        assert (np.abs(pixels - wanted).max(axis=-1) < 12).any()
    with styled():
        figure.set_dpi(DPI)
        renderer = FigureCanvasAgg(figure).get_renderer()
        words = figure.texts + figure.axes[0].texts + chart.texts + chart.get_yticklabels()
        boxes = [text.get_window_extent(renderer) for text in words]
    titles = [box for text, box in zip(words, boxes, strict=True) if text.get_weight() == "bold"]
    assert len(titles) == count + below
    assert not any(one.overlaps(other) for one, other in itertools.combinations(titles, 2))
    for box in boxes:
        assert figure.bbox.x0 - 3 <= box.x0 <= box.x1 <= figure.bbox.x1 + 3
        assert box.y0 >= figure.bbox.y0 - 3


def test_the_same_panel_gives_the_same_bytes_and_one_page() -> None:
    before = dict(rcParams)
    one, other = (figure_bytes(drawn(5, 0), "pdf") for _ in range(2))
    assert one == other
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", one)) == 1
    assert b"/FontFile2" in one
    assert b"/Type3" not in one
    assert dict(rcParams) == before
