"""The guard before Gradio's routes, over HTTP: no file is served, no address is fetched, sizes are bounded."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from fuzz import ROUTES, secrets
from serving import JSON, Served, serve

from app.library import Library
from app.server import guard

ROOT = Path(__file__).resolve().parents[3]


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
        "gradio_api/file=//server/share/a.png",
        "gradio_api/file=/tmp/a.png",
        "gradio_api/upload_progress?upload_id=a",
        "gradio_api/deep_link",
        "gradio_api/vibe-code",
        "gradio_api/run/retrieve",
        "monitoring",
        "monitoring/summary",
    ],
)
@pytest.mark.parametrize("root", ["", "demo/"])
def test_routes_that_the_page_does_not_use_are_closed(served: Served, rooted: Served, path: str, root: str) -> None:
    running = rooted if root else served
    for method in ("GET", "HEAD"):
        answer = running.client.request(method, running.url + root + path)
        assert answer.status_code == 404
        assert answer.text == ("" if method == "HEAD" else "There is nothing at this address.")


@pytest.fixture(scope="module")
def rooted(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve the app below a root path, as behind a proxy."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GRADIO_ROOT_PATH", "/demo")
        with serve(library, tmp_path_factory.mktemp("rooted")) as running:
            yield running


@pytest.mark.parametrize("root", ["", "demo/"])
def test_below_a_root_path_everything_works(rooted: Served, root: str) -> None:
    below = replace(rooted, url=rooted.url + root)
    for path in ("", "config", "theme.css", "gradio_api/info"):
        assert below.client.get(below.url + path).status_code == 200
    assert below.call("retrieve", []).event == "complete"
    assert below.open("retrieval")["values"]["query"]
    packed = below.client.get(below.url, headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"


# Addresses that run a function or take files under another name, or that belong to features this app does not have.
OPEN = {"queue/join", "cancel", "call/retrieve", "call/v2/retrieve", "call/upload"}  # below gradio_api/
CLOSED = [*ROUTES, *(f"gradio_api/{route}" for route in ROUTES if route not in OPEN), "gradio_api/UPLOAD", ""]


@pytest.mark.parametrize("root", ["", "demo/"])
@pytest.mark.parametrize("path", CLOSED)
def test_functions_run_at_their_own_address_only(served: Served, rooted: Served, path: str, root: str) -> None:
    running = rooted if root else served
    config = running.client.get(f"{running.url}config").json()["dependencies"]
    number = next(entry["id"] for entry in config if entry["api_name"] == "retrieve")  # it waits in the queue
    call = {"fn_index": number, "data": ["", "", "", 3], "session_hash": "a"}
    answer = running.client.post(running.url + root + path, json=call)
    assert (answer.status_code, answer.text) == (404, "There is nothing at this address.")
    answer = running.client.post(running.url + root + path, files={"files": ("closed.png", b"0" * 1000)})
    assert answer.status_code in (404, 415)
    assert not list(running.temporary.rglob("closed.png"))


def test_every_route_of_gradio_is_open_on_purpose(served: Served) -> None:
    """A route of a newer Gradio is closed until it is added to the list and to this test."""
    values = {"{path:path}": "a.js", "{path_or_url:path}": "/tmp/a", "{api_name}": "retrieve", "{event_id}": "0a"}
    opened = set()
    nested = [one.original_router.routes if hasattr(one, "original_router") else [one] for one in served.app.routes]
    for route in (route for routes in nested for route in routes):
        path = route.path
        for name, value in values.items():
            path = path.replace(name, value)
        posted = guard.CALL.fullmatch(path)
        for method in getattr(route, "methods", ()) or ():
            if guard.READ.fullmatch(path) if method in ("GET", "HEAD") else method == "POST" and posted:
                opened.add(route.path.rstrip("/"))
    assert opened == {
        "", "/assets/{path:path}", "/static/{path:path}", "/config", "/theme.css", "/favicon.ico", "/gradio_api/info",
        "/gradio_api/app_id", "/gradio_api/startup-events", "/gradio_api/queue/data",
        "/gradio_api/queue/join", "/gradio_api/cancel", "/gradio_api/run/{api_name}",
        "/gradio_api/call/{api_name}", "/gradio_api/call/{api_name}/{event_id}", "/gradio_api/call/v2/{api_name}",
        "/gradio_api/call/v2/{api_name}/{event_id}", }  # fmt: skip


def test_calls_by_name_of_their_arguments(served: Served) -> None:
    """Send calls as in the page's own documentation for the shell."""
    url = f"{served.url}gradio_api/call/v2/retrieve"
    posted = served.client.post(url, json={"top_k": 3})
    text = served.client.get(f"{served.url}gradio_api/call/retrieve/{posted.json()['event_id']}").text
    assert "event: complete" in text
    refused = served.client.post(url, json={"top": 3})
    assert (refused.status_code, refused.text.partition(",")[0]) == (400, "expected arguments among checkpoint")


