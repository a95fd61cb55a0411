"""Speed of the app's start, answers and drawing, and its memory.

The app runs in a separate process on the bundled data and checkpoints; answers to the crowd are compared with the right
ones. The page is timed in Chromium where there is one (`$MUN_CHROMIUM`, or `chromium` on the path).
"""

import asyncio
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from numpy.typing import NDArray

from benchmarks.load.server import Server, start
from benchmarks.measure import Row, in_turn

ROOT = Path(__file__).resolve().parent.parent
MEGABYTE = 1e6
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
CROWD, THINK = 40, 15.0  # visitors, mean seconds between an answer and the next request of each
BATCHES = 8  # of answers; the memory is read after each
REST_SECONDS = 5.0  # until it is read again: by then no request is running, and freed memory is given back


def rows(short: bool) -> list[Row]:
    """Measure the rows of this suite.

    Raises:
        ArithmeticError: An answer was wrong.
    """
    from app.start import prepare_environment

    prepare_environment()
    return [*serving(short), *layouts(short)]


def serving(short: bool) -> Iterator[Row]:
    """Start the app and measure its answers."""
    from app.library import open_library
    from benchmarks.load.choices import Choices
    from benchmarks.load.crowd import warm

    library = open_library(ROOT / "assets" / "synvi", ROOT / "checkpoints")
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        with start(Path(folder), []) as server:
            yield Row("app.py answers", time.perf_counter() - began, "s", 6, "limit", most=1)
            asyncio.run(ask(server, "retrieve"))
            yield Row("first ranking, cold", time.perf_counter() - began, "s", 10, "limit", most=1)
            yield retrieval(server, library, short)
            yield from page(server, 1 if short else 5)
            choices = Choices(library, 12 if short else 60, library.checkpoints.usable[:2])
            asyncio.run(warm(server, choices))
            yield from crowd(server, choices, short)
            yield from memory(server, choices, short)


async def ask(server: Server, name: str, *data: Any) -> Any:
    """Call an HTTP function."""
    from benchmarks.load.page import call, new_client

    async with new_client() as client:
        return await call(client, server.url, name, list(data))


def retrieval(server: Server, library: Any, short: bool) -> Row:
    """Time a warm `/retrieve` beside the forward pass of one image."""
    from mun.embedding import embed_pixels
    from mun.structures import Modality

    network = library.network(library.default_checkpoint)
    pixels = np.zeros((1, network.config.height, network.config.image_width, 3), np.uint8)
    forward, answer = in_turn(
        lambda: embed_pixels(network, pixels, Modality.VISIBLE),
        lambda: asyncio.run(ask(server, "retrieve")),
        repeats=2 if short else 20,
    )
    return Row("warm /retrieve, less a forward pass", 1e3 * (answer - forward), "ms", 60, "limit", most=1)


def crowd(server: Server, choices: Any, short: bool) -> Iterator[Row]:
    """Let visitors use all tabs."""
    from benchmarks.load.crowd import Crowd, visit

    log = asyncio.run(visit(server, choices, Crowd(3, 5, 1.0) if short else Crowd(CROWD, 90, THINK))).log
    if log.problems:
        raise ArithmeticError(f"expected right answers, got {len(log.problems)} others: {log.problems[0]}")
    kinds = {one.name for one in log.answers}
    visitors = f"{3 if short else CROWD} visitors, p95"
    yield Row(f"{visitors} of all answers", log.row(kinds).p95, "s", 1, "limit", most=1)
    if panels := kinds & {"page: auxiliary", "/auxiliary"}:
        yield Row(f"{visitors} of auxiliary panels", log.row(panels).p95, "s", 1.5, "limit", most=1)


def memory(server: Server, choices: Any, short: bool) -> Iterator[Row]:
    """Read what the app holds while answers of all tabs come one upon the other."""
    from benchmarks.load.crowd import hurry
    from benchmarks.load.table import Log

    each = 10 if short else 400
    held, resting = [], []
    for _ in range(BATCHES):
        asyncio.run(hurry(server, choices, each, 4, Log()))
        held.append(server.memory().app / MEGABYTE)
        time.sleep(0 if short else REST_SECONDS)
        resting.append(server.memory().app / MEGABYTE)
    after = -(-1000 // each) if not short else BATCHES
    yield Row(f"memory after {after * each:,} answers", held[after - 1], "MB", 900, "limit", most=1)
    yield Row("the same at rest", resting[after - 1], "MB", 900, "limit", most=1)
    slope = float(np.polyfit(np.arange(BATCHES - 2), resting[2:], 1)[0]) * 1000 / each  # once the caches are full
    yield Row("memory at rest per 1,000 answers more", slope, "MB", 5, "limit", most=1)


def page(server: Server, visits: int) -> Iterator[Row]:
    """Time the page in Chromium; nothing where there is none."""
    config = httpx.get(f"{server.url}config", headers={"accept-encoding": "identity"}, timeout=60)
    yield Row("configuration of the page", len(config.content) / 1000, "kB", 300, "limit", most=1)
    chromium = os.environ.get("MUN_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        return
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        visit(browser, server.url)  # makes thumbnails
        times = [visit(browser, server.url) for _ in range(visits)]
        browser.close()
    first, click, shift = (statistics.median(values) for values in zip(*times, strict=True))
    yield Row("address to first ranking, warm", first, "s", 1.3, "limit", most=1)
    yield Row("a click on a query", 1e3 * click, "ms", 150, "limit", most=1)
    yield Row("layout shift", shift, "", 0.02, "limit", most=1)


def visit(browser: Any, url: str) -> tuple[float, float, float]:
    """Open a new page and click five queries; return seconds to the first ranking, seconds of a click, layout shift."""
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    opened = context.new_page()
    opened.add_init_script(
        "window.shift = 0; new PerformanceObserver(list => { for (const one of list.getEntries())"
        " if (!one.hadRecentInput) window.shift += one.value; }).observe({ type: 'layout-shift', buffered: true });"
    )
    began = time.perf_counter()
    opened.goto(url)
    opened.wait_for_selector('.mun-results[data-state="ready"]')
    first = time.perf_counter() - began
    opened.wait_for_selector('.mun-scores[data-state="ready"]')
    keys = opened.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")
    clicks = []
    for key in keys[1:6]:
        began = time.perf_counter()
        opened.locator(f'button[data-query="{key}"]').click()
        opened.wait_for_selector(f'.mun-results[data-query="{key}"]')
        clicks.append(time.perf_counter() - began)
    shift = float(opened.evaluate("window.shift"))
    context.close()
    return first, statistics.median(clicks), shift


def layouts(short: bool) -> Iterator[Row]:
    """Lay out 2,000 points in the warm process of the Embeddings tab."""
    from app.embeddings.projector import Projector
    from mun.projection import Method, Settings

    points, projector = people(5 if short else 100), Projector()
    try:
        for method in (Method.TSNE, Method.UMAP):
            work = partial(projector.project, points, Settings(method))
            work()
            (seconds,) = in_turn(work, repeats=1 if short else 3)
            yield Row(f"{method} of {len(points):,} points", seconds, "s", 8, "limit", most=1)
    finally:
        projector.close()


def people(count: int, images: int = 20, size: int = 256) -> NDArray[np.float32]:
    """Draw points of unit length like embeddings, with random centers of people, `(count · images, size)`."""
    draws = np.random.default_rng(0)
    middles = draws.standard_normal((count, size)).repeat(images, axis=0)
    points = middles + 0.8 * draws.standard_normal(middles.shape)
    return np.asarray(points / np.linalg.norm(points, axis=1, keepdims=True), dtype=np.float32)
