"""What visitors may put on the disk: defaults, values, refusals; the oldest go first, and nothing else is touched."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from app.server import limits
from app.server.limits import KEEP_SECONDS, Caps, Ceiling, ceiling_for, read_caps, trim
from app.start import main


def write(path: Path, size: int, age: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (1_000_000_000 - age, 1_000_000_000 - age))
    return path


def test_the_oldest_go_first(tmp_path: Path) -> None:
    old, middle, new = (write(tmp_path / name / "a.png", 100, age) for name, age in (("a", 30), ("b", 20), ("c", 10)))
    assert trim(tmp_path, 300) == 300
    assert trim(tmp_path, 299) == 200
    assert not old.parent.exists(), "the folder that Gradio made for it goes with it"
    assert middle.exists()
    assert trim(tmp_path, 100) == 100
    assert new.exists()
    assert trim(tmp_path, 0) == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_too_old_goes_in_any_case(tmp_path: Path, monkeypatch) -> None:
    """Also what an app has left behind that was ended by force."""
    left, used = write(tmp_path / "a" / "a.png", 100, 10), write(tmp_path / "b" / "b.png", 100, 20)
    time.sleep(0.05)
    began = time.time()
    time.sleep(0.05)
    os.utime(used, (0, 0))  # handed out again: no clock but the system's says when
    monkeypatch.setattr(limits.time, "time", lambda: began + KEEP_SECONDS - 60)
    Ceiling(tmp_path, 1000).tend()
    assert left.exists()
    monkeypatch.setattr(limits.time, "time", lambda: began + KEEP_SECONDS)
    Ceiling(tmp_path, 1000).tend()
    assert not left.parent.exists()
    assert used.exists()


def test_a_folder_that_is_not_there_weighs_nothing(tmp_path: Path) -> None:
    assert trim(tmp_path / "none", 10) == 0
    assert ceiling_for(tmp_path / "none", 10**9) == 10**9


def test_a_folder_that_vanishes_meanwhile_weighs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads an upload deletes it with its folder, while another visitor's upload makes room."""
    write(tmp_path / "a" / "a.png", 100, 20)
    write(tmp_path / "b" / "b.png", 100, 10)
    look = os.scandir

    def vanish(path: str) -> object:
        if (tmp_path / "b").exists() and Path(path) == tmp_path / "b":
            (tmp_path / "b" / "b.png").unlink()
            (tmp_path / "b").rmdir()
        return look(path)

    monkeypatch.setattr(os, "scandir", vanish)
    assert trim(tmp_path, 1000) == 100


def test_links_are_deleted_and_never_followed(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside" / "a.png", 1000, 50)
    inside = tmp_path / "inside"
    inside.mkdir()
    (inside / "file").symlink_to(outside)
    (inside / "folder").symlink_to(outside.parent)
    trim(inside, 0)
    assert outside.exists()
    assert list(inside.iterdir()) == []


def test_the_ceiling_is_half_of_what_is_free_where_that_is_less(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8))
    assert ceiling_for(tmp_path, 512_000_000) == 50_000_000


def test_room_is_made_for_what_is_coming_and_refused_beyond_the_ceiling(tmp_path: Path) -> None:
    ceiling = Ceiling(tmp_path, 1000)
    for number in range(10):
        write(tmp_path / f"{number}" / "a.png", 100, 100 - number)
    with ceiling.room_for(250) as first:
        assert first
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.png")) == 700
        with ceiling.room_for(800) as second:
            assert not second
        assert sum(path.stat().st_size for path in tmp_path.rglob("*.png")) == 700
    with ceiling.room_for(1000) as third:
        assert third, "what has come is no longer coming"
    assert not list(tmp_path.rglob("*.png"))


def test_files_that_did_not_come_as_uploads_are_tended_now_and_then(tmp_path: Path, monkeypatch) -> None:
    now = [100.0]
    monkeypatch.setattr(limits.time, "monotonic", lambda: now[0])
    ceiling = Ceiling(tmp_path, 100)
    ceiling.tend()
    write(tmp_path / "a" / "export.pdf", 500, 0)
    now[0] += 1
    ceiling.tend()
    assert list(tmp_path.rglob("*.pdf"))
    now[0] += 60
    ceiling.tend()
    assert not list(tmp_path.rglob("*.pdf"))


@pytest.mark.parametrize("failing", [PermissionError, FileNotFoundError])
def test_files_that_vanish_meanwhile_are_no_error(tmp_path: Path, monkeypatch, failing: type[OSError]) -> None:
    write(tmp_path / "a.png", 100, 0)
    monkeypatch.setattr(Path, "lstat", lambda path: (_ for _ in ()).throw(failing()))
    assert trim(tmp_path, 0) == 0


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
