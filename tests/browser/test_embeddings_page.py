"""The Embeddings tab in a browser: hover, click, lasso, two checkpoints, what is sent and drawn, exports, links."""

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import data_of, exported, link_of, settings
from PIL import Image
from serving import Served, serve

from app.embeddings.project import Mark, Point, key_of, project
from app.embeddings.request import MAX_POINTS, MODALITIES, View
from app.library import open_library

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
PLOT = '.mun-scatter[data-side="{}"] .mun-scatter-plot[data-state="ready"]'
ALONE = "?tab=embeddings&compare=none"

# Pixels of a row of the points.
PLACE = """([side, row]) => {
  const plot = document.querySelectorAll(".mun-scatter-plot")[side];
  plot.scrollIntoView({ block: "center" });
  const { x, y } = plot.data[0];
  const { xaxis, yaxis } = plot._fullLayout;
  const box = plot.getBoundingClientRect();
  return [box.left + xaxis._offset + xaxis.d2p(x[row]), box.top + yaxis._offset + yaxis.d2p(y[row])];
}"""

# The points as the page has them: modality (0 visible, 1 auxiliary, 2 infrared) and person of each row.
FACTS = """(side) => {
  const packed = JSON.parse(document.querySelectorAll("[data-columns]")[side].dataset.columns);
  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const pids = [...new Uint32Array(bytes(packed.pid).buffer)];
  return [...bytes(packed.modality)].map((modality, row) => [modality, pids[row]]);
}"""

# Count what the script has drawn, and the bytes that presses send and receive, from now on.
COUNT = """() => {
  window.counted = { restyle: 0, newPlot: 0, sent: 0, received: 0 };
  for (const name of ["restyle", "newPlot"]) {
    const whole = window.Plotly[name];
    window.Plotly[name] = (...given) => (window.counted[name]++, whole(...given));
  }
  const fetched = window.fetch;
  window.fetch = async (address, options) => {
    window.counted.sent += options?.body?.length ?? 0;
    const answer = await fetched(address, options);
    answer.clone().text().then((text) => (window.counted.received += text.length));
    return answer;
  };
}"""


def opened(visit: Visit, address: str = ALONE, **options: Any) -> Any:
    """Open the tab and wait for its first view."""
    page = visit(address=address, **options).page
    page.wait_for_selector(PLOT.format(0))
    return page


def settled(page: Any, field: str, value: object) -> None:
    """Wait until a field of the request that is shown has a value, and the picture with it."""
    page.wait_for_function("([field, value]) => window.mun.tabs.embeddings.values[field] === value", arg=[field, value])
    page.wait_for_function("() => !document.querySelector('#embeddings-progress section')")
    page.wait_for_selector(PLOT.format(0))


def rest_on(page: Any, row: int, tip: Any) -> None:
    """Rest the mouse on a point until its image is there; a mouse that jumps onto it once may be overlooked."""
    from playwright.sync_api import TimeoutError as TooLateError

    for _ in range(20):
        page.mouse.move(2, 2)
        page.mouse.move(*page.evaluate(PLACE, [0, row]), steps=4)
        try:
            tip.wait_for(state="visible", timeout=2000)
        except TooLateError:
            continue
        page.wait_for_timeout(300)  # the mouse rests; what a move before it has asked for is over
        if tip.is_visible():
            return
    pytest.fail("the image of the point never came")


def lasso(page: Any) -> None:
    """Draw round all points of the first picture."""
    page.evaluate(PLACE, [0, 0])
    box = page.locator(".mun-scatter-plot .nsewdrag").first.bounding_box()
    corners = [(0.01, 0.01), (0.9, 0.01), (0.99, 0.99), (0.01, 0.99), (0.01, 0.02)]
    page.mouse.move(box["x"] + 0.01 * box["width"], box["y"] + 0.01 * box["height"])
    page.mouse.down()
    for x, y in corners:
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"], steps=5)
    page.mouse.up()


