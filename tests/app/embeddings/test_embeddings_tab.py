"""What a press in the Embeddings tab draws: views and links, points and selections, work that is waited for, files."""

import base64
import csv
import html
import io
import json
import re
import threading
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from made import until
from pages import pressed, shown

from app.embeddings import tab as tab_module
from app.embeddings.project import Result, project
from app.embeddings.projector import unwatched
from app.embeddings.request import MAX_POINTS, NOBODY, View
from app.embeddings.tab import MENUS, Options, answer, write
from app.library import Library
from app.shared.tab import Piece, Press

SMALL = {"method": "pca", "identities": 3, "images": 2}


def view(library: Library, **changes: Any) -> View:
    return View.read({**SMALL, **changes}, library)


drawn = partial(pressed, answer)


def test_a_link_leads_back_to_the_same_view(library: Library) -> None:
    values = {"perplexity": 9.5, "space": "features", "people": "14 15", "auxiliary": False, "min_dist": 0.25}
    values |= {"metric": "euclidean", "seed": 4, "colour": "camera", "lines": True, "point": 3}
    shown_ = view(library, **values).selecting([1, 3, 11])
    link = shown_.link(library, "embeddings")
    assert View.repair(View.of_address(link), library) == (shown_, {})


@pytest.mark.parametrize(
    ("link", "words"),
    [
        ("method=tsne&perplexity=99", "expected at least 298 points for a perplexity of 99"),
        ("identities=999", "expected at most 6 people"),
        ("people=1;drop", "expected people to be numbers"),
        ("selected=%25%25", "expected selected to be a mask of points"),
        ("identities=1&pairing=mismatched", "expected at least two people"),
        ("method=umap&neighbors=200", "neighbors for"),
    ],
)
def test_a_link_that_makes_no_sense_opens_what_does_and_says_so(library: Library, link: str, words: str) -> None:
    request, wrong = View.repair(View.of_address(f"?tab=embeddings&{link}"), library)
    assert any(words in one for one in wrong.values())
    assert request.sides(library)


def test_what_was_not_asked_for_fits_the_data(library: Library) -> None:
    first = View.read({}, library)
    assert (first.identities, first.perplexity, first.neighbors) == (3, 9.0, 15)
    one = View.read({"identities": 1, "images": 1}, library)
    assert one.method == "pca"  # t-SNE cannot lay out so few
    kept, wrong = View.repair({**View.read({}, library).model_dump(), "identities": 1}, library)
    assert set(wrong) <= set(View.follows)
    assert kept.perplexity < 9


def test_everything_is_drawn_at_once_when_it_is_there(library: Library) -> None:
    answered = drawn(library, view(library))
    assert answered.again == 0
    assert set(answered.pieces) == {"progress", "tools", "picture", "chosen", "selected", "numbers"}
    assert shown(answered, "progress") == ""
    (found,) = re.findall(r'data-columns="([^"]*)"', shown(answered, "picture"))
    packed = json.loads(html.unescape(found))
    x = np.frombuffer(base64.b64decode(packed["x"]), dtype="<f4")
    result = project(library, answered.request.sides(library)[0])
    np.testing.assert_allclose(x, [point.x for point in result.points], rtol=1e-6)
    pids = np.frombuffer(base64.b64decode(packed["pid"]), dtype="<u4")
    assert pids.tolist() == [point.pid for point in result.points]
    assert [len(line) for line in packed["centers"]] == [3] * 3
    assert "MMD" in shown(answered, "numbers")
    assert "bandwidth" in shown(answered, "numbers")
    assert "test split" in shown(answered, "picture")


def test_points_are_sent_once_and_looks_change_without_them(library: Library) -> None:
    first = drawn(library, view(library))
    keys = {name: piece.digest for name, piece in first.pieces.items() if isinstance(piece, Piece)}
    for changes in ({"colour": "camera"}, {"lines": True}, {"prototypes": True}, {"point": 3}, {"selected": "AQ"}):
        second = answer(library, first.request.model_copy(update=changes), Press(changed=tuple(changes)))
        pieces = {name: piece.digest for name, piece in second.pieces.items() if isinstance(piece, Piece)}
        assert pieces["picture"] == keys["picture"]
        assert pieces["numbers"] == keys["numbers"]


def test_a_selection_of_20_000_points_fits_into_a_link(library: Library) -> None:
    half = view(library).selecting(range(0, MAX_POINTS, 2))
    link = half.link(library, "embeddings")
    assert len(link) < 4000
    assert View.repair(View.of_address(link), library)[0].rows() == list(range(0, MAX_POINTS, 2))


def test_a_point_is_shown_with_its_neighbors(library: Library) -> None:
    answered = drawn(library, view(library, point=13), changed=("point",))
    panel = shown(answered, "chosen")
    assert 'data-row="13"' in panel
    assert panel.count("data-distance") == 8
    assert "auxiliary image of person" in panel
    asked = answer(library, answered.request, Press(changed=("point",)))
    result = project(library, asked.request.sides(library)[0])
    assert asked.chosen == result.points[13].image
    assert answer(library, view(library, point=99), Press()).request.point == NOBODY
    forgotten = answer(library, asked.request, Press(changed=("seed",))).request
    assert (forgotten.point, forgotten.selected) == (NOBODY, "")


