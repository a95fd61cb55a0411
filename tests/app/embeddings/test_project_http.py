"""`/project` over HTTP: what the action answers, and one plain sentence for what cannot be shown."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from serving import Served, serve

from app.embeddings.project import answer
from app.embeddings.request import Project
from app.library import Library


@pytest.fixture(scope="module")
def served(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(library, tmp_path_factory.mktemp("gradio")) as running:
        yield running


def test_the_answer_is_that_of_the_action(served: Served, library: Library) -> None:
    outcome = served.call("project", ["mun-tiny", "synvi", "pca", "features", 3, "", 2, True, "mismatched", False, 5])
    assert outcome.event == "complete"
    asked = {
        "method": "pca",
        "space": "features",
        "identities": 3,
        "images": 2,
        "pairing": "mismatched",
        "perplexity": 5,
    }
    expected = json.loads(json.dumps(answer(library, Project.read(asked, library))))
    assert outcome.value[0] == expected


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (["", "", "tsne", "embedding", 1, "", 1], "expected at least 91 points for a perplexity of 30"),
        (["", "", "pca", "embedding", 1, "", 1, True, "mismatched"], "at least two people for mismatched pairs"),
        (["", "", "pca", "embedding", 3, "../../etc/passwd"], "expected people to be numbers"),
    ],
)
def test_what_cannot_be_shown_is_one_plain_sentence(served: Served, data: list[object], words: str) -> None:
    outcome = served.call("project", data)
    assert outcome.event == "error"
    assert words in outcome.words
    assert "Traceback" not in outcome.text
