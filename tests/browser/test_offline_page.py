"""The page with the network cut: it works, asks nobody else, and no request of it fails."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.browser

WEB = ("http", "https", "ws", "wss")


@pytest.fixture
def watched(chromium: Any, app_url: str) -> Any:
    """A fresh page that notes every request, every failure and every answer that is an error."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.asked, page.failed = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("websocket", lambda socket: page.asked.append(socket.url))
    page.on("requestfailed", lambda request: page.failed.append((request.url, request.failure)))
    page.on("response", lambda answer: page.failed.append((answer.url, answer.status)) if answer.status > 399 else None)
    page.on("pageerror", lambda error: page.failed.append(("script", str(error))))
    page.on("console", lambda one: page.failed.append(("console", one.text)) if one.type == "error" else None)
    yield page
    context.close()


def hosts(page: Any) -> set[str | None]:
    """List the hosts that were asked."""
    return {urlsplit(url).hostname for url in page.asked if urlsplit(url).scheme in WEB}


def test_names_do_not_resolve_in_this_browser(chromium: Any, app_url: str) -> None:
    """The cut itself: without it the other tests would prove nothing."""
    page = chromium.new_page()
    try:
        for address in ("https://huggingface.co/", "https://fonts.googleapis.com/", "http://localhost:8000/"):
            with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
                page.goto(address, timeout=20_000)
    finally:
        page.close()


def test_the_page_works_alone(watched: Any, app_url: str) -> None:
    watched.goto(app_url)
    watched.wait_for_selector('.mun-results[data-state="ready"]')
    keys = watched.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")
    watched.locator(f'button[data-query="{keys[4]}"]').first.click()
    watched.wait_for_selector(f'.mun-results[data-state="ready"][data-query="{keys[4]}"]')
    images = "all => all.every(one => one.complete && one.naturalHeight > 0)"
    assert watched.locator(".ranked-card img").evaluate_all(images)
    assert hosts(watched) == {"127.0.0.1"}
    assert not ended_by_the_page(watched.failed)


def test_every_tab_opens_alone(watched: Any, app_url: str) -> None:
    watched.goto(app_url)
    watched.wait_for_selector('.mun-results[data-state="ready"]')
    tabs = watched.get_by_role("tab")
    for number in range(tabs.count()):
        tabs.nth(number).click()
        watched.wait_for_function(
            "number => document.querySelectorAll('[role=tab]')[number].getAttribute('aria-selected') === 'true'",
            arg=number,
        )
    watched.wait_for_load_state("load")
    assert hosts(watched) == {"127.0.0.1"}
    assert not ended_by_the_page(watched.failed)


def ended_by_the_page(failed: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Leave out streams of events that Gradio's script closes itself once it has its answer."""
    return [
        (url, why) for url, why in failed if not (why == "net::ERR_ABORTED" and "/gradio_api/" in url and "data" in url)
    ]


def test_fonts_and_styles_are_the_apps_own(watched: Any, app_url: str) -> None:
    watched.goto(app_url)
    watched.wait_for_selector('.mun-results[data-state="ready"]')
    linked = watched.evaluate(
        "() => [...document.querySelectorAll('link[href], script[src], img[src], iframe[src]')]"
        ".map(one => one.href || one.src)"
    )
    outside = [url for url in linked if urlsplit(url).scheme in WEB and urlsplit(url).hostname != "127.0.0.1"]
    assert not outside


def test_the_policy_of_the_page_holds_and_lets_it_work(watched: Any, app_url: str) -> None:
    """It names no other site: what a hostile name could load or send somewhere, the browser refuses."""
    watched.goto(app_url)
    watched.wait_for_selector('.mun-results[data-state="ready"]')
    refused = watched.evaluate(
        """() => new Promise((resolve) => {
            const refused = [];
            addEventListener("securitypolicyviolation", (event) => {
                refused.push(event.effectiveDirective);
                if (refused.length === 4) resolve(refused.sort());
            });
            const add = (name, set) => document.body.append(Object.assign(document.createElement(name), set));
            add("img", { src: "https://example.org/a.png" });
            add("script", { src: "https://example.org/a.js" });
            add("iframe", { src: "https://example.org/" });
            fetch("https://example.org/").catch(() => {});
        })"""
    )
    assert refused == ["connect-src", "frame-src", "img-src", "script-src-elem"]
