"""Check a call before Gradio sees it: its size, its function, its arguments, and that it names no file."""

import inspect
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["CALL", "NOTHING", "PLAIN_BYTES", "Refusal", "checked"]

PLAIN_BYTES = 64_000  # of a call without its images
MAX_IMAGES = 2  # of any call
MAX_DEPTH = 32  # of nested lists and objects
# Text that can only be an image: long, and without characters from which a JSON decoder would make an object.
IMAGE = re.compile(rb'"(?:data:[^"\\,]{0,600},)?[A-Za-z0-9+/=]{10000,}+"')

# The addresses that run a function, and for each the required and the optional fields of a call.
CALL = re.compile(r"/gradio_api/(?P<route>queue/join|cancel|(?:run|call|call/v2)/(?P<name>[A-Za-z0-9_]+))/?")
FIELDS: dict[str, tuple[set[str], set[str]]] = {
    "queue/join": ({"data", "fn_index", "session_hash"}, {"event_data", "trigger_id"}),
    "run": ({"data"}, {"fn_index", "session_hash", "event_data", "trigger_id"}),
    "call": ({"data"}, {"session_hash"}),
    "cancel": ({"fn_index", "session_hash", "event_id"}, set()),
}
KINDS: dict[str, tuple[type, str]] = {
    "data": (list, "a list"),
    "fn_index": (int, "a whole number"),
    "trigger_id": (int, "a whole number"),
    "session_hash": (str, "text"),
    "event_id": (str, "text"),
}
NOTHING = "There is nothing at this address."
TOO_LARGE = f"expected a call of at most {PLAIN_BYTES // 1000} kB besides the images of its function, got more"


class Refusal(Exception):  # noqa: N818 it is no error of this program
    """A request is refused with an HTTP status and one sentence."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


def checked(body: bytes, route: re.Match[str], functions: Mapping[int, Any]) -> bytes:
    """Check a call and complete its arguments.

    Args:
        body: The call, as received.
        route: A match of `CALL`.
        functions: The functions of the page, by number, as Gradio describes them.

    Returns:
        The call; if arguments of a public function are missing at the end, with their defaults.

    Raises:
        Refusal: It is too large or too deep, no call, for no function, lacks arguments, or names a file.
    """
    images = count_images(body)
    call = parsed(body)
    path, name, function = route["route"], route["name"], None
    by_keyword = path.startswith("call/v2/")
    if not by_keyword:
        check_fields(call, *FIELDS[path.removesuffix(f"/{name}")])
    if path != "cancel":
        function = find_function(functions, name, call.get("fn_index") if not by_keyword else None)
        if function is None or (path.startswith("run/") and function.queue):
            raise Refusal(404, NOTHING)
    if images > getattr(getattr(function, "fn", None), "takes_images", 0):  # set in `app.shared`
        raise Refusal(413, TOO_LARGE)
    if function is None:
        return body
    if any(isinstance(value, dict) and "path" in value for value, _ in values_of(call)):  # Gradio reads it as a file
        raise Refusal(400, "expected no file here, got a path or an address; images are sent as text in base64")
    if not by_keyword:
        return with_defaults(body, call, function)
    if not call.keys() <= (known := inspect.signature(function.fn).parameters).keys():
        raise Refusal(400, f"expected arguments among {', '.join(known) or 'none'}, got others")
    return body


def count_images(body: bytes) -> int:
    """Count the images of a large call without decoding it; 0 for a small call.

    Raises:
        Refusal: The call is larger than any function accepts.
    """
    if body.count(b'"') > PLAIN_BYTES:  # images need far fewer, and the search would try each
        raise Refusal(413, TOO_LARGE)
    plain, images = (body, 0) if len(body) <= PLAIN_BYTES else IMAGE.subn(b"", body, MAX_IMAGES)
    if len(plain) > PLAIN_BYTES:
        raise Refusal(413, TOO_LARGE)
    return images


def parsed(body: bytes) -> dict[str, Any]:
    """Parse a call.

    Raises:
        Refusal: The call is no JSON object, is nested too deeply, or holds text that is not valid Unicode.
    """
    try:
        call = json.loads(body.decode())
        if b"\\ud" in body or b"\\uD" in body:
            json.dumps(call, ensure_ascii=False).encode()  # half a surrogate pair cannot be sent back
    except (ValueError, RecursionError):
        raise Refusal(400, "expected a call as a JSON object, got something else") from None
    if not isinstance(call, dict):
        raise Refusal(400, "expected a call as a JSON object, got another value")
    if any(depth > MAX_DEPTH for _, depth in values_of(call)):
        raise Refusal(400, f"expected at most {MAX_DEPTH} levels of nested lists and objects, got more")
    return call


def values_of(value: object) -> Iterator[tuple[Any, int]]:
    """List all lists and objects in a JSON value, including itself, each with its depth."""
    todo = [(value, 1)]
    while todo:
        value, depth = todo.pop()
        if isinstance(value, dict | list):
            yield value, depth
            inner = value.values() if isinstance(value, dict) else value
            todo.extend((one, depth + 1) for one in inner)


def check_fields(call: Mapping[str, Any], needed: set[str], allowed: set[str]) -> None:
    """Check that a call has the fields of its route, each of the right type; `null` counts as left out.

    Raises:
        Refusal: A field is missing, unknown, or of another type.
    """
    given = {name for name, value in call.items() if value is not None}
    if not needed <= given <= needed | allowed:
        words = ", ".join(sorted(needed)) + (f" and optionally {', '.join(sorted(allowed))}" if allowed else "")
        raise Refusal(400, f"expected a call with {words}, got others")
    for name in sorted(given & KINDS.keys()):
        kind, words = KINDS[name]
        if type(call[name]) is not kind:  # `True` is not a number here
            raise Refusal(400, f"expected {name} to be {words}, got another value")


def find_function(functions: Mapping[int, Any], name: str | None, number: int | None) -> Any:
    """Find the function of a call by its number, or else by its public name; `None` if there is none."""
    if number is not None:
        found = functions.get(number)
    else:
        found = next((one for one in functions.values() if one.api_name == name), None)
        if found is not None and found.api_visibility != "public":
            return None
    return found if found is not None and found.fn is not None else None


def with_defaults(body: bytes, call: dict[str, Any], function: Any) -> bytes:
    """Return a call, with defaults for the arguments that are missing at its end.

    Raises:
        Refusal: An event of the page lacks arguments, which Gradio would ignore.
    """
    inputs = [block for block in function.inputs if not block.skip_api]
    data = call["data"]
    if len(data) >= len(inputs):
        return body
    if function.api_visibility != "public":
        raise Refusal(400, f"expected {len(inputs)} arguments, got {len(data)}")
    return json.dumps({**call, "data": data + [block.value for block in inputs[len(data) :]]}).encode()
