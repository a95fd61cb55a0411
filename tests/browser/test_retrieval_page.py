from __future__ import annotations

import csv
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]
READY = '.mun-results[data-state="ready"]'


def ranked_for(page: Any, key: str) -> Any:
    """Wait for the ranking of a query and return its cards."""
    page.wait_for_selector(f'{READY}[data-query="{key}"]')
    return page.locator(".ranked-card")


def query_keys(page: Any) -> list[str]:
    """List the keys of the queries on the page."""
    return page.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")


def choose(page: Any, label: str, option: str) -> None:
    """Choose an option of a menu."""
    page.get_by_role("combobox", name=label, exact=True).click()
    page.get_by_role("option", name=option, exact=True).click()


def unfold(page: Any) -> None:
    """Open the settings that are folded away."""
    page.get_by_role("button", name="Gallery, re-ranking, images left out").click()


def focused(page: Any, name: str) -> str:
    """Read a data attribute of the element in focus."""
    return page.evaluate(f"document.activeElement?.dataset?.{name} ?? ''")


def press_until(page: Any, key: str, name: str, wanted: str) -> None:
    """Press a key until the element in focus has a data attribute."""
    for _ in range(120):
        page.keyboard.press(key)
        if focused(page, name) == wanted:
            return
    raise AssertionError(f"{key} does not lead to {name} {wanted}")


