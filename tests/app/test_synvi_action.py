"""The tab "About the data": its pictures are SynVI's own, its values are checked, its handlers answer HTML."""

import base64
import io
from pathlib import Path

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from app.actions import synvi
from app.library import Library, open_library
from app.tabs.data import DataHandlers
from app.views import synvi as synvi_views
from mun.data.synthetic import LEVELS, Knobs
from mun.data.synthetic.sheet import CAMERA_ORDER, KNOB_VALUES, people_by_camera


def pixels(uri: str) -> np.ndarray:
    data = base64.b64decode(uri.removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image, dtype=float)


def test_a_sheet_shows_the_people_of_its_level_and_seed(library: Library) -> None:
    sheet = synvi.sheet(library, "hard", "3", 5)
    assert (sheet.level, sheet.version, sheet.hash) == ("hard", LEVELS["hard"].version, LEVELS["hard"].hash)
    assert sheet.knobs["noise"] == LEVELS["hard"].knobs.noise
    (row,) = sheet.rows
    assert (row.camid, row.modality, row.site) == (3, "infrared", "hall")
    assert len(row.uris) == synvi.MORE_PEOPLE
    expected = people_by_camera(LEVELS["hard"], 2, (3,), seed=5, size=synvi.SIZE)[0]
    for uri, image in zip(row.uris, expected, strict=False):
        assert np.abs(pixels(uri) - image).mean() < 4  # a JPEG of it


def test_all_cameras_are_the_default_and_a_sheet_is_made_once(library: Library) -> None:
    sheet = synvi.sheet(library)
    assert [row.camid for row in sheet.rows] == list(CAMERA_ORDER)
    assert sheet.level == "standard"
    assert synvi.sheet(library, "standard", "all", 0) is sheet


def test_every_knob_is_explained_and_shown(library: Library) -> None:
    assert set(synvi.KNOBS) == set(KNOB_VALUES) == set(Knobs.__dataclass_fields__)
    for name in synvi.KNOBS:
        row = synvi.knob(library, name, 3)
        assert [value for value, _, _ in row.pictures] == list(KNOB_VALUES[name])
        assert row.words.endswith(".")
    assert synvi.knob(library, "noise", 3) is synvi.knob(library, "noise", 3.0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda library: synvi.sheet(library, "odd"), "expected level to be one of standard, easy, hard; got 'odd'"),
        (lambda library: synvi.sheet(library, "easy", "7"), "expected camera to be one of all"),
        (lambda library: synvi.sheet(library, "easy", 3), "expected camera to be text"),
        (lambda library: synvi.sheet(library, "easy", "3", -1), "expected seed to be a whole number from 0 to 9999"),
        (lambda library: synvi.sheet(library, "easy", "3", float("nan")), "expected seed to be a whole number"),
        (lambda library: synvi.knob(library, "glitter"), "expected knob to be one of colour_infrared_correlation"),
        (lambda library: synvi.knob(library, "noise", 0), "expected person to be a whole number from 1 to 99"),
        (lambda library: synvi.knob(library, "noise", 10**30), "got a very large number"),
    ],
)
def test_what_came_from_outside_is_checked(library: Library, call, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call(library)


def test_the_handlers_answer_html_and_count_their_turns(library: Library) -> None:
    handlers = DataHandlers(library)
    turn, html = handlers.sheet(4, "easy", "6", 1)
    assert turn == 5
    assert 'data-state="ready" data-turn="4" data-level="easy"' in html
    assert html.count("<img") == synvi.MORE_PEOPLE
    turn, html = handlers.knob(5, "lookalikes", 2)
    assert "the person before, lookalikes at 1" in html
    _, html, seed = handlers.others(6, "easy", "6")
    assert f"seed {seed}." in html
    with pytest.raises(gr.Error, match="expected level to be one of"):
        handlers.sheet(0, "odd", "all", 0)


def test_the_statement_says_whose_people_these_are(library: Library, make_sysu, tiny_checkpoint: Path) -> None:
    assert "These people are not real" in synvi_views.about_html(library)
    real = open_library(make_sysu({1: (1, 3), 2: (2, 3, 6), 3: (4, 6)}), tiny_checkpoint)
    words = synvi_views.about_html(real)
    assert "These people are not real" not in words
    assert "whoever started this page brought SYSU-MM01" in words
