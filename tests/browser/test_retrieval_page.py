"""The Retrieval tab in a browser: queries, settings, two checkpoints, corruptions, images of one's own, files, keys."""

import csv
import shutil
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browsing import data_of, exported, link_of, settings, sideways
from PIL import Image
from serving import turn_scheme

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

READY = '.mun-results[data-state="ready"]'


def ranked_for(page: Any, key: str) -> Any:
    """Wait for the ranking of a query and return its cards."""
    page.wait_for_selector(f'{READY}[data-query="{key}"]')
    return page.locator(".ranked-card")


def query_keys(page: Any) -> list[str]:
    """List the keys of the queries on the page."""
    return data_of(page.locator("button[data-query]"), "query")


def image_keys(page: Any) -> list[str]:
    """List the keys of the ranked images, or of those of a part of the page."""
    return data_of(page.locator(".ranked-card"), "image")


def drawer(page: Any) -> Any:
    return settings(page, "retrieval")


def choose(page: Any, label: str, option: str) -> None:
    """Choose an option of a menu in the drawer."""
    drawer(page).get_by_label(label, exact=True).select_option(label=option)


def number(page: Any, label: str, value: str) -> None:
    """Type a number and press Enter."""
    field = drawer(page).get_by_label(label, exact=True)
    field.fill(value)
    field.press("Enter")


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


def test_a_click_on_a_query_ranks_the_gallery_for_it_and_the_last_of_three_quick_ones_counts(visit: Visit) -> None:
    page = visit().page
    keys = query_keys(page)
    assert len(keys) == 24
    assert page.locator(".ranked-card").count() == 5
    page.locator(f'button[data-query="{keys[5]}"]').click()
    cards = ranked_for(page, keys[5])
    assert data_of(cards, "rank") == ["1", "2", "3", "4", "5"]
    for card in cards.all():
        expected = "✓ match" if card.get_attribute("data-match") == "true" else "✗ other"
        assert expected in card.inner_text()
    assert data_of(page.locator('button[aria-pressed="true"]'), "query") == [keys[5]]
    assert cards.first.locator("img").evaluate("image => image.naturalHeight") > 0
    presses = [page.locator(f'button[data-query="{key}"]').element_handle() for key in (keys[3], keys[9], keys[14])]
    page.evaluate("buttons => buttons.forEach((button) => button.click())", presses)
    ranked_for(page, keys[14])


def test_the_list_is_ordered_and_filtered(visit: Visit) -> None:
    page = visit().page
    choose(page, "Order", "hardest first")
    page.wait_for_selector(".mun-query-ap")
    precisions = [float(value) for value in data_of(page.locator("button[data-query]"), "ap")]
    assert len(precisions) == 24
    assert precisions == sorted(precisions)
    page.locator("button[data-query]").first.click()
    ranked_for(page, query_keys(page)[0])
    assert page.locator('[data-value="ap"]').inner_text() == f"AP {100 * precisions[0]:.1f} %"
    choose(page, "Camera", "6")
    page.wait_for_selector(f'{READY}[data-query^="cam6/"]')
    page.wait_for_selector('button[aria-pressed="true"][data-query^="cam6/"]')
    # Ranking and browser arrive one after the other; what stays is what counts.
    page.wait_for_function(
        "[...document.querySelectorAll('button[data-query]')].every(one => one.dataset.query.startsWith('cam6/'))"
    )
    assert query_keys(page)
    page.locator(".mun-picks [data-do=random]").click()
    page.wait_for_selector('button[aria-pressed="true"][data-query^="cam6/"]')


def test_a_click_on_a_result_searches_the_other_way_and_back_goes_back(visit: Visit) -> None:
    page = visit().page
    start = page.locator(READY).get_attribute("data-query")
    image = page.locator(".ranked-card").nth(1).get_attribute("data-image")
    page.locator(f'.ranked-card[data-image="{image}"] .mun-card-line').click()  # the whole card can be pressed
    ranked_for(page, image)
    assert page.locator(READY).get_attribute("data-direction") == "v2i"
    assert "not a published protocol" in page.locator("[data-notice]").inner_text()
    assert "not a published protocol" in page.locator(".mun-terms").inner_text()
    page.wait_for_selector(f'button[aria-pressed="true"][data-query="{image}"]')
    page.go_back()
    ranked_for(page, start)
    assert page.locator(READY).get_attribute("data-direction") == "i2v"
    page.go_forward()
    ranked_for(page, image)
    page.wait_for_selector('.mun-scores[data-state="ready"]')


