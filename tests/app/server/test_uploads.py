"""Uploads are read once and deleted; of those that two visitors bring at once each has a file of their own."""

from __future__ import annotations

import gc
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import serve

from app.library import Library
from app.server import uploads
from app.server.uploads import Allowance, Arrivals, take_uploads


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


def arrive(folder: Path, data: bytes = b"image") -> Path:
    """Put a file where Gradio would."""
    path = folder / "hash" / "a.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def test_the_same_file_twice_is_two_files(tmp_path: Path) -> None:
    arrivals = Arrivals(tmp_path)
    with arrivals.coming():
        first = arrivals.own_places(json.dumps([str(arrive(tmp_path))]).encode(), set())
        with arrivals.coming():  # another visitor's, whose file is written, and not yet told of
            shared = arrive(tmp_path)
        assert shared.exists(), "nothing goes while an upload comes in"
        second = arrivals.own_places(json.dumps([str(shared)]).encode(), set())
    assert not shared.parent.exists()
    (one,), (other,) = json.loads(first), json.loads(second)
    assert one != other
    Path(one).unlink()
    assert Path(other).read_bytes() == b"image"


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    arrivals = Arrivals(tmp_path)
    with arrivals.coming():
        (own,) = json.loads(arrivals.own_places(json.dumps([str(arrive(tmp_path))]).encode(), set()))
    assert Path(own).read_bytes() == b"image"
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [Path(own)]


def test_a_file_that_another_upload_replaces_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A link to a file that is replaced between its lookup and the link says that there is none."""
    link, calls = os.link, []

    def late(path: Path, own: Path) -> None:
        calls.append(path)
        if len(calls) < 3:
            raise FileNotFoundError(path)
        link(path, own)

    monkeypatch.setattr(os, "link", late)
    arrivals = Arrivals(tmp_path)
    with arrivals.coming():
        (own,) = json.loads(arrivals.own_places(json.dumps([str(arrive(tmp_path))]).encode(), set()))
    assert Path(own).read_bytes() == b"image"
    assert len(calls) == 3


@pytest.mark.parametrize("answer", [b"", b"no json", b"{}", b"[1]", b"[" * 100_000])
def test_what_is_no_list_of_paths_is_left_alone(answer: bytes, tmp_path: Path) -> None:
    assert Arrivals(tmp_path).own_places(answer, set()) == answer


def test_a_file_that_is_gone_or_elsewhere_keeps_its_path(tmp_path: Path) -> None:
    elsewhere = arrive(tmp_path / "elsewhere" / "deep")
    paths = [str(tmp_path / "hash" / "gone.png"), str(elsewhere)]
    arrivals = Arrivals(tmp_path)
    with arrivals.coming():
        assert json.loads(arrivals.own_places(json.dumps(paths).encode(), set())) == paths
    assert elsewhere.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("hash")]


def test_many_visitors_bring_one_file(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    with serve(library, tmp_path / "gradio") as served:

        def bring(_: int) -> bytes:
            answer = served.client.post(f"{served.url}gradio_api/upload", files={"files": ("a.png", b"the same")})
            ((_, data),) = take_uploads({"path": answer.json()[0], "orig_name": "a.png"})
            return data

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(bring, range(80))) == [b"the same"] * 80
    assert not [path for path in (tmp_path / "gradio").rglob("*") if path.is_file()]


def test_gradio_tends_own_places_and_no_others(tmp_path: Path) -> None:
    gone, kept = str(tmp_path / "gone" / "a.png"), str(tmp_path / "hash" / "no-such.png")
    shared = str(arrive(tmp_path))
    tracked = {shared, gone, kept}
    arrivals = Arrivals(tmp_path)
    with arrivals.coming():
        own = json.loads(arrivals.own_places(json.dumps([shared, kept]).encode(), tracked))
    assert own[1] == kept
    assert tracked == set(own)


def test_an_upload_that_nothing_reads_goes_with_the_app(library: Library, tmp_path: Path) -> None:
    with serve(library, tmp_path / "gradio") as served:
        path = Path(served.upload("a.png", b"image"))
        assert path.exists()
    assert not path.exists()
