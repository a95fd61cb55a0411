from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from serving import sizes_below

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
BROKEN = b"\x89PNG\r\n\x1a\n and then nothing"


def upload_of(name: str, shade: int = 0) -> dict[str, Any]:
    """An image of noise as a file that the browser picks."""
    pixels = np.random.default_rng(shade).integers(shade, 256, (80, 40, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": file.getvalue()}


def opened(visit: Visit, **options: Any) -> Any:
    """Open the tab; where the tabs do not fit beside one another, Gradio puts it into a menu."""
    page = visit(**options).page
    name = "Your own image"
    page.get_by_role("tab", name=name).or_(page.get_by_label("More tabs")).first.wait_for()
    if not page.get_by_role("tab", name=name).is_visible():
        page.get_by_label("More tabs").click()
        page.get_by_role("button", name=name).click()
    else:
        page.get_by_role("tab", name=name).click()
    page.wait_for_selector("#own-rank")
    return page


def give(page: Any, place: str, files: Any) -> None:
    page.locator(f"{place} input[type=file]").set_input_files(files)


def choose(page: Any, place: str, words: str) -> None:
    page.locator(place).get_by_text(words, exact=True).click()


def test_an_own_image_is_shown_and_ranked_with_a_warning(visit: Visit) -> None:
    page = opened(visit)
    page.locator("#own-rank").click()
    page.wait_for_selector('#own-ranking [data-state="error"]')
    assert "Drop in an image first." in page.locator("#own-ranking").inner_text()
    give(page, "#own-file", upload_of("me & <b>you</b>.png"))
    page.wait_for_selector('#own-shown [data-state="shown"][data-count="1"]')
    assert "40\u00d780 pixels" in page.locator("#own-shown").inner_text()
    assert page.locator("#own-shown b").count() == 0
    assert page.locator("#own-shown img").evaluate("image => image.naturalHeight") == 80
    choose(page, "#own-modality", "infrared")
    page.locator("#own-rank").click()
    page.wait_for_selector('#own-ranking [data-state="ready"][data-top="10"]')
    assert "never saw a real person" in page.locator("#own-ranking .mun-own-warning").inner_text()
    assert "visible gallery of synvi-all" in page.locator("#own-ranking").inner_text()
    assert page.locator("#own-ranking .mun-own-card img").first.evaluate("image => image.naturalHeight") > 0
    choose(page, "#own-modality", "visible light")
    page.locator("#own-rank").click()
    page.wait_for_selector('#own-ranking .mun-own:has-text("no published protocol")')
    page.locator("#own-forget").click()
    page.wait_for_selector("#own-shown img", state="detached")
    assert page.locator("#own-ranking .mun-own-card").count() == 0


def test_a_broken_image_gets_one_sentence_and_the_next_one_works(visit: Visit) -> None:
    page = opened(visit)
    give(page, "#own-file", {"name": "broken.png", "mimeType": "image/png", "buffer": BROKEN})
    page.wait_for_selector('#own-shown [data-state="error"]')
    words = page.locator("#own-shown").inner_text()
    assert "Expected the image to be" in words
    assert "Traceback" not in words
    give(page, "#own-file", upload_of("good.png"))
    page.wait_for_selector('#own-shown [data-state="shown"]')


def test_a_small_gallery_is_ranked_and_its_broken_file_is_listed(visit: Visit, app_url: str) -> None:
    page = opened(visit)
    page.get_by_text("Your own small gallery").click()
    files = [upload_of(f"{shade}.png", shade) for shade in (10, 120, 200)]
    give(page, "#own-files", [*files, {"name": "<i>bad.png", "mimeType": "image/png", "buffer": BROKEN}])
    page.wait_for_selector('#own-gallery-shown [data-state="shown"][data-count="3"]')
    listed = page.locator("#own-gallery-shown .mun-own-broken").inner_text()
    assert "<i>bad.png" in listed
    assert "expected the file to be" in listed
    choose(page, "#own-gallery-modality", "visible light")
    choose(page, "#own-query-source", "an image of the data set")
    page.locator("#own-gallery-rank").click()
    page.wait_for_selector('#own-gallery-ranking [data-state="ready"][data-top="3"]')
    names = page.locator("#own-gallery-ranking .mun-own-name").all_inner_texts()
    assert sorted(names) == ["10.png", "120.png", "200.png"]


def test_uploads_are_gone_from_the_disk_once_they_are_shown(
    visit: Visit, app_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = opened(visit)
    marked = upload_of("remember-me-not.png", 77)
    give(page, "#own-file", marked)
    page.wait_for_selector('#own-shown [data-state="shown"]')
    root: Path = tmp_path_factory.getbasetemp()
    below = [entry for folder in root.glob("app*") for entry in sizes_below(folder).items()]
    assert not [path for path, size in below if size == len(marked["buffer"]) and path.read_bytes() == marked["buffer"]]


def test_the_tab_fits_a_phone(visit: Visit) -> None:
    page = opened(visit, width=390, height=844)
    give(page, "#own-file", upload_of("me.png"))
    page.wait_for_selector('#own-shown [data-state="shown"]')
    choose(page, "#own-modality", "infrared")
    page.locator("#own-rank").click()
    page.wait_for_selector('#own-ranking [data-state="ready"]')
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    assert page.locator("#own-ranking .mun-own-card").first.bounding_box()["width"] >= 80
