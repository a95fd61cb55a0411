"""The tab "About the data" in a real browser: it renders when it is opened, and its controls change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]


def choose(page: Any, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).locator("visible=true").click()  # hidden tabs have such labels too
    page.get_by_role("option", name=option, exact=True).click()


def test_sheets_and_knobs_follow_their_controls(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    assert page.locator("#synvi-sheet img").count() == 0  # nothing is rendered for who does not look
    page.get_by_role("tab", name="About the data").click()
    page.wait_for_selector('#synvi-sheet [data-state="ready"][data-level="standard"]')
    assert page.locator("#synvi-sheet .mun-sheet-row").count() == 6
    choose(page, "Level", "hard")
    page.wait_for_selector('#synvi-sheet [data-level="hard"]')
    choose(page, "Camera", "6")
    page.wait_for_selector("#synvi-sheet .mun-sheet-many")
    assert page.locator("#synvi-sheet .mun-sheet-row").get_attribute("data-camera") == "6"
    first = page.locator("#synvi-sheet img").first
    before = first.get_attribute("src")
    page.locator("#other-people").click()
    page.wait_for_function("before => document.querySelector('#synvi-sheet img').src !== before", arg=before)
    assert first.evaluate("image => image.naturalHeight") == 160
    choose(page, "Knob", "noise")
    page.wait_for_selector('#synvi-knob [data-knob="noise"]')
    assert page.locator("#synvi-knob figure").count() == 3
    page.wait_for_url("**knob=noise**")
    people = first.get_attribute("src")
    other = visit(address="?" + urlsplit(page.url).query).page
    other.wait_for_selector('#synvi-sheet [data-level="hard"]')
    assert other.locator("#synvi-sheet img").first.get_attribute("src") == people
    assert other.locator('#synvi-knob [data-knob="noise"]').count() == 1
    assert other.get_by_label("Level", exact=True).locator("visible=true").input_value() == "hard"


def test_it_fits_a_phone(visit: Visit) -> None:
    page = visit(390, 844).page
    page.get_by_role("button", name="More tabs").click()
    page.get_by_text("About the data").last.click()
    page.wait_for_selector('#synvi-sheet [data-state="ready"]')
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
