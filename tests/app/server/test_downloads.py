from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.server.downloads import as_download


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return tmp_path / "gradio"


def test_a_download_lies_below_the_temporary_folder_once(folder: Path) -> None:
    path = Path(as_download("list.png", b"data"))
    assert path.read_bytes() == b"data"
    assert path.parent.parent == folder.resolve()
    os.utime(path, (0, 0))
    assert as_download("list.png", b"data") == str(path)
    assert path.stat().st_mtime > 0
    assert [file for file in folder.rglob("*") if file.is_file()] == [path]
    assert Path(as_download("list.png", b"other")) != path


@pytest.mark.parametrize(
    "name", ["", ".png", "../a.png", "a/b.png", "a\\b.png", "a b.png", "x" * 101, "a\n.png", "\u00e9"]
)
def test_names_that_could_go_elsewhere_are_refused(folder: Path, name: str) -> None:
    with pytest.raises(ValueError, match="expected a file name"):
        as_download(name, b"data")
    assert not folder.exists()


def test_a_huge_download_is_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="at most 32 MB"):
        as_download("a.png", bytes(32_000_001))
