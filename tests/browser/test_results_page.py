"""The Results tab in a browser: tables that are sorted, the figure, and what is taken home."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
GRID = '[data-table="misalignment"]'
FIGURE = '.mun-results-figure[data-state="ready"] img'


def test_the_grid_is_sorted_and_its_figure_taken_home(visit: Visit, tmp_path: Path) -> None:
    page = visit(address="?tab=results").page
    page.get_by_role("tab", name="Results").click()
    image = page.locator(FIGURE)
    image.wait_for()
    assert image.evaluate("one => one.decode().then(() => one.naturalWidth)") > 400
    heading = page.locator(f"{GRID} thead th").nth(1)
    heading.get_by_role("button").click()
    expect(heading).not_to_have_attribute("aria-sort", "none")
    cells = page.locator(f"{GRID} tbody tr td:nth-child(2)")
    values = [float(value) for value in cells.evaluate_all("all => all.map((one) => one.dataset.value)")]
    assert len(values) == 7
    assert values in (sorted(values), sorted(values, reverse=True))
    for kind, start in (("png", b"\x89PNG"), ("pdf", b"%PDF-1."), ("svg", b"<?xml")):
        with page.expect_download() as download:
            page.locator(f"#results-take-{kind}").click()
        path = tmp_path / f"figure.{kind}"
        download.value.save_as(path)
        assert path.read_bytes().startswith(start)
    with page.expect_download() as download:
        page.locator(f"{GRID} a[download]").first.click()
    download.value.save_as(tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text(encoding="utf-8").startswith("row,variant,seeds,")


def test_it_fits_a_phone(visit: Visit) -> None:
    page = visit(390, 844, address="?tab=results").page
    page.locator(FIGURE).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    files = page.locator(f"{GRID} a[download]")
    boxes = [files.nth(number).bounding_box() for number in range(files.count())]
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            apart = abs(one["y"] - other["y"]) < 1 or other["y"] >= one["y"] + one["height"]
            assert apart, "buttons of two lines do not touch"