def test_hover_shows_the_image_and_a_click_the_point_with_its_neighbors(visit: Visit) -> None:
    page = opened(visit)
    points = page.evaluate(FACTS, 0)
    tip = page.locator("#embeddings-tip")
    rest_on(page, 4, tip)
    assert tip.locator("[data-row]").get_attribute("data-row") == "4"
    assert f"person {points[4][1]}, visible" in tip.inner_text()
    assert tip.locator("img").first.evaluate("image => image.naturalHeight") > 0
    page.mouse.move(2, 2)
    tip.wait_for(state="hidden")
    page.mouse.click(*page.evaluate(PLACE, [0, 7]))
    panel = page.locator('.mun-chosen[data-row="7"]')
    panel.locator("[data-distance]").first.wait_for()
    distances = [float(one) for one in data_of(panel.locator("[data-distance]"), "distance")]
    assert len(distances) == 8
    assert distances == sorted(distances)
    assert panel.locator("img").first.evaluate("image => image.naturalHeight") > 0
    rings = page.evaluate("document.querySelector('.mun-scatter-plot').data[3].x.length")
    assert rings == sum(point[1] == points[7][1] for point in points)
    assert f"Person {points[7][1]}" in page.locator("#strip").inner_text()
    near = panel.locator(".mun-near-button").first
    row = panel.locator("[data-near] li").first.get_attribute("data-row")
    near.click()
    page.wait_for_selector(f'.mun-chosen[data-row="{row}"]')


def test_the_keyboard_chooses_a_person_and_a_point(visit: Visit) -> None:
    page = opened(visit)
    points = page.evaluate(FACTS, 0)
    row = next(number for number, point in enumerate(points) if point[0] == 1)
    person = page.locator(".mun-point-form").get_by_label("Person")
    person.focus()
    person.select_option(label=str(points[row][1]))
    first = [point[1] for point in points].index(points[row][1])
    page.wait_for_selector(f'.mun-chosen[data-row="{first}"]')
    page.locator(".mun-point-form").get_by_label("Point").select_option(str(row))
    panel = page.locator(f'.mun-chosen[data-row="{row}"][data-state="ready"]')
    panel.wait_for()
    assert panel.locator("figcaption").all_inner_texts() == ["visible", "auxiliary", "infrared"]
    page.get_by_role("button", name="Select this person's points").click()
    selected = page.locator(".mun-selected")
    selected.wait_for()
    assert int(selected.get_attribute("data-total")) == sum(point[1] == points[row][1] for point in points)
    page.get_by_role("button", name="Clear").click()
    selected.wait_for(state="detached")


def test_a_lasso_and_looks_are_kept_by_the_link(visit: Visit) -> None:
    page = opened(visit)
    count = len(page.evaluate(FACTS, 0))
    lasso(page)
    selected = page.locator(f'.mun-selected[data-total="{count}"]')
    selected.wait_for()
    page.get_by_label("Colour by").select_option("camera")
    page.wait_for_selector('.mun-tools[data-colour="camera"]')
    page.get_by_label("Prototypes").check()
    page.wait_for_url("**prototypes=1**")
    page.goto(page.url)
    page.wait_for_selector(PLOT.format(0))
    selected.wait_for()
    assert "camera 6" in page.locator(".mun-legend-colours").inner_text()
    plot = page.locator(".mun-scatter-plot")
    assert plot.evaluate("one => one.data[0].selectedpoints.length") == count
    shown = plot.evaluate("one => one.data.filter(({ visible }) => visible !== false).map(({ name }) => name)")
    assert shown == ["points", "prototypes", "rings"]


