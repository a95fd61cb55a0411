"""axe finds no serious violation in our own markup; Gradio's own widgets are excepted by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = pytest.mark.browser

Visit = Callable[..., Any]

# What our templates draw. The rest of the tab is Gradio's: tabs, menus, sliders, checkboxes, accordion, buttons.
OURS = ("#header", ".mun-tip", "#query-browser", "#ranking", "#scores", ".mun-take-note")


# Gradio shows what is being drawn anew half transparent; contrast is judged when nothing is.
SOLID = """() => [...document.querySelectorAll('.mun-sheet')].every(one => {
  for (let part = one; part; part = part.parentElement) if (getComputedStyle(part).opacity < 1) return false;
  return true;
})"""


def serious(page: Any, include: tuple[str, ...] | None = None) -> list[dict[str, Any]]:
    """Run axe over a part of the page, or all of it, and list the serious and critical violations."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = {"include": [[selector] for selector in include if page.locator(selector).count()]} if include else None
    found = axe.Axe().run(page, context=context).response["violations"]
    return [violation for violation in found if violation["impact"] in ("serious", "critical")]


def told(violations: list[dict[str, Any]]) -> str:
    return "\n".join(
        f"{violation['id']}: {violation['help']}\n  "
        + "\n  ".join(node["html"][:200] for node in violation["nodes"][:4])
        for violation in violations
    )


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "address", ["", "?compare=other-tiny&left_out=1&query=cam3/0013/0001.jpg", "?direction=v2i&rerank=1", "?trial=99"]
)
def test_our_markup_has_no_serious_violation(visit: Visit, scheme: str, address: str) -> None:
    page = visit(address=address, color_scheme=scheme).page
    page.wait_for_selector('.mun-scores[data-state="ready"]')
    violations = serious(page, OURS)
    assert not violations, told(violations)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    ("tab", "ours"),
    [
        ("Your own image", (".mun-hint", ".mun-own")),
        ("Train", (".mun-train-terms", ".mun-train-run", ".mun-train-runs")),
        ("Results", (".mun-tables",)),
        ("About the data", (".mun-about", "#synvi-sheet", "#synvi-knob")),
    ],
)
def test_the_other_tabs_have_none_either(visit: Visit, scheme: str, tab: str, ours: tuple[str, ...]) -> None:
    page = visit(color_scheme=scheme).page
    page.get_by_role("tab", name=tab).click()
    if tab == "About the data":
        page.wait_for_selector('#synvi-sheet [data-state="ready"]')
        page.wait_for_selector('#synvi-knob [data-state="ready"]')
        page.wait_for_function(SOLID)
    violations = serious(page, ours)
    assert not violations, told(violations)
