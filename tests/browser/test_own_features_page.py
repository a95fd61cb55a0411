"""A visitor opens features files in the browser: two methods side by side, and a file that is none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from made import method, write

pytestmark = pytest.mark.browser


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
    page.get_by_text("This tab looks into a network, and strong holds features of another method alone").wait_for()
    assert not visitor.problems
    (tmp_path / "none.npz").write_bytes(b"PK\3\4 no archive")
    page.set_input_files("[data-features]", tmp_path / "none.npz")
    page.get_by_text("Expected an .npz file with features, pids, camids, modalities, keys at none.npz").wait_for()
    assert ["400" in one for one in visitor.problems] == [True]  # the browser notes the refusal
    visitor.problems.clear()