def test_two_checkpoints_stand_below_one_another(visit: Visit) -> None:
    page = visit().page
    drawer(page).get_by_label("other-tiny", exact=True).check()
    page.wait_for_selector('.mun-comparison[data-compare="other-tiny"]')
    assert page.locator("[data-budgets]").count() == 0
    upper, lower = page.locator(".mun-side-ranking").all()
    assert data_of(page.locator(".mun-side-ranking"), "checkpoint") == ["mun-tiny", "other-tiny"]
    assert upper.locator(".ranked-card").count() == lower.locator(".ranked-card").count() == 5
    for card in lower.locator(".ranked-card").all():
        move = card.locator(".mun-move")
        assert move.get_attribute("data-after") == card.get_attribute("data-rank")
        image = card.get_attribute("data-image")
        same = upper.locator(f'.ranked-card[data-image="{image}"]')
        if same.count():
            assert move.get_attribute("data-before") == same.get_attribute("data-rank")
    shared = set(image_keys(upper)) & set(image_keys(lower))
    assert page.locator(".mun-side-summary").get_attribute("data-shared") == str(len(shared))
    page.wait_for_selector(".mun-curve-2")
    assert link_of(page)["compare"] == "partner,other-tiny"
    boxes = [side.locator(".ranked-card").nth(rank).bounding_box() for rank in range(5) for side in (upper, lower)]
    for first, second in zip(boxes[::2], boxes[1::2], strict=True):
        assert first["x"] == pytest.approx(second["x"], abs=1)  # ranks are aligned


def test_the_checkpoint_of_the_header_is_that_of_the_ranking(visit: Visit) -> None:
    page = visit().page
    page.locator("#header").get_by_label("Checkpoint").select_option("other-tiny")
    page.wait_for_selector('.mun-side-ranking[data-checkpoint="other-tiny"]')
    assert link_of(page)["checkpoint"] == "other-tiny"


def test_images_left_out_re_ranking_and_multi_shot_are_shown_on_demand(visit: Visit) -> None:
    page = visit().page
    choose(page, "Camera", "3")
    page.wait_for_selector(f'{READY}[data-query^="cam3/"]')
    assert page.locator(".left-out-card, [data-term=rerank]").count() == 0
    number(page, "Top k", "10")
    drawer(page).get_by_label("Show images left out by the protocol").check()
    page.wait_for_selector(".left-out-card")
    assert page.locator(".ranked-card").count() == 10
    for card in page.locator(".left-out-card").all():
        assert "left out" in card.inner_text()
        assert card.get_attribute("data-image").startswith("cam2/")
        assert card.get_attribute("data-rank") is None
    drawer(page).get_by_label("Re-rank by k-reciprocal neighbours").check()
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
    number(page, "Top k", "4")
    page.wait_for_selector(f'{READY}[data-top="4"]')
    page.wait_for_url("**top_k=4**")
    values = link_of(page)
    assert values == {"tab": "retrieval", "protocol": "synvi-indoor", "top_k": "4", "query": key}
    assert page.locator(".mun-chip").all_inner_texts() == ["Top k: 4 \u00d7", "Protocol: indoor-search \u00d7"]
    images = image_keys(page)
    assert len(images) == 4
    other = visit(address="?" + urlsplit(page.url).query + "&__theme=light").page
    ranked_for(other, key)
    assert image_keys(other) == images
    for label, value in (("Top k", "4"), ("Protocol", "synvi-indoor")):
        assert drawer(other).get_by_label(label, exact=True).input_value() == value
    assert link_of(other) == {**values, "__theme": "light"}
    other.locator(".mun-chip").first.click()
    other.wait_for_selector(f'{READY}[data-top="5"]')


