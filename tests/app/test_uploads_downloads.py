from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

from app import uploads
from app.downloads import as_download
from app.uploads import Allowance, take_uploads


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    return tmp_path / "gradio"


def put(folder: Path, name: str, data: bytes, place: str = "abc") -> dict[str, Any]:
    path = folder / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return {"path": str(path), "orig_name": f"my {name}"}


def test_uploads_are_read_and_deleted_with_their_folder(folder: Path) -> None:
    payload = [put(folder, "a.png", b"one", "1"), put(folder, "b.png", b"two", "2")]
    assert list(take_uploads(payload)) == [("my a.png", b"one"), ("my b.png", b"two")]
    assert list(folder.iterdir()) == []
    assert list(take_uploads(payload)) == [("my a.png", b""), ("my b.png", b"")]


def test_uploads_are_deleted_also_when_the_reading_ends_early(folder: Path) -> None:
    files = take_uploads([put(folder, "a.png", b"one", "1"), put(folder, "b.png", b"two", "2")])
    next(files)
    files.close()
    assert list(folder.iterdir()) == []


def test_files_elsewhere_are_neither_read_nor_deleted(folder: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_bytes(b"secret")
    (folder / "abc").mkdir(parents=True)
    link = folder / "abc" / "link.png"
    link.symlink_to(secret)
    loose = folder / "loose.png"
    loose.write_bytes(b"loose")
    paths = [str(secret), str(link), f"{folder}/abc/../../secret.txt", str(folder), str(loose), "", "a\0b"]
    assert list(take_uploads([{"path": path} for path in paths])) == []
    assert secret.read_bytes() == b"secret"
    assert loose.exists()


@pytest.mark.parametrize("payload", [None, 3, "text", [], [None, 3], {"path": 7}, {"name": "x"}, [[{"path": "/a"}]]])
def test_nonsense_gives_no_files(folder: Path, payload: Any) -> None:
    assert list(take_uploads(payload)) == []


def test_a_large_upload_is_read_no_further_than_its_bound(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "MAX_BYTES", 10)
    assert [data for _, data in take_uploads(put(folder, "a.png", b"x" * 100))] == [b"x" * 11]


def test_the_allowance_is_given_back_when_images_go() -> None:
    class Thing:
        pass

    allowance, thing = Allowance(100), Thing()
    allowance.claim(thing, 60)
    with pytest.raises(ValueError, match="too many visitors"):
        allowance.claim(Thing(), 41)
    assert allowance.num_bytes == 60
    del thing
    gc.collect()
    assert allowance.num_bytes == 0


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
