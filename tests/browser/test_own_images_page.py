from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.browser
OWN = ".mun-own-results[data-state='ready']"


def test_an_own_image_and_an_own_gallery_are_ranked_and_forgotten(
    visit: Callable[..., Any], tiny_synvi: Path, tmp_path: Path
) -> None:
    page = visit().page
    infrared = next((tiny_synvi / "cam6").glob("*/0001.jpg"))
    page.locator(".mun-own-choose summary").click()
    page.get_by_label("Your image", exact=True).set_input_files(infrared)
    page.wait_for_selector("[data-notice]:has-text('infrared or visible')")
    page.locator(".mun-own-choose").get_by_label("infrared", exact=True).check()
    page.wait_for_selector(OWN)
    assert page.locator(".ranked-card").count() == 5
    assert "never saw a real person" in page.locator(OWN).inner_text()
    broken = tmp_path / "<b>broken.png"
    broken.write_bytes(b"no image")
    files = [*sorted((tiny_synvi / "cam1").glob("*/0001.jpg"))[:3], broken]
    named = []
    for number, file in enumerate(files[:3]):
        named.append(tmp_path / f"mine-{number}.jpg")
        named[-1].write_bytes(file.read_bytes())
    page.get_by_label("Your gallery", exact=True).set_input_files([*named, broken])
    page.wait_for_selector(f"{OWN} [data-own-index]")
    names = page.locator("[data-own-index] .mun-person").all_inner_texts()
    assert sorted(names) == ["mine-0.jpg", "mine-1.jpg", "mine-2.jpg"]
    assert "expected the file to" in page.locator("[data-own-broken]").inner_text()
    page.locator(".mun-picks [data-own-forget]").click()
    page.wait_for_selector(".mun-results:not(.mun-own-results)[data-state='ready']")
    assert page.locator("[data-own-index]").count() == 0
