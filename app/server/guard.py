"""What stands before Gradio's routes: requests of a bearable size, no route that is not used, a packed page."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse

from app.server.limits import Caps, Ceiling
from app.server.uploads import Arrivals

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["MAX_CALL_BYTES", "Guard", "PackedPage"]

MAX_CALL_BYTES = 24_000_000  # an image of 16 MB in base64, and its fellow arguments

# Routes of Gradio that fetch an address, keep what they are sent, or serve other features than ours. Letters may come
# percent-encoded, but by then the server has decoded them.
CLOSED = re.compile(
    r"/(?:gradio_api/)?(?:"
    r"file[=/]\s*https?:|proxy=|process_recording|vibe-|undo-vibe|run-history|"
    r"runs|monitoring|dev/|profiling|custom_component|deep_link|stream/"
    r")",
    re.IGNORECASE,
)
NAMED = re.compile(r"/gradio_api/(?:call|run|api)/(?P<name>[^/]+)/?")


class PackedPage:
    """An ASGI middleware that packs the page itself; Gradio packs its scripts, and leaves the page as it is.

    Nothing else goes through it: it would hold the head of a stream of events back until the first of them.

    Args:
        app: What comes behind.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app, self.packing = app, GZipMiddleware(app, compresslevel=6)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        page = scope["type"] == "http" and scope["path"] in ("/", "/config")
        await (self.packing if page else self.app)(scope, receive, send)


class Guard:
    """An ASGI middleware in front of Gradio.

    - Routes that the page does not use are not there: among them those that fetch any address for anybody, and the one
      that keeps recordings.
    - A body has at most 24 MB, an upload at most 256 MB, or as the caps say, and no more than the temporary folder may
      hold; older temporary files make room for it.
    - Each uploaded file gets a place of its own, so that two visitors may bring the same.
    - A call whose arguments name a file that is not below the folder of uploads is refused before anything looks for
      it, and so is an address, which Gradio would fetch. Arguments that a call of a public function leaves out at the
      end get their defaults; an event of the page with too few is refused, which Gradio would do without a word.

    Args:
        app: What comes behind.
        ceiling: Bounds the temporary files.
        upload_bytes: Bounds one upload; 0 closes uploads.
    """

    def __init__(self, app: ASGIApp, ceiling: Ceiling, upload_bytes: int = Caps.upload_bytes) -> None:
        self.app, self.ceiling, self.upload_bytes = app, ceiling, upload_bytes
        self.folder = Path(os.path.abspath(ceiling.folder))
        self.arrivals = Arrivals(ceiling.folder.resolve())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it in one sentence."""
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._answer(scope, receive, watched)
        except Exception:
            if begun or scope["type"] != "http":
                raise
            logging.getLogger(__name__).exception("a request failed")
            await refuse(500, "This request could not be understood.", scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        if CLOSED.match(scope["path"]):
            await refuse(404, "There is nothing at this address.", scope, receive, send)
            return
        if scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif scope["path"].rstrip("/").endswith("/upload"):
            await self._upload(scope, receive, send)
        else:
            await self._call(scope, receive, send)

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass an upload on, once there is room for it."""
        most = min(self.upload_bytes, self.ceiling.max_bytes)
        if not most:
            await refuse(403, "Images of your own cannot be uploaded here.", scope, receive, send)
            return
        length = min(declared(scope, most), most + 1)
        if length > most:
            await too_large(most, scope, receive, send)
            return
        with ExitStack() as stack:
            if not await run_in_threadpool(stack.enter_context, self.ceiling.room_for(length)):
                words = "Many visitors are uploading images just now; please try again in a minute."
                await refuse(503, words, scope, receive, send)
                return
            body, answer = Counted(receive, most), Answer()
            stack.enter_context(self.arrivals.coming())
            try:
                await self.app(scope, body, answer.take)
            except ClientDisconnect:
                if body.exceeded:
                    await too_large(most, scope, receive, send)
                return
            if answer.status == 200:
                tracked = scope["app"].get_blocks().upload_file_set
                answer.body = await run_in_threadpool(self.arrivals.own_places, answer.body, tracked)
            await answer.send(send)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read a call whole and pass it on, unless it is too large or names an address."""
        if declared(scope, 0) > MAX_CALL_BYTES:
            await too_large(MAX_CALL_BYTES, scope, receive, send)
            return
        body = Counted(receive, MAX_CALL_BYTES)
        parts = []
        while (message := await body())["type"] == "http.request":
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        if body.exceeded:
            await too_large(MAX_CALL_BYTES, scope, receive, send)
            return
        await run_in_threadpool(self.ceiling.tend)
        try:
            whole = await run_in_threadpool(checked, b"".join(parts), scope["path"], scope["app"], self.folder)
        except ValueError as error:
            await refuse(400, str(error), scope, receive, send)
            return
        await self.app(scope, Replay(whole, receive), send)


class Counted:
    """Receive a body until it is larger than allowed; then the visitor counts as gone."""

    def __init__(self, receive: Receive, most: int) -> None:
        self.receive, self.most, self.seen = receive, most, 0

    @property
    def exceeded(self) -> bool:
        """Whether more came than is allowed."""
        return self.seen > self.most

    async def __call__(self) -> Message:
        """Receive the next message."""
        message = await self.receive()
        self.seen += len(message.get("body", b""))
        return {"type": "http.disconnect"} if self.exceeded else message


class Answer:
    """An answer that is held back until it is whole."""

    def __init__(self) -> None:
        self.status, self.body = 500, b""
        self.headers: list[tuple[bytes, bytes]] = []

    async def take(self, message: Message) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], [*message.get("headers", [])]
        else:
            self.body += message.get("body", b"")

    async def send(self, send: Send) -> None:
        """Send the answer."""
        headers = [(name, value) for name, value in self.headers if name.lower() != b"content-length"]
        headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


class Replay:
    """Receive a body that has been read before, then whatever comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.body: bytes | None = body
        self.receive = receive

    async def __call__(self) -> Message:
        """Receive the next message."""
        if self.body is None:
            return await self.receive()
        body, self.body = self.body, None
        return {"type": "http.request", "body": body, "more_body": False}


