"""Seeded malformed calls over HTTP: what they are made of, and what counts as a clean answer."""

import base64
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from hostile_images import broken_images, image_bomb, whole_image
from serving import Outcome, Served

ROOT = Path(__file__).resolve().parents[2]
LONGEST = 400  # characters of one plain sentence
CHECK_EVERY = 25  # calls between two right ones
AT_ONCE = 8
HUGE = "x" * 10_000_000
NESTED = [json.loads("[" * depth + "]" * depth) for depth in (1, 2, 6, 201)]


@dataclass(frozen=True)
class Name:
    """A public function and how it is called rightly.

    Attributes:
        data: Right arguments, in order.
        lenient: Positions of arguments for which a value of the malformed ones may be right.
        event: How the right call ends; `error` for what is switched off while it is fuzzed.
    """

    data: list[Any] = field(default_factory=list)
    lenient: frozenset[int] = frozenset()
    event: str = "complete"


# Every public function has its line here; a test sees to it.
NAMES: dict[str, Name] = {
    "status": Name(),
    "retrieve": Name(["", "", "", 10, "", 0, "i2v", 1, False, "", 3], lenient=frozenset({8})),  # either switch is right
    "evaluate": Name(["", "", ""]),
    "project": Name(  # either switch is right; PCA needs no warm process
        ["", "", "pca", "embedding", 3, "", 2, True, "matched", False, 5, 5, 0.1, "cosine", 0],
        lenient=frozenset({7, 9, 12}),
    ),
    "retrieve_image": Name(["", "", base64.b64encode(whole_image()).decode(), "infrared", 10, "", 0]),
    "auxiliary": Name(
        ["", "", "collection", "", "", 0, 0.0, 0.5, 0, -1, -1, "", ""], lenient=frozenset({6, 7, 9, 10})
    ),  # fractions, and -1
    "explain": Name(["", "", "", "image", "", "image", "by layer", "nothing", 0]),
    "analyse": Name(["", "", "", ""]),
    "train_start": Name([{"preset": "taste"}], event="error"),
    "train_status": Name([""]),
    "train_stop": Name(["run-mun-000000", "token"], event="error"),
}


def bad_value(draw: random.Random) -> Any:
    """Draw a value that no argument of any function takes."""
    return draw.choice(
        [
            lambda: None,
            lambda: draw.choice([float("nan"), float("inf"), float("-inf")]),
            lambda: draw.choice([1e308, -1e308, 10**30, -(10**30), 2**63, 10**4000]),
            lambda: draw.choice([-1, -0.5, 0.5, 10_001]),
            lambda: draw.choice([True, False]),
            lambda: draw.choice(NESTED),
            lambda: draw.choice([{}, {"a": {"b": [1]}}, {"__type__": "update", "value": 1}, {"path": "/etc/passwd"}]),
            lambda: draw.choice(TRAVERSALS),
            lambda: draw.choice(TRAVERSALS),
            lambda: draw.choice(TEXTS),
            lambda: "".join(chr(draw.randrange(1, 0xD7FF)) for _ in range(draw.randrange(1, 300))),
            lambda: HUGE if draw.random() < 0.1 else "x" * 201,
            lambda: base64.b64encode(draw.choice(list(broken_images().values())) or b"\0").decode(),
            lambda: "data:image/png;base64," + base64.b64encode(image_bomb()).decode(),
            lambda: file_object(draw.choice(TRAVERSALS), draw.choice([True, False])),
        ]
    )()


TRAVERSALS = [
    "../../../../../../etc/passwd",
    "/etc/passwd",
    "..\\..\\windows\\win.ini",
    "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
    "cam3/../../../../etc/passwd",
    "file:///etc/passwd",
    "http://127.0.0.1:1/a.png",
    "https://localhost/a.png",
    "\\\\server\\share\\a.png",
    "/proc/self/environ",
    "cam3/0001/0001.jpg\x00.png",
    ".",
    "~/.ssh/id_rsa",
]
TEXTS = [
    "\x00",
    "<script>alert(1)</script>",
    "{{ 7 * 7 }}",
    "%s%s%n",
    "'; DROP TABLE queries; --",
    "\ud800".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "\u202e\u0000\ufeff",
    "NaN",
    "-1",
    "=HYPERLINK(1)",
]


