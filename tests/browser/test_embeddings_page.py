"""The Embeddings tab in a browser: hover, click, lasso, menus, two checkpoints, exports that are opened, links."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from browsing import serious
from PIL import Image

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
READY = '.mun-embeddings-status[data-state="ready"]'
PLOT = '#embedding-{} .js-plotly-plot[data-state="ready"]'

# Pixels of a row of the points, whatever trace it is in.
PLACE = """([side, row]) => {
  const plot = document.querySelector(`#embedding-${side} .js-plotly-plot`);
  plot.scrollIntoView({ block: "center" });
  const trace = plot.data.find((one) => one.customdata?.includes(row));
  const index = trace.customdata.indexOf(row);
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.d2p(trace.x[index]), box.top + yaxis._offset + yaxis.d2p(trace.y[index])];
}"""


def opened(visit: Visit, **options: Any) -> Any:
    """Open the page and the tab, and wait for its first view."""
    page = visit(**options).page
    if options.get("width", 1400) < 500:
        page.get_by_role("button", name="More tabs").click()
        page.get_by_text("Embeddings", exact=True).last.click()
    else:
        page.get_by_role("tab", name="Embeddings").click()
    drawn(page)
    return page


def drawn(page: Any, side: str = "left") -> None:
    page.wait_for_selector(READY)
    page.wait_for_selector(PLOT.format(side))


def turn(page: Any) -> str:
    return page.locator(".mun-embeddings-status").get_attribute("data-turn")


def choose(page: Any, label: str, option: str) -> None:
    """Choose an option of a menu and wait for the next answer."""
    before = turn(page)
    page.get_by_role("combobox", name=label, exact=True).locator("visible=true").click()
    page.get_by_role("option", name=option, exact=True).click()
    page.wait_for_selector(f'{READY}:not([data-turn="{before}"])')
    drawn(page)


def facts(page: Any, side: int = 0) -> list[list[Any]]:
    """What the page knows of its points: modality, person, camera, image, places of thumbnails, coordinates."""
    return page.evaluate(f"JSON.parse(document.querySelector('[data-points]').dataset.points).sides[{side}]")


def rest_on(page: Any, row: int, tip: Any) -> None:
    """Rest the mouse on a point until its image is there; a mouse that jumps onto it once may be overlooked."""
    from playwright.sync_api import TimeoutError as TooLateError

    for _ in range(20):
        page.mouse.move(2, 2)
        page.mouse.move(*page.evaluate(PLACE, ["left", row]), steps=4)
        try:
            tip.wait_for(state="visible", timeout=2000)
            return
        except TooLateError:
            continue
    pytest.fail("the image of the point never came")


def test_hover_shows_the_image_and_a_click_the_point_with_its_neighbors(visit: Visit) -> None:
    page = opened(visit)
    points = facts(page)
    tip = page.locator(".mun-embeddings-tip")
    rest_on(page, 4, tip)
    assert tip.get_attribute("data-image") == points[4][3]
    assert f"person {points[4][1]}, {points[4][0]}" in tip.inner_text()
    assert "url(" in tip.locator("i").first.get_attribute("style")
    assert page.locator(".mun-embeddings-chosen").count() == 0
    page.mouse.move(2, 2)
    tip.wait_for(state="hidden")
    page.mouse.click(*page.evaluate(PLACE, ["left", 7]))
    panel = page.locator('.mun-embeddings-chosen[data-row="7"]')
    panel.wait_for()
    assert panel.get_attribute("data-image") == points[7][3]
    distances = [
        float(value)
        for value in panel.locator("[data-distance]").evaluate_all("all => all.map(one => one.dataset.distance)")
    ]
    assert len(distances) == 8
    assert distances == sorted(distances)
    assert panel.locator("img").first.evaluate("image => image.naturalHeight") > 0
    same = sum(point[1] == points[7][1] for point in points)
    page.wait_for_selector(f'#embedding-left .js-plotly-plot[data-rings="{same}"]')
    chosen = page.locator("#embeddings-chosen input, #embeddings-chosen textarea").first
    assert chosen.input_value() == points[7][3]
    near = panel.locator(".mun-embeddings-near-button").first
    row = near.get_attribute("data-row")
    near.click()
    page.wait_for_selector(f'.mun-embeddings-chosen[data-row="{row}"]')
    row = next(number for number, point in enumerate(points) if point[0] == "auxiliary")
    pick(page, points[row], row)
    panel = page.locator(f'.mun-embeddings-chosen[data-row="{row}"]')
    panel.wait_for()
    assert panel.locator(".mun-embeddings-pictures figure").all_inner_texts() == ["visible", "auxiliary", "infrared"]


def pick(page: Any, point: list[Any], row: int) -> None:
    """Choose a point from the menus, by the keyboard's way."""
    page.get_by_role("combobox", name="Person", exact=True).locator("visible=true").select_option(str(point[1]))
    page.get_by_role("combobox", name="Point", exact=True).select_option(str(row))
    page.get_by_role("button", name="Show", exact=True).focus()
    page.keyboard.press("Enter")


