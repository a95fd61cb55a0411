"""The Explain tab in a real browser: maps, opacity, targets, truth, checks, exports, links."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
RANDOMISE_AND_STOP = """() => new Promise((done) => {
  const box = document.querySelector("#explain-checks");
  const look = new MutationObserver(() => {
    if (!box.querySelector('[data-check="cascade"][data-state="loading"]')) return;
    look.disconnect();
    document.querySelector("#explain-stop").click();
    done();
  });
  look.observe(box, { childList: true, subtree: true, attributes: true });
  document.querySelector("#explain-randomise").click();
})"""
READY = '#explain-row [data-state="ready"]'


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """The first map waits for the package to load, which takes seconds on a busy machine."""
    expect.set_options(timeout=60_000)
    yield
    expect.set_options(timeout=5_000)


def opened(visit: Visit, **options: Any) -> Any:
    visitor = visit(**options)
    visitor.page.get_by_role("tab", name="Explain").click()
    visitor.page.wait_for_selector(READY)
    return visitor


def choose(page: Any, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).locator("visible=true").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_maps_opacity_targets_and_checks(visit: Visit) -> None:
    visitor = opened(visit)
    page = visitor.page
    row = page.locator(READY)
    assert page.locator("button[data-map]").count() == 12
    images = page.locator("#explain-row img")
    assert images.evaluate_all("all => all.every((one) => one.complete && one.naturalHeight > 0)")
    heat = page.locator(".mun-explain-heat").first
    expect(heat).to_have_css("opacity", "0.6")
    page.get_by_label("Opacity of the maps, percent").fill("15")
    expect(heat).to_have_css("opacity", "0.15")

    page.locator('button[data-map="pair/auxiliary/fused"]').click()
    expect(row).to_have_attribute("data-focus", "pair/auxiliary/fused")
    expect(page.locator('button[aria-pressed="true"][data-map="pair/auxiliary/fused"]')).to_have_count(1)
    expect(page.locator(".mun-explain-heat").first).to_have_css("opacity", "0.15")  # it stays as it was set
    assert "tab=explain" in page.url
    assert "focus=pair" in page.url

    page.locator("#explain-delete").click()
    expect(page.locator('#explain-checks [data-check="curves"][data-state="ready"]')).to_be_visible()
    assert page.locator("#explain-checks polyline").count() == 6
    for _ in range(10):  # on a fast machine a check of this tiny network may be over before it is stopped
        page.evaluate(RANDOMISE_AND_STOP)
        ended = page.locator('#explain-checks [data-state="stopped"], #explain-checks [data-done="7"]')
        expect(ended).to_be_visible()
        if ended.get_attribute("data-state") == "stopped":
            break
    expect(page.locator('#explain-checks [data-state="stopped"]')).to_be_visible()
    page.locator("#explain-randomise").click()
    expect(page.locator('#explain-checks [data-check="cascade"][data-done="7"]')).to_be_visible()

    other = page.locator("#explain-targets button[data-aim]").nth(3)
    key = other.get_attribute("data-aim")
    other.click()
    expect(row).to_have_attribute("data-target", key)
    expect(page.locator('#explain-targets [aria-pressed="true"]')).to_have_attribute("data-aim", key)
    choose(page, "Layers", "backbone, this image")
    expect(row).to_have_attribute("data-maps", "4")
    image = page.locator('#explain-images button[aria-pressed="false"]').first
    key = image.get_attribute("data-image")
    image.click()
    expect(row).to_have_attribute("data-image", key)


def test_files_open_and_a_link_leads_back(visit: Visit, tmp_path: Path) -> None:
    visitor = opened(visit)
    page = visitor.page
    for kind in ("npz", "png"):
        with page.expect_download() as download:
            page.locator(f"#explain-take-{kind}").click()
        path = tmp_path / f"file.{kind}"
        download.value.save_as(path)
        if kind == "npz":
            with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as file:
                about = json.loads(str(file["about"]))
                assert len([name for name in file.files if name.endswith("@image")]) == 12
        else:
            with Image.open(path) as image:
                assert image.width > 2000
    shown = page.locator(READY).get_attribute("data-image")
    assert about["image"] == shown
    other = visit(address=f"?tab=explain&image={shown}&layers=layer4&method=layer-cam").page
    other.get_by_role("tab", name="Explain").click()
    expect(other.locator(READY)).to_have_attribute("data-image", shown)
    expect(other.locator(READY)).to_have_attribute("data-maps", "2")


def test_it_fits_a_phone(visit: Visit) -> None:
    page = visit(390, 844).page
    page.get_by_role("button", name="More tabs").click()
    page.get_by_text("Explain", exact=True).last.click()
    page.wait_for_selector(READY)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
