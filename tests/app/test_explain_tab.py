"""The Explain tab: pieces answer a press; long work runs in the background and can be stopped."""

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pages import pressed
from pages import shown as piece_of

from app.explain import tab as page
from app.explain.checks import Checked, bars, plots, verdict
from app.explain.tab import Shown, answer, export
from app.explain.truth import Share
from app.library import Library
from app.library.background import Progress
from app.library.cache import Cache
from app.shared.plots import place_charts
from app.shared.tab import Answer, Piece, Press
from mun.explain.faithfulness import Curves

VISITOR = "somebody"


def press(library: Library, values: dict[str, Any], changed: tuple[str, ...] = (), **more: Any) -> Answer:
    request, _ = Shown.repair(values, library)
    return pressed(answer, library, request, VISITOR, values=values, changed=changed, **more)


def drawn(answered: Answer, name: str) -> str:
    return piece_of(answered, f"explain-{name}")


def test_the_first_view_shows_a_pair_its_maps_and_a_check(both: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(both, "cache", Cache(both.cache.max_bytes))  # an empty cache
    with monkeypatch.context() as busy:
        busy.setattr(both, "prepare", lambda *_, **__: Progress(3, 12))
        early = answer(both, Shown.read({}, both), Press(do="wrong"))
    assert (early.waiting, early.undone) == (True, "wrong")  # the page asks for it again
    first = answer(both, Shown.read({}, both), Press(visitor="new"))
    assert first.again
    assert (first.waiting, first.undone) == (True, "")
    assert list(first.pieces) == ["explain-progress"]  # what is shown stays while maps are made
    assert 'data-do="stop"' in drawn(first, "progress")
    shown = press(both, {})
    assert drawn(shown, "progress") == ""
    assert shown.chosen == shown.request.image
    maps = drawn(shown, "maps")
    assert f'data-image="{shown.request.image}"' in maps
    assert f'data-target="{shown.request.target}"' in maps
    row = maps.split("All 13 maps")[0]
    named = re.findall('data-map="([^"]+)"', row)
    assert named[:2] == ["image/infrared/layer4", "target/target/layer4"]
    assert set(named[2:]) == {
        "pair/visible/iml_visible", "pair/infrared/iml_infrared", "pair/auxiliary/cml", "pair/auxiliary/layer4",
    }  # fmt: skip
    assert row.count("data-large=") == len(named) + 2  # every map and both images can be enlarged
    assert drawn(shown, "choice").count('aria-pressed="true"') == 2
    again = answer(both, shown.request, Press(visitor=VISITOR))
    assert [one.digest for one in again.pieces.values() if isinstance(one, Piece)] == [
        one.digest for one in shown.pieces.values() if isinstance(one, Piece)
    ]


def test_what_cannot_be_shown_is_said_and_the_rest_stays(both: Library) -> None:
    lacking = press(both, {"checkpoint": "none-tiny", "layers": "cml"})
    assert "expected layers that can be shown" in lacking.notice
    assert set(lacking.pieces) == {"explain-progress"}
    slow = press(both, {"method": "score-cam", "change": "nothing"}, ("method",))
    assert slow.request.layers == "layer4"
    assert "one layer at a time" in drawn(slow, "maps")
    stages = re.findall('data-map="([^"]+)"', drawn(press(both, {"checkpoint": "none-tiny"}), "maps").split("All")[0])
    assert [name.rpartition("/")[2] for name in stages] == ["layer3", "layer4", "layer4"]


def test_the_chosen_image_is_among_those_offered_and_every_person_can_be_chosen(both, monkeypatch) -> None:
    monkeypatch.setattr(page, "OFFERED", 5)
    own = [one.key for one in both.collections["synvi"].samples if one.pid == 15]
    for key in (own[0], own[4], own[-1]):
        choice = drawn(press(both, {"image": key, "layers": "layer4", "change": "nothing"}), "choice")
        strip, people = choice.split("Target:")[0].split("mun-strip")[1], choice.split("</form>")[0]
        assert strip.count("<button") <= 5
        (reached,) = [part for part in strip.split("<button")[1:] if 'tabindex="0"' in part]
        assert f'data-image="{key}"' in reached
        assert 'aria-pressed="true"' in reached
        assert [int(pid) for pid in re.findall(">([0-9]+)</option>", people)] == list(range(13, 19))
        assert re.findall('value="([^"]+)" selected', people) == [key]


def test_an_export_waits_for_the_maps(both: Library) -> None:
    options = page.Options.read({}, both)
    with pytest.raises(ValueError, match="not drawn yet"):
        export(both, Shown.read({"seed": 9998}, both), options, "raw", "npz", Press())
    shown = press(both, {})
    file = export(both, shown.request, options, "table", "csv", Press(url="https://example.org/app/"))
    assert b"https://example.org/app/" in file.data


def test_the_sentence_and_the_bars_say_what_was_measured() -> None:
    share = Share("image/infrared/layer4", "layer4", 0.3, 0.1, 0.05)
    assert "30.0 % of its energy in the changed region" in verdict(share, 0.06, None, "stage 4")
    assert "points to" in verdict(share, 0.06, None, "stage 4")
    assert "does not point to" in verdict(replace(share, trained=0.02), 0.06, None, "stage 4")
    (group,) = bars(share, 0.06, None)
    assert (group.values["map"], group.even, group.top) == (0.3, 0.06, 0.3)

    def curve(height: float) -> Curves:
        return Curves(np.array([0.0, 1.0]), np.array([height, height]), np.array([-height, -height]))

    checked = Checked(3, {"map": curve(0.1), "centre prior": curve(0.2)})
    assert "less than in the order of its controls (0.200)" in verdict(None, 0.0, checked, "stage 4")
    assert [one.values for one in bars(None, 0.0, checked)] == [
        {"map": pytest.approx(0.1), "centre prior": pytest.approx(0.2)},
        {"map": pytest.approx(-0.1), "centre prior": pytest.approx(-0.2)},
    ]
    for one in place_charts(plots(checked)):
        assert [words for _, words in one["ticks_x"]] == ["no pixel", "all pixels"]
        assert [path[0] for _, path, _, _ in one["curves"]] == ["M", "M"]


def test_a_target_that_this_checkpoint_does_not_rank_is_said_and_a_center_has_no_picture(both: Library) -> None:
    ranked = re.findall('data-aim="([^"]+)"', drawn(press(both, {"layers": "layer4"}), "choice"))
    aimed = {"layers": "layer4", "target": ranked[3]}
    compared = press(both, {**aimed, "checkpoint": "none-tiny"}, ("checkpoint",))
    assert compared.request.target == ranked[3]  # the same pair by another checkpoint
    assert "data-place" in drawn(compared, "choice")
    assert "data-place" not in drawn(press(both, {"checkpoint": "none-tiny"}), "choice")
    centered = press(both, {**aimed, "against": "center"}, ("against",))
    assert int(centered.request.target) == int(centered.request.image.split("/")[1])
    assert "a center has no picture" in drawn(centered, "maps")


def test_another_image_gets_its_own_target(both: Library) -> None:
    shown, last = press(both, {"layers": "layer4"}).request, both.collections["synvi"].queries[-1].key
    opened = press(both, shown.model_dump(), do="open", chosen=last).request
    assert opened.image == last
    assert opened.target != shown.target
    for how in ("random", "wrong"):
        assert press(both, shown.model_dump(), do=how).request.image != shown.image
