"""Pieces that Gradio changes in place: controls and folds agree with what is shown, and no answer is lost."""

from collections.abc import Callable
from typing import Any

import pytest
from browsing import exported, settings

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

READY = '.mun-results[data-state="ready"]'
CALLS = "**/gradio_api/run/predict*"


def test_a_used_control_follows_the_request(visit: Visit) -> None:
    page = visit().page
    page.wait_for_selector(READY)
    box = settings(page, "retrieval").get_by_label("Show images left out by the protocol")
    box.check()
    page.locator('#retrieval-head .mun-chip:has-text("left out")').click()
    page.wait_for_selector('#retrieval-head .mun-chip:has-text("left out")', state="detached")
    page.wait_for_selector("body:not([data-busy])")
    assert not box.is_checked()
    box.check()  # a press again, because the box says what is shown
    page.wait_for_selector('#retrieval-head .mun-chip:has-text("left out")')


def test_the_same_export_twice_gives_two_files(visit: Visit) -> None:
    page = visit().page
    page.wait_for_selector(READY)
    names = {exported(page, "retrieval", "Ranked list as CSV")[0] for _ in range(2)}
    assert len(names) == 1


def test_a_fold_stays_open_while_its_piece_is_redrawn(visit: Visit) -> None:
    page = visit(address="?tab=explain&check=0").page
    page.wait_for_selector("#explain-maps .mun-details")
    page.locator("#explain-maps summary").first.click()
    page.locator("#explain-maps .mun-details button:has-text('check it')").last.click()
    page.wait_for_url("**focus=**")
    page.wait_for_selector("body:not([data-busy])")
    assert page.locator("#explain-maps .mun-details").first.get_attribute("open") is not None


def test_a_call_that_fails_leaves_the_tab_in_use(visit: Visit) -> None:
    visitor = visit()
    page = visitor.page
    page.wait_for_selector(READY)
    page.route(CALLS, lambda route: route.fulfill(status=503, body="busy"), times=1)
    page.get_by_role("button", name="Another query").click()
    page.wait_for_function("!mun.tabs.retrieval.busy")
    assert "gave no answer" in page.locator("#mun-toast").inner_text()
    before = page.url
    page.get_by_role("button", name="Another query").click()
    page.wait_for_function("(before) => location.href !== before", arg=before)
    page.wait_for_selector("body:not([data-busy])")
    visitor.problems.clear()  # the browser notes the refusal