def link_of(page: Any) -> dict[str, str]:
    """Read the address bar's values."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def test_a_click_on_a_query_ranks_the_gallery_for_it(visit: Visit) -> None:
    page = visit().page
    keys = query_keys(page)
    assert len(keys) == 24
    assert page.locator(".ranked-card").count() == 10
    page.locator(f'button[data-query="{keys[5]}"]').click()
    cards = ranked_for(page, keys[5])
    assert cards.count() == 10
    assert [int(rank) for rank in cards.evaluate_all("all => all.map(one => one.dataset.rank)")] == list(range(1, 11))
    for card in cards.all():
        expected = "✓ match" if card.get_attribute("data-match") == "true" else "✗ other"
        assert expected in card.inner_text()
    assert page.locator('button[aria-pressed="true"]').evaluate_all("all => all.map(one => one.dataset.query)") == [
        keys[5]
    ]
    assert cards.first.locator("img").evaluate("image => image.naturalHeight") > 0


def test_the_last_of_three_quick_presses_counts(visit: Visit) -> None:
    page = visit().page
    keys = query_keys(page)
    presses = [page.locator(f'button[data-query="{key}"]').element_handle() for key in (keys[3], keys[9], keys[14])]
    page.evaluate("buttons => buttons.forEach((button) => button.click())", presses)
    ranked_for(page, keys[14])


def test_hardest_first_puts_the_lowest_average_precision_first(visit: Visit) -> None:
    page = visit().page
    choose(page, "Order", "hardest first")
    page.wait_for_selector(".mun-query-ap")
    precisions = [
        float(value)
        for value in page.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.ap)")
    ]
    assert len(precisions) == 24
    assert precisions == sorted(precisions)
    ranked_for(page, query_keys(page)[0])
    shown = page.locator('.mun-verdict [data-value="ap"]').inner_text()
    assert shown == f"{100 * precisions[0]:.1f} %"


def test_a_click_on_a_result_searches_the_other_way_and_back(visit: Visit) -> None:
    page = visit().page
    start = page.locator(READY).get_attribute("data-query")
    image = page.locator(".ranked-card").nth(1).get_attribute("data-image")
    page.locator(f'.ranked-card button[data-image="{image}"]').click()
    ranked_for(page, image)
    assert page.locator(READY).get_attribute("data-direction") == "v2i"
    assert "You clicked a visible image" in page.locator("[data-notice]").inner_text()
    assert "not a published protocol" in page.locator(".mun-terms").inner_text()
    assert page.locator(f'button[aria-pressed="true"][data-query="{image}"]').count() == 1
    page.locator('[data-action="back"]').click()
    ranked_for(page, start)
    assert page.locator(READY).get_attribute("data-direction") == "i2v"
    page.locator('[data-action="forward"]').click()
    ranked_for(page, image)
    page.wait_for_selector('.mun-scores[data-state="ready"]')


def test_two_checkpoints_stand_side_by_side(visit: Visit) -> None:
    page = visit().page
    choose(page, "Compare with (up to three)", "other-tiny · 0 steps")
    page.wait_for_selector('.mun-comparison[data-compare="other-tiny"]')
    assert page.locator("[data-budgets]").count() == 0
    left, right = page.locator(".mun-side-ranking").all()
    assert [left.get_attribute("data-checkpoint"), right.get_attribute("data-checkpoint")] == ["mun-tiny", "other-tiny"]
    assert left.locator(".ranked-card").count() == right.locator(".ranked-card").count() == 10
    for card in right.locator(".ranked-card").all():
        move = card.locator(".mun-move")
        assert move.get_attribute("data-after") == card.get_attribute("data-rank")
        image = card.get_attribute("data-image")
        same = left.locator(f'.ranked-card[data-image="{image}"]')
        if same.count():
            assert move.get_attribute("data-before") == same.get_attribute("data-rank")
    images = [
        set(side.locator(".ranked-card").evaluate_all("all => all.map(one => one.dataset.image)"))
        for side in (left, right)
    ]
    assert page.locator(".mun-side-summary").get_attribute("data-shared") == str(len(images[0] & images[1]))
    assert "other-tiny" in page.locator(".mun-header").inner_text()
    page.wait_for_selector(".mun-curve-2")
    assert link_of(page)["compare"] == "other-tiny"


def test_an_image_goes_to_another_tab_and_another_one_comes_back(visit: Visit) -> None:
    page = visit(address="?tab=explain&layers=layer4").page
    page.wait_for_selector('#explain-row [data-state="ready"]')
    assert page.get_by_role("tab", name="Explain").get_attribute("aria-selected") == "true"
    page.get_by_role("tab", name="Retrieval").click()
    start = page.locator(READY).get_attribute("data-query")
    page.locator("#retrieval-to-explain").click()
    page.wait_for_selector(f'#explain-row [data-state="ready"][data-image="{start}"]')
    other = page.locator(f'#explain-images button[data-image]:not([data-image="{start}"])').first
    key = other.get_attribute("data-image")
    other.click()
    page.wait_for_selector(f'#explain-row [data-state="ready"][data-image="{key}"]')
    page.locator("#explain-to-retrieval").click()
    ranked_for(page, key)
    page.locator('[data-action="back"]').click()
    ranked_for(page, start)
    page.locator("#retrieval-to-auxiliary").click()  # never looked at so far
    page.wait_for_selector(f'#auxiliary-panel [data-state="ready"][data-infrared="{start}"]')
    addressed(page, "auxiliary", infrared=start)


def test_the_address_names_the_tab_that_is_looked_at(visit: Visit) -> None:
    page = visit(address="?tab=explain&layers=layer4").page
    page.wait_for_selector('#explain-row [data-state="ready"]')
    addressed(page, "explain", layers="layer4")
    page.get_by_role("tab", name="Embeddings").click()
    turn_to(page, "Retrieval")
    addressed(page, None, query=str(page.locator(READY).get_attribute("data-query")))
    page.wait_for_selector('.mun-embeddings-status[data-state="ready"]', state="attached")  # drawn behind its back
    addressed(page, None)
    turn_to(page, "Results")
    addressed(page, "results")
    turn_to(page, "Explain")  # is not drawn anew
    addressed(page, "explain", layers="layer4")
    turn_to(page, "Embeddings")
    addressed(page, "embeddings", checkpoint="mun-tiny")


def turn_to(page: Any, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def addressed(page: Any, tab: str | None, **values: str) -> None:
    """Wait until the address names a tab, and what is shown there."""
    page.wait_for_function(
        """(values) => {
          const said = new URLSearchParams(location.search);
          return Object.entries(values).every(([name, value]) => said.get(name) === value);
        }""",
        arg={"tab": tab, **values},
    )


def test_images_left_out_are_shown_grey_on_demand(visit: Visit) -> None:
    page = visit().page
    choose(page, "Camera", "3")
    page.wait_for_selector(f'{READY}[data-query^="cam3/"]')
    assert page.locator(".left-out-card").count() == 0
    unfold(page)
    page.get_by_label("Show images left out by the protocol").check()
    page.wait_for_selector(".left-out-card")
    assert page.locator(".ranked-card").count() == 10
    for card in page.locator(".left-out-card").all():
        assert "left out" in card.inner_text()
        assert card.get_attribute("data-image").startswith("cam2/")
        assert card.get_attribute("data-rank") is None


def test_re_ranking_and_multi_shot_are_said_on_screen(visit: Visit) -> None:
    page = visit().page
    assert page.locator('[data-term="rerank"]').count() == 0
    unfold(page)
    page.get_by_label("Re-rank by k-reciprocal neighbours").check()
    page.wait_for_selector('[data-term="rerank"]')
    choose(page, "Gallery images per person and camera", "2 (multi-shot)")
    page.wait_for_selector('[data-term="protocol"]:has-text("2-shot")')
    page.wait_for_selector('.mun-scores:has-text("2-shot"):has-text("re-ranked")')
    assert {"rerank": "1", "shots": "2"}.items() <= link_of(page).items()


def test_a_link_opens_the_same_view(visit: Visit) -> None:
    page = visit().page
    key = query_keys(page)[7]
    page.locator(f'button[data-query="{key}"]').click()
    ranked_for(page, key)
    choose(page, "Protocol", "indoor-search")
    page.wait_for_selector('[data-term="protocol"]:has-text("synvi-indoor")')
    page.get_by_label("number input for Top k").fill("4")
    page.keyboard.press("Tab")
    page.wait_for_selector(f'{READY}[data-top="4"]')
    page.wait_for_url("**top_k=4**")
    values = link_of(page)
    assert values == {
        "checkpoint": "mun-tiny",
        "data": "synvi",
        "direction": "i2v",
        "protocol": "synvi-indoor",
        "shots": "1",
        "trial": "0",
        "top_k": "4",
        "query": key,
    }
    images = page.locator(".ranked-card").evaluate_all("all => all.map(one => one.dataset.image)")
    assert len(images) == 4
    other = visit(address="?" + urlsplit(page.url).query + "&__theme=light").page
    ranked_for(other, key)
    assert other.locator(".ranked-card").evaluate_all("all => all.map(one => one.dataset.image)") == images
    assert other.get_by_label("number input for Top k").input_value() == "4"
    assert other.get_by_role("combobox", name="Protocol").input_value() == "indoor-search"
    assert link_of(other) == {**values, "__theme": "light"}


def test_a_link_that_makes_no_sense_says_so_and_shows_the_first_view(visit: Visit) -> None:
    page = visit(address="?query=../../etc/passwd&top_k=4").page
    assert "link cannot be opened" in page.locator("[data-notice]").inner_text()
    assert page.locator(".ranked-card").count() == 10
    assert "passwd" not in page.url


def test_everything_can_be_done_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit().page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    page.wait_for_timeout(1000)  # a press at the moment when the first events end was lost in whole runs, never alone
    keys = query_keys(page)
    press_until(page, "Tab", "query", page.locator(READY).get_attribute("data-query"))
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert focused(page, "query") == keys[2]
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"
    page.keyboard.press("Enter")
    ranked_for(page, keys[2])
    assert focused(page, "query") == keys[2]
    images = page.locator(".ranked-card").evaluate_all("all => all.map(one => one.dataset.image)")
    press_until(page, "Tab", "image", images[0])
    page.keyboard.press("ArrowRight")
    assert focused(page, "image") == images[1]
    page.keyboard.press("End")
    assert focused(page, "image") == images[-1]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    ranked_for(page, images[0])
    press_until(page, "Tab", "action", "back")
    page.keyboard.press("Enter")
    ranked_for(page, keys[2])
    assert "Ranked for person" in page.locator("#mun-live").inner_text()


def test_a_hint_that_was_put_away_stays_away(visit: Visit) -> None:
    page = visit().page
    hint = page.locator('[data-hint="retrieval"]')
    assert hint.is_visible()
    hint.get_by_role("button").click()
    assert hint.is_hidden()
    page.reload()
    page.wait_for_selector(READY)
    assert page.locator('[data-hint="retrieval"]').is_hidden()


def test_a_filter_offers_only_its_queries(visit: Visit) -> None:
    page = visit().page
    choose(page, "Camera", "6")
    page.wait_for_selector(f'{READY}[data-query^="cam6/"]')
    page.wait_for_selector('button[aria-pressed="true"][data-query^="cam6/"]')
    # Ranking and browser arrive one after the other; what stays is what counts.
    page.wait_for_function(
        "[...document.querySelectorAll('button[data-query]')].every(one => one.dataset.query.startsWith('cam6/'))"
    )
    assert query_keys(page)
    page.locator("#random-query").click()
    page.wait_for_selector('button[aria-pressed="true"][data-query^="cam6/"]')


def test_the_whole_sets_scores_are_shown_and_called_synthetic(visit: Visit) -> None:
    page = visit().page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    assert "±" in page.locator('[data-score="rank1"]').inner_text()
    assert "24 queries" in page.locator(".mun-scores").inner_text()
    assert "synthetic" in page.locator(".mun-scores").inner_text()
    assert "mun-tiny" in page.locator(".mun-header").inner_text()
    assert page.locator(".mun-cmc svg").get_attribute("aria-label").startswith("CMC curve")
    assert page.locator(".mun-cmc circle").count() == 20


@pytest.mark.parametrize("address", ["", "?compare=other-tiny&left_out=1"])
def test_a_narrow_page_does_not_scroll_sideways(visit: Visit, address: str) -> None:
    page = visit(width=390, height=844, address=address).page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    for width in (390, 360, 768):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
        assert page.locator(".ranked-card").first.bounding_box()["width"] >= 80


def test_dark_mode_is_dark(visit: Visit) -> None:
    page = visit(color_scheme="dark").page
    brightness = "color => color.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3"
    ground = page.evaluate(f"({brightness})(getComputedStyle(document.body).backgroundColor)")
    ink = page.locator(".mun-title h1").evaluate(f"title => ({brightness})(getComputedStyle(title).color)")
    panel = page.locator(".ranked-card").first.evaluate(
        f"card => ({brightness})(getComputedStyle(card).backgroundColor)"
    )
    assert ground < 60
    assert panel < 80
    assert ink > 180


def test_the_list_and_the_scores_can_be_taken_home(visit: Visit) -> None:
    page = visit(address="?top_k=3").page
    shown = page.locator(".ranked-card").evaluate_all("all => all.map(one => one.dataset.image)")
    with Image.open(taken(page, "#take-png", "ranked-*.png")) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 200
    for button, name in (("#take-pdf", "ranked-*.pdf"), ("#scores-take-pdf", "cmc-synvi-all-mun-tiny.pdf")):
        content = taken(page, button, name).read_bytes()
        assert content.startswith(b"%PDF-")
        assert content.rstrip().endswith(b"%%EOF")
    lines = taken(page, "#take-csv", "ranked-*.csv").read_text(encoding="utf-8-sig").splitlines()
    table = list(csv.DictReader(line for line in lines if not line.startswith(("#", '"#'))))
    assert [row["image"] for row in table] == shown
    assert [row["rank"] for row in table] == ["1", "2", "3"]


def taken(page: Any, button: str, name: str) -> Path:
    """Press a button of the page and return the file that it gives, of that name."""
    with page.expect_download() as started:
        page.locator(button).click()
    assert fnmatch(started.value.suggested_filename, name)
    return Path(started.value.path())


def test_two_visitors_do_not_disturb_one_another(visit: Visit) -> None:
    first, second = visit().page, visit().page
    keys = query_keys(first)
    first.locator(f'button[data-query="{keys[3]}"]').click()
    second.locator(f'button[data-query="{keys[9]}"]').click()
    ranked_for(first, keys[3])
    ranked_for(second, keys[9])
    first.get_by_label("number input for Top k").fill("3")
    first.keyboard.press("Tab")
    first.wait_for_selector(f'{READY}[data-top="3"][data-query="{keys[3]}"]')
    assert second.locator(f'.mun-results[data-query="{keys[9]}"] .ranked-card').count() == 10
