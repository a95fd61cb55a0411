"""Connections that send nothing, send too slowly, or do not read are closed, and no other visitor waits for them."""

import socket
import time
from collections.abc import Iterator

import pytest
from serving import Served, serve

from app.library import Library
from app.server import connections, guard, room

STALL = 1.0
JSON = b"Host: a\r\nContent-Type: application/json\r\n"
CALL = b"POST /gradio_api/call/retrieve HTTP/1.1\r\n" + JSON
BODY = b'{"data": []}'
LENGTH = b"Content-Length: 12\r\n"


@pytest.fixture(scope="module")
def served(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connections, "STALL_SECONDS", STALL)
        patch.setattr(room, "STALL_SECONDS", STALL)
        with serve(library, tmp_path_factory.mktemp("gradio")) as running:
            yield running


def connect(served: Served, said: bytes = b"", room: int = 0) -> socket.socket:
    host, port = served.url.removeprefix("http://").rstrip("/").split(":")
    made = socket.socket()
    if room:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
    made.settimeout(30)
    made.connect((host, int(port)))
    made.sendall(said)
    return made


def read(connection: socket.socket, pause: float = 0) -> bytes:
    """Read until the server closes the connection."""
    said = b""
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            return said
        if not part:
            return said
        said += part
        time.sleep(pause)


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        (CALL + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nA\r\n" * 10_000, 400, "with a declared length"),
        (CALL + LENGTH + b"Transfer-Encoding: chunked\r\n\r\nc\r\n" + BODY, 400, "with a declared length"),
        (CALL + LENGTH + b"Content-Length: 13\r\n\r\n" + BODY, 400, "Invalid HTTP request"),
        (CALL + LENGTH + b"Content-Type: text/plain\r\n\r\n" + BODY, 400, "got one of them twice"),
        (CALL + LENGTH + b"Origin: http://a\r\nOrigin: http://b\r\n\r\n" + BODY, 400, "got one of them twice"),
        (CALL + LENGTH + b"Origin: http://[::1\r\n\r\n" + BODY, 403, "got one from another site"),
        (CALL + LENGTH + b"Origin: http://a]b[\r\n\r\n" + BODY, 403, "got one from another site"),
        (CALL + b"Content-Length: 23000000\r\n\r\n" + BODY, 408, "within 1 s"),
        (b'GET / HTTP/1.1\r\nHost: "><script>\r\n\r\n', 400, "the name of a host"),
        (b"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400, "the name of a host"),
        (b"GET / HTTP/1.1\r\nHost: a:99999999\r\n\r\n", 400, "the name of a host"),
        (b"GET / HTTP/1.1\r\nHost: \xff\r\n\r\n", 400, "the name of a host"),
        (b"GET /gradio_api/heartbeat/%00 HTTP/1.1\r\nHost: a\r\n\r\n", 404, guard.NOTHING),
        (b"GET /gradio_api/queue/data HTTP/1.1\r\nHost: a\r\n\r\n", 404, guard.NOTHING),
        (b"GET /gradio_api/queue/data?session_hash=%ff HTTP/1.1\r\nHost: a\r\n\r\n", 404, guard.NOTHING),
        (b"GET /gradio_api/call/retrieve/0a HTTP/1.1\r\nHost: a\r\n\r\n", 404, guard.NOTHING),
        (b"GET /assets/" + b"a" * 5000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 404, guard.NOTHING),
        (b"GET http://b/config HTTP/1.1\r\nHost: a\r\n\r\n", 404, guard.NOTHING),
        (b"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 404, guard.NOTHING),
    ],
    ids=lambda value: str(value)[:60],
)
def test_odd_requests_get_one_sentence_and_no_log(served, caplog, capfd, said, status, words) -> None:
    answer = read(connect(served, said))
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert words.encode() in answer
    assert "Traceback" not in capfd.readouterr().err
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize(
    "said", [b"", b"GET / HTTP/1.1\r\nHo", b"GET /theme.css HTTP/1.1\r\nHost: a\r\n\r\nGET / HTT"], ids=str
)
def test_who_asks_nothing_is_closed(served: Served, said: bytes) -> None:
    assert read(connect(served, said)).count(b"HTTP/1.1") == said.count(b"\r\n\r\n")


@pytest.mark.slow
def test_an_answer_is_read_steadily_or_not_at_all(served: Served) -> None:
    asked = b"GET /theme.css HTTP/1.1\r\nHost: a\r\n\r\n" * 200
    steady, stalled = connect(served, asked, room=8192), connect(served, asked, room=8192)
    whole = read(steady, pause=0.001)
    assert whole.count(b"HTTP/1.1 200 OK") == 200
    time.sleep(3 * STALL)
    assert read(stalled).count(b"HTTP/1.1 200 OK") < 200


def test_who_has_asked_nothing_for_longest_makes_room(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALL_SECONDS", 60.0)
    monkeypatch.setattr(connections, "most_connections", lambda: 20)
    many = [connect(served) for _ in range(40)]
    assert served.call("retrieve", []).event == "complete"
    assert read(many[0]) == b""
    many[-1].sendall(b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
    assert read(many[-1]).endswith(guard.NOTHING.encode())
