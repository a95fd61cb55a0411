"""What stands before Gradio's routes, over HTTP: no file leaves, nothing is fetched, sizes are bounded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from broken_images import whole_image
from serving import JSON, Served, serve, sizes_below

from app.library import Library
from app.server import guard
from app.server.guard import checked, file_paths, is_uploaded
from app.server.limits import Ceiling

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def served(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(library, tmp_path_factory.mktemp("gradio")) as running:
        yield running


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=../../../../etc/passwd",
        "gradio_api/file=%2e%2e/%2e%2e/etc/passwd",
        "gradio_api/file=..%2f..%2f..%2fetc%2fpasswd",
        f"gradio_api/file={ROOT}/app/start.py",
        f"gradio_api/file={ROOT}/README.md",
        "gradio_api/file=README.md",
        "gradio_api/file=/proc/self/environ",
        "gradio_api/file=file:///etc/passwd",
        "gradio_api/file=TEMPORARY/../outside.txt",
        "gradio_api/file=TEMPORARY/%2e%2e/outside.txt",
        "gradio_api/file=DATA",
        "gradio_api/file=CHECKPOINT",
        "gradio_api/file/etc/passwd",
        "static/../../../etc/passwd",
        "static/..%2f..%2f..%2fetc%2fpasswd",
        "assets/..%2f..%2f..%2fetc%2fpasswd",
        "svelte/..%2f..%2f..%2fetc%2fpasswd",
    ],
)
def test_no_file_of_the_machine_leaves(served: Served, library: Library, path: str) -> None:
    (served.temporary.parent / "outside.txt").write_text("a secret")
    data = library.collections["synvi"].samples[0].path
    weights = library.checkpoints["mun-tiny"].folder / "model.safetensors"
    for word, place in (("TEMPORARY", served.temporary), ("DATA", data), ("CHECKPOINT", weights)):
        path = path.replace(word, str(place))
    answer = served.client.get(served.url + path)
    assert answer.status_code in (403, 404)
    assert b"root:" not in answer.content
    assert b"a secret" not in answer.content


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=http://127.0.0.1:1/a",
        "gradio_api/file=https://example.org/a.png",
        "gradio_api/file=HTTPS://example.org/a.png",
        "gradio_api/file=https%3A%2F%2Fexample.org/a.png",
        "gradio_api/file/https://example.org/a.png",
        "gradio_api/proxy=https://a.hf.space/file=/etc/passwd",
        "gradio_api/deep_link",
        "monitoring",
        "monitoring/summary",
    ],
)
def test_routes_that_the_page_does_not_use_are_closed(served: Served, path: str) -> None:
    for method in ("GET", "HEAD"):
        answer = served.client.request(method, served.url + path)
        assert answer.status_code == 404
        assert answer.text == ("" if method == "HEAD" else "There is nothing at this address.")


def test_recordings_are_not_kept(served: Served) -> None:
    answer = served.client.post(f"{served.url}gradio_api/process_recording", files={"video": ("a.mp4", b"0" * 1000)})
    assert answer.status_code == 404


@pytest.mark.parametrize("name", ["../../../x.png", "..\\..\\x.png", "/etc/x.png", "a/../../x.png", "..", "x\x00.png"])
def test_uploads_stay_in_their_folder(served: Served, name: str) -> None:
    before = set(served.temporary.parent.iterdir())
    answer = served.client.post(f"{served.url}gradio_api/upload", files={"files": (name, whole_image())})
    if answer.status_code == 200:
        assert Path(answer.json()[0]).resolve().is_relative_to(served.temporary)
    else:
        assert answer.status_code in (400, 500)
        assert "Traceback" not in answer.text
    assert set(served.temporary.parent.iterdir()) == before


def test_a_file_above_the_limit_is_refused(served: Served) -> None:
    answer = served.client.post(f"{served.url}gradio_api/upload", files={"files": ("a.png", bytes(17_000_000))})
    assert answer.status_code == 413
    assert max(sizes_below(served.temporary).values(), default=0) <= 16_000_000


def test_bodies_above_the_limits_are_refused(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_CALL_BYTES", 2_000_000)
    monkeypatch.setenv("MUN_UPLOAD_MB", "3")
    with serve(library, tmp_path / "gradio") as served:
        check_limits(served)


def test_uploads_can_be_closed(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MUN_UPLOAD_MB", "0")
    with serve(library, tmp_path / "gradio") as served:
        answer = served.client.post(f"{served.url}gradio_api/upload", files={"files": ("a.png", bytes(10))})
        assert (answer.status_code, answer.text) == (403, "Images of your own cannot be uploaded here.")
        assert served.call("retrieve", ["", "", "", 10, "", 0]).event == "complete"


def check_limits(served: Served) -> None:
    def parts(size: int) -> Iterator[bytes]:
        for _ in range(size // 100_000):
            yield b" " * 100_000

    call, upload = f"{served.url}gradio_api/call/retrieve", f"{served.url}gradio_api/upload"
    for content in (bytes(2_000_001), parts(2_100_000)):  # with its length declared, and without
        answer = served.client.post(call, content=content, headers=JSON)
        assert (answer.status_code, answer.text) == (413, "expected at most 2 MB, got more")
    form = {"content-type": "multipart/form-data; boundary=b"}
    head = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'

    def chunked() -> Iterator[bytes]:
        yield head
        yield from parts(3_100_000)

    for content in (head + bytes(3_000_001), chunked()):
        answer = served.client.post(upload, content=content, headers=form)
        assert (answer.status_code, answer.text) == (413, "expected at most 3 MB, got more")
    assert served.call("retrieve", ["", "", "", 10, "", 0]).event == "complete"


def test_uploads_make_room_for_one_another(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.server.limits.LEAST_TEMP", 1)
    monkeypatch.setenv("MUN_TEMP_MB", "5")
    with serve(library, tmp_path / "gradio") as served:
        for number in range(12):
            served.upload(f"{number}.png", bytes([number]) * 1_000_000)
            weight = sum(sizes_below(served.temporary).values())
            assert weight <= 5_000_000
        assert weight > 2_000_000


def test_another_sites_scripts_may_not_read_answers(served: Served) -> None:
    for origin in ("https://example.org", "null", "http://evil.localhost.example.org"):
        answer = served.client.get(f"{served.url}config", headers={"origin": origin, "host": "127.0.0.1:7860"})
        assert answer.headers.get("access-control-allow-origin") in (None, "")


def test_unknown_functions_get_a_sentence(served: Served) -> None:
    outcome = served.call("nothing", [])
    assert (outcome.status, outcome.text) == (500, "This request could not be understood.")


def test_arguments_left_out_at_the_end_get_their_defaults(served: Served) -> None:
    whole = served.call("retrieve", ["", "", "", 10, "", 0])
    for data in ([], [""], ["", "", "", 10]):
        assert served.call("retrieve", data).value == whole.value
    assert len(served.call("retrieve", ["", "", "", 3]).value[0]["results"]) == 3


@pytest.mark.parametrize(
    "path", ["https://example.org/a.png", "/etc/passwd", "../a", "a.png", "FOLDER/../a.png", "FOLDER/a\0.png", ""]
)
def test_files_that_nobody_uploaded_are_refused_before_anything_looks_for_them(served: Served, path: str) -> None:
    file = {"path": path.replace("FOLDER", str(served.temporary)), "meta": {"_type": "gradio.FileData"}}
    for data in ([file], [[[{"a": file}]]], {"a": file}):
        outcome = served.call("retrieve", data)
        assert (outcome.status, outcome.text) == (400, "expected an uploaded file, got a path or an address")


class OneFunction:
    """The part of Gradio's application that the guard looks at."""

    def __init__(self, visibility: str) -> None:
        block = type("Block", (), {"skip_api": False, "value": 7})()
        state = type("Block", (), {"skip_api": True, "value": None})()
        words = {"inputs": [state, block, block], "api_name": "f", "api_visibility": visibility}
        self.fns = {3: type("Function", (), words)()}

    def get_blocks(self) -> OneFunction:
        return self


