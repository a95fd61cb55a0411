"""The caps on what visitors may put on the disk: defaults, values, refusals."""

from __future__ import annotations

import pytest

from app.caps import Caps, read_caps
from app.start import main


def test_defaults_and_values() -> None:
    assert read_caps({}) == Caps(256_000_000, 512_000_000, 500)
    assert read_caps({"MUN_UPLOAD_MB": "0", "MUN_TEMP_MB": " 64 ", "MUN_VISITS": "50"}) == Caps(0, 64_000_000, 50)


@pytest.mark.parametrize("name", ["MUN_UPLOAD_MB", "MUN_TEMP_MB", "MUN_VISITS"])
@pytest.mark.parametrize("value", ["-1", "1.5", "many", "9999999", "²"])
def test_what_is_no_number_of_megabytes_is_refused(name, value) -> None:
    with pytest.raises(ValueError, match=f"expected {name} to be a whole number"):
        read_caps({name: value})


def test_temporary_files_need_some_room() -> None:
    with pytest.raises(ValueError, match="from 64, got '63'"):
        read_caps({"MUN_TEMP_MB": "63"})


def test_some_visits_are_kept() -> None:
    with pytest.raises(ValueError, match="MUN_VISITS to be a whole number from 50, got '49'"):
        read_caps({"MUN_VISITS": "49"})


def test_the_app_says_so_in_one_line(monkeypatch, capsys, tmp_path) -> None:
    monkeypatch.setenv("MUN_UPLOAD_MB", "much")
    monkeypatch.setenv("MUN_CACHE", str(tmp_path))
    assert main([]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1] == "app: error: expected MUN_UPLOAD_MB to be a whole number of megabytes from 0, got 'much'"
