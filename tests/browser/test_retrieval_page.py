from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]


def ranked_for(page: Any, key: str) -> Any:
    """Wait for the ranking of a query and return its cards."""
    page.wait_for_selector(f'.mun-results[data-state="ready"][data-query="{key}"]')
    return page.locator(".ranked-card")


def query_keys(page: Any) -> list[str]:
    """List the keys of the queries on the page."""
    return page.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")


def test_a_click_on_a_query_ranks_the_gallery_for_it(visit: Visit) -> None:
    page = visit().page
    keys = query_keys(page)
    assert len(keys) == 24
    cards = ranked_for(page, keys[0])
    assert cards.count() == 10
    page.locator(f'button[data-query="{keys[5]}"]').click()
    cards = ranked_for(page, keys[5])
    assert cards.count() == 10
    assert [int(rank) for rank in cards.evaluate_all("all => all.map(one => one.dataset.rank)")] == list(range(1, 11))
    for card in cards.all():
        expected = "✓ match" if card.get_attribute("data-match") == "true" else "✗ other"
        assert expected in card.inner_text()
    assert page.locator('button[aria-pressed="true"]').evaluate_all("all => all.map(one => one.dataset.query)") == [
        keys[5]
    ]
    assert cards.first.locator("img").evaluate("image => image.naturalHeight") > 0


def test_a_query_can_be_chosen_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit().page
    keys = query_keys(page)
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement?.dataset?.query ?? ''") == keys[0]:
            break
    assert page.evaluate("document.activeElement.dataset.query") == keys[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    ranked_for(page, keys[2])
    assert page.evaluate("document.activeElement.dataset.query") == keys[2]
    assert page.locator(f'button[data-query="{keys[2]}"]').get_attribute("aria-label").startswith("query: person ")


def test_a_slider_changes_how_many_are_shown(visit: Visit) -> None:
    page = visit().page
    page.get_by_label("number input for Ranked images shown").fill("4")
    page.keyboard.press("Tab")
    page.wait_for_selector('.mun-results[data-state="ready"][data-top="4"]')
    assert page.locator(".ranked-card").count() == 4


def test_a_filter_offers_only_its_queries(visit: Visit) -> None:
    page = visit().page
    page.get_by_role("combobox", name="Camera").click()
    page.get_by_role("option", name="6").click()
    page.wait_for_selector('.mun-results[data-state="ready"][data-query^="cam6/"]')
    page.wait_for_selector('button[aria-pressed="true"][data-query^="cam6/"]')
    assert {key.split("/")[0] for key in query_keys(page)} == {"cam6"}
    page.locator("#random-query").click()
    page.wait_for_selector('button[aria-pressed="true"][data-query^="cam6/"]')


def test_the_whole_sets_scores_are_shown_and_called_synthetic(visit: Visit) -> None:
    page = visit().page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    assert "±" in page.locator('[data-score="rank1"]').inner_text()
    assert "24 queries" in page.locator(".mun-scores").inner_text()
    assert "synthetic" in page.locator(".mun-scores").inner_text()
    assert "mun-tiny" in page.locator(".mun-header").inner_text()


def test_a_narrow_page_does_not_scroll_sideways(visit: Visit) -> None:
    page = visit(width=390, height=844).page
    for width in (390, 360, 768):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert page.locator(".ranked-card").first.bounding_box()["width"] >= 80


def test_dark_mode_is_dark(visit: Visit) -> None:
    page = visit(color_scheme="dark").page
    brightness = "color => color.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3"
    ground = page.evaluate(f"({brightness})(getComputedStyle(document.body).backgroundColor)")
    ink = page.locator(".mun-title h1").evaluate(f"title => ({brightness})(getComputedStyle(title).color)")
    panel = page.locator(".ranked-card").first.evaluate(
        f"card => ({brightness})(getComputedStyle(card).backgroundColor)"
    )
    assert ground < 60
    assert panel < 80
    assert ink > 180


def test_two_visitors_do_not_disturb_one_another(visit: Visit) -> None:
    first, second = visit().page, visit().page
    keys = query_keys(first)
    first.locator(f'button[data-query="{keys[3]}"]').click()
    second.locator(f'button[data-query="{keys[9]}"]').click()
    ranked_for(first, keys[3])
    ranked_for(second, keys[9])
    first.get_by_label("number input for Ranked images shown").fill("3")
    first.keyboard.press("Tab")
    first.wait_for_selector(f'.mun-results[data-top="3"][data-query="{keys[3]}"]')
    assert second.locator(f'.mun-results[data-query="{keys[9]}"] .ranked-card').count() == 10