def check(value: Any, path: str = "/gradio_api/queue/join", visibility: str = "private") -> Any:
    return json.loads(checked(json.dumps(value).encode(), path, OneFunction(visibility), Path("/tmp/uploads")))


def test_calls_are_completed_or_refused() -> None:
    for call in ({"data": [1, 2], "fn_index": 3}, {"data": [1], "fn_index": 9}, {"data": 1, "fn_index": 3}, [1], 1):
        assert check(call) == call
    with pytest.raises(ValueError, match="expected 2 arguments, got 1"):
        check({"data": [1], "fn_index": 3})
    assert check({"data": [1], "fn_index": 3}, visibility="public")["data"] == [1, 7]
    assert check({"data": []}, "/gradio_api/call/f", "public")["data"] == [7, 7]
    assert check({"data": [], "fn_index": 3}, "/gradio_api/call/g", "public")["data"] == []
    assert checked(b"{", "/", OneFunction("public"), Path("/tmp")) == b"{"


def test_paths_are_found_at_any_depth() -> None:
    assert sorted(file_paths({"path": "a", "b": [{"path": "c"}, [[{"path": 1, "d": {"path": "e"}}]]]})) == [
        "a",
        "c",
        "e",
    ]


def test_only_paths_below_the_folder_count_as_uploaded(tmp_path: Path) -> None:
    assert is_uploaded(f"{tmp_path}/a/b.png", tmp_path)
    assert not is_uploaded(f"{tmp_path}x/b.png", tmp_path)
    assert not is_uploaded(f"{tmp_path}/a/../../b.png", tmp_path)


def test_a_ceiling_of_nothing_refuses_uploads(tmp_path: Path) -> None:
    with Ceiling(tmp_path, 0).room_for(1) as room:
        assert not room