def test_a_random_person_is_another_one_and_their_points_can_be_selected(library: Library) -> None:
    first = drawn(library, view(library, point=0))
    points = project(library, first.request.sides(library)[0]).points
    for _ in range(5):
        other = answer(library, first.request, Press(do="random")).request.point
        assert points[other].pid != points[0].pid
    selected = answer(library, first.request, Press(do="person")).request.rows()
    assert selected == [row for row, point in enumerate(points) if point.pid == points[0].pid]


def test_a_lasso_lists_its_points(library: Library) -> None:
    request = view(library).selecting([1, 3, 14])
    assert "3 selected points" in shown(drawn(library, request), "selected")
    assert shown(drawn(library, view(library)), "selected").strip() == ""
    beyond = view(library).selecting([2, 15_000])
    assert "1 selected point " in shown(drawn(library, beyond), "selected")


def test_the_image_that_another_tab_looks_at_is_offered_where_it_is_not_shown(library: Library) -> None:
    collection = library.collections["synvi"]
    first, last = collection.samples[0], collection.samples[-1]
    here = drawn(library, view(library), do="open", chosen=first.key)
    assert "Add person" not in shown(here, "chosen")
    assert f"Add person {last.pid}" in shown(drawn(library, view(library), do="open", chosen=last.key), "chosen")
    with pytest.raises(ValueError, match="expected an image of the data"):
        answer(library, view(library), Press(do="add", chosen="../../etc/passwd"))


def test_two_visitors_wait_for_one_projection_and_the_last_stops_it(library: Library, monkeypatch) -> None:
    request, gate = view(library, seed=31), threading.Event()

    def held(library: Library, side: Any, report: Any = unwatched) -> Result:
        while not gate.wait(0.01):
            report(3, total=12, words="held")
        return project(library, side, report)

    monkeypatch.setattr(tab_module, "project", held)
    one = answer(library, request, Press(visitor="one"))
    assert one.again
    assert "picture" not in one.pieces  # what was shown before stays
    assert answer(library, request, Press(visitor="two")).again
    stopped = answer(library, request, Press(do="stop", visitor="one"))
    assert not stopped.again
    assert 'data-state="stopped"' in shown(stopped, "progress")
    assert 'data-do="start"' in shown(stopped, "progress")
    until(lambda: "held" in shown(answer(library, request, Press(visitor="two")), "progress"))
    answer(library, request, Press(do="stop", visitor="two"))
    assert 'data-state="stopped"' in shown(answer(library, request, Press(visitor="three")), "progress")
    assert answer(library, request, Press(do="start", visitor="one")).again
    gate.set()
    assert shown(drawn(library, request, visitor="one"), "progress") == ""


def test_failures_are_sentences_and_are_tried_again(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    request = view(library, seed=32)

    def fail(*_: object) -> None:
        raise ValueError("no picture today")

    with monkeypatch.context() as patch:
        patch.setattr(tab_module, "project", fail)
        failed = drawn(library, request)
        assert "No picture today." in shown(failed, "progress")
        patch.setattr(tab_module, "project", lambda *_: 1 / 0)
        assert "(ZeroDivisionError)" in shown(drawn(library, request, do="start"), "progress")
    assert shown(drawn(library, request, do="start"), "progress") == ""


@pytest.mark.parametrize(("what", "kind"), [(menu.name, kind) for menu in MENUS for kind in menu.kinds])
def test_every_file_of_the_menu(library: Library, what: str, kind: str) -> None:
    request = view(library, controls=True).selecting([1, 3])
    drawn(library, request)
    file = write(library, request, Options(), what, kind, Press(url="http://example.org:9"))
    starts = {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-", "csv": b"# data", "latex": b"% data"}
    assert file.data.startswith(starts[kind])
    if kind in ("csv", "latex"):
        assert "example.org:9" in file.data.decode()
    if (what, kind) == ("numbers", "csv"):
        lines = [line for line in file.data.decode().splitlines() if not line.startswith(("#", '"#'))]
        table = list(csv.DictReader(io.StringIO("\n".join(lines))))
        assert len(table) == 10
        assert len(table[0]) == 4  # the number's name, the picture, two controls


def test_what_is_not_there_is_not_exported(library: Library) -> None:
    with pytest.raises(ValueError, match="not drawn yet"):
        write(library, view(library, seed=77), Options(), "pictures", "png", Press())
    drawn(library, view(library))
    with pytest.raises(ValueError, match="draw a lasso round some first"):
        write(library, view(library), Options(), "selected", "csv", Press())


def test_lines_and_axes_of_a_result(library: Library) -> None:
    result = project(library, view(library).sides(library)[0])
    marks = {(mark.pid, mark.modality): mark for mark in result.centers}
    pids = list(dict.fromkeys(mark.pid for mark in result.centers))
    assert result.lines == [[marks[pid, name] for name in ("visible", "auxiliary", "infrared")] for pid in pids]
    assert result.axes[0].startswith("PC 1: ")
    assert replace(result, explained=None).axes == ("", "")