def test_a_link_that_makes_no_sense_says_so_and_shows_the_first_view(visit: Visit) -> None:
    page = visit(address="?query=../../etc/passwd&top_k=4000").page
    said = page.locator("[data-notice]").inner_text()
    assert "Expected query to be the key of an infrared image" in said
    assert "Expected top_k to be a whole number from 1 to 100, got 4000." in said
    assert page.locator(".ranked-card").count() == 5
    assert "passwd" not in page.url


def test_a_number_that_is_refused_leaves_what_was_and_arrow_keys_walk_along_the_tabs(visit: Visit) -> None:
    page = visit().page
    number(page, "Top k", "3")
    page.wait_for_selector(f'{READY}[data-top="3"]')
    number(page, "Top k", "5000")
    page.get_by_text("expected top_k to be a whole number from 1 to 100, got 5000").first.wait_for()
    assert drawer(page).get_by_label("Top k", exact=True).input_value() == "3"
    assert page.locator(".ranked-card").count() == 3
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Retrieval").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_selector('[role=tab][aria-selected="true"]:has-text("About")')
    page.keyboard.press("ArrowRight")
    page.wait_for_selector('[role=tab][aria-selected="true"]:has-text("Retrieval")')


def test_everything_can_be_done_with_the_keyboard_alone(visit: Visit) -> None:
    page = visit().page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
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
    images = image_keys(page)
    press_until(page, "Tab", "image", images[0])
    page.keyboard.press("ArrowRight")
    assert focused(page, "image") == images[1]
    page.keyboard.press("End")
    assert focused(page, "image") == images[-1]
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    ranked_for(page, images[0])
    assert "Ranked for person" in page.locator("#mun-live").inner_text()
    press_until(page, "Tab", "do", "hard")
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelector('.mun-results').dataset.query !== '{images[0]}'")
    assert focused(page, "do") == "hard"
    page.locator("#retrieval-head [data-drawer]").focus()
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('#drawer').contains(document.activeElement)")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.matches('#retrieval-head [data-drawer]')")
    assert page.evaluate("document.querySelector('#drawer').inert")


def test_a_wide_page_shows_the_whole_sets_scores_and_turns_dark(visit: Visit) -> None:
    page = visit(width=1440, height=900).page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    box = page.locator(".ranked-card").first.bounding_box()
    assert box["y"] + box["height"] <= 900, "the first ranked image stands on the first screen"
    assert "±" in page.locator('[data-score="rank1"]').inner_text()
    assert "24 queries" in page.locator(".mun-scores").inner_text()
    assert "synthetic" in page.locator(".mun-scores").inner_text()
    assert page.locator("#header select").input_value() == "mun-tiny"
    assert page.locator(".mun-cmc svg").get_attribute("aria-label").startswith("CMC curve")
    assert page.locator(".mun-cmc circle").count() == 20
    turn_scheme(page, "dark")
    brightness = "color => color.match(/\\d+/g).slice(0, 3).reduce((sum, part) => sum + Number(part), 0) / 3"
    ground = page.evaluate(f"({brightness})(getComputedStyle(document.body).backgroundColor)")
    ink = page.locator(".mun-title h1").evaluate(f"title => ({brightness})(getComputedStyle(title).color)")
    panel = page.locator(".ranked-card").first.evaluate(
        f"card => ({brightness})(getComputedStyle(card).backgroundColor)"
    )
    assert ground < 60
    assert panel < 80
    assert ink > 180


@pytest.mark.parametrize("address", ["", "?compare=other-tiny&left_out=1"])
def test_a_narrow_page_does_not_scroll_sideways(visit: Visit, address: str) -> None:
    page = visit(width=390, height=844, address=address).page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    box = page.locator(".ranked-card").first.bounding_box()
    assert address or box["y"] + box["height"] <= 844, "the first ranked image stands on the first screen"
    for width in (390, 360, 768):
        page.set_viewport_size({"width": width, "height": 844})
        assert sideways(page) <= 0
        assert page.locator(".ranked-card").first.bounding_box()["width"] >= 80


