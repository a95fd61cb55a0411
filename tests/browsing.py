"""What tests do to a page in a browser: turn it light or dark, ask axe about it."""

from __future__ import annotations

from typing import Any

import pytest

__all__ = ["serious", "turn_scheme"]

# Colours fade from one scheme to the other.
SETTLED = """scheme => document.body.classList.contains("dark") === (scheme === "dark")
  && !document.getAnimations().some(one => one instanceof CSSTransition)"""


def turn_scheme(page: Any, scheme: str) -> None:
    """Turn a page `light` or `dark` and wait until its colours have arrived."""
    page.emulate_media(color_scheme=scheme)
    page.wait_for_function(SETTLED, arg=scheme)


def serious(page: Any, parts: tuple[str, ...]) -> list[str]:
    """Run axe over parts of a page in light and in dark, and tell its serious and critical violations."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    context = {"include": [[part] for part in parts if page.locator(part).count()]}
    told = []
    for scheme in ("light", "dark"):
        turn_scheme(page, scheme)
        for found in axe.Axe().run(page, context=context).response["violations"]:
            if found["impact"] in ("serious", "critical"):
                told.append(f"{scheme}: {found['id']}: {[node['html'][:200] for node in found['nodes'][:4]]}")
    return told
