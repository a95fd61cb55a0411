"""Pictures of SynVI match its renderer, the tour is complete, values are checked, links work, also retired ones."""

import base64
import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made import variant
from pages import shown
from PIL import Image

from app.about import method, synvi
from app.about.tab import Look, Options, answer, write
from app.library import Library, open_library
from app.shared.tab import Press
from mun.config import Config, leaves
from mun.synvi import LEVELS, Knobs
from mun.synvi.sheet import KNOB_VALUES, people_by_camera

SVG = re.compile(r"<svg.*?</svg>", re.DOTALL)


def pixels(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image, dtype=float)


def drawn(library: Library, name: str, press: Press | None = None, **values: Any) -> str:
    """Draw one piece of the tab."""
    return shown(answer(library, Look.read(values, library), press or Press(do="again")), name)


def test_a_sheet_shows_the_people_of_its_level_and_seed(library: Library) -> None:
    (row,) = synvi.sheet(library, "hard", "3", 5)
    assert (row.camid, row.modality, row.site) == (3, "infrared", "hall")
    assert len(row.uris) == synvi.MORE_PEOPLE
    expected = people_by_camera(LEVELS["hard"], 2, (3,), seed=5, size=synvi.SIZE)[0]
    for uri, image in zip(row.uris, expected, strict=False):
        assert np.abs(pixels(uri) - image).mean() < 4  # a JPEG of it
    assert synvi.sheet(library, "hard", "3", 5)[0] is row


def test_every_knob_is_explained_and_shown(library: Library) -> None:
    assert set(synvi.KNOBS) == set(KNOB_VALUES) == set(Knobs.__dataclass_fields__)
    for name in synvi.KNOBS:
        assert [value for value, _, _ in synvi.knob(library, name, 3)] == list(KNOB_VALUES[name])
    assert "the person before, lookalikes at 1" in drawn(
        library, "about-knob", section="data", knob="lookalikes", person=2, camera="1"
    )


@pytest.mark.parametrize("name", synvi.CHANGES)
def test_a_change_differs_where_it_should(library: Library, name: str) -> None:
    visible, infrared = synvi.changed(library, name, 9)
    if name == "colour":
        assert visible.share > 0.02
        assert infrared.share == 0
    elif name == "infrared":
        assert visible.share == 0
        assert infrared.share > 0.02
    white = (pixels(visible.mask) > 128).any(2).mean()
    assert white == pytest.approx(visible.share, abs=0.01)


def test_levels_and_bounds_are_shown_as_they_were_measured(library: Library) -> None:
    html = drawn(library, "about-change", section="data", camera="1")
    for level in LEVELS.values():
        assert level.hash in html
    head, *lines = csv.reader(synvi.BOUNDS.read_text(encoding="utf-8").splitlines())
    assert head[2:] == ["easy", "standard", "hard"]
    assert len(lines) == 12
    for search, bound, *values in lines:
        assert all(cell in html for cell in (f"{search}: {bound}", *values))


def test_a_contact_sheet_is_exported(library: Library) -> None:
    request = Look.read({"level": "easy"}, library)
    file = write(library, request, Options.read({}, library), "sheet", "png", Press())
    assert (file.name, file.data[:4]) == ("synvi-easy-7.png", b"\x89PNG")


@pytest.mark.parametrize("step", range(1, method.STEPS + 1))
def test_a_drawing_is_well_formed_and_says_what_it_shows(library: Library, step: int) -> None:
    html = drawn(library, "about-body", section="method", step=step)
    assert f'data-state="ready" data-step="{step}"' in html
    (drawing,) = [ElementTree.fromstring(text) for text in SVG.findall(html)]
    space = "{http://www.w3.org/2000/svg}"
    ids = [one.get("id") for one in drawing.iter() if one.get("id")]
    assert len(ids) == len(set(ids))
    named = (drawing.get("aria-labelledby") or "").split()
    assert [drawing.find(f"{space}{kind}").get("id") for kind in ("title", "desc")] == named
    assert all((drawing.find(f"{space}{kind}").text or "").strip() for kind in ("title", "desc"))
    _, _, width, height = map(float, (drawing.get("viewBox") or "").split())
    for box in drawing.iter(f"{space}rect"):
        assert 0 <= float(box.get("x")) <= float(box.get("x")) + float(box.get("width")) <= width
        assert 0 <= float(box.get("y")) <= float(box.get("y")) + float(box.get("height")) <= height
    pictures = {one.get("href") for one in drawing.iter(f"{space}image")}
    assert len(pictures) == {1: 3, 2: 3, 3: 0, 4: 1}[step]
    assert all(uri.startswith("data:image/jpeg;base64,") for uri in pictures)
    back, on = (re.search(rf'data-key="{key}"[^>]*?( disabled)?>', html).group(1) for key in ("previous", "next"))
    assert (bool(back), bool(on)) == (step == 1, step == method.STEPS)


def test_without_a_generator_the_drawing_says_so(library: Library, tmp_path: Path, tiny_synvi: Path) -> None:
    variant(tmp_path, "none-tiny", library.checkpoints["mun-tiny"].card, auxiliary="none")
    html = drawn(open_library(tiny_synvi, tmp_path), "about-body", section="method")
    assert "no pair can be shown: expected a checkpoint with MUN&#39;s generator" in html
    assert len(SVG.findall(html)) == 1


def test_the_table_lists_every_option_that_the_sources_leave_open(library: Library) -> None:
    listed = {option: here for _, here, option in method.open_options(Config())}
    assert set(listed) == {item.name for item, _ in leaves(Config()) if "not stated" in item.metadata["text"]}
    assert listed["momentum"].startswith("0.8")
    assert listed["bins"].startswith("1x1,2x1,4x2,8x4: ")
    html = drawn(library, "about-body", section="method")
    assert html.count("not stated in our sources") == len(listed)
    for words in ("--identity-alignment", "sizes 3, 5, 7;", "bins, fused bin by bin"):
        assert words in html
