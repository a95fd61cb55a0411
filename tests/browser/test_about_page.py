"""The About tab in a real browser: findings, SynVI, the tour, model cards, old addresses, phone, both themes."""

from collections.abc import Callable
from typing import Any

import pytest
from browsing import data_of, exported
from playwright.sync_api import expect

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
FINDINGS = '.mun-findings[data-state="ready"]'
TOUR = '.mun-tour[data-state="ready"]'
SHEET = '#about-sheet [data-state="ready"]'

# The least size of a drawn letter on the screen, in pixels.
SMALLEST = """() => Math.min(...[...document.querySelectorAll('.mun-tour-panel svg')].map(svg =>
  12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))"""


def open_at(visit: Visit, address: str, selector: str, *size: int, **options: Any) -> Any:
    """Open an address and wait until its section stands."""
    page = visit(*size, address=address, **options).page
    page.wait_for_selector(selector)
    return page


def test_findings_are_sorted_and_exported(visit: Visit) -> None:
    page = open_at(visit, "?tab=results&table=rivals", FINDINGS)  # a tab of old
    page.wait_for_url("**tab=about&section=findings&table=rivals**")
    assert page.locator(".mun-forest li").count() == 13
    assert page.locator(".mun-forest .is-ours").count() == 1
    page.get_by_role("button", name="mAP against misalignment").click()
    image = page.locator(".mun-curves img")
    image.wait_for()
    assert image.evaluate("one => one.decode().then(() => one.naturalWidth)") > 400
    heading = page.locator('[data-table="grid"] thead th').nth(1)
    heading.click(position={"x": 4, "y": 4})  # the whole cell is the button
    expect(heading).not_to_have_attribute("aria-sort", "none")
    cells = page.locator('[data-table="grid"] tbody tr td:nth-child(2)')
    values = [float(value) for value in data_of(cells, "value")]
    assert len(values) == 7
    assert values in (sorted(values), sorted(values, reverse=True))
    _, file = exported(page, "about", "Forest plot as PNG")
    assert file.read_bytes().startswith(b"\x89PNG")


def test_sheets_knobs_and_changes_follow_their_controls(visit: Visit) -> None:
    page = open_at(visit, "?tab=data", SHEET)  # a tab of old
    assert page.locator("#about-sheet .mun-sheet-row").count() == 6
    page.get_by_label("Level", exact=True).select_option("hard")
    page.wait_for_selector('#about-sheet [data-state="ready"][data-level="hard"]')
    page.get_by_label("Camera", exact=True).select_option("6")
    page.wait_for_selector("#about-sheet .mun-sheet-many")
    first = page.locator("#about-sheet img").first
    before = first.get_attribute("src")
    page.locator("#other-people").click()
    page.wait_for_function(
        "before => ![before, undefined].includes(document.querySelector('#about-sheet img')?.src)", arg=before
    )
    assert first.evaluate("image => image.naturalHeight") == 160
    page.get_by_label("Knob", exact=True).select_option("noise")
    page.wait_for_selector('#about-knob [data-knob="noise"]')
    assert page.locator("#about-knob figure").count() == 3
    page.get_by_label("Change", exact=True).select_option("infrared")
    expect(page.locator("#about-change figcaption").first).to_contain_text("nothing differs")
    page.wait_for_url("**knob=noise&change=infrared**")
    people = first.get_attribute("src")
    address = page.evaluate("location.search")
    other = open_at(visit, address, '#about-sheet [data-state="ready"][data-level="hard"]')
    assert other.locator("#about-sheet img").first.get_attribute("src") == people
    other.wait_for_selector('#about-knob [data-knob="noise"]')
    other.evaluate("history.pushState({}, '', '?tab=about&section=use')")
    other.go_back()
    other.wait_for_selector('#about-sheet [data-level="hard"]')


def test_the_tour_is_walked_by_buttons_and_keys(visit: Visit) -> None:
    page = open_at(visit, "", '.mun-results[data-state="ready"]')
    assert page.locator(".mun-tour").count() == 0  # nothing is computed for who does not look
    page.get_by_role("link", name="What is this?").click()
    page.wait_for_selector(TOUR)
    assert (
        len(set(page.locator(".mun-tour image").evaluate_all("all => all.map(one => one.getAttribute('href'))"))) == 3
    )
    page.get_by_role("button", name="Next").click()
    page.wait_for_selector('.mun-tour[data-step="2"]')
    expect(page.get_by_role("button", name="Next")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.mun-tour[data-step="3"]')
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('.mun-tour[data-step="4"]')
    expect(page.get_by_role("button", name="Next")).to_be_disabled()
    page.get_by_role("button", name="Step 1").click()
    page.wait_for_selector('.mun-tour[data-step="1"]')
    page.get_by_role("button", name="whether it helps").click()
    page.wait_for_selector(FINDINGS)
    page.go_back()
    page.wait_for_selector('.mun-tour[data-step="1"]')


def test_an_address_opens_its_card_and_a_wrong_one_says_so(visit: Visit) -> None:
    page = open_at(visit, "?tab=about&checkpoint=other-tiny", '.mun-about-card[data-checkpoint="other-tiny"]')
    assert page.locator('#header select[name="checkpoint"]').input_value() == "other-tiny"
    page.get_by_role("button", name="mun-tiny").click()
    page.wait_for_selector('.mun-about-card[data-checkpoint="mun-tiny"]')
    page.wait_for_url("**?tab=about&section=models")
    page = open_at(visit, "?tab=about&checkpoint=%3Cimg%20src%3Dx%3E", '.mun-about-card[data-checkpoint="mun-tiny"]')
    assert "got '<img src=x>'" in page.locator("#about-head [data-notice]").inner_text()


def test_the_citation_is_copied(visit: Visit) -> None:
    page = open_at(
        visit, "?tab=about&section=use", "#mun-about-bibtex", permissions=["clipboard-read", "clipboard-write"]
    )
    page.get_by_role("button", name="Copy BibTeX").click()
    expect(page.locator("#mun-toast")).to_contain_text("Copied")
    assert page.evaluate("() => navigator.clipboard.readText()") == page.locator("#mun-about-bibtex").inner_text()


def test_an_unknown_tab_is_said(visit: Visit) -> None:
    page = open_at(visit, "?tab=foo", '.mun-results[data-state="ready"]')
    expect(page.locator("#mun-toast")).to_contain_text("There is no tab named foo")


def test_the_drawings_of_the_tour_can_be_read_on_a_phone(visit: Visit) -> None:
    page = open_at(visit, "?tab=about&section=method", TOUR, 390, 844)
    assert page.evaluate(SMALLEST) > 9.5