ROUTES = (
    *("upload", "queue/join", "run/predict", "run/retrieve", "run/upload", "api/retrieve", "api/upload/", "reset"),
    *("call/retrieve", "call/v2/retrieve", "call/upload", "component_server", "cancel", "stream/1", "login"),
    *("process_recording", "vibe-edit", "proxy=http://a.hf.space/", "file=http://a/b"),
)
ROOTS = ("", "gradio_api/", "gradio_api/", "gradio_api//", "gradio_api/./", "demo/gradio_api/")
TRICKS: list[Callable[[str], str]] = [
    lambda words: words + "/",
    lambda words: words + "/upload",
    lambda words: words + "/../upload",
    lambda words: words + "%2fupload",
    lambda words: words + ";upload",
    lambda words: words + "?upload_id=/upload",
    lambda words: words + "%00",
    lambda words: words + "%0a",
    lambda words: words.replace("/", "//"),
    lambda words: words.replace("/", "%2f"),
    lambda words: words.upper(),
    lambda words: "x/../" + words,
]


def file_object(path: str, whole: bool) -> dict[str, Any]:
    """A file as Gradio's own script sends it."""
    file = {"path": path, "meta": {"_type": "gradio.FileData"}}
    return {**file, "url": path, "orig_name": path, "size": 10**12, "mime_type": "image/png"} if whole else file


def malformed(draw: random.Random, name: Name) -> tuple[list[Any], bool]:
    """Draw malformed arguments, and whether they must be refused; too many or too few alone need not be."""
    data, kind = list(name.data), draw.random()
    if kind < 0.08:
        return data + [bad_value(draw) for _ in range(draw.choice([1, 3, 20]))], False
    if kind < 0.16 and data:
        return data[: draw.randrange(len(data))], False
    places = draw.sample(range(len(data)), draw.randint(1, len(data))) if data else []
    for place in places:
        data[place] = bad_value(draw)
    return data, any(place not in name.lenient for place in places)