def test_calls_are_json_and_say_so(served: Served) -> None:
    """A form of a foreign page can send these types without asking, so they are refused."""
    for kind in ("text/plain", "application/x-www-form-urlencoded", ""):
        url = f"{served.url}gradio_api/call/retrieve"
        answer = served.client.post(url, content=b'{"data": []}', headers={"content-type": kind})
        assert (answer.status_code, answer.text) == (415, "expected a call of the type application/json, got another")


@pytest.mark.parametrize("path", ["gradio_api/queue/join", "gradio_api/run/predict", "gradio_api/call/retrieve"])
def test_malformed_calls_are_refused_without_a_log(served: Served, path: str, caplog) -> None:
    for body in (b'{"data": NaN}', b'{"data": [NaN], "fn_index": 100000, "session_hash": "a"}', b"\xff", b"{}"):
        answer = served.client.post(served.url + path, content=body, headers=JSON)
        assert answer.status_code in (400, 404)
        assert 10 < len(answer.text) < 200
    assert not caplog.records


def test_a_foreign_site_may_call_nothing(served: Served) -> None:
    config = served.client.get(f"{served.url}config").json()["dependencies"]
    calls = {"call/train_start": {"data": []}, "call/retrieve": {"data": []}}
    calls |= {"run/predict": {"fn_index": config[0]["id"], "data": [], "session_hash": "a"}}
    for path, call in calls.items():
        for origin in ("https://example.org", "null", "http://127.0.0.1:1", "http://127.0.0.1.example.org"):
            answer = served.client.post(f"{served.url}gradio_api/{path}", json=call, headers={"origin": origin})
            assert (answer.status_code, answer.text) == (403, guard.FOREIGN)
    own = {"origin": served.url.rstrip("/")}
    assert served.call("retrieve", [], own).event == "complete"


def test_headers_say_what_a_browser_may_do(served: Served) -> None:
    for path in ("", "config", "gradio_api/info", "gradio_api/upload", "nothing"):
        headers = served.client.get(served.url + path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["base-uri"] == "'self'"
        assert policy["object-src"] == "'none'"
        assert "https://huggingface.co" in policy["frame-ancestors"]
        assert not [part for part in policy.values() if "*" in part.replace("https://*.hf.space", "")]


def test_a_forwarded_host_counts_only_where_its_proxy_is_named(served, library, tmp_path, monkeypatch) -> None:
    forged = {"x-forwarded-host": "evil.example.org", "x-gradio-server": "http://evil.example.org"}
    for path in ("", "config"):
        assert "evil" not in served.client.get(served.url + path, headers=forged).text
    monkeypatch.setenv("FORWARDED_ALLOW_IPS", "127.0.0.1")
    with serve(library, tmp_path / "gradio") as proxied:
        headers = {"x-forwarded-host": "demo.example.org", "origin": "https://demo.example.org"}
        assert "demo.example.org" in proxied.client.get(f"{proxied.url}config", headers=headers).text
        assert proxied.call("status", [], headers).event == "complete"


def test_no_answer_names_a_folder_of_the_machine(served: Served) -> None:
    for path in ("", "config", "gradio_api/info", "gradio_api/app_id", "theme.css", "nothing"):
        text = served.client.get(served.url + path).text
        assert not [folder for folder in secrets() if folder in text], path


def test_bodies_above_the_limits_are_refused(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "MAX_CALL_BYTES", 2_000_000)
    with serve(library, tmp_path / "gradio") as served:
        call = f"{served.url}gradio_api/call/retrieve"
        answer = served.client.post(call, content=bytes(2_000_001), headers=JSON)
        assert (answer.status_code, answer.text) == (413, "expected at most 2 MB, got more")
        assert served.call("retrieve", ["", "", "", 10, "", 0]).event == "complete"


def test_another_sites_scripts_may_not_read_answers(served: Served) -> None:
    for origin in ("https://example.org", "null", "http://evil.localhost.example.org"):
        answer = served.client.get(f"{served.url}config", headers={"origin": origin, "host": "127.0.0.1:7860"})
        assert answer.headers.get("access-control-allow-origin") in (None, "")


def test_arguments_left_out_at_the_end_get_their_defaults(served: Served) -> None:
    whole = served.call("retrieve", ["", "", "", 10, "", 0])
    for data in ([], [""], ["", "", "", 10]):
        assert served.call("retrieve", data).value == whole.value


@pytest.mark.parametrize("path", ["https://example.org/a.png", "/etc/passwd", "a.png", "FOLDER/a.png", ""])
def test_files_are_refused_before_anything_looks_for_them(served: Served, path: str) -> None:
    """No request can name a path."""
    file = {"path": path.replace("FOLDER", str(served.temporary)), "meta": {"_type": "gradio.FileData"}}
    for data in ([file], [[[{"a": file}]]], [{"a": [file]}]):
        outcome = served.call("retrieve", data)
        assert (outcome.status, outcome.text.partition(",")[0]) == (400, "expected no file here")
