"""The tab "About the data": its pictures are SynVI's own, its values are checked, its handlers answer HTML."""

import base64
import io
from dataclasses import replace
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from app.actions import synvi
from app.library import Library, open_library
from app.tabs.data import DataHandlers
from app.views import synvi as synvi_views
from app.views.synvi import DataVisit
from mun.synvi import LEVELS, Knobs
from mun.synvi.sheet import CAMERA_ORDER, KNOB_VALUES, people_by_camera


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
    answer = handlers.sheet(DataVisit(turn=4, seed=1), "easy", "6", "noise", 2)
    assert answer.visit == DataVisit("easy", "6", 1, "noise", 2, turn=5)
    assert 'data-state="ready" data-turn="5"' in answer.sheet
    assert 'data-level="easy"' in answer.sheet
    assert answer.sheet.count("<img") == synvi.MORE_PEOPLE
    answer = handlers.knob(answer.visit, "easy", "6", "lookalikes", 2)
    assert answer.visit.turn == 6
    assert "the person before, lookalikes at 1" in answer.knob
    answer = handlers.others(answer.visit, "easy", "6", "lookalikes", 2)
    assert f"seed {answer.visit.seed}." in answer.sheet
    for wrong in (
        ("odd", "all", "noise", 2),
        ("easy", 6, "noise", 2),
        ("easy", "6", None, 2),
        ("easy", "6", "noise", 0),
    ):
        with pytest.raises(gr.Error, match="expected "):
            handlers.sheet(DataVisit(), *wrong)


def test_a_link_leads_back_and_a_wrong_one_says_so(library: Library) -> None:
    handlers, visit = DataHandlers(library), DataVisit("hard", "6", 12, "noise", 31, turn=3)
    values = dict(parse_qsl(visit.link.removeprefix("?")))
    answer = handlers.enter(DataVisit(), values)
    assert answer.visit == replace(visit, turn=1)
    assert 'data-level="hard"' in answer.sheet
    assert 'data-knob="noise"' in answer.knob
    assert answer.outputs()[3:] == ["hard", "6", "noise", 31]
    assert escape(answer.visit.link) in answer.sheet
    assert handlers.enter(answer.visit, {}).sheet is None, "what is drawn stays"
    assert handlers.enter(DataVisit(), {**values, "tab": "explain"}).visit == DataVisit(turn=1)
    for name, wrong in (("level", "odd"), ("camera", "7"), ("seed", "-1"), ("knob", "x" * 300), ("person", "1e3")):
        answer = handlers.enter(DataVisit(), {**values, name: wrong})
        assert answer.visit == DataVisit(turn=1)
        assert "This link cannot be opened as it is. Expected " in answer.sheet


def test_the_statement_says_whose_people_these_are(library: Library, make_sysu, tiny_checkpoint: Path) -> None:
    assert "These people are not real" in synvi_views.about_html(library)
    real = open_library(make_sysu({1: (1, 3), 2: (2, 3, 6), 3: (4, 6)}), tiny_checkpoint)
    words = synvi_views.about_html(real)
    assert "These people are not real" not in words
    assert "whoever started this page brought SYSU-MM01" in words
