"""Time the page in Chromium: `python -m benchmarks.first_page [--runs 5]`.

From the address to the first ranking on a warm server, a click on a query, and the bytes of the configuration. Needs
Playwright and Chromium; the app is started on the bundled data.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load.server import start

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
READY = '.mun-scores[data-state="ready"]'


def visit(browser: Any, url: str) -> tuple[float, float, float]:
    """Open the page anew and click five queries; seconds to the first ranking and of a click, and the layout shift."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) window.shift += one.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    began = time.perf_counter()
    page.goto(url)
    page.wait_for_selector('.mun-results[data-state="ready"]')
    first = time.perf_counter() - began
    page.wait_for_selector(READY)
    keys = page.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")
    clicks = []
    for key in keys[1:6]:
        began = time.perf_counter()
        page.locator(f'button[data-query="{key}"]').click()
        page.wait_for_selector(f'.mun-results[data-query="{key}"]')
        clicks.append(time.perf_counter() - began)
    shift = float(page.evaluate("window.shift"))
    context.close()
    return first, statistics.median(clicks), shift


def main() -> int:
    """Print medians."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.first_page", description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--chromium", default="/usr/bin/chromium")
    options = parser.parse_args()
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, start(Path(folder), []) as server, sync_playwright() as playwright:
        size = len(httpx.get(f"{server.url}config", headers={"accept-encoding": "identity"}, timeout=60).content)
        browser = playwright.chromium.launch(executable_path=options.chromium, args=FLAGS)
        visit(browser, server.url)  # embeds the images, and makes thumbnails
        runs = [visit(browser, server.url) for _ in range(options.runs)]
        browser.close()
    first, click, shift = (statistics.median(values) for values in zip(*runs, strict=True))
    print(f"configuration: {size / 1000:.0f} kB")
    print(f"address to first ranking, warm server: {first:.2f} s; a click on a query: {1000 * click:.0f} ms")
    print(f"layout shift: {shift:.3f}; medians of {options.runs} visits")
    return 0


if __name__ == "__main__":
    sys.exit(main())
