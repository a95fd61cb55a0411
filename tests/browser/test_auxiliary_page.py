from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from browsing import serious
from PIL import Image

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
PANEL = '#auxiliary-panel .mun-auxiliary[data-state="ready"]'
BENCH = '#auxiliary-bench .mun-auxiliary-bench[data-state="ready"]'


def opened(visit: Visit, address: str = "?tab=auxiliary", **options: Any) -> Any:
    """Open the tab; where the tabs do not fit beside one another, Gradio puts it into a menu."""
    page = visit(address=address, **options).page
    name = "Auxiliary"
    page.get_by_role("tab", name=name).or_(page.get_by_label("More tabs")).first.wait_for()
    if not page.get_by_role("tab", name=name).is_visible():
        page.get_by_label("More tabs").click()
        page.get_by_role("button", name=name).click()
    else:
        page.get_by_role("tab", name=name).click()
    page.wait_for_selector(f'{PANEL}[data-ranks="done"]')
    return page


def link_of(page: Any) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def slide(page: Any, name: str, key: str) -> None:
    page.locator(f"#auxiliary-{name} input[type=range]").press(key)


def number(page: Any, place: str, card: str, name: str) -> str:
    return page.locator(f'{place} [data-name="{card}"] [data-number="{name}"]').first.inner_text()


def test_a_link_shows_its_pair_sliders_are_live_and_the_panel_can_be_taken_home(visit: Visit, tmp_path: Path) -> None:
    page = opened(visit, "?tab=auxiliary&visible=cam1/0014/0001.jpg&infrared=cam6/0014/0002.jpg&mixup=0.3")
    page.wait_for_selector(f'{PANEL}[data-visible="cam1/0014/0001.jpg"][data-mixup="0.30"]')
    names = (
        page.locator(".mun-auxiliary-cards").first.locator("li").evaluate_all("all => all.map(one => one.dataset.name)")
    )
    assert names[:2] == ["visible", "mun"]
    assert names[-1] == "infrared"
    assert page.locator("[data-missing]").count() == 3
    for image in page.locator(".mun-auxiliary-card img").all():
        assert image.evaluate("image => image.complete && image.naturalHeight") == 64
    assert page.locator(".mun-auxiliary-chart tbody tr").count() == 6
    before = number(page, "#auxiliary-panel", "mixup", "to-visible")
    slide(page, "mixup", "End")
    page.wait_for_selector(f'{PANEL}[data-mixup="1.00"]')
    assert number(page, "#auxiliary-panel", "mixup", "to-visible") != before
    assert link_of(page)["mixup"] == "1"
    slide(page, "share", "Home")
    page.wait_for_selector(f'{BENCH}[data-share="0.000"][data-turned="yes"]')
    assert "turned by hand" in page.locator("#auxiliary-bench").inner_text()
    assert link_of(page)["share"] == "0"
    page.locator("#auxiliary-learned").click()
    page.wait_for_selector(f'{BENCH}[data-turned="no"]')
    assert "share" not in link_of(page)
    assert page.locator("#auxiliary-share input[type=range]").input_value() == "50"
    assert "cannot be replayed" in page.locator("#auxiliary-bench").inner_text()
    figure = page.locator(".mun-auxiliary-compare")
    figure.locator("input").press("End")
    assert figure.evaluate("one => getComputedStyle(one).getPropertyValue('--at')") == "100%"
    take_home(page, tmp_path)
    page.locator("#auxiliary-surprise").click()
    page.wait_for_selector(f'{PANEL}:not([data-visible="cam1/0014/0001.jpg"])')
    page.wait_for_function(
        "document.querySelector('.mun-auxiliary-compare input').value === '100'"
    )  # another pair keeps it


def test_another_image_a_rendered_pair_and_own_images(visit: Visit) -> None:
    page = opened(visit)
    picker = page.locator("#auxiliary-picker")
    wanted = picker.locator('button[data-image][aria-pressed="false"]').first
    key = wanted.get_attribute("data-image")
    wanted.press("Enter")
    page.wait_for_selector(f'{PANEL}[data-visible="{key}"]')
    page.wait_for_selector(f'#auxiliary-picker button[data-image="{key}"][aria-pressed="true"]')
    page.get_by_text("SynVI, rendered now").click()
    page.wait_for_selector(f'{PANEL}[data-source="rendered"][data-misalignment="0.00"]')
    slide(page, "misalignment", "End")
    page.wait_for_selector(f'{PANEL}[data-misalignment="1.00"]')
    assert link_of(page)["source"] == "rendered"
    assert page.locator("#auxiliary-picker").is_hidden()
    compare_own(page)


def compare_own(page: Any) -> None:
    """Two sizes are compared; a tiny image is refused."""

    def give(modality: str, height: int, width: int) -> None:
        file = io.BytesIO()
        pixels = np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(file, "PNG")
        sent = {"name": "me & <b>you</b>.png", "mimeType": "image/png", "buffer": file.getvalue()}
        page.locator(f"#auxiliary-own-{modality} input[type=file]").set_input_files(sent)

    page.get_by_text("My own two images").click()
    page.wait_for_selector('#auxiliary-panel [data-state="error"]')
    assert "a visible one is missing" in page.locator("#auxiliary-panel").inner_text()
    give("visible", 80, 40)
    page.wait_for_selector('#auxiliary-panel :text("an infrared one is missing")')
    give("infrared", 100, 60)
    page.wait_for_selector(f'{PANEL}[data-source="own"]')
    assert "They differ in size" in page.locator("#auxiliary-panel").inner_text()
    assert page.locator("#auxiliary-panel b:text-is('you')").count() == 0
    assert link_of(page) == {"tab": "auxiliary"}
    give("infrared", 4, 3)
    page.wait_for_selector('#auxiliary-panel :text("at least 8 pixels each way")')
    page.locator("#auxiliary-forget").click()
    page.wait_for_selector(f'{PANEL}[data-source="collection"]')


def take_home(page: Any, folder: Path) -> None:
    """Download all three files, and open them."""
    for kind in ("png", "pdf", "csv"):
        with page.expect_download() as download:
            page.locator(f"#auxiliary-take-{kind}").click()
        name = download.value.suggested_filename
        assert name == f"auxiliary-cam1-0014-0001-mun-tiny.{kind}"
        download.value.save_as(folder / name)
    with Image.open(folder / "auxiliary-cam1-0014-0001-mun-tiny.png") as image:
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)
        assert image.width == pytest.approx(300 * 6.875, abs=1)
    assert (folder / "auxiliary-cam1-0014-0001-mun-tiny.pdf").read_bytes().startswith(b"%PDF-1.")
    with (folder / "auxiliary-cam1-0014-0001-mun-tiny.csv").open(newline="") as file:
        rows = {row[1]: row for row in csv.reader(file) if row[0] == "panel"}
    assert f"{float(rows['mun'][7]):.2f}" == number(page, "#auxiliary-panel", "mun", "to-visible")


def test_our_markup_has_no_serious_violation_and_fits_a_phone(visit: Visit) -> None:
    page = opened(visit)
    assert page.locator("#auxiliary-panel .mun-auxiliary-card").count() == 11
    for width in (1400, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert not serious(page, ("#auxiliary-panel", "#auxiliary-bench", "#auxiliary-compare", "#auxiliary-picker"))
