import io
import re

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from PIL import Image

from app.retrieval.export import PER_ROW, NamedList, draw_lists, grid_of
from app.shared.figure import (
    COLOURS,
    CURVE_COLOURS,
    DPI,
    GREY,
    LINES,
    MATCH,
    WIDTHS,
    TextBelow,
    draw_plots,
    figure_bytes,
    width_of,
    wrap_pieces,
    wrap_words,
)
from app.shared.plots import Curve, Plot
from app.shared.tiles import Tile

CAPTION = "The query and the closest images of a gallery, with $ and _ and a name that is <b>odd</b>."
REMAKE = "from gradio_client import Client; print(Client('http://127.0.0.1:7860').predict(checkpoint='mun', top_k=3))"
WHITE = np.full((128, 64, 3), 255, np.uint8)


def tile(rank: int, match: bool) -> Tile:
    return Tile(WHITE, f"{rank}", ("id 7 · c2", "d 0.500"), match=match)


def query(pixels: np.ndarray | None = None, pid: int = 1) -> Tile:
    return Tile(pixels, "query", (f"id {pid} · c3",))


def draw_one(asked: Tile, ranked: list[Tile], width: str = "two-column") -> Figure:
    """One row of a query and its ranked images, without a name."""
    return draw_lists([(asked, [NamedList("a list", ranked)])], CAPTION, REMAKE, width=width, named=False)[0]


def draw(count: int, width: str = "two-column", matches: tuple[int, ...] = (1,)) -> bytes:
    ranked = [tile(rank, rank in matches) for rank in range(1, count + 1)]
    return figure_bytes(draw_one(query(WHITE), ranked, width), "png")


def opened(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def near(pixels: np.ndarray, colour: str) -> np.ndarray:
    return np.abs(pixels - list(bytes.fromhex(colour[1:]))).max(axis=-1) < 12


@pytest.mark.parametrize(
    ("count", "width"), [(1, "two-column"), (10, "two-column"), (23, "two-column"), (7, "one-column")]
)
def test_frames_tell_matches_from_others_by_colour_and_by_form(count: int, width: str) -> None:
    matches = (1, 3, count)
    pixels = opened(draw(count, width, matches))
    grid = grid_of(width)
    assert grid.per_row == 1 + PER_ROW[width]
    assert pixels.shape[1] == pytest.approx(DPI * WIDTHS[width], abs=1)
    for rank in range(1, count + 1):
        row, column = divmod(rank - 1, grid.per_row - 1)
        left, top, _, height = (round(DPI * inches) for inches in grid.box(row, column + 1))
        edge = pixels[top + 10 : top + height - 10, max(0, left - 3) : left + 4]  # the left one, without corners
        wanted, other = (MATCH, GREY) if rank in matches else (GREY, MATCH)
        rows = near(edge, wanted).any(axis=1)
        assert not near(edge, other).any()
        if rank in matches:
            assert rows.all()  # solid
        else:
            assert 0.3 < rows.mean() < 0.9  # dashed


def test_the_font_has_every_sign_of_the_figure() -> None:
    signs = get_font(findfont("DejaVu Sans")).get_charmap()
    assert all(ord(sign) in signs for sign in "\u2713\u2717\u2192\u00b7\u00b1\u2212")


def test_images_keep_their_proportions_and_a_broken_one_is_said_to_be() -> None:
    wide = np.zeros((20, 80, 3), np.uint8)
    wide[:] = (200, 0, 0)
    figure = draw_one(query(wide), [Tile(None, "1", match=False)])
    pixels = opened(figure_bytes(figure, "png"))
    red = near(pixels, "#c80000")
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (columns[-1] - columns[0]) / (rows[-1] - rows[0]) == pytest.approx(4, rel=0.1)
    assert any("cannot" in words.get_text() for words in figure.axes[0].texts)


def test_the_same_figure_gives_the_same_bytes_and_leaves_matplotlib_as_it_was() -> None:
    before = dict(rcParams)
    assert draw(3) == draw(3)
    first, second = (figure_bytes(draw_one(query(), [tile(1, True), tile(2, False)]), "pdf") for _ in range(2))
    assert first == second
    assert dict(rcParams) == before


def test_the_pdf_has_one_page_of_the_right_size_with_embedded_truetype_fonts() -> None:
    figure = draw_one(query(), [tile(1, True)], "one-column")
    data = figure_bytes(figure, "pdf")
    assert data.startswith(b"%PDF-1.")
    assert data.rstrip().endswith(b"%%EOF")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) == 1
    box = re.search(rb"/MediaBox \[ 0 0 ([\d.]+) ([\d.]+) \]", data)
    assert float(box[1]) == pytest.approx(72 * 3.25, abs=0.1)
    assert float(box[2]) == pytest.approx(72 * figure.get_size_inches()[1], abs=0.1)
    assert b"/FontFile2" in data
    assert b"/Type3" not in data
    assert b"CreationDate" not in data
    assert b"/Width 64" in data  # the image's own pixels