def bodies(draw: random.Random) -> Iterator[bytes]:
    """Draw bodies that are no call at all."""
    yield from (b"", b"{", b"[1]", b"null", b'"data"', b"\xff\xfe", b'{"data": 1}', b'{"data": "abc"}', b'{"date": []}')
    yield b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    yield b'{"data": [' + b"9" * 100_000 + b"]}"
    yield b'{"data": {"a": 1}}' + b" " * 1000
    yield bytes(draw.randrange(256) for _ in range(5000))
    for part in (b"[],", b'{"a":1},', b'"a",', b'"' + b"\\n" * 20_000 + b'",', b'"' + b"A" * 20_000 + b'",'):
        yield b'{"data": [' + part * (2_000_000 // len(part)) + b"1]}"  # little text, much structure


def addresses(draw: random.Random, count: int) -> Iterator[str]:
    """Draw addresses that are nearly those of routes: below other roots, with endings, doubled, in other letters."""
    for _ in range(count):
        words = draw.choice(ROUTES)
        for trick in draw.sample(TRICKS, draw.randint(0, 2)):
            words = trick(words)
        yield draw.choice(ROOTS) + words


def secrets() -> list[str]:
    """List the folders of this machine that no answer may name."""
    folders = [str(ROOT), str(Path.home()), tempfile.gettempdir(), sys.prefix, "site-packages"]
    return [folder for folder in folders if len(folder) > 1]


def is_clean(outcome: Outcome) -> str:
    """Say what is unclean about an answer; an empty string where nothing is. An error is one plain sentence."""
    text = outcome.text
    for word in [*secrets(), "Traceback", 'File "', ".py", "object at 0x"]:
        if word in text:
            at = text.index(word)
            return f"the answer holds {word!r}: … {text[max(0, at - LONGEST) : at + LONGEST]}"
    if outcome.event == "complete":
        return ""
    if outcome.event == "refused" and outcome.status not in (400, 404, 413):
        return f"refused with {outcome.status}: {outcome.text[:99]}"
    words = outcome.words
    if not isinstance(words, str) or not 10 < len(words) <= LONGEST or "\n" in words:
        return f"expected one plain sentence, got {str(words)[:LONGEST]!r}"
    return ""


def right_answer(served: Served, called: str) -> Any:
    """Call a function rightly and return what must always be the same."""
    outcome = served.call(called, NAMES[called].data)
    assert outcome.event == NAMES[called].event, outcome
    return outcome.words if outcome.event == "error" else outcome.value[0]


def fuzz_name(served: Served, called: str, calls: int, seed: int = 0) -> None:
    """Call a public function wrongly many times; after every few, a right call must have its right answer."""
    draw, expected = random.Random(f"{called} {seed}"), right_answer(served, called)

    def attempt(drawn: tuple[list[Any], bool]) -> str:
        data, wrong = drawn
        outcome = served.call(called, data)
        problem = is_clean(outcome)
        if outcome.event == "complete" and wrong:
            problem = f"it was answered: {outcome.text[:LONGEST]}"
        return problem and f"{called} with {json.dumps(data)[:LONGEST]}: {problem}"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for start in range(0, calls, CHECK_EVERY):
            drawn = [malformed(draw, NAMES[called]) for _ in range(min(CHECK_EVERY, calls - start))]
            if start == 0 and NAMES[called].data:
                drawn[0] = ([HUGE, *NAMES[called].data[1:]], True)
            assert not list(filter(None, pool.map(attempt, drawn)))
            assert right_answer(served, called) == expected, f"another answer after {start + len(drawn)} calls"


def fuzz_event(served: Served, piece: str, kind: str, calls: int, seed: int = 0) -> None:
    """Press something on the page wrongly many times, each in a session of its own.

    Args:
        served: The app.
        piece: Of the page, as `retrieval-head`.
        kind: What happens to it, as `select`.
        calls: How often.
        seed: Of the draws.
    """
    draw, number = random.Random(f"{piece} {kind} {seed}"), served.events()[piece, kind]
    values = served.open(piece.partition("-")[0])["values"]

    def attempt(drawn: tuple[int, Any]) -> str:
        call, said = drawn
        for _ in range(60):
            outcome = served.press(number, said, f"{piece}{call}x{seed}")
            if not (outcome.status == 503 and "busy" in outcome.text):
                break
            time.sleep(1)  # other images from this address are on their way, on a slow machine for long
        problem = is_clean(outcome)
        return problem and f"{kind} of {piece} with {json.dumps(said)[:LONGEST]}: {problem}"

    drawn = [(call, said_wrongly(draw, values)) for call in range(calls)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        problems = [problem for problem in pool.map(attempt, drawn) if problem]
    assert not problems, problems[0]


ACTS = (
    *("open", "again", "random", "hard", "disagree", "start", "stop", "add", "delete", "resume", "check", "page"),
    "x" * 300,
)


def said_wrongly(draw: random.Random, values: dict[str, Any]) -> Any:
    """Draw what the page's script would not say with a press: some parts of it, or all of it, are nonsense."""
    if draw.random() < 0.1:
        return bad_value(draw)
    hostile = {name: bad_value(draw) if draw.random() < 0.3 else value for name, value in values.items()}
    link = "?" + urlencode({name: str(value)[:200].encode("utf-8", "replace") for name, value in hostile.items()})
    said = {
        "values": hostile,
        "changed": draw.choice([list(values), ["nothing"], []]),
        "do": draw.choice(ACTS),
        "detail": {name: bad_value(draw) for name in ("page", "what", "kind", "row", "side", "run", "part", "gallery")},
        "chosen": draw.choice(TRAVERSALS),
        "drawn": dict.fromkeys(TEXTS, "x"),
        "tokens": {"run-mun-000000": draw.choice(TEXTS)},
        "url": draw.choice([*TRAVERSALS, "http://127.0.0.1:7860/"]),
        "address": draw.choice(["", "", link, *TRAVERSALS]),
        "turn": draw.choice([0, 1, 2**40]),
    }
    for name in draw.sample(list(said), draw.randint(0, 2)):
        said[name] = bad_value(draw)
    return said
