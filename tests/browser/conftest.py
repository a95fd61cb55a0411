"""A running app and a Chromium for the browser tests.

Without a Chromium the tests skip and say why; under MUN_REQUIRE_BROWSER=1 they fail instead.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from benchmarks.load.server import start

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]


@dataclass
class Visitor:
    """A page in a fresh profile, and what it did besides showing itself."""

    page: object
    problems: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


def missing(reason: str) -> None:
    """Skip, or fail where the browser is required."""
    if os.environ.get("MUN_REQUIRE_BROWSER") == "1":
        pytest.fail(f"{reason}, and MUN_REQUIRE_BROWSER=1 asks for it", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Find Chromium: $MUN_CHROMIUM, or a usual name on the path."""
    chosen = os.environ.get("MUN_CHROMIUM")
    found = chosen or next((path for name in NAMES if (path := shutil.which(name))), None)
    if not found or not Path(found).exists():
        missing(f"found no Chromium ({chosen or ', '.join(NAMES)})")
    return str(found)


@pytest.fixture(scope="session")
def app_url(
    chromium_path: str, tiny_synvi: Path, two_checkpoints: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Start `python app.py`, and end it with everything it started."""
    flags = ["--data", str(tiny_synvi), "--checkpoints", str(two_checkpoints)]
    with start(tmp_path_factory.mktemp("app"), flags) as server:
        yield server.url


@pytest.fixture(scope="session")
def chromium(chromium_path: str) -> Iterator[object]:
    """One browser for the session; names other than this machine's do not resolve in it."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("found no Playwright")
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=[*FLAGS, rules])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: object, app_url: str) -> Iterator[Callable[..., Visitor]]:
    """Open the page in a fresh profile, wait for the first ranking; at the end, nothing may have gone wrong."""
    contexts, visitors = [], []

    def open_page(width: int = 1400, height: int = 900, address: str = "", **options: object) -> Visitor:
        context = chromium.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        visitor = Visitor(context.new_page())
        visitors.append(visitor)
        page = visitor.page
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: visitor.problems.append(str(error)))
        page.on("console", lambda entry: visitor.problems.append(entry.text) if entry.type == "error" else None)
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((app_url, app_url.replace("http", "ws"), "data:", "blob:"))
                else visitor.outside.append(request.url)
            ),
        )
        page.goto(app_url + address)
        if "tab=" not in address or "tab=retrieval" in address:  # of another tab the test knows what to wait for
            page.wait_for_selector('.mun-results[data-state="ready"]')
        return visitor

    yield open_page
    for context in contexts:
        context.close()
    for visitor in visitors:
        assert not visitor.problems
        assert not visitor.outside
