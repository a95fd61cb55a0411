"""Exports of the Embeddings tab: every file is opened and states its provenance; text can be read."""

import csv
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from matplotlib.text import Text

from app.embeddings.figure import draw, points_csv, write_figure
from app.embeddings.project import Mark, Point, Result, legend, project, shades
from app.embeddings.request import PALETTES, View
from app.library import Library

SMALL = {"method": "pca", "identities": 3, "images": 2}
URL = "http://127.0.0.1:7999"


@pytest.fixture(scope="module")
def view(library: Library) -> View:
    return View.read({**SMALL, "lines": True, "prototypes": True}, library)


@pytest.fixture(scope="module")
def result(library: Library, view: View) -> Result:
    return project(library, view.sides(library)[0])


@pytest.fixture(scope="module")
def crowd(result: Result) -> Result:
    """100 people with 6 points in each modality, and prototypes where words have little room."""
    draws = np.random.default_rng(0)
    spots = draws.normal(size=(100, 2)) * 10
    names = ("visible", "auxiliary", "infrared")
    places = [
        (pid, name, *(spots[pid] + draws.normal(size=2))) for pid in range(100) for name in names for _ in range(6)
    ]
    edge = max(x for _, _, x, _ in places)
    return replace(
        result,
        points=tuple(Point(x, y, name, pid, 1 + pid % 6, f"{pid}.jpg") for pid, name, x, y in places),
        centers=tuple(Mark(*spots[pid], name, pid) for pid in range(100) for name in names),
        prototypes=tuple(Mark(edge, 0.0, name) for name in names),
    )


def test_twelve_people_have_colours_of_their_own(result: Result) -> None:
    assert len(set(PALETTES["identity"])) == 12
    people = tuple(replace(result.points[0], pid=pid) for pid in range(13))
    assert shades(people, "identity")[12] == shades(people, "identity")[0]
    assert len(set(shades(people, "identity"))) == 12


@pytest.mark.parametrize("colour", ["identity", "modality", "camera", "correct"])
def test_every_point_has_a_colour_that_the_legend_names(result: Result, colour: str) -> None:
    found = shades(result.points, colour)
    assert len(found) == len(result.points)
    named = {shade for shade, _ in legend(result.points, colour)}
    assert named == (set() if colour == "modality" else set(found))


def test_the_figure_carries_what_must_stand_on_it(library: Library, view: View, result: Result) -> None:
    made = write_figure(library, view, [result], "svg", "one-column", URL).decode()
    words = " ".join("".join(made.split("<text")).split())
    content = library.checkpoints["mun-tiny"].content[:12]
    for part in ("mun-tiny", content, "test split", "seed 0", "matched pairs", "labels", "api_name", "/project", URL,
                 "infrared prototype", "overlap", "synthetic"):  # fmt: skip
        assert part in words, part
    assert "<image" not in made
    assert made == write_figure(library, view, [result], "svg", "one-column", URL).decode()


@pytest.mark.parametrize(("count", "width"), [(1, "one-column"), (2, "two-column"), (1, "two-column")])
def test_no_words_are_cut_and_prototypes_stand_apart(view: View, crowd: Result, count: int, width: str) -> None:
    figure = draw([crowd] * count, view, "A caption of some words.", "a command", width)
    wide, high = figure.canvas.get_width_height()
    for one in figure.findobj(Text):
        box, words = one.get_window_extent(), one.get_text().strip()
        if words and one.get_visible():
            assert -1 <= box.x0 <= box.x1 <= wide + 1, words
            assert -1 <= box.y0 <= box.y1 <= high + 1, words
    boxes = [one.get_window_extent() for one in figure.axes[0].texts if "prototype" in one.get_text()]
    assert len(boxes) == 3
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(figure.axes[0].bbox.x1 >= box.x1 for box in boxes)


def test_the_table_has_every_point_and_says_where_it_comes_from(library: Library, result: Result) -> None:
    text = points_csv(library, [result], None, URL).decode()
    assert result.sentence in text.replace('"', "")
    rows = list(csv.DictReader(line for line in text.splitlines() if not line.startswith(("#", '"#'))))
    assert len(rows) == len(result.points)
    for row, point in zip(rows, result.points, strict=True):
        assert (row["image"], int(row["pid"]), row["modality"]) == (point.image, point.pid, point.modality)
        assert (float(row["x"]), float(row["y"])) == (point.x, point.y)
        assert row["partner"] == point.partner
    some = points_csv(library, [result], [2, 5], URL).decode()
    assert [line.split(",")[1] for line in some.splitlines() if line.startswith("mun-tiny,")] == ["2", "5"]


def test_a_picture_without_pairs_of_one_person_or_two_is_drawn(view: View, result: Result) -> None:
    counted = replace(result.separation.histograms, same=(0,) * 80, different=(0,) * 80, overlap=None)
    empty = replace(result, separation=replace(result.separation, histograms=counted))
    assert draw([empty], view, "words", "command").axes
