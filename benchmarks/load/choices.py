"""The requests of visitors and their right answers, computed in this process by the app's own functions."""

import base64
import io
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from app import build_demo
from app.library import Library
from app.shared.tab import Piece, Press
from mun.images import read_image
from mun.structures import Modality

__all__ = ["CHANGING", "Ask", "Choices", "differs", "facts"]

CLOSE = 1e-4  # numbers of one machine differ in the last bits with the number of threads
CLOSE_PIXELS = 2  # of 255, likewise
IMAGE = "data:image/"
CHANGING = ("train_start", "train_stop")  # public functions that a crowd does not call
ELSEWHERE = ("train_status",)  # whose answer depends on how the app was started
UNLIKE = ("drawn", "link", "points", "view")  # attributes that may differ in the last bits of numbers


@dataclass(frozen=True)
class Ask:
    """A request and its right answer.

    Attributes:
        name: Of the public function, or of the tab.
        values: By the names of the request's fields.
        data: The same in the order of the fields; only for a public function.
        expected: The answer, `None` where it may differ; for a tab its values and the facts of each piece.
    """

    name: str
    values: Mapping[str, Any]
    data: tuple[Any, ...]
    expected: Any


def plain(value: Any) -> Any:
    """Return a value in the form that it has after JSON."""
    return json.loads(json.dumps(value))


def differs(got: Any, expected: Any, where: str = "answer") -> str:
    """Return where two answers differ; an empty string if they are equal up to last bits of numbers and pixels."""
    if got == expected:
        return ""
    if isinstance(expected, dict) and isinstance(got, dict) and set(got) == set(expected):
        found = (differs(got[name], expected[name], f"{where}.{name}") for name in expected)
        return next(filter(None, found), "")
    if isinstance(expected, list) and isinstance(got, list) and len(got) == len(expected):
        pairs = enumerate(zip(got, expected, strict=True))
        return next(filter(None, (differs(*pair, f"{where}[{place}]") for place, pair in pairs)), "")
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in (got, expected))
    if numbers and abs(got - expected) <= CLOSE * max(1, abs(expected)):
        return ""
    if all(isinstance(value, str) and value.startswith(IMAGE) for value in (got, expected)):
        one, other = pixels_of(got), pixels_of(expected)
        if one.shape == other.shape and np.abs(one - other).max() <= CLOSE_PIXELS:
            return ""
    return f"expected {where} to be {str(expected)[:80]}, got {str(got)[:80]}"


def pixels_of(uri: str) -> Any:
    """Decode a data URI."""
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))), dtype=np.int16)


def facts(html: str) -> list[str]:
    """List the data attributes of a piece of HTML without decimal numbers, in their order: they tell what is shown."""
    found = re.findall(r'data-([a-z-]+)="([^"]*)"', html)
    return [f"{name}={value}" for name, value in found if name not in UNLIKE and not re.search(r"\d\.\d", value)]


class Choices:
    """Different requests of each kind, with their right answers.

    Args:
        library: The data and checkpoints that the app serves, also opened in this process.
        count: Number of requests of each cheap kind; fewer of the others.
        checkpoints: Names of the checkpoints to choose from, the default first.
        seed: Of the choice.

    Attributes:
        public: By the name of the public function.
        tabs: By the name of the tab.
    """

    def __init__(self, library: Library, count: int, checkpoints: Sequence[str] = (), seed: int = 0) -> None:
        self.library, self._draw = library, Random(seed)
        self.checkpoints = list(checkpoints) or [library.default_checkpoint]
        self.collection = library.collections[library.default_data]
        for name in library.checkpoints.usable:
            library.embeddings(name, library.default_data)
        few, fewer = max(2, count // 3), max(2, count // 6)
        counts = {"retrieve": count, "retrieval": count, "project": fewer, "embeddings": fewer, "about": fewer}
        self.public: dict[str, list[Ask]] = {}
        self.tabs: dict[str, list[Ask]] = {}
        for function in build_demo(library).fns.values():
            asks = getattr(function.fn, "asks", ())
            if len(asks) == 2 and (name := str(function.api_name)) not in CHANGING:  # a public function
                self.public[name] = [self._call(name, *asks) for _ in range(counts.get(name, few))]
            elif len(asks) == 4:  # a tab
                name, kind, answer, _ = asks
                self.tabs[name] = [self._press(name, kind, answer) for _ in range(counts.get(name, few))]

    def _values(self, name: str, kind: Any) -> dict[str, Any]:
        """Choose values for a request that is cheap, varies, and has exactly one answer."""
        draw, samples = self._draw, self.collection.samples
        both = sorted(
            {one.pid for one in samples if one.modality is Modality.VISIBLE}
            & {one.pid for one in samples if one.modality is Modality.INFRARED}
        )
        query, some = draw.choice(self.collection.queries), draw.choice(samples)
        people = ", ".join(map(str, sorted(draw.sample(both, min(3, len(both))))))
        chosen: dict[str, Any] = {"checkpoint": draw.choice(self.checkpoints)}
        if name in ("retrieve", "retrieval"):
            chosen["query"] = query.key
        elif name in ("project", "embeddings"):
            chosen |= {"method": "pca", "identities": 3, "people": people, "images": 2}
        elif name == "auxiliary":
            chosen |= {"checkpoint": "", "person": draw.choice(both)}
        elif name == "explain":
            chosen |= {"checkpoint": "", "image": query.key}
        elif name == "retrieve_image":  # an upload: an image of the data, mirrored; others may upload the same
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(read_image(some.path)[:, ::-1])).save(file, "PNG")
            chosen |= {"image": base64.b64encode(file.getvalue()).decode(), "modality": some.modality.value}
        elif name == "about":
            chosen["section"] = draw.choice(["findings", "data", "method", "models"])
        return {field: value for field, value in chosen.items() if field in kind.model_fields}

    def _call(self, name: str, kind: Any, run: Any) -> Ask:
        values = self._values(name, kind)
        data = tuple(values.get(field, one.default) for field, one in kind.model_fields.items())
        expected = None if name in ELSEWHERE else plain(run(self.library, kind.read(values, self.library)))
        return Ask(name, values, data, expected)

    def _press(self, name: str, kind: Any, answer: Any) -> Ask:
        """Press once, and again as often as the answer asks for it, as the page does."""
        values = self._values(name, kind)
        request, said = kind.repair(values, self.library)[0], Press(values=values, changed=tuple(values))
        shown: dict[str, Any] = {}
        while True:
            answered = answer(self.library, request, said)
            shown |= {
                one: piece.draw() if isinstance(piece, Piece) else piece for one, piece in answered.pieces.items()
            }
            if not answered.again:
                break
            time.sleep(0.05)
            request = answered.request
            said = Press(values=request.model_dump(), do="again")
        named = {one: facts(piece) for one, piece in shown.items() if isinstance(piece, str)}
        return Ask(name, values, (), {"values": plain(answered.request.model_dump()), "pieces": named})
