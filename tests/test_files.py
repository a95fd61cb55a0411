"""Whole or not at all: files and folders."""

import json

import pytest

from mun.files import read_json, whole_folder, write_json


def test_json_round_trip_leaves_nothing_beside(tmp_path) -> None:
    write_json(tmp_path / "deep" / "a.json", {"b": 1, "a": "ü"})
    assert read_json(tmp_path / "deep" / "a.json") == {"b": 1, "a": "ü"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.json"]


def test_a_failed_write_keeps_the_old_file(tmp_path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    assert json.loads(path.read_text()) == {"a": 1}


@pytest.mark.parametrize("text", ["", "[1]", "{", "\x00"])
def test_bad_json(tmp_path, text) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(ValueError, match=r"expected (JSON|a JSON object)"):
        read_json(tmp_path / "a.json")


def fill_and_fail(path) -> None:
    with whole_folder(path) as folder:
        (folder / "a").write_text("half")
        raise KeyboardInterrupt


def test_folder_appears_whole_or_not_at_all(tmp_path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fill_and_fail(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "out").mkdir()
    with whole_folder(tmp_path / "out") as folder:
        (folder / "a").write_text("whole")
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert (tmp_path / "out" / "a").read_text() == "whole"
