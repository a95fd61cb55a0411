"""One declaration makes control, link, HTTP parameter and refusal; data of a press; CSV text that is no formula."""

import csv
import io
from types import SimpleNamespace
from typing import Annotated, Any

import gradio as gr
import pytest

from app.library import Library
from app.library.guests import Guests
from app.shared.api import expose, sentence
from app.shared.export import csv_text
from app.shared.html import chips, form
from app.shared.request import Checkpoint, Choice, Data, Number, Request, Switch, Text, Whole, one_of, option
from app.shared.tab import LOCAL, Piece, Press, changes


class Before(Request):
    """Count something."""

    checkpoint: Checkpoint = option("", "Checkpoint", "Name of a checkpoint; empty for the first.")
    count: Whole = option(3, "Count", "How many.", ge=1, le=9)


class After(Before):
    """Count something."""

    shade: Annotated[Text, one_of((Choice("light", "pale"), Choice("dark", "deep")))] = option(
        "light", "Shade", "Of the thing that is counted."
    )


class Everything(Request):
    """Every kind of field."""

    data: Data = option("")
    whole: Whole = option(1, ge=0, le=5, control="range", idle=lambda request: "" if request.switch else "It is off.")
    number: Number = option(0.5, "A number", ge=0, le=1)
    switch: Switch = option(True, "A switch")
    words: Text = option("", "Some words")
    several: Annotated[tuple[Text, ...], one_of(("a", "b", "c"), most=2)] = option((), "Several", control="many")


def test_a_new_option_appears_everywhere(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    request = After.read({"shade": "dark"}, library)
    assert 'value="dark" selected>deep</option>' in form("tab", request, library, {"": ("shade",)})
    assert 'name="shade"' not in form("tab", request, library, {"": ("count",)})
    assert [chip["words"] for chip in chips(request, library, ("count", "shade"))] == ["Shade: deep"]
    assert request.link(library, "tab") == "?tab=tab&shade=dark"
    assert After.repair(After.of_address("?tab=tab&shade=dark&count=4"), library)[0] == After.read(
        {"shade": "dark", "count": 4}, library
    )
    assert "shade='dark', api_name='/after'" in request.call(library, "after", "http://here")
    with pytest.raises(ValueError, match="expected shade to be one of light, dark; got 'red'"):
        After.read({"shade": "red"}, library)

    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
    with gr.Blocks() as demo:
        expose("before", Before, lambda _, request: request.model_dump(), library)
        expose("after", After, lambda _, request: request.model_dump(), library)
    named = demo.get_api_info()["named_endpoints"]
    before, after = (named[name]["parameters"] for name in ("/before", "/after"))
    assert [one["parameter_name"] for one in before] == ["checkpoint", "count"]
    (new,) = [one for one in after if one["parameter_name"] == "shade"]
    assert (new["label"], new["parameter_default"]) == ("Shade", "light")
    assert new["type"]["description"] == "Of the thing that is counted."
    assert new["python_type"]["type"] == "str"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"whole": 6}, "expected whole to be a whole number from 0 to 5, got 6"),
        ({"whole": 10**30}, "got a very large number"),
        ({"number": 2}, "expected number to be a number from 0 to 1, got 2"),
        ({"switch": 1}, "expected switch to be true or false, got 1"),
        ({"words": 5}, "expected words to be text, got 5"),
        ({"words": "x" * 201}, "expected words to have at most 200 characters, got 201"),
        ({"several": ("a", "d")}, "expected several to be one of a, b, c; got 'd'"),
        ({"several": ("a", "b", "c")}, "expected at most 2 in several, got 3"),
        ({"several": 3}, "expected several to be a list, got 3"),
        ({"other": 1}, "expected the names data, whole, number, switch, words, several; got 'other'"),
    ],
)
def test_a_refusal_says_what_was_expected_and_what_came(library: Library, values: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match="expected") as caught:
        Everything.read(values, library)
    assert words in str(caught.value)
    repaired, wrong = Everything.repair(values, library)
    assert repaired == Everything.read({}, library)
    assert wrong == ({} if "other" in values else {next(iter(values)): str(caught.value)})


def test_a_value_that_is_refused_leaves_the_one_before(library: Library) -> None:
    words = "expected whole to be a whole number from 0 to 5, got 9"
    for before, kept in (({"whole": 4}, 4), ({}, 1), ({"whole": 7}, 1)):
        request, wrong = Everything.repair({"whole": 9, "words": "a"}, library, before)
        assert (request.whole, request.words, wrong) == (kept, "a", {"whole": words})


def test_what_is_bad_input_is_not_logged_and_what_nobody_thought_of_is(caplog: pytest.LogCaptureFixture) -> None:
    assert sentence("retrieve", ValueError("expected this, got that")) == "expected this, got that"
    assert not caplog.records
    assert "the log of the app says more" in sentence("retrieve", KeyError("x"))
    assert [record.exc_info is not None for record in caplog.records] == [True]


