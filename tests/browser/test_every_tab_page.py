"""Every tab on a wide screen and on a phone: nothing scrolls sideways, and axe finds no serious violation."""

from collections.abc import Callable
from typing import Any

import pytest
from browsing import sideways
from serving import serious

pytestmark = pytest.mark.browser

# Of each view: its address, and what is there once it is drawn.
SCORES = '.mun-scores[data-state="ready"]'
VIEWS = [
    ("", SCORES),
    ("?compare=other-tiny&left_out=1&query=cam3/0013/0001.jpg", SCORES),
    ("?direction=v2i&rerank=1", SCORES),
    ("?trial=99", SCORES),
    *(
        (f"?tab=analysis&compare=other-tiny&part={part}", f'#analysis-parts [data-key="{part}"][aria-current]')
        for part in ("slices", "people", "distances")
    ),
    ("?tab=auxiliary", '#auxiliary-rivals [data-state="ready"]'),
    ("?tab=auxiliary&source=own", ".mun-aux-bring"),
    ("?tab=explain", '.mun-explain-truth[data-state="ready"]'),
    ("?tab=embeddings&compare=none&point=0&selected=BQ", ".mun-near-button"),
    ("?tab=train", ".mun-train-runs"),
    ("?tab=about&section=findings&table=misalignment-m1-c0.5", ".mun-curves img"),
    ("?tab=about&section=data&camera=3", '#about-change [data-state="ready"]'),
    ("?tab=about&section=method", '.mun-tour[data-state="ready"]'),
    ("?tab=about&section=models", '.mun-about-card[data-state="ready"]'),
    ("?tab=about&section=use", "#mun-about-bibtex"),
]


@pytest.mark.parametrize(("address", "selector"), VIEWS, ids=[view[0] for view in VIEWS])
def test_nothing_scrolls_sideways_and_nothing_is_a_serious_violation(
    visit: Callable[..., Any], address: str, selector: str
) -> None:
    page = visit(address=address).page
    page.wait_for_selector(selector)
    page.wait_for_selector("body:not([data-busy])")
    page.locator("details:visible").evaluate_all("all => all.forEach((one) => { one.open = true; })")
    if drawer := page.locator("[data-drawer]:visible").all():
        drawer[0].click()
    for width in (1400, 390):
        page.set_viewport_size({"width": width, "height": 844})
        assert sideways(page) <= 0
        assert not serious(page)
