"""Whole or not at all: files and folders."""

from __future__ import annotations

import json

import pytest

from mun.files import read_json, write_json


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
