import csv
from collections.abc import Callable
from typing import Any

import pytest
from browsing import exported, link_of
from hostile_images import whole_image

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
STAGE = '#auxiliary-stage .mun-aux[data-state="ready"]'
STRIP = '#auxiliary-rivals [data-state="ready"]'
PAIR = "?tab=auxiliary&visible=cam1/0014/0001.jpg&infrared=cam6/0014/0002.jpg"
WORDS = "document.querySelector('#auxiliary-stage').closest('[role=tabpanel]').innerText.split(/\\s+/).length"


def opened(visit: Visit, address: str = "?tab=auxiliary", **options: Any) -> Any:
    """Open the tab by its address and wait until all of it is drawn."""
    page = visit(address=address, **options).page
    page.wait_for_selector(f'{STAGE}[data-ranks="done"]')
    page.wait_for_selector(STRIP)
    page.wait_for_selector("body:not([data-busy])")
    return page


def number(page: Any, card: str, name: str) -> str:
    return page.locator(f'.mun-aux-card[data-name="{card}"] [data-number="{name}"]').first.text_content().strip()


def test_the_pair_and_muns_image_are_the_picture_and_any_rival_lies_under_it(visit: Visit) -> None:
    page = opened(visit, f"{PAIR}&mixup=0.3", width=1440)
    for one in ("visible", "mun", "infrared"):
        box = page.locator(f'.mun-aux-pictures [data-name="{one}"] img').first.bounding_box()
        assert box["height"] >= 350
        assert box["y"] + box["height"] <= 900
    cards = page.locator(".mun-aux-card")
    assert [cards.nth(0).get_attribute("data-name"), cards.count()] == ["pixel-mean", 8]
    assert page.locator("[data-missing]").count() == 3
    assert page.evaluate(WORDS) <= 250
    before = number(page, "mixup", "to-visible")
    page.locator('.mun-aux-card[data-name="mixup"]').hover()
    assert page.locator('.mun-aux-card[data-name="mixup"] .mun-aux-more').is_visible()
    page.locator('.mun-aux-card[data-name="mixup"] button').click()
    page.wait_for_selector(f'{STAGE}[data-compare="mixup"]')
    slider = page.locator(".mun-aux-slide input")
    slider.press("End")
    at = "document.body.style.getPropertyValue('--mun-cover')"
    assert page.evaluate(at) == "1"
    page.get_by_role("button", name="Random person").click()
    page.wait_for_selector(f'{STAGE}[data-compare="mixup"]:not([data-visible="cam1/0014/0001.jpg"])')
    page.wait_for_function(f"{at} === '1'")  # another pair keeps the place
    page.go_back()
    page.wait_for_selector(f'{STAGE}[data-visible="cam1/0014/0001.jpg"][data-compare="mixup"]')
    page.get_by_role("button", name="MUN alone").click()
    page.wait_for_selector(f'{STAGE}[data-compare=""]')
    page.get_by_role("button", name="Settings").first.click()
    page.locator("#drawer input[type=number][name=mixup]").fill("1")
    page.locator("#drawer input[type=number][name=mixup]").press("Enter")
    page.wait_for_selector('#auxiliary-rivals [data-mixup="1.00"]')
    assert number(page, "mixup", "to-visible") != before
    assert link_of(page)["mixup"] == "1.0"


