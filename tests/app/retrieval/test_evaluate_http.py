"""`/evaluate` answers what `python -m mun evaluate` writes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from serving import Served, serve

from app.library import Library
from mun.__main__ import main


@pytest.fixture(scope="module")
def served(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(library, tmp_path_factory.mktemp("gradio")) as running:
        yield running


@pytest.mark.parametrize("protocol", ["synvi-all", "synvi-indoor"])
def test_scores_are_those_of_the_command(
    served: Served, tiny_synvi: Path, tiny_checkpoint: Path, tmp_path: Path, protocol: str
) -> None:
    out, model = tmp_path / "scores.json", str(tiny_checkpoint / "mun-tiny")
    words = ["evaluate", model, "--data", str(tiny_synvi), "--protocol", protocol, "--json", str(out), "--quiet"]
    assert main(words) == 0
    written = json.loads(out.read_text())
    outcome = served.call("evaluate", ["", "", protocol])
    assert outcome.event == "complete"
    answer = outcome.value[0]
    assert set(answer) == {*written, "checkpoint", "num_queries", "gallery_size"}
    assert answer["checkpoint"] == "mun-tiny"
    for name, value in written.items():
        if name in ("mean", "sd"):
            assert answer[name] == pytest.approx(value, abs=1e-6)
        elif name == "per_trial":
            assert len(answer[name]) == 10
            for one, other in zip(answer[name], value, strict=True):
                assert one == pytest.approx(other, abs=1e-6)
        else:
            assert answer[name] == value, name


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (["nobody", "", ""], "expected checkpoint to be one of mun-tiny; got 'nobody'"),
        (["", "market", ""], "expected data to be one of synvi; got 'market'"),
        (["", "", "sysu-all"], "expected protocol to be one of synvi-all, synvi-indoor; got 'sysu-all'"),
        ([None, "", ""], "expected checkpoint to be text, got None"),
    ],
)
def test_bad_requests_get_one_plain_sentence(served: Served, data: list[object], words: str) -> None:
    outcome = served.call("evaluate", data)
    assert (outcome.event, outcome.words) == ("error", words)
