"""What browser tests of several tabs do with a page: read its link, open its drawer, take a file, measure it."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


def link_of(page: Any) -> dict[str, str]:
    """Read the address bar's values."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


def settings(page: Any, tab: str) -> Any:
    """Open the drawer of settings, and return a tab's."""
    if page.locator("body.mun-drawer-open").count() == 0:
        page.locator(f"#{tab}-head [data-drawer]").click()
    return page.locator(f"#{tab}-settings")


def exported(page: Any, tab: str, button: str) -> tuple[str, Path]:
    """Press a button of a tab's export menu, and return the name and the place of the file that it gives."""
    page.locator(f"#{tab}-head [data-export-menu] summary").click()
    with page.expect_download() as started:
        page.get_by_role("button", name=button, exact=True).click()
    return started.value.suggested_filename, Path(started.value.path())


def data_of(found: Any, name: str) -> list[Any]:
    """Read a data attribute of each element."""
    return list(found.evaluate_all(f"all => all.map((one) => one.dataset.{name})"))


def sideways(page: Any) -> int:
    """Say by how many pixels the page is wider than its window."""
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))
