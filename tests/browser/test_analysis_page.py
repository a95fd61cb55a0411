"""The Analysis tab in a browser: from the scatter plot to a query, the parts, a file; features that visitors bring."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import exported
from made import method, write

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

ADDRESS = "?tab=analysis&compare=other-tiny"


def opened(visit: Visit, address: str = ADDRESS, **options: Any) -> Any:
    page = visit(address=address, **options).page
    page.wait_for_selector(".mun-slices[data-state=ready]")
    return page


def test_from_the_scatter_plot_to_the_ranking_of_a_query(visit: Visit) -> None:
    page = opened(visit)
    assert page.locator(".mun-aps circle").count() == 24
    point = page.locator(".mun-aps circle").nth(5)
    box = point.bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.wait_for_selector("#analysis-tip[data-shown=yes] img")
    image = page.locator("#analysis-tip [data-image]").get_attribute("data-image")
    page.mouse.click(*middle)
    page.wait_for_selector(f'.mun-results[data-state="ready"][data-query="{image}"]')
    assert page.locator(".mun-results").get_attribute("data-compare") == "other-tiny"
    page.go_back()
    page.wait_for_selector(".mun-aps circle")


def test_parts_links_and_a_file(visit: Visit) -> None:
    page = opened(visit)
    page.get_by_role("button", name="Distances").click()
    page.wait_for_selector(".mun-analysis-part[data-pair='all cameras']")
    page.locator("select[name=pair]").select_option(index=1)
    page.wait_for_selector(".mun-analysis-part:not([data-pair='all cameras'])")
    page.get_by_role("button", name="Queries and people").click()
    card = page.locator("[data-worst] a").first
    query = card.get_attribute("data-query")
    assert exported(page, "analysis", "Slices as CSV")[0].startswith("slices-synvi-all")
    card.click()
    page.wait_for_selector(f'.mun-results[data-state="ready"][data-query="{query}"]')


def test_two_methods_stand_side_by_side_and_a_broken_file_is_a_sentence(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    visitor = visit()
    page = visitor.page
    mark = page.locator(".mun-synthetic")
    assert mark.is_visible()
    page.locator(".mun-data-menu summary").click()
    box = page.locator(".mun-data-panel").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 1400
    for name, strength in (("weak", 0.5), ("strong", 2.0)):
        page.set_input_files("[data-features]", write(tmp_path / f"{name}.npz", method(strength)))
        page.wait_for_function(f"document.querySelector('#header select[name=checkpoint]').value === '{name}'")
    page.wait_for_selector('.mun-results[data-state="ready"][data-compare="weak"]')
    assert not mark.is_visible()  # nobody knows whose features these are
    page.get_by_role("tab", name="Embeddings").click()
    page.wait_for_selector("#embeddings .js-plotly-plot")
    page.get_by_role("tab", name="Analysis").click()
    page.wait_for_selector(".mun-aps circle")
    page.get_by_role("tab", name="Explain").click()
    page.get_by_text("This tab needs a network, but strong holds only features of another method").wait_for()
    assert not visitor.problems
    (tmp_path / "none.npz").write_bytes(b"PK\3\4 no archive")
    page.set_input_files("[data-features]", tmp_path / "none.npz")
    page.get_by_text("Expected an .npz file with features, pids, camids, modalities, keys at none.npz").wait_for()
    assert ["400" in one for one in visitor.problems] == [True]  # the browser notes the refusal
    visitor.problems.clear()