def test_the_generator_is_played_with_beside_the_picture(visit: Visit) -> None:
    page = opened(visit, PAIR)
    page.locator("#auxiliary-stage input[name=share]").press("Home")
    page.wait_for_selector(f'{STAGE}[data-share="0.000"][data-turned="yes"]')
    assert "set by hand" in page.locator("#auxiliary-stage").inner_text()
    assert link_of(page)["share"] == "0.0"
    assert page.evaluate("document.activeElement.name") == "share"  # the keyboard stays where it was
    page.get_by_role("button", name="As learned").click()
    page.wait_for_selector(f'{STAGE}[data-turned="no"]')
    assert "share" not in link_of(page)
    assert "cannot be replayed" in page.locator("#auxiliary-film").inner_text()
    page.get_by_role("button", name="Resample").click()
    page.wait_for_selector('#auxiliary-rivals [data-seed="1"]')
    page.get_by_role("button", name="Rendered now").click()
    page.wait_for_selector(f'{STAGE}[data-source="rendered"][data-misalignment="0.00"]')
    page.locator("#auxiliary-stage input[name=misalignment]").press("End")
    page.wait_for_selector(f'{STAGE}[data-misalignment="1.00"]')
    assert link_of(page)["source"] == "rendered"
    page.get_by_role("button", name="From the data").click()
    page.wait_for_selector(f'{STAGE}[data-source="collection"]')
    page.wait_for_selector("#auxiliary-people summary")
    page.locator("#auxiliary-people summary").click()
    wanted = page.locator('#auxiliary-people button[data-image][aria-pressed="false"]').first
    key = wanted.get_attribute("data-image")
    wanted.press("Enter")
    page.wait_for_selector(f'{STAGE}[data-visible="{key}"]')


def give(page: Any, place: int, data: bytes, name: str = "me & <b>you<.png") -> None:
    """Choose a file of one's own for the visible image, 0, or the infrared one, 1."""
    sent = {"name": name, "mimeType": "image/png", "buffer": data}
    page.locator("input[type=file][data-own]").nth(place).set_input_files(sent)


def test_own_images_stay_in_the_browser(visit: Visit) -> None:
    page = opened(visit)
    sizes: list[int] = []
    page.on("request", lambda request: sizes.append(len(request.post_data or "")) if "/run" in request.url else None)
    page.get_by_role("button", name="My own two images").click()
    page.wait_for_selector(".mun-aux-bring")
    assert page.locator("[data-notice]").count() == 0  # nothing has gone wrong so far
    large = whole_image(width=450, height=900)
    give(page, 0, large)
    page.wait_for_selector('.mun-aux-bring :text("me & <b>you<.png")')
    give(page, 1, b"\0\0\0\x18ftypheic" + bytes(90), "mine.heic")
    page.wait_for_selector('[data-notice]:text("got HEIC; save it as JPEG first")')
    give(page, 1, whole_image(width=60, height=100))
    page.wait_for_selector(f'{STAGE}[data-source="own"]')
    page.wait_for_selector(f"body:not([data-busy]) {STRIP}")
    assert "They differ in size" in page.locator("#auxiliary-stage").inner_text()
    assert page.locator("#auxiliary-stage b:text-is('you<.png')").count() == 0
    assert link_of(page) == {"tab": "auxiliary", "source": "own"}
    assert max(sizes) > len(large)
    sizes.clear()
    page.locator("#auxiliary-stage input[name=share]").press("Home")
    page.wait_for_selector(f'{STAGE}[data-source="own"][data-share="0.000"]')
    assert 0 < max(sizes) < 60_000  # small copies, not the files
    give(page, 1, whole_image(width=3, height=4))
    page.wait_for_selector('[data-notice]:text("at least 8 pixels each way")')
    page.get_by_role("button", name="Forget my images").click()
    page.wait_for_selector(f'{STAGE}[data-source="collection"]')


def test_numbers_can_be_exported(visit: Visit) -> None:
    page = opened(visit, PAIR)
    name, file = exported(page, "auxiliary", "Pair and auxiliary images as CSV")
    assert name == "auxiliary-cam1-0014-0001-mun-tiny.csv"
    rows = {row[1]: row for row in csv.reader(file.read_text(encoding="utf-8").splitlines()) if row[0] == "panel"}
    assert f"{float(rows['cutmix'][7]):.2f}" == number(page, "cutmix", "to-visible")


def test_on_a_phone_muns_image_is_large_and_within_the_first_screen(visit: Visit) -> None:
    box = opened(visit, width=390, height=844).locator('.mun-aux-pictures [data-name="mun"] img').first.bounding_box()
    assert box["width"] >= 190
    assert box["y"] + box["height"] <= 844