def declared(scope: Scope, default: int) -> int:
    """Read the length that a request declares; `default` where it declares none that is a number."""
    words = dict(scope["headers"]).get(b"content-length", b"").decode("ascii", "replace")
    return int(words) if words.isdecimal() and len(words) < 19 else default


async def refuse(status: int, words: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with one sentence."""
    await PlainTextResponse(words, status)(scope, receive, send)


async def too_large(most: int, scope: Scope, receive: Receive, send: Send) -> None:
    """Say that a body is too large."""
    await refuse(413, f"expected at most {most // 1_000_000} MB, got more", scope, receive, send)


def checked(body: bytes, path: str, app: Any, folder: Path) -> bytes:
    """Check a call and complete its arguments.

    Bodies that are no JSON, and arguments that are no list, are left for Gradio to refuse.

    Args:
        body: The call, as it came.
        path: Where to.
        app: Gradio's application.
        folder: Of uploads.

    Returns:
        The call; where arguments of a public function are missing at the end, with their defaults.

    Raises:
        ValueError: It names a file that nobody uploaded, or an argument without a default is missing.
    """
    try:
        call = json.loads(body)
    except (ValueError, RecursionError):
        return body
    if any(not is_uploaded(name, folder) for name in file_paths(call)):
        raise ValueError("expected an uploaded file, got a path or an address")
    function = called(call, path, app)
    data = call.get("data") if isinstance(call, dict) else None
    if function is None or not isinstance(data, list):
        return body
    inputs = [block for block in function.inputs if not block.skip_api]
    if len(data) >= len(inputs):
        return body
    if function.api_visibility != "public":
        raise ValueError(f"expected {len(inputs)} arguments, got {len(data)}")
    call["data"] = data + [block.value for block in inputs[len(data) :]]
    return json.dumps(call).encode()


def file_paths(call: object) -> Iterator[str]:
    """List the paths of all file objects in a JSON value, at any depth: Gradio takes any object with a path for one."""
    todo = [call]
    while todo:
        value = todo.pop()
        if isinstance(value, dict):
            if isinstance(value.get("path"), str):
                yield value["path"]
            todo.extend(value.values())
        elif isinstance(value, list):
            todo.extend(value)


def is_uploaded(path: str, folder: Path) -> bool:
    """Say whether a path is below the folder of uploads, as words alone: nothing is looked up on the disk."""
    whole = os.path.normpath(path)
    return "\0" not in path and os.path.isabs(whole) and Path(whole).is_relative_to(folder)


def called(call: object, path: str, app: Any) -> Any:
    """Find the function of the page that a call is for, by the name in the path or by the number; `None` if unknown."""
    functions = app.get_blocks().fns
    if named := NAMED.fullmatch(path):
        return next((function for function in functions.values() if function.api_name == named["name"]), None)
    number = call.get("fn_index") if isinstance(call, dict) else None
    return functions.get(number) if isinstance(number, int) and not isinstance(number, bool) else None