def test_the_list_and_the_scores_can_be_exported(visit: Visit) -> None:
    page = visit(address="?top_k=3").page
    shown = image_keys(page)
    name, file = exported(page, "retrieval", "Ranked list as PNG")
    assert fnmatch(name, "ranked-*.png")
    with Image.open(file) as image:
        image.load()
        assert image.format == "PNG"
        assert min(image.size) > 200
    name, file = exported(page, "retrieval", "CMC curves as PDF")
    assert name == "cmc-synvi-all-mun-tiny.pdf"
    assert file.read_bytes().startswith(b"%PDF-")
    assert file.read_bytes().rstrip().endswith(b"%%EOF")
    lines, table = ranked_list(page)
    assert [row["image"] for row in table] == shown
    assert [row["rank"] for row in table] == ["1", "2", "3"]
    assert page.url.partition("?")[0] in next(line for line in lines if "reproduced by" in line)
    drawer(page).get_by_label("Top k", exact=True).fill("2")  # an export pressed right after holds the change
    assert len(ranked_list(page)[1]) == 2


def ranked_list(page: Any) -> tuple[list[str], list[dict[str, str]]]:
    """Export the ranked list, and return the lines of the file and the rows of its table."""
    lines = exported(page, "retrieval", "Ranked list as CSV")[1].read_text(encoding="utf-8-sig").splitlines()
    return lines, list(csv.DictReader(line for line in lines if not line.startswith(("#", '"#'))))


@pytest.mark.parametrize("delay", [0, 60], ids=["as it is", "answers 60 ms late"])
def test_presses_on_different_pieces_are_all_answered_and_the_last_wins(visit: Visit, delay: int) -> None:
    page = visit().page
    keys = query_keys(page)
    if delay:

        def late(route: Any) -> None:
            answer = route.fetch()
            page.wait_for_timeout(delay)
            route.fulfill(response=answer)

        page.route("**/run/predict*", late)
    drawer(page)
    page.evaluate(
        """keys => {
          for (const key of keys) document.querySelector(`button[data-query="${key}"]`).click();
          const set = (name, value) => {
            const input = document.querySelector(`#retrieval-settings [name="${name}"]`);
            input.value = value;
            input.dispatchEvent(new Event("change", { bubbles: true }));
          };
          set("protocol", "synvi-indoor");
          set("trial", 3);
          set("top_k", 2);
          document.querySelector(`button[data-query="${keys[1]}"]`).click();
        }""",
        [keys[4], keys[7], keys[11]],
    )
    page.wait_for_selector(f'{READY}[data-query="{keys[7]}"][data-top="2"]')
    page.wait_for_selector('[data-term="protocol"]:has-text("synvi-indoor, single-shot, gallery 3")')
    link = {"tab": "retrieval", "query": keys[7], "protocol": "synvi-indoor", "trial": "3", "top_k": "2"}
    assert link_of(page) == link
    page.unroute_all(behavior="wait")  # an answer that is still late would fail in the next test


def test_why_lays_maps_over_the_query_and_the_card(visit: Visit) -> None:
    page = visit().page
    card = page.locator(".mun-side-ranking").last.locator(".ranked-card").nth(1)
    key, query = card.get_attribute("data-image"), page.locator(READY).get_attribute("data-query")
    checkpoint = page.locator(".mun-side-ranking").last.get_attribute("data-checkpoint")
    card.locator(".mun-why").click()
    page.wait_for_selector(f'[data-why="{key}"]')
    assert page.locator(".mun-results .mun-heat").count() == 2
    for place in (card, page.locator(".mun-query-card")):
        boxes = place.locator("img").evaluate_all("all => all.map((one) => one.getBoundingClientRect().toJSON())")
        assert all(abs(boxes[0][side] - boxes[1][side]) < 1.5 for side in ("left", "top", "width"))
    assert focused(page, "key") == f"why {checkpoint}/{key}"
    card.locator(".mun-why").click()
    page.wait_for_selector("[data-why]", state="detached")
    assert page.locator(".mun-results .mun-heat").count() == 0
    card.locator(".mun-why").click()
    page.wait_for_selector(f'[data-why="{key}"]')
    page.get_by_role("link", name="check it in Explain").click()
    page.wait_for_selector(f'.mun-explain[data-image="{query}"][data-target="{key}"]')
    assert page.locator('#header select[name="checkpoint"]').input_value() == checkpoint


def pictures(page: Any) -> list[str]:
    """The ranked images as the page shows them."""
    return page.locator(".ranked-card img").evaluate_all("all => all.map(one => one.src)")


