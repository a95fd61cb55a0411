"""One declaration makes control, link, HTTP parameter and refusal; what a press says; CSV text that is no formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Annotated, Any

import gradio as gr
import httpx
import pytest

from app.library import Library
from app.library.guests import Guests
from app.shared.api import expose, sentence
from app.shared.export import csv_text
from app.shared.html import chips, form
from app.shared.request import Checkpoint, Choice, Data, Number, Request, Switch, Text, Whole, one_of, option, some_of
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
    several: Annotated[tuple[Text, ...], some_of(("a", "b", "c"), 2)] = option((), "Several", control="many")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """Serve an app with two functions made of requests, without a page."""
    entries = type("Entries", (dict,), {"models": ["mun"]})(mun=type("Entry", (), {"title": "MUN"}))
    library: Any = type("Fake", (), {"checkpoints": entries})()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ANALYTICS_ENABLED", "False")
        with gr.Blocks() as demo:
            expose("before", Before, lambda _, request: request.model_dump(), library)
            expose("after", After, lambda _, request: request.model_dump(), library)
        _, address, _ = demo.launch(prevent_thread_lock=True, quiet=True)
        yield address
        demo.close(verbose=False)


def test_a_new_option_appears_everywhere(library: Library, url: str) -> None:
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

    named = httpx.get(f"{url}gradio_api/info", timeout=30).json()["named_endpoints"]
    before, after = (named[name]["parameters"] for name in ("/before", "/after"))
    assert [one["parameter_name"] for one in before] == ["checkpoint", "count"]
    (new,) = [one for one in after if one["parameter_name"] == "shade"]
    assert (new["label"], new["parameter_default"]) == ("Shade", "light")
    assert new["type"]["description"] == "Of the thing that is counted."
    assert new["python_type"]["type"] == "str"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], {"checkpoint": "mun", "count": 3, "shade": "light"}),
        (["", 4.0, "dark"], {"checkpoint": "mun", "count": 4, "shade": "dark"}),
        (["", "4", "dark"], "expected count to be a whole number from 1 to 9, got '4'"),
        (["nobody", 4, "dark"], "expected checkpoint to be one of mun; got 'nobody'"),
    ],
)
def test_over_http_values_are_checked_and_refused_in_a_sentence(url: str, data: list[Any], words: Any) -> None:
    names = ("checkpoint", "count", "shade")
    from gradio_client import Client

    client = Client(url, verbose=False)
    values = dict(zip(names, data, strict=False))
    if isinstance(words, str):
        with pytest.raises(Exception, match=words.replace("'", ".")):
            client.predict(**values, api_name="/after")
    else:
        assert client.predict(**values, api_name="/after") == words


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"whole": 6}, "expected whole to be a whole number from 0 to 5, got 6"),
        ({"whole": True}, "got True"),
        ({"whole": 2.5}, "got 2.5"),
        ({"whole": float("nan")}, "got nan"),
        ({"whole": 10**30}, "got a very large number"),
        ({"number": 2}, "expected number to be a number from 0 to 1, got 2"),
        ({"number": "x"}, "got 'x'"),
        ({"number": float("inf")}, "got inf"),
        ({"switch": 1}, "expected switch to be true or false, got 1"),
        ({"words": 5}, "expected words to be text, got 5"),
        ({"words": "x" * 201}, "expected words to have at most 200 characters, got 201"),
        ({"several": ("a", "d")}, "expected several to be one of a, b, c; got 'd'"),
        ({"several": ("a", "b", "c")}, "expected at most 2 in several, got 3"),
        ({"several": 3}, "expected several to be a list, got 3"),
        ({"data": None}, "expected data to be text, got None"),
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
        None,
        [],
        "text",
        3,
        {},
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
    press = heard(
        {
            "values": {"compare": ["a", "b"], "top_k": 3},
            "address": "?tab=retrieval",
            "do": "random",
            "changed": ["top_k", "query"],
            "chosen": "cam1/0001/0001.jpg",
            "drawn": {"settings": "abc"},
            "detail": {"page": 2},
            "url": "https://somebody-mun.hf.space/",
            "turn": 7,
        },
        "session",
    )
    assert press.values == {"compare": ["a", "b"], "top_k": 3}
    assert (press.address, press.do, press.changed) == ("?tab=retrieval", "random", ("top_k", "query"))
    assert (press.chosen, press.drawn, press.detail) == ("cam1/0001/0001.jpg", {"settings": "abc"}, {"page": 2})
    assert (press.url, press.turn, press.visitor) == ("https://somebody-mun.hf.space/", 7, "session")


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
    text = csv_text(["rank", "image", "distance"], [[1, 'cam1/0001/"a", b.jpg', 0.25], [2, "Grüße\nzwei Zeilen", None]])
    assert read(text) == [
        ["rank", "image", "distance"],
        ["1", 'cam1/0001/"a", b.jpg', "0.25"],
        ["2", "Grüße\nzwei Zeilen", ""],
    ]
    assert text.startswith("rank,image,distance\r\n")


@pytest.mark.parametrize(
    "cell",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\x00=1", "\ufeff=1", '=HYPERLINK("http://x","y")'],
)
def test_a_formula_becomes_text(cell: str) -> None:
    for shown in (read(csv_text([cell], []))[0][0], read(csv_text(["a"], [[cell]]))[1][0]):
        assert shown.startswith("'")
        assert shown[1:] == cell.replace("\x00", "")


def test_numbers_stay_numbers() -> None:
    assert read(csv_text(["a", "b", "c"], [[-1, -0.5, True]]))[1] == ["-1", "-0.5", "True"]


def test_text_that_only_holds_a_sign_is_left_alone() -> None:
    assert read(csv_text(["a"], [["mun-resnet18=w0.5"]]))[1] == ["mun-resnet18=w0.5"]


def test_a_row_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 2 values in row 2, got 1"):
        csv_text(["a", "b"], [[1, 2], [1]])
