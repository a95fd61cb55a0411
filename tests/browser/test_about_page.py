"""The tab "About" in a real browser: drawing, model cards and their addresses, the copy button, phone, both themes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browsing import serious, turn_scheme

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
OURS = ("#about-drawing", "#about-card", "#about-end", ".mun-about-section", "#header")
DRAWN = '.mun-about-panels[data-state="ready"]'

# The least size of a drawn letter on the screen, in pixels.
SMALLEST = """() => Math.min(...[...document.querySelectorAll('.mun-about-panel svg')].map(svg =>
  12 * svg.getBoundingClientRect().width / svg.viewBox.baseVal.width))"""


def choose(page: Any, name: str) -> None:
    page.locator("#about-checkpoint input").click()
    page.get_by_role("option", name=name).click()


def test_from_the_question_in_the_header_to_another_card(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    assert page.locator(".mun-about-panels image").count() == 0  # nothing is computed for who does not look
    page.get_by_role("link", name="What is this?").click()
    page.wait_for_selector(DRAWN)
    visitor.problems.clear()  # the link loads the page anew, which breaks off what was still on its way
    uris = page.locator(".mun-about-panels image").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert len(set(uris)) == 3
    page.wait_for_selector('.mun-about-card[data-checkpoint="mun-tiny"]')
    choose(page, "other-tiny")
    page.wait_for_selector('.mun-about-card[data-checkpoint="other-tiny"]')
    page.wait_for_function("() => location.search === '?tab=about&checkpoint=other-tiny'")
    assert page.locator("#mun-about-name").inner_text() == "other-tiny"


def test_an_address_opens_its_card_and_a_wrong_one_says_so(visit: Visit) -> None:
    page = visit(address="?tab=about&checkpoint=other-tiny").page
    card = page.wait_for_selector('.mun-about-card[data-checkpoint="other-tiny"]')
    page.wait_for_function("() => scrollY > 0")  # the card is far below
    card.wait_for_element_state("visible")
    assert page.locator("#about-checkpoint input").input_value().startswith("other-tiny")
    page = visit(address="?tab=about&checkpoint=%3Cimg%20src%3Dx%3E").page
    page.wait_for_selector('.mun-about-card[data-checkpoint="mun-tiny"] .mun-notice')
    assert "got '<img src=x>'" in page.locator(".mun-about-card .mun-notice").inner_text()


def test_the_citation_is_copied_or_marked(visit: Visit) -> None:
    page = visit(address="?tab=about", permissions=["clipboard-read", "clipboard-write"]).page
    page.wait_for_selector(DRAWN)
    button = page.locator("button[data-copy]")
    button.click()
    page.wait_for_selector('button[data-copy][data-state="copied"]')
    entry = page.locator("#mun-about-bibtex").inner_text()
    assert page.evaluate("() => navigator.clipboard.readText()") == entry
    assert entry.startswith("@inproceedings{")
    page.evaluate("() => Object.defineProperty(navigator, 'clipboard', {value: undefined})")
    button.click()
    page.wait_for_selector('button[data-copy][data-state="marked"]')
    assert page.evaluate("() => String(getSelection())").strip() == entry.strip()


def test_it_fits_a_phone_and_can_be_read_there(visit: Visit) -> None:
    page = visit(390, 844, color_scheme="dark").page
    page.get_by_role("button", name="More tabs").click()
    page.get_by_text("About", exact=True).last.click()
    page.wait_for_selector(DRAWN)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(SMALLEST) > 9.5
    page.get_by_text("Every choice of the run").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_our_markup_has_no_serious_violation(visit: Visit) -> None:
    page = visit(address="?tab=about&checkpoint=mun-tiny").page
    page.wait_for_selector(DRAWN)
    page.wait_for_selector('.mun-about-card[data-opened="1"]')
    page.locator(".mun-about-card summary, #about-end summary").evaluate_all("all => all.forEach(one => one.click())")
    for scheme in ("light", "dark"):
        turn_scheme(page, scheme)
        ink, ground = page.evaluate(
            "() => [getComputedStyle(document.querySelector('.mun-about-panel text')).fill,"
            " getComputedStyle(document.querySelector('.mun-about-panel')).backgroundColor]"
        )
        light = [sum(map(float, colour.removeprefix("rgb(").removesuffix(")").split(","))) for colour in (ink, ground)]
        assert (light[0] < light[1]) == (scheme == "light")
    assert not serious(page, OURS)
