"""The corruption picker of the Retrieval tab: the ranked images change, and the page says what they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = pytest.mark.browser

READY = '.mun-results[data-state="ready"]'


def pictures(page: Any) -> list[str]:
    """The ranked images as the page shows them."""
    return page.locator(".ranked-card img").evaluate_all("all => all.map(one => one.src)")


def test_a_corruption_and_its_severity_change_the_ranked_images(visit: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    page = visit().page
    clean = pictures(page)
    page.locator("#retrieval-head [data-drawer]").click()
    menu = page.get_by_label("Corrupt the visible images", exact=True)
    assert page.get_by_label("Severity", exact=True).is_disabled()
    menu.select_option("pixelate")
    results = page.locator(f'{READY}[data-corruption="pixelate"]')
    expect(results.locator('[data-term="corruption"]')).to_contain_text("pixelate, severity 3, seed 0")
    weak = pictures(page)
    assert not set(weak) & set(clean)
    expect(page.locator('.mun-scores[data-state="ready"] [data-corruption]')).to_contain_text("not the clean protocol")
    expect(page.locator(".mun-scores [data-clean]")).to_have_count(4)
    severity = page.get_by_label("Severity", exact=True)
    severity.fill("5")
    severity.press("Enter")
    expect(results.locator('[data-term="corruption"]')).to_contain_text("pixelate, severity 5, seed 0")
    assert not set(pictures(page)) & set(weak)
    values = {name: value for name, (value,) in parse_qs(urlsplit(page.url).query).items()}
    assert (values["corruption"], values["severity"]) == ("pixelate", "5")
    menu.select_option("")
    expect(page.locator(f'{READY}[data-corruption=""]')).to_be_visible()
    assert pictures(page) == clean


def test_a_link_opens_a_corrupted_view(visit: Callable[..., Any]) -> None:
    page = visit(address="?corruption=mixed&top_k=3").page
    assert page.locator(f'{READY}[data-corruption="mixed"] .ranked-card').count() == 3
    assert "one of 20 for every image" in page.locator('[data-term="corruption"]').inner_text()