@pytest.fixture(scope="module")
def crowd(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The app, whose picture shows as many points as there may be, of 100 people, with all prototypes at its edge."""
    library = open_library(tiny_synvi, tiny_checkpoint)
    few = project(library, View.read({"method": "pca"}, library).sides(library)[0])
    draws, names = np.random.default_rng(0), [one.value for one in MODALITIES]
    spots = draws.normal(size=(100, 2)) * 10
    places = spots[np.arange(MAX_POINTS) % 100] + draws.normal(size=(MAX_POINTS, 2))
    many = replace(
        few,
        points=tuple(
            Point(x, y, names[row // 100 % 3], row % 100, 1 + row % 6, few.points[0].image)
            for row, (x, y) in enumerate(places.tolist())
        ),
        centers=tuple(Mark(*spots[pid].tolist(), name, pid) for pid in range(100) for name in names),
        prototypes=tuple(Mark(float(places[:, 0].max()), float(places[:, 1].max()), name) for name in names),
    )
    (side,) = View.read({"compare": "none"}, library).sides(library)
    library.cache.get(key_of(library, side), lambda: many, lambda _: 1)
    with serve(library, tmp_path_factory.mktemp("crowd")) as served:
        yield served


def test_20_000_points_are_drawn_sent_once_and_selected_by_a_mask(chromium: Any, crowd: Served, tmp_path: Path) -> None:
    context = chromium.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.goto(f"{crowd.url}{ALONE}&lines=1&prototypes=1")
    page.wait_for_selector(PLOT.format(0))
    page.wait_for_selector(".annotation")
    plot = page.locator(".mun-scatter-plot")
    assert plot.evaluate("one => [one.data[0].type, one.data[0].x.length]") == ["scattergl", MAX_POINTS]
    boxes = page.locator(".annotation").evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    frame = plot.bounding_box()
    assert len(boxes) == 3
    for place, box in enumerate(boxes):
        assert frame["x"] <= box["left"] <= box["right"] <= frame["x"] + frame["width"]
        assert frame["y"] <= box["top"] <= box["bottom"] <= frame["y"] + frame["height"]
        assert all(box["bottom"] <= other["top"] or other["bottom"] <= box["top"] for other in boxes[:place])
    plot.screenshot(path=tmp_path / "plot.png")
    colours = np.asarray(Image.open(tmp_path / "plot.png").convert("HSV"))[..., 1]
    assert (colours > 90).mean() > 0.05  # points are there, not a blank canvas
    page.evaluate(COUNT)
    lasso(page)
    page.wait_for_selector(".mun-selected")
    assert int(page.locator(".mun-selected").get_attribute("data-total")) > 0.9 * MAX_POINTS
    counted = page.evaluate("window.counted")
    assert counted["newPlot"] == counted["restyle"] == 0  # Plotly has marked them itself
    assert counted["sent"] < 12_000  # a bit for each point, twice in text
    assert counted["received"] < 200_000  # 440,000 with the points
    page.get_by_label("Colour by").select_option("camera")
    page.wait_for_function("() => window.counted.restyle === 1")
    page.wait_for_selector('.mun-tools[data-colour="camera"]')
    assert page.evaluate("window.counted.newPlot") == 0
    assert page.evaluate("window.counted.received") < 400_000
    context.close()


def test_selected_points_are_exported(visit: Visit) -> None:
    page = opened(visit, f"{ALONE}&selected=BQ")
    page.wait_for_selector(".mun-selected")
    text = exported(page, "embeddings", "Selected points as CSV")[1].read_text(encoding="utf-8")
    assert page.url.partition("?")[0].rstrip("/") in text.replace("\n", "")
    rows = [line for line in text.splitlines() if not line.startswith(("#", '"#'))]
    assert [row["row"] for row in csv.DictReader(rows)] == ["0", "2"]


def test_two_checkpoints_stand_side_by_side_with_the_same_images(visit: Visit) -> None:
    page = opened(visit)
    settings(page, "embeddings").get_by_label("Compare with").select_option("other-tiny")
    page.wait_for_selector(PLOT.format(1))
    assert page.evaluate(FACTS, 0) == page.evaluate(FACTS, 1)
    assert data_of(page.locator(".mun-scatter"), "checkpoint") == ["mun-tiny", "other-tiny"]
    page.keyboard.press("Escape")
    page.mouse.click(*page.evaluate(PLACE, [1, 2]))
    panel = page.locator('.mun-chosen[data-row="2"][data-side="1"]')
    panel.wait_for()
    assert "other-tiny" in panel.inner_text()
    rings = page.evaluate("[...document.querySelectorAll('.mun-scatter-plot')].map(one => one.data[3].x.length)")
    assert rings[0] == rings[1] > 0
    assert page.locator(".mun-embeddings-numbers thead th").count() == 3
    settings(page, "embeddings").locator('[name="controls"]').check()
    page.wait_for_selector('.mun-embeddings-numbers[data-state="ready"] th:has-text("mismatched pairs")')
    assert page.locator(".mun-embeddings-numbers thead th").count() == 7


def test_choices_redraw_back_goes_back_and_bad_ones_are_a_sentence(visit: Visit) -> None:
    page = opened(visit)
    before = page.locator("[data-sentence]").first.text_content()
    settings(page, "embeddings").get_by_label("Method").select_option("pca")
    settled(page, "method", "pca")
    assert "PCA (" in page.locator("[data-sentence]").first.text_content()
    assert {"tab": "embeddings", "method": "pca"}.items() <= link_of(page).items()
    assert "Method: PCA" in page.locator("#embeddings-head .mun-chips").inner_text()
    page.go_back()
    settled(page, "method", "tsne")
    assert page.locator("[data-sentence]").first.text_content() == before
    settings(page, "embeddings").locator('[name="untrained"]').check()
    settled(page, "untrained", True)
    assert "untrained generator" in page.locator(".mun-scatter [data-control]").inner_text()
    number = settings(page, "embeddings").locator("input[type=number][name=identities]")
    number.fill("2")
    number.press("Enter")  # it counts before the field is left
    settled(page, "identities", 2)
    box = settings(page, "embeddings").get_by_label("People by number")
    box.fill("99999")
    box.press("Enter")
    notice = page.locator("#embeddings-head [data-notice]")
    notice.wait_for()
    assert "Expected people seen in both modalities" in notice.inner_text()
    assert page.locator(PLOT.format(0)).count() == 1
    seed = page.evaluate("window.mun.tabs.embeddings.values.seed")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Resample").click()
    settled(page, "seed", seed + 1)


def test_the_image_looked_at_elsewhere_can_join(visit: Visit) -> None:
    page = visit().page
    page.locator("button[data-query]").last.click()
    page.wait_for_function(
        "() => window.mun.shared.chosen === [...document.querySelectorAll('button[data-query]')].at(-1).dataset.query"
    )
    key = page.evaluate("window.mun.shared.chosen")
    page.get_by_role("tab", name="Embeddings").click()
    page.wait_for_selector(PLOT.format(0))
    page.locator('[data-do="add"]').click()
    page.wait_for_selector(f'.mun-chosen[data-image="{key}"]')


def test_on_a_phone_the_pictures_stack_and_nothing_is_cut(visit: Visit) -> None:
    page = opened(visit, "?tab=embeddings&compare=other-tiny", width=390, height=844)
    first, second = (page.locator(".mun-scatter-plot").nth(side).bounding_box() for side in (0, 1))
    assert 300 < first["width"] <= 390
    assert first["y"] + first["height"] <= 844  # within the first screen
    assert second["y"] > first["y"]


def test_on_a_wide_page_the_pictures_are_within_the_first_screen(visit: Visit) -> None:
    page = opened(visit, "?tab=embeddings&compare=other-tiny", width=1440, height=900)
    for side in (0, 1):
        box = page.locator(".mun-scatter-plot").nth(side).bounding_box()
        assert box["y"] + box["height"] <= 900
        assert box["height"] > 400
