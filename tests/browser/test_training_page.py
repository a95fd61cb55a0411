"""The Train tab in a real browser: start, watch, reload, stop, resume, finish, and retrieve with the new model."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
SMALL = {
    "Width": "0.0625", "Image height": "32", "Image width": "32", "Or epochs (0: by time)": "60",
    "People per batch": "4",
}  # fmt: skip
CUT_OFF = ("AbortError: signal is aborted", "Connection errored out")


def state(page: Any, name: str) -> Any:
    """Wait until the watched run is in a state."""
    return page.wait_for_selector(f'.mun-train-run[data-state="{name}"]', timeout=90_000)


STAYS = "(field, value) => new Promise((done) => setTimeout(() => done(field.value === value), 400))"


def write(page: Any, label: str, value: str) -> None:
    """Fill in a field until it stays; one that has just been unfolded gets its first value a moment later."""
    field = page.get_by_label(label, exact=True)
    for _ in range(10):
        field.fill(value)
        field.press("Tab")
        if field.evaluate(STAYS, value):
            return
    pytest.fail(f"the field {label} does not keep {value}")


def begin_small_run(page: Any) -> None:
    """Fill in a run of 480 steps over the loaded data set, a few seconds, and start it."""
    page.get_by_role("tab", name="Train", exact=True).click()
    page.wait_for_selector('.mun-train-run[data-state="none"]')
    page.get_by_role("button", name="Data, network, length, losses").click()
    page.get_by_label("Data to train on", exact=True).click()
    page.get_by_role("option", name="SynVI", exact=True).click()
    for label, value in SMALL.items():
        write(page, label, value)
    page.locator("#train-start").click()


def without_cuts(problems: list[str]) -> list[str]:
    """Leave out that a page which is left cuts off its look at a run, of which Gradio's script complains."""
    return [words for words in problems if not any(cut in words for cut in CUT_OFF)]


@pytest.mark.slow
def test_a_run_is_started_watched_reloaded_stopped_resumed_finished_and_used(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    begin_small_run(page)
    state(page, "training")
    page.wait_for_selector('.mun-train-run[data-state="training"]:not([data-step="0"])')
    run = page.locator(".mun-train-run").get_attribute("data-run")
    assert f"tab=train&run={run}" in page.url
    page.reload()
    page.get_by_role("tab", name="Train", exact=True).click()
    page.wait_for_selector(f'.mun-train-run[data-run="{run}"]')
    visitor.problems[:] = without_cuts(visitor.problems)
    page.locator("#train-stop:enabled").click()
    state(page, "stopped")
    done = int(page.locator(".mun-train-run").get_attribute("data-step") or 0)
    assert 0 < done < 480
    stranger = visit(address=f"?tab=train&run={run}").page
    stranger.get_by_role("tab", name="Train", exact=True).click()
    stranger.wait_for_selector(f'.mun-train-run[data-run="{run}"]')
    for name in ("stop", "resume", "delete", "download"):
        assert stranger.locator(f"#train-{name}").is_disabled(), name
    page.locator("#train-resume:enabled").click()
    state(page, "finished")
    page.wait_for_selector('.mun-train-film[data-state="ready"]')
    frames = int(page.locator(".mun-train-film").get_attribute("data-frames") or 0)
    assert frames > 10
    slider = page.get_by_label("Step of training to show")
    slider.fill("0")
    assert re.match("step 0,", page.locator(".mun-train-film output").inner_text())
    assert page.locator(".mun-train-chart").count() >= 4
    with page.expect_download() as download:
        page.locator("#train-download:enabled").click()
    assert download.value.suggested_filename == f"{run}.zip"

    page.get_by_role("tab", name="Retrieval", exact=True).click()
    page.get_by_role("combobox", name="Checkpoint", exact=True).click()
    page.get_by_role("option", name=f"{run} (auxiliary: mun)").click()
    page.wait_for_function("run => document.querySelector('#header').innerText.includes(run)", arg=run)
    page.wait_for_selector('.mun-results[data-state="ready"]')
    assert f"checkpoint={run}" in page.url

    page.get_by_role("tab", name="Train", exact=True).click()
    page.locator("#train-delete:enabled").click()
    page.get_by_role("button", name="Really delete?").click()
    page.wait_for_selector('.mun-train-message[data-state="said"]')
    page.wait_for_selector('.mun-train-runs[data-count="0"]')


@pytest.mark.soak
def test_two_pages_of_one_browser_keep_the_runs_of_both(visit: Visit) -> None:
    visitor = visit()
    first = visitor.page
    second = first.context.new_page()
    second.goto(first.url)
    runs = []
    for page in (first, second):
        begin_small_run(page)
        runs.append(page.wait_for_selector(".mun-train-run[data-run]").get_attribute("data-run"))
    for page in (first, second):
        page.goto(f"{first.url.split('?')[0]}?tab=train")
        page.wait_for_selector('.mun-train-runs[data-count="2"]')
        assert page.locator(".mun-train-runs .mun-train-mine").count() == 2
    visitor.problems[:] = without_cuts(visitor.problems)
    for run in runs:  # each by the page that has not started it
        page = second if run == runs[0] else first
        page.locator(f'.mun-train-runs button[data-run="{run}"]').click()
        page.wait_for_selector(f'.mun-train-run[data-run="{run}"]')
        page.locator("#train-stop:enabled, #train-delete:enabled").first.wait_for()
        if page.locator("#train-stop").is_enabled():
            page.locator("#train-stop").click()
        page.locator("#train-delete:enabled").click()
        page.get_by_role("button", name="Really delete?").click()
        page.wait_for_selector('.mun-train-message[data-state="said"]')
    assert first.evaluate("localStorage.getItem('mun-train-tokens')") == "{}"


def test_what_is_not_allowed_is_said_in_a_sentence(visit: Visit) -> None:
    page = visit(390, 844).page
    page.get_by_role("button", name="More tabs").click()
    page.get_by_text("Train", exact=True).last.click()
    page.wait_for_selector('.mun-train-run[data-state="none"]')
    page.get_by_role("button", name="Data, network, length, losses").click()
    write(page, "Image height", "9999")
    page.locator("#train-start").click()
    page.get_by_text("Expected height to be a whole number from 32 to 512, got 9999.").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
