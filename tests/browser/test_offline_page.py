"""The page as a whole: with the network cut, and with hostile names."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import data_of
from playwright.sync_api import expect
from serving import Served, serve

from app.library import Library, open_library

pytestmark = pytest.mark.browser


def test_names_do_not_resolve_in_this_browser(chromium: Any, app_url: str) -> None:
    """The cut itself: without it the other tests would prove nothing."""
    page = chromium.new_page()
    try:
        for address in ("https://huggingface.co/", "https://fonts.googleapis.com/", "http://localhost:8000/"):
            with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
                page.goto(address, timeout=20_000)
    finally:
        page.close()


def test_the_page_and_every_tab_work_alone(visit: Callable[..., Any]) -> None:
    """No failure and no request to another host, which the fixture sees to."""
    page = visit().page
    linked = page.evaluate(
        "() => [...document.querySelectorAll('link[href], script[src], img[src], iframe[src]')]"
        ".map(one => new URL(one.href || one.src)).filter(one => one.protocol !== 'data:').map(one => one.hostname)"
    )
    assert set(linked) == {"127.0.0.1"}
    sockets: list[str] = []
    page.on("websocket", lambda socket: sockets.append(socket.url))
    key = data_of(page.locator("button[data-query]"), "query")[4]
    page.locator(f'button[data-query="{key}"]').first.click()
    page.wait_for_selector(f'.mun-results[data-state="ready"][data-query="{key}"]')
    images = "all => all.every(one => one.complete && one.naturalHeight > 0)"
    assert page.locator(".ranked-card img").evaluate_all(images)
    for tab in page.get_by_role("tab").all():
        tab.click()
        expect(tab).to_have_attribute("aria-selected", "true")
        page.wait_for_selector("body:not([data-busy])")
    assert not sockets


def test_the_policy_of_the_page_holds(visit: Callable[..., Any]) -> None:
    """It names no other site: what a hostile name could load or send somewhere, the browser refuses."""
    visitor = visit()
    refused = visitor.page.evaluate(
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
    visitor.problems.clear()  # the browser notes each refusal
    visitor.outside.clear()


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