def test_what_was_asked_before_cannot_be_pressed_until_the_answer_is_there(visit: Visit) -> None:
    page = visit().page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    drawer(page).get_by_label("Corrupt the visible images", exact=True).select_option("contrast")
    page.wait_for_function("document.querySelector('.mun-results').closest('[inert]')")
    assert page.get_by_role("button", name="Export").is_disabled()
    assert page.locator("#retrieval-progress").inner_text().startswith("Embedding the images")
    query = page.locator(".mun-results").get_attribute("data-query")
    page.evaluate("mun.press('retrieval', { act: 'hard' })")  # as somebody who was quicker than the page
    page.wait_for_selector(f'.mun-results:not([data-query="{query}"])')
    assert not page.evaluate("document.querySelector('.mun-results').closest('[inert]')")
    page.keyboard.press("Escape")
    page.locator(f'{READY}[data-corruption="contrast"] .mun-why').first.click()
    page.wait_for_selector("[data-why]")


def test_a_corruption_and_its_severity_change_the_ranked_images(visit: Callable[..., Any]) -> None:
    from playwright.sync_api import expect

    page = visit().page
    clean = pictures(page)
    page.locator("#retrieval-head [data-drawer]").click()
    menu = page.get_by_label("Corrupt the visible images", exact=True)
    assert page.get_by_label("Severity", exact=True).is_disabled()
    menu.select_option("pixelate")
    results = page.locator(f'{READY}[data-corruption="pixelate"]')
    expect(results).to_contain_text("On clean images this query has an average precision of")
    expect(results.locator('[data-term="corruption"]')).to_contain_text("pixelate, severity 3, seed 0")
    weak = pictures(page)
    assert not set(weak) & set(clean)
    expect(page.locator('.mun-scores[data-state="ready"] [data-corruption]')).to_contain_text("not the clean protocol")
    expect(page.locator(".mun-scores [data-clean]")).to_have_count(4)
    severity = page.get_by_label("Severity", exact=True)
    severity.fill("5")
    severity.press("Enter")
    expect(results.locator('[data-term="corruption"]')).to_contain_text("pixelate, severity 5, seed 0")
    assert not set(pictures(page)) & set(weak)
    assert {"corruption": "pixelate", "severity": "5"}.items() <= link_of(page).items()
    menu.select_option("")
    expect(page.locator(f'{READY}[data-corruption=""]')).to_be_visible()
    assert pictures(page) == clean


OWN = ".mun-own-results[data-state='ready']"


def test_an_own_image_and_an_own_gallery_are_ranked_and_forgotten(
    visit: Callable[..., Any], tiny_synvi: Path, tmp_path: Path
) -> None:
    page = visit().page
    infrared = next((tiny_synvi / "cam6").glob("*/0001.jpg"))
    page.locator(".mun-own-choose summary").click()
    page.get_by_label("Your image", exact=True).set_input_files(infrared)
    page.wait_for_selector("[data-notice]:has-text('infrared or visible')")
    page.locator(".mun-own-choose").get_by_label("infrared", exact=True).check()
    page.wait_for_selector(OWN)
    assert page.locator(".ranked-card").count() == 5
    assert "never saw a real person" in page.locator(OWN).inner_text()
    broken = tmp_path / "<b>broken.png"
    broken.write_bytes(b"no image")
    named = [tmp_path / f"mine-{number}.jpg" for number in range(3)]
    for file, path in zip(named, sorted((tiny_synvi / "cam1").glob("*/0001.jpg")), strict=False):
        shutil.copy(path, file)
    page.get_by_label("Your gallery", exact=True).set_input_files([*named, broken])
    page.wait_for_selector(f"{OWN} [data-own-index]")
    names = page.locator("[data-own-index] .mun-person").all_inner_texts()
    assert sorted(names) == ["mine-0.jpg", "mine-1.jpg", "mine-2.jpg"]
    assert "expected the file to" in page.locator("[data-own-broken]").inner_text()
    page.locator(".mun-picks [data-own-forget]").click()
    page.wait_for_selector(".mun-results:not(.mun-own-results)[data-state='ready']")
    assert page.locator("[data-own-index]").count() == 0
