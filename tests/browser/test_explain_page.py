"""The Explain tab in a real browser: maps, opacity, a pair by clicks, the check, exports, links, a phone."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from browsing import exported
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
STOP_AT_ONCE = """() => new Promise((done) => {
  const box = document.querySelector("#explain-progress");
  const look = new MutationObserver(() => {
    const stop = box.querySelector('[data-do="stop"]');
    if (!stop) return;
    look.disconnect();
    stop.click();
    done();
  });
  look.observe(box, { childList: true, subtree: true });
  const menu = document.querySelector('#explain-settings select[name="method"]');
  menu.value = "score-cam";
  menu.dispatchEvent(new Event("change", { bubbles: true }));
})"""
READY = '.mun-explain[data-state="ready"]'
CHECKED = '.mun-explain-truth[data-state="ready"]'


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """The first map waits for the package to load, which takes seconds on a busy machine."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


def opened(visit: Visit, address: str = "?tab=explain", **options: Any) -> Any:
    page = visit(address=address, **options).page
    page.wait_for_selector(READY)
    return page


def test_maps_are_large_and_any_of_them_can_be_enlarged(visit: Visit) -> None:
    page = opened(visit)
    row = page.locator("[data-maps-row] [data-map]")
    assert row.count() == 6
    assert all(width >= 140 for width in row.evaluate_all("all => all.map((one) => one.clientWidth)"))
    images = page.locator("#explain-maps img")
    assert images.evaluate_all("all => all.every((one) => one.complete && one.naturalHeight > 0)")
    heat = row.first.locator(".mun-heat")
    expect(heat).to_have_css("opacity", "0.6")
    page.get_by_label("Opacity of the maps, percent").fill("15")
    expect(heat).to_have_css("opacity", "0.15")
    row.first.click()
    dialog = page.locator("dialog.mun-large")
    expect(dialog.locator("img")).to_have_count(2)
    boxes = dialog.locator("img").evaluate_all("all => all.map((one) => JSON.stringify(one.getBoundingClientRect()))")
    assert boxes[0] == boxes[1]  # the map lies over its image
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    page.get_by_text("All 13 maps").click()
    assert page.locator("#explain-maps details [data-map]:visible").count() == 13


def test_a_pair_is_chosen_by_clicks_and_the_map_is_checked(visit: Visit) -> None:
    page = opened(visit)
    section = page.locator(READY)
    page.wait_for_selector(CHECKED)
    assert page.locator(".mun-bar-group").count() >= 2
    page.get_by_label("Opacity of the maps, percent").fill("15")
    page.get_by_role("button", name="Check this map below: CML").click()
    expect(section).to_have_attribute("data-focus", "pair/auxiliary/cml")
    expect(page.locator('.mun-explain-truth[data-state="ready"][data-focus="pair/auxiliary/cml"]')).to_be_visible()
    expect(page.locator("[data-checked] [data-map]").first).to_have_attribute("data-map", "pair/auxiliary/cml")
    expect(page.get_by_label("Opacity of the maps, percent")).to_have_value("15")  # it stays as it was set
    assert "focus=pair" in page.url
    page.get_by_label("Map to check").select_option("target/target/layer4")
    expect(section).to_have_attribute("data-focus", "target/target/layer4")

    other = page.locator("button[data-aim]").nth(3)
    key = other.get_attribute("data-aim")
    other.click()
    expect(section).to_have_attribute("data-target", key)
    expect(page.locator('button[data-aim][aria-pressed="true"]')).to_have_attribute("data-aim", key)
    image = page.locator('button[data-image][aria-pressed="false"]').first
    key = image.get_attribute("data-image")
    image.click()
    expect(section).to_have_attribute("data-image", key)
    page.get_by_label("Another person").select_option("15")
    expect(section).to_have_attribute("data-image", "cam1/0015/0001.jpg")
    page.get_by_role("button", name="Settings").first.click()
    page.get_by_label("Layers", exact=True).select_option("image")
    expect(section).to_have_attribute("data-maps", "5")  # four stages, and the target's
    expect(page.get_by_role("button", name="Layers: backbone, this image; reset to the default")).to_be_visible()
    page.get_by_label("Delete and insert pixels").uncheck()
    expect(page.get_by_role("button", name="Delete and insert its pixels")).to_be_visible()
    page.go_back()
    page.go_back()
    expect(section).to_have_attribute("data-maps", "13")


def test_a_slow_method_shows_its_progress_and_can_be_stopped(visit: Visit) -> None:
    page = opened(visit, "?tab=explain&seed=41")
    shown = page.locator(READY).get_attribute("data-image")
    page.get_by_role("button", name="Settings").first.click()
    page.get_by_label("Layers", exact=True).select_option("layer3")
    page.wait_for_selector(f'{READY}[data-maps="3"]')
    page.evaluate(STOP_AT_ONCE)  # on a fast machine it may be over before it is stopped
    ended = page.locator('[data-map*="layer3"][data-large*="Score-CAM"]').first
    again = page.locator('#explain-progress [data-do="start"]')
    expect(again.or_(ended)).to_be_visible()
    expect(page.locator(READY)).to_have_attribute("data-image", shown)  # the old maps stay meanwhile
    if again.is_visible():
        again.click()
    expect(ended).to_be_visible()
    expect(page.locator("#explain-progress .mun-message")).to_have_count(0)


def test_a_file_opens_and_a_link_leads_back(visit: Visit) -> None:
    page = opened(visit)
    shown = page.locator(READY).get_attribute("data-image")
    with np.load(exported(page, "explain", "Raw values of all maps as NPZ")[1], allow_pickle=False) as file:
        assert json.loads(str(file["about"]))["image"] == shown
        assert len([name for name in file.files if name.endswith("@image")]) == 13
    other = opened(visit, f"?tab=explain&image={shown}&layers=layer4&method=layer-cam")
    expect(other.locator(READY)).to_have_attribute("data-image", shown)
    expect(other.locator(READY)).to_have_attribute("data-maps", "3")


def test_the_keyboard_walks_and_the_tab_fits_a_phone(visit: Visit) -> None:
    page = opened(visit, width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    widths = page.locator("[data-maps-row] [data-map]").evaluate_all("all => all.map((one) => one.clientWidth)")
    assert all(width >= 140 for width in widths)
    chosen = page.locator('button[data-aim][tabindex="0"]')
    assert chosen.count() == 1
    chosen.focus()
    page.keyboard.press("ArrowRight")
    key = page.evaluate("document.activeElement.dataset.aim")
    page.keyboard.press("Enter")
    expect(page.locator(READY)).to_have_attribute("data-target", key)
    assert page.evaluate("document.activeElement.dataset.aim") == key
