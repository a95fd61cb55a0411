"""axe finds no serious violation in our own markup; Gradio's own widgets are excepted by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from serving import serious

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

# What our templates draw. The rest of the tab is Gradio's: tabs, menus, sliders, checkboxes, accordion, buttons.
OURS = ("#header", ".mun-tip", "#query-browser", "#ranking", "#scores", ".mun-take-note")


@pytest.mark.parametrize(
    "address", ["", "?compare=other-tiny&left_out=1&query=cam3/0013/0001.jpg", "?direction=v2i&rerank=1", "?trial=99"]
)
def test_our_markup_has_no_serious_violation(visit: Visit, address: str) -> None:
    page = visit(address=address).page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    assert not serious(page, OURS)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_train_tab_has_none_either(visit: Visit, scheme: str) -> None:
    page = visit(address="?tab=train", color_scheme=scheme).page
    page.wait_for_selector("[data-do=start]")
    page.wait_for_selector(".mun-train-runs")
    assert not serious(page, ("#train-page", "#train-head"))
