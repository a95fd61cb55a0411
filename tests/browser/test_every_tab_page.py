"""Every tab on a wide screen and on a phone: nothing scrolls sideways, and axe finds no serious violation."""

from collections.abc import Callable
from typing import Any

import pytest
from browsing import sideways
from serving import serious

pytestmark = pytest.mark.browser

# Of each view: its address, what is there once it is drawn, and what our templates draw of it; the rest is Gradio's.
SCORES = '.mun-scores[data-state="ready"]'
RETRIEVAL = (SCORES, ("#header", ".mun-tip", "#query-browser", "#ranking", "#scores", ".mun-take-note"))
ABOUT = ("#about-head", "#about-nav", "#about-body", "#about-sheet", "#about-knob", "#about-change")
AUXILIARY = ("#auxiliary-stage", "#auxiliary-rivals", "#auxiliary-film", "#auxiliary-people")
EMBEDDINGS = ("head", "settings", "tools", "picture", "chosen", "selected", "numbers")
VIEWS = [
    ("", *RETRIEVAL),
    ("?compare=other-tiny&left_out=1&query=cam3/0013/0001.jpg", *RETRIEVAL),
    ("?direction=v2i&rerank=1", *RETRIEVAL),
    ("?trial=99", *RETRIEVAL),
    *(
        (
            f"?tab=analysis&compare=other-tiny&part={part}",
            f'#analysis-parts [data-key="{part}"][aria-current]',
            ["#analysis"],
        )
        for part in ("slices", "people", "distances")
    ),
    ("?tab=auxiliary", '#auxiliary-rivals [data-state="ready"]', AUXILIARY),
    ("?tab=auxiliary&source=own", ".mun-aux-bring", AUXILIARY),
    (
        "?tab=embeddings&compare=none&point=0&selected=BQ",
        ".mun-near-button",
        [f"#embeddings-{name}" for name in EMBEDDINGS],
    ),
    ("?tab=train", ".mun-train-runs", ("#train-page", "#train-head")),
    ("?tab=about&section=findings&table=misalignment-m1-c0.5", ".mun-curves img", ABOUT),
    ("?tab=about&section=data&camera=3", '#about-change [data-state="ready"]', ABOUT),
    ("?tab=about&section=method", '.mun-tour[data-state="ready"]', ABOUT),
    ("?tab=about&section=models", '.mun-about-card[data-state="ready"]', ABOUT),
    ("?tab=about&section=use", "#mun-about-bibtex", ABOUT),
]


@pytest.mark.parametrize(("address", "selector", "parts"), VIEWS, ids=[view[0] for view in VIEWS])
def test_nothing_scrolls_sideways_and_nothing_is_a_serious_violation(
    visit: Callable[..., Any], address: str, selector: str, parts: tuple[str, ...]
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
        assert not serious(page, tuple(parts))