def test_a_sheet_goes_on_over_pages_and_every_row_has_query_marks_and_name() -> None:
    lists = [NamedList("one: AP 50.0 %", [tile(1, True), tile(2, False)]), NamedList("two", [tile(1, False)])]
    pages = draw_lists([(query(pid=pid), lists) for pid in range(1, 8)], CAPTION, REMAKE)
    words = [[text.get_text() for text in page.axes[0].texts] for page in pages]
    assert [row.count("query") for row in words] == [2, 2, 2, 1]
    assert [row.count("one: AP 50.0 %") for row in words] == [2, 2, 2, 1]
    assert [row.count("✓") for row in words] == [2, 2, 2, 1]
    assert [row.count("✗") for row in words] == [4, 4, 4, 2]
    assert "id 7 · c3" in words[3]
    assert all(page.get_size_inches()[1] < 11 for page in pages)
    data = figure_bytes(pages, "pdf")
    assert len(re.findall(rb"/Type\s*/Page\b(?!s)", data)) == 4
    assert data == figure_bytes(pages, "pdf")
    with pytest.raises(ValueError, match="expected at least one query"):
        draw_lists([], CAPTION, REMAKE)


def test_png_says_its_resolution_and_no_software() -> None:
    image = Image.open(io.BytesIO(draw(1)))
    assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    assert "Software" not in image.info
    with pytest.raises(ValueError, match="png, pdf or svg"):
        figure_bytes(draw_one(query(), [tile(1, True)]), "gif")


def test_words_are_broken_by_their_width_and_pieces_only_between() -> None:
    font = FontProperties(size=6.6)
    words = "some words " * 40 + "x" * 300
    lines = wrap_words(words, 3.0, font)
    assert "".join("".join(lines).split()) == "".join(words.split())
    assert all(width_of(line, font) <= 3.0 for line in lines)
    assert len(lines) > 3
    assert wrap_pieces(["a=1, ", "b='c, d', ", "e=2)"], width_of("a=1, b='c", font), font)[0] == "a=1,"
    assert wrap_words("", 3.0, font) == []


def test_a_command_breaks_between_arguments_and_holds_every_letter() -> None:
    text = TextBelow("", [REMAKE], WIDTHS["one-column"])
    lines = [line for line, _ in text.lines]
    assert "".join("".join(lines).split()) == "".join(REMAKE.split())
    assert all(line.endswith((",", "(", ")", ";", "=")) for line in lines)


@pytest.mark.parametrize("width", WIDTHS)
def test_cmc_curves_differ_without_colour_and_their_legend_fits(width: str) -> None:
    names = ["one: rank-1 44.5 \u00b1 1.1 %, mAP 45.3 \u00b1 0.7 %", "two: rank-1 30.0 %, mAP 32.0 %"]
    found = np.stack([np.linspace(44.5, 90, 20), np.linspace(30, 80, 20)])
    curves = tuple(Curve(name, tuple(enumerate(row.tolist(), 1))) for name, row in zip(names, found, strict=True))
    plot = Plot("", curves, "rank", "queries found, %", (0, 100), ticks=((1, "1"), (20, "20")))
    figure = draw_plots([plot], "CMC on SynVI (synthetic).", (), width, one_legend=True)
    assert [words.get_text() for words in figure.legends[0].get_texts()] == names
    axes = figure.axes[0]
    assert np.allclose([line.get_ydata() for line in axes.lines], found)
    assert axes.get_ylim() == (0, 100)
    assert len({line.get_marker() for line in axes.lines}) == len({line.get_linestyle() for line in axes.lines}) == 2
    pixels = opened(figure_bytes(figure, "png"))
    assert near(pixels, COLOURS[0]).any()
    assert near(pixels, COLOURS[1]).any()
    assert figure_bytes(figure, "pdf") == figure_bytes(figure, "pdf")
    assert len(CURVE_COLOURS) == len(LINES)
    legend, whole = figure.legends[0].get_window_extent(), figure.bbox
    assert whole.x0 <= legend.x0 < legend.x1 <= whole.x1
    assert legend.y1 < axes.get_window_extent().y0
