"""The Train tab in a real browser: start, watch, reload, stop, resume, finish, and retrieve with the new model."""

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
SMALL = "?tab=train&data=synvi&width=0.0625&height=32&image_width=32&minutes=0&epochs=40&ids_per_batch=4"
TOKENS = "JSON.parse(localStorage.getItem('mun-train-tokens') ?? '{}')"


def state(page: Any, name: str, run: str = "") -> Any:
    """Wait until the watched run is in a state."""
    of = f'[data-run="{run}"]' if run else ""
    return page.wait_for_selector(f'.mun-train-run[data-state="{name}"]{of}', timeout=240_000)


def begin(page: Any) -> str:
    """Start the run that the form describes, and return its name; the page watches it."""
    before = page.evaluate(TOKENS)
    page.locator("[data-do=start]:enabled").click()
    page.wait_for_function(f"n => Object.keys({TOKENS}).length > n", arg=len(before))
    (run,) = set(page.evaluate(TOKENS)) - set(before)
    page.wait_for_selector(f'.mun-train-run[data-run="{run}"]')
    return str(run)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_run_is_started_watched_reloaded_stopped_resumed_finished_and_used(visit: Visit) -> None:
    page = visit(address=SMALL).page
    page.wait_for_selector("[data-do=start]:enabled")
    run = begin(page)
    page.wait_for_selector('.mun-train-run[data-state="training"]:not([data-step="0"])', timeout=240_000)
    assert f"run={run}" in page.url
    page.reload()
    page.wait_for_selector(f'.mun-train-run[data-run="{run}"]')
    page.locator("[data-do=stop]:enabled").click()
    state(page, "stopped")
    done = int(page.locator(".mun-train-run").get_attribute("data-step") or 0)
    assert 0 < done < 320
    stranger = visit(address=f"?tab=train&run={run}").page
    stranger.wait_for_selector(f'.mun-train-run[data-run="{run}"]')
    for name in ("resume", "delete"):
        button = stranger.locator(f"[data-do={name}]")
        assert button.is_disabled()
        assert button.get_attribute("title") == "Only the browser that started this run can do that."
    page.locator("[data-do=resume]:enabled").click()
    state(page, "finished")
    page.wait_for_selector('.mun-train-film[data-state="ready"]')
    assert int(page.locator(".mun-train-film").get_attribute("data-frames") or 0) > 10
    slider = page.get_by_label("Step of training to show")
    slider.fill("0")
    assert re.match("step 0,", page.locator(".mun-train-film output").inner_text())
    assert page.locator(".mun-chart").count() >= 4
    with page.expect_download() as download:
        page.locator('[data-export="zip"]:enabled').click()
    assert download.value.suggested_filename == f"{run}.zip"
    page.locator("[data-export-menu] summary").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Curves as CSV").click()
    assert download.value.suggested_filename == f"{run}-curves.csv"

    options = page.locator("#header select[name=checkpoint] option")
    assert any(run in words for words in options.all_inner_texts()), "the header offers it without a reload"
    page.get_by_role("link", name="Use in Retrieval").click()
    page.wait_for_selector('.mun-results[data-state="ready"]')
    page.wait_for_function("run => document.querySelector('#header select').value === run", arg=run)
    assert f"checkpoint={run}" in page.url

    page.get_by_role("tab", name="Train", exact=True).click()
    page.wait_for_selector(f'.mun-train-run[data-run="{run}"]')
    asked: list[str] = []
    page.once("dialog", lambda dialog: (asked.append(dialog.message), dialog.dismiss()))
    page.locator("[data-do=delete]").click()
    assert asked == [f"Delete {run} and its model? This cannot be undone."]
    assert run in page.evaluate(TOKENS)
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("[data-do=delete]").click()
    page.wait_for_selector(f'.mun-train-run:not([data-run="{run}"])')
    page.wait_for_function(f"run => !(run in {TOKENS})", arg=run)
    assert not any(run in words for words in options.all_inner_texts())


@pytest.mark.soak
def test_two_pages_of_one_browser_keep_the_runs_of_both(visit: Visit) -> None:
    first = visit(address=SMALL).page
    second = first.context.new_page()
    second.goto(first.url)
    runs = [begin(page) for page in (first, second)]
    assert set(first.evaluate(TOKENS)) == set(runs)
    for page, run in ((second, runs[0]), (first, runs[1])):  # each by the page that has not started it
        page.locator(f'.mun-train-runs [data-key="{run}"]').click()
        page.wait_for_selector(f'.mun-train-run[data-run="{run}"][data-mine="true"]')
        page.locator("[data-do=stop]:enabled, [data-do=delete]:enabled").first.wait_for()
        if page.locator("[data-do=stop]").count():
            page.locator("[data-do=stop]").click()
        page.on("dialog", lambda dialog: dialog.accept())
        page.locator("[data-do=delete]:enabled").click()
        page.wait_for_function(f"run => !(run in {TOKENS})", arg=run)
    assert first.evaluate(TOKENS) == {}


def test_a_number_and_enter_count_and_what_is_not_allowed_is_said(visit: Visit) -> None:
    page = visit(390, 844, address="?tab=train").page
    page.wait_for_selector("[data-do=start]:enabled")
    page.locator("[data-drawer=auxiliary]").click()
    field = page.locator("#train-train_ids")
    field.fill("5")
    field.press("Enter")
    page.locator("#train-problem").get_by_text("Expected at most 5 people per batch (all people), got 8.").wait_for()
    assert "train_ids=5" in page.url
    assert page.locator("[data-do=start]").is_disabled()
    height = page.locator("#train-height")
    height.fill("9999")
    height.press("Enter")
    page.get_by_text("expected height to be a whole number from 32 to 512, got 9999").first.wait_for()
    page.keyboard.press("Escape")
    page.locator(".mun-train-presets [data-key=ten]").click()
    page.wait_for_selector('.mun-train-presets [data-key=ten][aria-pressed="true"]')
    assert "preset=ten" in page.url
    assert page.locator("#train-problem").count() == 0
    assert page.locator(".mun-train-presets [data-key=gpu]").is_disabled()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
