"""What visitors choose, and the right answers to it, computed in this process by the app's own actions."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import numpy as np
from PIL import Image

from app.actions.auxiliary import auxiliary
from app.actions.embeddings import project
from app.actions.explain import explain
from app.actions.retrieval import evaluate, retrieve, retrieve_image
from app.library import Library
from mun.images import read_image
from mun.structures import Modality, Sample

__all__ = ["CLOSE", "Choice", "Choices", "differs"]

CLOSE = 1e-4  # numbers of one machine differ in the last bits with the number of threads
CLOSE_PIXELS = 2  # of 255, likewise
IMAGE = "data:image/"


@dataclass(frozen=True)
class Choice:
    """What somebody asks, and what they must be answered.

    Attributes:
        name: Of the public function.
        data: Its arguments.
        expected: Its answer.
        file: Of an image of one's own, its bytes.
    """

    name: str
    data: tuple[Any, ...]
    expected: Any
    file: bytes = b""


def plain(value: Any) -> Any:
    """Return a value as it comes out of JSON."""
    return json.loads(json.dumps(value))


def differs(got: Any, expected: Any, where: str = "answer") -> str:
    """Say where two answers differ; an empty string where they do not, but for last bits of numbers and pixels."""
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


class Choices:
    """Some different choices of each kind with their right answers.

    Args:
        library: The data and checkpoints that the app serves, opened in this process too.
        count: How many of the cheap kinds; fewer of the others.
        checkpoints: Names of those that are chosen, the default first.
        seed: Of the choice.
    """

    def __init__(self, library: Library, count: int, checkpoints: Sequence[str] = (), seed: int = 0) -> None:
        self.library, self._draw = library, Random(seed)
        self.checkpoints = list(checkpoints) or [library.default_checkpoint]
        self.data = library.default_data
        self.collection = library.collections[self.data]
        few, fewer = max(2, count // 3), max(2, count // 6)
        self.retrieve = [self._retrieve(query) for query in self._some(self.collection.queries, count)]
        self.evaluate = [self._evaluate(name) for name in self.checkpoints]
        self.project = [self._project() for _ in range(fewer)]
        self.auxiliary = [self._auxiliary(pid) for pid in self._some(self._both_sides(), few)]
        self.explain = [self._explain(query) for query in self._some(self.collection.queries, few)]
        self.own = [self._own(sample) for sample in self._some(self.collection.samples, few)]

    def public(self) -> list[Choice]:
        """List everything that is asked of public functions."""
        return [*self.retrieve, *self.evaluate, *self.project, *self.auxiliary, *self.explain, *self.own]

    def _some(self, items: Sequence[Any], count: int) -> list[Any]:
        return self._draw.sample(list(items), min(count, len(items)))

    def _checkpoint(self) -> str:
        return self._draw.choice(self.checkpoints)

    def _both_sides(self) -> list[int]:
        """List the people who are seen in both modalities."""
        sides: dict[int, set[Modality]] = {}
        for sample in self.collection.samples:
            sides.setdefault(sample.pid, set()).add(sample.modality)
        return sorted(pid for pid, modalities in sides.items() if len(modalities) == 2)

    def _retrieve(self, query: Sample) -> Choice:
        data = (self._checkpoint(), self.data, query.key)
        return self._choice("retrieve", data, retrieve.Request(*data), retrieve.run)

    def _evaluate(self, checkpoint: str) -> Choice:
        data = (checkpoint, self.data)
        return self._choice("evaluate", data, evaluate.Request(*data), evaluate.run)

    def _project(self) -> Choice:
        """A PCA of three people: it needs no warm process, and has one answer."""
        people = ", ".join(map(str, sorted(self._some(self._both_sides(), 3))))
        data = (self._checkpoint(), self.data, "pca", "embedding", 3, people, 2)
        return self._choice("project", data, project.Request(*data), project.run)

    def _auxiliary(self, pid: int) -> Choice:
        data = ("", self.data, "collection", "", "", pid)
        return self._choice("auxiliary", data, auxiliary.Request(*data), auxiliary.run)

    def _explain(self, query: Sample) -> Choice:
        data = ("", self.data, query.key)
        return self._choice("explain", data, explain.Request(*data), explain.run)

    def _own(self, sample: Sample) -> Choice:
        """An image of one's own: one of the data, mirrored; others may bring the same."""
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(read_image(sample.path)[:, ::-1])).save(file, "PNG")
        bytes_of, modality = file.getvalue(), sample.modality.value
        expected = retrieve_image.run(self.library, retrieve_image.Request("", self.data, bytes_of, modality))
        data = ("", self.data, base64.b64encode(bytes_of).decode(), modality)
        return Choice("retrieve_image", data, plain(expected.to_json()), bytes_of)

    def _choice(self, name: str, data: tuple[Any, ...], request: Any, run: Callable[[Library, Any], Any]) -> Choice:
        return Choice(name, data, plain(run(self.library, request).to_json()))
