"""The page as a whole: with the network cut, and with hostile names."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from serving import Served, serve

from app.library import Library, open_library

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


def test_the_page_and_every_tab_work_alone(watched: Any, app_url: str) -> None:
    watched.goto(app_url)
    watched.wait_for_selector('.mun-results[data-state="ready"]')
    linked = watched.evaluate(
        "() => [...document.querySelectorAll('link[href], script[src], img[src], iframe[src]')]"
        ".map(one => one.href || one.src)"
    )
    assert {urlsplit(url).hostname for url in linked if urlsplit(url).scheme in WEB} == {"127.0.0.1"}
    keys = watched.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")
    watched.locator(f'button[data-query="{keys[4]}"]').first.click()
    watched.wait_for_selector(f'.mun-results[data-state="ready"][data-query="{keys[4]}"]')
    images = "all => all.every(one => one.complete && one.naturalHeight > 0)"
    assert watched.locator(".ranked-card img").evaluate_all(images)
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


def test_the_policy_of_the_page_holds(watched: Any, app_url: str) -> None:
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


def ended_by_the_page(failed: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Leave out streams of events that Gradio's script closes itself once it has its answer."""
    return [
        (url, why) for url, why in failed if not (why == "net::ERR_ABORTED" and "/gradio_api/" in url and "data" in url)
    ]


CHECKPOINT = "<img src=x onerror=alert(1)>"

FOLDER = '"><script>alert(2)<'

IMAGE = "<img src=x onerror=alert(3)>.jpg"


@pytest.fixture(scope="module")
def hostile(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library whose folders and queries have such names; one checkpoint is broken and says so."""
    root = tmp_path_factory.mktemp("hostile")
    data = Path(shutil.copytree(tiny_synvi, root / FOLDER))
    for camera in (3, 6):
        for folder in (data / f"cam{camera}").iterdir():
            (folder / "0001.jpg").rename(folder / IMAGE)
    shutil.copytree(tiny_checkpoint / "mun-tiny", root / "models" / CHECKPOINT)
    shutil.copytree(tiny_checkpoint / "mun-tiny", root / "models" / "<b onclick=alert(4)>broken")
    (root / "models" / "<b onclick=alert(4)>broken" / "card.json").write_text('{"format": "<img src=y>"}')
    return open_library(data, root / "models")


@pytest.fixture(scope="module")
def served(hostile: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(hostile, tmp_path_factory.mktemp("gradio")) as running:
        yield running


def test_names_are_shown_as_text(chromium: Any, served: Served) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page, alerts, errors = context.new_page(), [], []
    page.set_default_timeout(60_000)
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(served.url)
        page.wait_for_selector('.mun-results[data-state="ready"]')
        keys = page.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")
        bad = next(key for key in keys if key.endswith(IMAGE))
        page.locator(f"button[data-query='{bad}']").first.click()
        page.wait_for_selector(f".mun-results[data-state='ready'][data-query='{bad}']")
        assert CHECKPOINT in page.get_by_role("combobox", name="Checkpoint").first.inner_text()
        assert page.locator("img[src='x'], img[src='y'], [onerror], b[onclick]").count() == 0
        assert not alerts
        assert not errors
    finally:
        context.close()


def test_errors_that_repeat_a_name_are_text(served: Served) -> None:
    outcome = served.call("retrieve", ["<img src=x onerror=alert(5)>"])
    assert outcome.event == "error"
    assert "got '<img src=x onerror=alert(5)>'" in outcome.words
    listed = served.call("status", []).value[0]["checkpoints"]
    broken = next(entry for entry in listed if not entry["usable"])
    assert "of format 1" in broken["reason"]
    assert "/" not in broken["reason"].replace("card.json", "").replace("<b onclick=alert(4)>broken/", "")