def test_a_lasso_lists_the_points_and_every_export_is_opened(visit: Visit, tmp_path: Path) -> None:
    page = opened(visit)
    count = len(facts(page))
    page.evaluate(PLACE, ["left", 0])
    box = page.locator("#embedding-left .nsewdrag").first.bounding_box()
    corners = [(0.01, 0.01), (0.99, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.02)]
    page.mouse.move(box["x"] + 0.01 * box["width"], box["y"] + 0.01 * box["height"])
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
    page.mouse.up()
    selection = page.locator(".mun-embeddings-selection")
    selection.wait_for()
    assert int(selection.get_attribute("data-total")) == count
    with page.expect_download() as download:
        page.get_by_role("button", name="Selected points as CSV").click()
    download.value.save_as(tmp_path / "points.csv")
    lines = (tmp_path / "points.csv").read_text(encoding="utf-8").splitlines()
    assert len(list(csv.DictReader(line for line in lines if not line.startswith(("#", '"#'))))) == count
    for kind in ("png", "svg", "pdf", "csv"):
        with page.expect_download() as download:
            page.locator(f"#embedding-take-{kind}").click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        assert path.suffix == f".{kind}"
        if kind == "png":
            assert Image.open(path).width > 900
        elif kind == "pdf":
            assert path.read_bytes().startswith(b"%PDF-")
        else:
            assert "test split" in " ".join(path.read_text(encoding="utf-8").split())


def test_two_checkpoints_stand_side_by_side_with_the_same_images(visit: Visit) -> None:
    page = opened(visit)
    choose(page, "Beside it", "other-tiny")
    drawn(page, "right")
    left, right = facts(page, 0), facts(page, 1)
    assert [point[:4] for point in left] == [point[:4] for point in right]
    assert [point[6:] for point in left] != [point[6:] for point in right]
    assert page.locator(".mun-embeddings-head").all_inner_texts() == ["mun-tiny", "other-tiny"]
    page.mouse.click(*page.evaluate(PLACE, ["right", 2]))
    panel = page.locator('.mun-embeddings-chosen[data-row="2"][data-side="1"]')
    panel.wait_for()
    assert "other-tiny" in panel.inner_text()
    for side in ("left", "right"):
        page.wait_for_selector(f'#embedding-{side} .js-plotly-plot[data-rings]:not([data-rings="0"])')
    assert page.locator(".mun-embeddings-table thead th").count() == 3
    page.get_by_label("Numbers of the controls").check()
    page.wait_for_selector('.mun-embeddings-table th:has-text("mismatched pairs")')
    assert page.locator(".mun-embeddings-table thead th").count() == 7


def test_choices_redraw_the_link_leads_back_and_bad_ones_are_a_sentence(visit: Visit) -> None:
    page = opened(visit)
    choose(page, "Method", "PCA")
    assert "PCA (" in page.locator("[data-sentence]").first.inner_text()
    choose(page, "Colour by", "camera")
    assert "camera 6" in page.locator(".mun-embeddings-legend").inner_text()
    before = turn(page)
    page.get_by_label("Modality prototypes").check()
    page.wait_for_selector(f'{READY}:not([data-turn="{before}"])')
    drawn(page)
    names = page.evaluate("document.querySelector('#embedding-left .js-plotly-plot').data.map(one => one.name)")
    assert names == ["visible", "auxiliary", "infrared", "prototypes", "rings"]
    link = {name: value[0] for name, value in parse_qs(urlsplit(page.url).query).items()}
    assert (link["tab"], link["method"], link["colour"], link["prototypes"]) == ("embeddings", "pca", "camera", "1")
    page.goto(page.url)
    page.get_by_role("tab", name="Embeddings").click()
    drawn(page)
    assert "PCA (" in page.locator("[data-sentence]").first.inner_text()
    assert "camera 6" in page.locator(".mun-embeddings-legend").inner_text()
    page.get_by_role("button", name="Parameters").click()
    box = page.get_by_label("People by number (empty: the first)")
    box.fill("99999")
    box.press("Enter")
    alert = page.locator('.mun-embeddings-status[data-state="error"]')
    alert.wait_for()
    assert "Expected people seen in both modalities" in alert.inner_text()
    assert page.locator(PLOT.format("left")).count() == 1


def test_on_a_phone_the_pictures_stack_and_nothing_is_cut(visit: Visit) -> None:
    page = opened(visit, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator(PLOT.format("left")).bounding_box()
    assert 300 < box["width"] <= 390


def test_our_markup_has_no_serious_violation(visit: Visit) -> None:
    page = opened(visit)
    pick(page, facts(page)[0], 0)
    page.wait_for_selector(".mun-embeddings-chosen")
    names = ("status", "data", "chosen", "numbers", "head-left", "words-left")
    assert not serious(page, tuple(f"#embedding-{name}" for name in names))
