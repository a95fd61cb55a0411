"""CSV text: values come back, and nothing is a formula."""

from __future__ import annotations

import csv
import io

import pytest

from app.shared.export import csv_text


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_values_come_back() -> None:
    text = csv_text(["rank", "image", "distance"], [[1, 'cam1/0001/"a", b.jpg', 0.25], [2, "Grüße\nzwei Zeilen", None]])
    assert read(text) == [
        ["rank", "image", "distance"],
        ["1", 'cam1/0001/"a", b.jpg', "0.25"],
        ["2", "Grüße\nzwei Zeilen", ""],
    ]
    assert text.startswith("rank,image,distance\r\n")


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+1",
        "-1",
        "@SUM(A1)",
        "\t=1",
        "\r=1",
        "\n=1",
        " =1",
        "\x00=1",
        "\ufeff=1",
        '=HYPERLINK("http://x","y")',
    ],
)
def test_a_formula_becomes_text(cell: str) -> None:
    for shown in (read(csv_text([cell], []))[0][0], read(csv_text(["a"], [[cell]]))[1][0]):
        assert shown.startswith("'")
        assert shown[1:] == cell.replace("\x00", "")


def test_numbers_stay_numbers() -> None:
    assert read(csv_text(["a", "b", "c"], [[-1, -0.5, True]]))[1] == ["-1", "-0.5", "True"]


def test_text_that_only_holds_a_sign_is_left_alone() -> None:
    assert read(csv_text(["a"], [["mun-resnet18=w0.5"]]))[1] == ["mun-resnet18=w0.5"]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 values in row 2, got 1"):
        csv_text(["a", "b"], [[1, 2], [1]])
