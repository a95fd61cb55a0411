"""Folders and files whose names are HTML: they are shown as text, and nothing in them runs."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving import Served, serve

from app.library import Library, open_library

pytestmark = pytest.mark.browser

CHECKPOINT = "<img src=x onerror=alert(1)>"
FOLDER = '"><script>alert(2)<'
IMAGE = "<img src=x onerror=alert(3)>.jpg"


@pytest.fixture(scope="module")
def hostile(tiny_synvi: Path, tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Library:
    """A library whose folders and queries have such names; one checkpoint is broken and says so."""
    root = tmp_path_factory.mktemp("hostile")
    data = Path(shutil.copytree(tiny_synvi, root / FOLDER))
    for camera in (3, 6):
        for folder in (data / f"cam{camera}").iterdir():
            (folder / "0001.jpg").rename(folder / IMAGE)
    shutil.copytree(tiny_checkpoint / "mun-tiny", root / "models" / CHECKPOINT)
    shutil.copytree(tiny_checkpoint / "mun-tiny", root / "models" / "<b onclick=alert(4)>broken")
    (root / "models" / "<b onclick=alert(4)>broken" / "card.json").write_text('{"format": "<img src=y>"}')
    return open_library(data, root / "models")


@pytest.fixture(scope="module")
def served(hostile: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(hostile, tmp_path_factory.mktemp("gradio")) as running:
        yield running


def test_names_are_shown_as_text(chromium: Any, served: Served) -> None:
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    page, alerts, errors = context.new_page(), [], []
    page.set_default_timeout(60_000)
    page.on("dialog", lambda dialog: (alerts.append(dialog.message), dialog.dismiss()))
    page.on("pageerror", lambda error: errors.append(str(error)))
    try:
        page.goto(served.url)
        page.wait_for_selector('.mun-results[data-state="ready"]')
        keys = page.locator("button[data-query]").evaluate_all("all => all.map(one => one.dataset.query)")
        bad = next(key for key in keys if key.endswith(IMAGE))
        page.locator(f"button[data-query='{bad}']").first.click()
        page.wait_for_selector(f".mun-results[data-state='ready'][data-query='{bad}']")
        assert CHECKPOINT in page.get_by_role("combobox", name="Checkpoint").first.inner_text()
        assert page.locator("img[src='x'], img[src='y'], [onerror], b[onclick]").count() == 0
        assert not alerts
        assert not errors
    finally:
        context.close()


def test_errors_that_repeat_a_name_are_text(served: Served) -> None:
    outcome = served.call("retrieve", ["<img src=x onerror=alert(5)>"])
    assert outcome.event == "error"
    assert "got '<img src=x onerror=alert(5)>'" in outcome.words
    listed = served.call("status", []).value[0]["checkpoints"]
    broken = next(entry for entry in listed if not entry["usable"])
    assert "of format 1" in broken["reason"]
    assert "/" not in broken["reason"].replace("card.json", "").replace("<b onclick=alert(4)>broken/", "")