def test_an_address_and_back(library: Library) -> None:
    request = Everything.read(
        {"whole": 4, "number": 0.25, "switch": False, "words": "a&b=c ü", "several": ("c", "a")}, library
    )
    assert request == Everything.read({**request.model_dump(), "whole": 4.0}, library)
    link = request.link(library, "some")
    assert link.startswith("?tab=some&whole=4&number=0.25&switch=0&words=a%26b%3Dc")
    assert Everything.repair(Everything.of_address(link), library) == (request, {})
    assert Everything.read({}, library).link(library, "some") == "?tab=some"
    long = Everything.read({"number": 0.1 + 0.2}, library)
    assert Everything.repair(Everything.of_address(long.link(library, "some")), library) == (long, {})
    odd = Everything.of_address("?whole=1e2&number=٣&switch=maybe&several=,a,,a&whole=" + "9" * 5000)
    _, wrong = Everything.repair(odd, library)
    assert set(wrong) == {"whole", "number", "switch"}


def test_controls_show_bounds_values_and_why_they_have_no_effect(library: Library) -> None:
    names = tuple(Everything.model_fields)
    drawn = form("tab", Everything.read({"switch": False, "several": ("b",)}, library), library, {"All": names})
    assert 'type="range" name="whole" data-number' in drawn
    assert 'data-number disabled min="0" max="5" step="1" value="1"' in drawn
    assert "It is off." in drawn
    assert drawn.count(" checked") == 1
    assert 'value="b" data-many checked' in drawn
    assert "<legend>All</legend>" in drawn


def test_what_is_written_is_escaped(library: Library) -> None:
    request = Everything.read({"words": '"><img src=x onerror=alert(1)>'}, library)
    assert "<img" not in form("tab", request, library, {"": ("words",)})
    assert compile(request.call(library, "name", "http://here"), "call", "exec")


def heard(said: object, visitor: str = "") -> Press:
    return Press.of(SimpleNamespace(_data=said), Guests(), visitor)


@pytest.mark.parametrize(
    "said",
    [
        *(None, [], "text", 3, {}),
        {"values": 3, "address": [], "do": {}, "changed": "top_k", "chosen": None, "drawn": [1], "detail": 7},
        {"turn": True, "url": "javascript:alert(1)"},
        {"turn": -1, "url": "http://x/\n<b>"},
        {"turn": 10**40, "url": "http://" + "x" * 300},
    ],
)
def test_nonsense_says_nothing(said: Any) -> None:
    press = heard(said)
    assert press.url == LOCAL
    assert (dict(press.values), press.address, press.do, press.changed, press.chosen) == ({}, "", "", (), "")
    assert press.turn in (0, 1)


def test_what_the_page_says_is_read() -> None:
    said = {
        "values": {"compare": ["a", "b"], "top_k": 3}, "address": "?tab=retrieval", "do": "random",
        "changed": ["top_k", "query"], "chosen": "cam1/0001/0001.jpg", "drawn": {"settings": "abc"},
        "detail": {"page": 2}, "url": "https://somebody-mun.hf.space/", "turn": 7,
    }  # fmt: skip
    press = heard(said, "session")
    assert {name: getattr(press, name) for name in said} == {**said, "changed": ("top_k", "query")}
    assert press.visitor == "session"


def test_a_piece_is_drawn_only_where_it_shows_something_else() -> None:
    piece = Piece(("a", 1), lambda: "drawn")
    assert changes({"name": piece, "plain": "words"}, {"plain": ""}) == (
        {"name": "drawn", "plain": "words"},
        {"name": piece.digest, "plain": ""},
    )
    assert changes({"name": piece}, {"name": piece.digest}) == ({}, {"name": piece.digest})
    assert changes({"name": piece}, {"name": Piece(("a", 2), str).digest})[0] == {"name": "drawn"}


def test_what_is_too_long_is_not_said() -> None:
    said = {"address": "?" + "x" * 10_000, "values": {str(number): 1 for number in range(500)}, "do": "random"}
    press = heard({**said, "tokens": {"x": "y" * 101}, "__dataclass_self__": 1, "visitor": "another"}, "me")
    assert (press.address, press.values, press.tokens) == ("", {}, {})
    assert (press.do, press.visitor) == ("random", "me")


def read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


def test_values_come_back() -> None:
    """Negative numbers, and text with a formula sign not at its start, stay as they are."""
    rows = [[1, 'cam1/0001/"a", b.jpg', -0.25], [-2, "Grüße\nzwei Zeilen", None], [True, "mun-resnet18=w0.5", 1]]
    text = csv_text(["rank", "image", "distance"], rows)
    assert text.startswith("rank,image,distance\r\n")
    assert read(text)[1:] == [["" if value is None else str(value) for value in row] for row in rows]
    with pytest.raises(ValueError, match="expected 2 values in row 2, got 1"):
        csv_text(["a", "b"], [[1, 2], [1]])


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\x00=1", "\ufeff=1", '=HYPERLINK("http://x","y")'],
)
def test_a_formula_becomes_text(cell: str) -> None:
    for shown in (read(csv_text([cell], []))[0][0], read(csv_text(["a"], [[cell]]))[1][0]):
        assert shown.startswith("'")
        assert shown[1:] == cell.replace("\x00", "")
