"""What is taken home from the Embeddings tab: every file is opened and says where it comes from."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from app.actions.embeddings import project
from app.actions.embeddings.export import figure_file, file_stem, lines_of, points_csv
from app.actions.embeddings.project import Request, Result
from app.figures import style
from app.figures.embedding import Bins, Dot, Panel, draw_embedding
from app.figures.embedding_palette import BASE, colours_of, legend_of, people_colours
from app.library import Library

SMALL = Request(method="pca", identities=3, images=2)


@pytest.fixture(scope="module")
def result(library: Library) -> Result:
    return project.run(library, SMALL)


def panel() -> Panel:
    dots = (Dot(0, 0, "visible", "#000000"), Dot(1, 1, "infrared", "#000000"))
    return Panel("a $name$", dots, (), (), Bins((1, 0), (0, 1), 2.0, 0.0))


def test_the_palette_is_the_one_of_the_other_figures() -> None:
    assert BASE == style.COLOURS
    assert len(set(people_colours(range(12)).values())) == 12
    assert people_colours(range(13))[12] == people_colours(range(13))[0]


@pytest.mark.parametrize("colour", ["identity", "modality", "camera", "correct"])
def test_every_point_has_a_colour_that_the_legend_names(result: Result, colour: str) -> None:
    shades = colours_of(result.points, colour)
    assert len(shades) == len(result.points)
    named = {shade for shade, _ in legend_of(result.points, colour)}
    assert named == (set() if colour == "modality" else set(shades))


def test_the_figure_carries_what_must_stand_on_it(library: Library, result: Result) -> None:
    made = figure_file(library, [result], "svg", lines=True, prototypes=True).decode()
    words = " ".join("".join(made.split("<text")).split())
    content = library.checkpoints["mun-tiny"].content[:12]
    for part in ("mun-tiny", content, "test split", "seed 0", "matched pairs", "labels", "api_name", "/project",
                 "infrared prototype", "overlap", "synthetic"):  # fmt: skip
        assert part in words, part
    assert "<image" not in made
    assert made == figure_file(library, [result], "svg", lines=True, prototypes=True).decode()


def test_png_and_pdf_open(library: Library, result: Result) -> None:
    one = Image.open(io.BytesIO(figure_file(library, [result], "png")))
    two = Image.open(io.BytesIO(figure_file(library, [result, result], "png", colour="modality")))
    assert one.width == round(300 * style.WIDTHS["one-column"])
    assert two.width == pytest.approx(300 * style.WIDTHS["two-column"], abs=1)
    assert one.getextrema() != ((255, 255),) * 4
    pdf = figure_file(library, [result], "pdf")
    assert pdf.startswith(b"%PDF-")
    assert pdf.rstrip().endswith(b"%%EOF")


def test_the_table_has_every_point_and_says_where_it_comes_from(library: Library, result: Result) -> None:
    text = points_csv(library, [result])
    assert result.sentence in text.replace('"', "")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith(("#", '"#'))))
    assert len(rows) == len(result.points)
    for row, point in zip(rows, result.points, strict=True):
        assert (row["image"], int(row["pid"]), row["modality"]) == (point.image, point.pid, point.modality)
        assert (float(row["x"]), float(row["y"])) == (point.x, point.y)
        assert row["partner"] == point.partner
    some = points_csv(library, [result], [2, 5])
    assert [line.split(",")[1] for line in some.splitlines() if line.startswith("mun-tiny,")] == ["2", "5"]


def test_the_command_in_the_table_makes_the_same_picture(library: Library) -> None:
    from app.actions.embeddings.words import call_pieces

    request = replace(SMALL, space="features", perplexity=7.0, seed=3).checked(library)
    call = "".join(call_pieces(request))
    said = eval(f"dict({call.partition('.predict(')[2].removesuffix('))')})")
    assert said.pop("api_name") == "/project"
    assert Request(**said).checked(library) == request


def test_lines_lead_from_visible_through_auxiliary_to_infrared(result: Result) -> None:
    marks = {(mark.pid, mark.modality): (mark.x, mark.y) for mark in result.centers}
    pids = list(dict.fromkeys(mark.pid for mark in result.centers))
    expected = [[marks[pid, name] for name in ("visible", "auxiliary", "infrared")] for pid in pids]
    assert lines_of(result) == expected


def test_file_names_are_safe(result: Result) -> None:
    odd = replace(result, request=replace(result.request, checkpoint="../a b$"))
    assert file_stem([odd]) == "PCA-embedding-seed0---a-b"


def test_what_cannot_be_drawn_is_refused(library: Library, result: Result) -> None:
    with pytest.raises(ValueError, match="expected kind to be one of png, svg, pdf"):
        figure_file(library, [result], "gif")
    with pytest.raises(ValueError, match="expected width to be one of"):
        draw_embedding([panel()], [], "", [], width="poster")
    with pytest.raises(ValueError, match="expected 1 or 2 panels, got 0"):
        draw_embedding([], [], "", [])


def test_the_words_of_prototypes_in_one_place_stand_apart() -> None:
    there = tuple(Dot(0.5, 0.5, name, "#000000") for name in ("visible", "auxiliary", "infrared"))
    figure = draw_embedding([replace(panel(), prototypes=there)], [], "words", ["command"])
    FigureCanvasAgg(figure).draw()
    boxes = [words.get_window_extent() for words in figure.axes[0].texts]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_a_picture_without_pairs_of_one_person_or_two_is_drawn() -> None:
    empty = replace(panel(), bins=Bins((0, 0), (0, 3), 2.0, None))
    assert draw_embedding([empty], [("#0072b2", "person 1")], "words", ["command"]).axes
