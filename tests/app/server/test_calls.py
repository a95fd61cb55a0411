"""A bad call is refused before Gradio sees it, and a call that is too large before it is decoded."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest

from app.server import calls
from app.server.calls import CALL, PLAIN_BYTES, Refusal, checked

JOIN, CALLED = "/gradio_api/queue/join", "/gradio_api/call/f"
IMAGE = base64.b64encode(bytes(3_000_000)).decode()


def function(visibility: str = "private", *, queue: bool = True, images: int = 0) -> Any:
    """The parts of a function that are checked; it takes a state and two values, each with a default of 7."""
    value = SimpleNamespace(skip_api=False, value=7)
    state = SimpleNamespace(skip_api=True, value=None)

    def handler(a: Any, b: Any) -> None:
        pass

    handler.takes_images = images  # type: ignore[attr-defined]
    return SimpleNamespace(
        inputs=[state, value, value], api_name="f", api_visibility=visibility, queue=queue, fn=handler
    )


def check(value: Any, path: str = JOIN, one: Any = None) -> Any:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    route = CALL.fullmatch(path)
    return json.loads(checked(body, route, {3: one or function()}))


def refusal(value: Any, path: str = JOIN, one: Any = None) -> tuple[int, str]:
    with pytest.raises(Refusal) as caught:
        check(value, path, one)
    return caught.value.status, str(caught.value)


def event(*data: Any, **more: Any) -> dict[str, Any]:
    return {"data": list(data), "fn_index": 3, "session_hash": "a", **more}


def test_calls_pass_or_are_completed() -> None:
    sent = event(1, 2, event_data={"a": 1}, trigger_id=None)
    assert check(sent) == sent
    assert check(event(1), one=function("public"))["data"] == [1, 7]
    assert check({"data": []}, CALLED, function("public"))["data"] == [7, 7]
    assert check(sent, "/gradio_api/run/predict", function(queue=False)) == sent
    assert check({"a": 1}, "/gradio_api/call/v2/f", function("public")) == {"a": 1}
    cancel = {"fn_index": 3, "session_hash": "a", "event_id": "b"}
    assert check(cancel, "/gradio_api/cancel") == cancel
    for whole in (event(1, "\U0001f600 \\ud800"), event(1, "A" * 50_000)):  # a small call may hold any valid characters
        assert check(whole) == whole


@pytest.mark.parametrize(
    ("path", "sent", "one"),
    [
        (JOIN, event(1, 2, fn_index=4), None),
        (CALLED, {"data": [1, 2]}, function("private")),
        ("/gradio_api/call/g", {"data": [1, 2]}, function("public")),
        ("/gradio_api/call/v2/g", {}, function("public")),
        ("/gradio_api/run/predict", event(1, 2), function(queue=True)),
        ("/gradio_api/run/upload", event(1, 2), function(queue=True)),
        ("/gradio_api/run/f", {"data": [1, 2]}, function("private", queue=False)),
        ("/gradio_api/run/f", {"data": [1, 2]}, function("public", queue=True)),
    ],
)
def test_functions_that_are_not_there_or_wait_in_the_queue_have_no_address(path, sent, one) -> None:
    assert refusal(sent, path, one) == (404, "There is nothing at this address.")


@pytest.mark.parametrize(
    ("sent", "words"),
    [
        (event(1), "expected 2 arguments, got 1"),
        ({"data": [1, 2], "fn_index": 3}, "expected a call with data, fn_index, session_hash and optionally "),
        (event(1, 2, batched=True), "expected a call with "),
        (event(1, 2, simple_format=True), "expected a call with "),
        (event(1, 2, fn_index="3"), "expected fn_index to be a whole number, got "),
        (event(1, 2, fn_index=True), "expected fn_index to be a whole number, got "),
        (event(1, 2, fn_index=3.0), "expected fn_index to be a whole number, got "),
        (event(1, 2, session_hash=["a"]), "expected session_hash to be text, got "),
        (event(1, 2, session_hash=float("nan")), "expected session_hash to be text, got "),
        (event(data=float("nan")), "expected data to be a list, got "),
        (event(data={"a": 1}), "expected data to be a list, got "),
        (b"{", "expected a call as a JSON object, got something else"),
        (b"", "expected a call as a JSON object, got something else"),
        (b"[1]", "expected a call as a JSON object, got another value"),
        (b"NaN", "expected a call as a JSON object, got another value"),
        ('{"data": [1, 2]}'.encode("utf-16"), "expected a call as a JSON object, got something else"),
        (event(1, "\ud800"), "expected a call as a JSON object, got something else"),
        (b'{"data": [' + b"9" * 5000 + b"]}", "expected a call as a JSON object, got something else"),
        (b'{"data": ' + b"[" * 30_000 + b"]" * 30_000 + b"}", "expected "),
        (b'{"data": ' + b"[" * 40 + b"]" * 40 + b"}", "expected at most 32 levels of nested lists and objects"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_call_gets_one_sentence(sent, words) -> None:
    status, said = refusal(sent)
    assert status == 400
    assert said.startswith(words)
    assert "\n" not in said


STRUCTURES = {
    "lists": b"[],",
    "objects": b'{"a":{}},',
    "numbers": b"1,",
    "texts": b'"a",',
    "escapes": b'"' + b"\\n" * 50_000 + b'",',
    "spaces": b" " * 10_000,
    "letters and lists": b'"' + b"A" * 9_000 + b'",[],',
    "lists between texts": b'"a",' + b"[]," * 30_000,
}


@pytest.mark.parametrize("images", [0, 2])
@pytest.mark.parametrize("kind", STRUCTURES)
def test_structure_is_refused_before_it_is_decoded(kind, images, monkeypatch) -> None:
    part = STRUCTURES[kind]
    body = b'{"data": [' + part * (22_000_000 // len(part)) + b'1], "fn_index": 3, "session_hash": "a"}'
    monkeypatch.setattr(calls.json, "loads", lambda _: pytest.fail("it was decoded"))
    status, words = refusal(body, one=function(images=images))
    assert (status, words) == (413, "expected a call of at most 64 kB besides the images of its function, got more")


def test_only_functions_that_take_images_get_large_calls() -> None:
    large = "the large call of an image"
    assert check(event(large, IMAGE), one=function(images=1))["data"] == [large, IMAGE]
    assert check(event(f"data:image/png;base64,{IMAGE}", IMAGE), one=function(images=2))
    assert refusal(event(large, IMAGE))[0] == 413
    assert refusal(event(IMAGE, IMAGE), one=function(images=1))[0] == 413
    assert refusal(event(IMAGE, IMAGE, IMAGE), one=function(images=2))[0] == 413
    assert refusal(event(IMAGE, ["a"] * PLAIN_BYTES), one=function(images=1))[0] == 413
    assert refusal({"fn_index": 3, "session_hash": "a", "event_id": IMAGE}, "/gradio_api/cancel")[0] == 413


@pytest.mark.parametrize("value", [{"path": "/etc/passwd"}, {"a": [[{"path": "a"}]]}, {"path": 1}, {"path": None}])
def test_no_call_names_a_file_at_any_depth(value) -> None:
    words = "expected no file here, got a path or an address; images are sent as text in base64"
    for sent in (event(1, value), event(1, 2, event_data={"values": value})):
        assert refusal(sent) == (400, words)
    assert refusal({"a": value}, "/gradio_api/call/v2/f", function("public")) == (400, words)
